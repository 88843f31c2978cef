package imap

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const helloStatus = "* OK [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS] ready\r\n"

// told writes what a list tells, counts behind the names.
func told(list []*MailboxInfo) string {
	var words []string
	for _, m := range list {
		n := "-"
		if m.Status != nil {
			n = fmt.Sprint(m.Status.Messages)
		}
		words = append(words, m.Name+" "+n)
	}
	return strings.Join(words, ", ")
}

// A loop that is left early leaves the connection in step.
func TestListIsLeftEarly(t *testing.T) {
	conn := dialScript(t, hello, "* LIST () \"/\" a\r\n* LIST () \"/\" b\r\n* LIST () \"/\" c\r\n$TAG OK\r\n", "$TAG OK\r\n")
	var got []*MailboxInfo
	for m, err := range conn.List(t.Context(), "*", ListOptions{}) {
		require.NoError(t, err)
		assert.ErrorIs(t, conn.Noop(t.Context()), errBusy, "within the loop")
		if got = append(got, m); len(got) == 2 {
			break
		}
	}
	assert.Equal(t, "a -, b -", told(got))
	assert.NoError(t, conn.Noop(t.Context()))
}

// STATUS may come behind its mailbox, behind all of them, or not at all; the
// order stays that of the list (RFC 5819 §2).
func TestListStatusInAnyOrder(t *testing.T) {
	line := func(attr, name string) string { return "* LIST (" + attr + ") \"/\" " + name + "\r\n" }
	count := func(name string, n int) string { return fmt.Sprintf("* STATUS %s (MESSAGES %d)\r\n", name, n) }
	for name, tc := range map[string]struct{ answer, want string }{
		"in between":         {line("", "a") + count("a", 1) + line("", "b") + count("b", 2), "a 1, b 2"},
		"behind":             {line("", "a") + line("", "b") + count("a", 1) + count("b", 2), "a 1, b 2"},
		"upside down":        {line("", "a") + line("", "b") + count("b", 2) + count("a", 1), "a 1, b 2"},
		"one is missing":     {line("", "a") + line("", "b") + count("b", 2), "a -, b 2"},
		"nothing to count":   {line(`\Noselect`, "a") + line("", "b") + count("b", 2), "a -, b 2"},
		"INBOX in two cases": {line("", "INBOX") + count("inbox", 3), "INBOX 3"},
		"of no mailbox":      {count("x", 9) + line("", "a") + count("a", 1) + count("a", 7), "a 1"},
		"a name twice":       {line("", "a") + line("", "a") + count("a", 1), "a -, a 1"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialScript(t, helloStatus, tc.answer+"$TAG OK\r\n")
			list, err := Collect(conn.List(t.Context(), "*", ListOptions{Status: true}))
			require.NoError(t, err)
			assert.Equal(t, tc.want, told(list))
		})
	}
}

// What does not wait for STATUS is told before the server is at its end.
func TestListTellsAsItComes(t *testing.T) {
	c := playServer(t, true, hello, []string{"* LIST () \"/\" a\r\n"})
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	var last error
	for m, err := range conn.List(t.Context(), "*", ListOptions{}) {
		if last = err; err == nil {
			assert.Equal(t, "a", m.Name)
			conn.Close() // allowed within the loop, and ends it
		}
	}
	assert.Error(t, last)
}

// A refusal comes behind what was told; a mailbox that cannot be counted does
// not hide the others.
func TestListRefused(t *testing.T) {
	conn := dialScript(t, hello, "* LIST () \"/\" a\r\n$TAG NO [LIMIT] enough\r\n", "$TAG OK\r\n")
	list, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "LIMIT", e.Code)
	assert.Equal(t, "a -", told(list))
	assert.NoError(t, conn.Noop(t.Context()))

	conn = dialScript(t, hello, "* LIST () \"/\" a\r\n* LIST () \"/\" b\r\n$TAG OK\r\n", "$TAG NO gone\r\n", "* STATUS b (MESSAGES 2)\r\n$TAG OK\r\n", "$TAG OK\r\n")
	list, err = Collect(conn.List(t.Context(), "*", ListOptions{Status: true}))
	_, ok = errors.AsType[*Error](err)
	assert.True(t, ok, "%v", err)
	assert.Equal(t, "a -, b 2", told(list))
	assert.NoError(t, conn.Noop(t.Context()))
}

// Counts that are asked for one by one are no longer asked for behind the end of
// the loop, even if the first of them is refused or not answered.
func TestListStatusIsLeftEarly(t *testing.T) {
	for first, want := range map[string]string{"* STATUS b0 (MESSAGES 0)\r\n$TAG OK\r\n": "b0 0", "$TAG NO gone\r\n": "b0 -", "$TAG OK\r\n": "b0 -"} {
		var lines strings.Builder
		answers := []string{"", first}
		for i := range 3 * maxAhead {
			fmt.Fprintf(&lines, "* LIST () \"/\" b%d\r\n", i)
			if 0 < i && i < maxAhead {
				answers = append(answers, fmt.Sprintf("* STATUS b%d (MESSAGES %d)\r\n$TAG OK\r\n", i, i))
			}
		}
		answers[0] = lines.String() + "$TAG OK\r\n"
		conn := dialScript(t, hello, append(answers, "$TAG OK\r\n")...)
		for m, err := range conn.List(t.Context(), "*", ListOptions{Status: true}) {
			require.NoError(t, err)
			assert.Equal(t, want, told([]*MailboxInfo{m}))
			break
		}
		assert.NoError(t, conn.Noop(t.Context()), "the answer behind one batch of STATUS")
	}
}

// Mailboxes are told batch by batch: the first before the last is asked about.
func TestListStatusTellsEachBatch(t *testing.T) {
	conn := dialServer(t, serverOf(testStore()), Client{})
	ctx := t.Context()
	for i := range 2 * maxAhead {
		require.NoError(t, conn.Create(ctx, fmt.Sprint("box", i)))
	}
	delete(conn.caps, "LIST-STATUS")
	delete(conn.caps, "IMAP4REV2")
	n, tags := 0, map[int]bool{}
	for m, err := range conn.List(ctx, "box*", ListOptions{Status: true}) {
		require.NoError(t, err)
		assert.NotNil(t, m.Status, m.Name)
		tags[conn.tag] = true
		n++
	}
	assert.Equal(t, 2*maxAhead, n)
	assert.Len(t, tags, 2, "commands were sent in between")
}

// What waits for its counts is bounded by MaxResponse.
func TestListStatusHoldsNoMoreThanMaxResponse(t *testing.T) {
	line := "* LIST () \"/\" " + strings.Repeat("x", 100) + "%d\r\n"
	var lines strings.Builder
	for i := range 500 {
		fmt.Fprintf(&lines, line, i)
	}
	c := scripted(t, helloStatus, lines.String()+"$TAG OK\r\n")
	c.MaxResponse = 4000
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = Collect(conn.List(t.Context(), "*", ListOptions{Status: true}))
	assert.ErrorIs(t, err, errLarge)
	assert.True(t, conn.Botched())
}

// A line that makes no sense is left out, and refused by the strict.
func TestListMalformed(t *testing.T) {
	for _, line := range []string{"LIST", "LIST (", `LIST () "/"`, `LIST () "/" (x)`, `LIST "x" "/" a`} {
		answer := "* " + line + "\r\n* LIST () \"/\" ok\r\n$TAG OK\r\n"
		list, err := Collect(dialScript(t, hello, answer).List(t.Context(), "*", ListOptions{}))
		require.NoError(t, err, line)
		assert.Equal(t, "ok -", told(list), line)
		c := scripted(t, hello, answer)
		c.Strict = true
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		_, err = Collect(conn.List(t.Context(), "*", ListOptions{}))
		assert.Error(t, err, line)
		assert.True(t, conn.Botched(), line)
		conn.Close()
	}
}

// Mailboxes are told as they come: what a client holds does not grow with them.
func TestListStreams(t *testing.T) {
	line := "* LIST () \"/\" " + strings.Repeat("x", 100) + "\r\n"
	c := scripted(t, hello, strings.Repeat(line, 500)+"$TAG OK\r\n")
	c.MaxResponse = 4000
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	all, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
	require.NoError(t, err)
	assert.Len(t, all, 500)
}

// A loop that is left leaves a connection that can be used; within it nothing
// else may be asked.
func TestListLeftEarly(t *testing.T) {
	for _, opts := range []ListOptions{{}, {Status: true}} {
		t.Run(fmt.Sprintf("status %v", opts.Status), func(t *testing.T) {
			conn := dialServer(t, serverOf(testStore()), Client{})
			ctx := t.Context()
			for i := range 20 {
				require.NoError(t, conn.Create(ctx, fmt.Sprint("box", i)))
			}
			n := 0
			for m, err := range conn.List(ctx, "*", opts) {
				require.NoError(t, err)
				assert.NotEmpty(t, m.Name)
				assert.Error(t, conn.Noop(ctx), "within the loop")
				if n++; n == 3 {
					break
				}
			}
			assert.Equal(t, 3, n)
			require.NoError(t, conn.Noop(ctx))
			all, err := Collect(conn.List(ctx, "box1*", opts))
			require.NoError(t, err)
			assert.Len(t, all, 11)
		})
	}
}

// What came before an error is kept, and the error comes last, once.
func TestCollect(t *testing.T) {
	bad := errors.New("bad")
	got, err := Collect(func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, bad) && yield(3, nil)
	})
	assert.Equal(t, []int{1, 2}, got)
	assert.ErrorIs(t, err, bad)
	conn := dialScript(t, hello, "* LIST () \"/\" a\r\n$TAG NO no\r\n")
	list, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
	assert.Len(t, list, 1)
	var refused *Error
	assert.ErrorAs(t, err, &refused)
}
