package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

func testWorld(t *testing.T, keep int, bytes int64) *world {
	w, err := newWorld(keep, bytes, func() time.Time { return time.Unix(1e9, 0) })
	require.NoError(t, err)
	return w
}

func add(t *testing.T, w *world, body string, to ...string) error {
	t.Helper()
	env, err := smtp.NewEnvelope("alice@crepes.fr", to...)
	if err != nil {
		return err
	}
	return w.add(t.Context(), &smtp.Transaction{Session: &smtp.Session{}, Envelope: env}, io.NewSectionReader(strings.NewReader(body), 0, int64(len(body))))
}

// holds counts what POP3 and IMAP would show to a login.
func holds(t *testing.T, w *world, user string) int {
	t.Helper()
	s, err := w.open(t.Context(), user)
	require.NoError(t, err)
	m, err := mailbox.OpenName(t.Context(), s, mailbox.Inbox)
	require.NoError(t, err)
	defer m.Close()
	d, err := m.Changes(t.Context(), 0)
	require.NoError(t, err)
	return len(d.Messages)
}

func ids(w *world, f filter) (out []int64) {
	found, _, _ := w.look(f)
	for _, e := range found {
		out = append(out, e.ID)
	}
	return out
}

// The oldest go, from the list and from every mailbox.
func TestKeepsTheNewest(t *testing.T) {
	w := testWorld(t, 3, 1<<20)
	for i := range 5 {
		require.NoError(t, add(t, w, fmt.Sprintf("Subject: %d\r\n\r\n", i), "bob@x.example", fmt.Sprintf("u%d@x.example", i)))
	}
	assert.Equal(t, []int64{3, 4, 5}, ids(w, filter{}))
	assert.Equal(t, 3, holds(t, w, "all"))
	assert.Equal(t, 3, holds(t, w, "bob@x.example"))
	assert.Equal(t, 0, holds(t, w, "u0@x.example"), "its mailbox is there still, and empty")
	assert.Equal(t, 1, holds(t, w, "u4@x.example"))
	_, st, _ := w.look(filter{})
	assert.Equal(t, int64(3), st.Oldest)
	assert.Nil(t, w.find(2))
	assert.Equal(t, int64(4), w.find(4).ID)
	assert.Nil(t, w.find(6))
}

// Memory is bounded: what is kept costs no more than allowed, copies counted.
func TestKeepsBytes(t *testing.T) {
	w := testWorld(t, 1000, 100_000)
	body := "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 500) // 6 KB
	for range 50 {
		require.NoError(t, add(t, w, body, "bob@x.example", "carol@x.example"))
		require.LessOrEqual(t, w.bytes, int64(100_000))
	}
	n := len(ids(w, filter{}))
	assert.Equal(t, 3, n)
	assert.Equal(t, n, holds(t, w, "bob@x.example"))
	// A message that would not fit alone leaves the others where they are.
	err := add(t, w, strings.Repeat(body, 5), "bob@x.example", "carol@x.example")
	assert.Equal(t, 452, code(err))
	assert.Len(t, ids(w, filter{}), n)
	assert.Equal(t, n, w.remove(filter{}))
	assert.Zero(t, w.bytes)
	assert.Zero(t, holds(t, w, "all"))
}

// Mailboxes without mail are forgotten when there are too many, others are not.
func TestForgetsEmptyMailboxes(t *testing.T) {
	w := testWorld(t, 2, 1<<20)
	for i := range maxBoxes + 10 {
		w.boxes[fmt.Sprintf("u%d", i)] = &box{}
	}
	require.NoError(t, add(t, w, "x\r\n", "bob@x.example"))
	assert.Len(t, w.boxes, 1)
	assert.Equal(t, 1, holds(t, w, "bob@x.example"))
}

func TestChangesAreTold(t *testing.T) {
	w := testWorld(t, 10, 1<<20)
	_, before, changed := w.look(filter{})
	require.NoError(t, add(t, w, "Subject: x\r\n\r\n", "bob@x.example"))
	<-changed
	_, st, changed := w.look(filter{})
	assert.Equal(t, before, st, "a new message is no reason to read all again")
	assert.Equal(t, 0, w.remove(filter{to: "carol"}))
	select {
	case <-changed:
		t.Fatal("nothing has changed")
	default:
	}
	assert.Equal(t, 1, w.remove(filter{to: "bob"}))
	<-changed
	_, after, _ := w.look(filter{})
	assert.NotEqual(t, st.Epoch, after.Epoch)
}

// Many senders, readers and deleters at once leave the books in order.
func TestManyAtOnce(t *testing.T) {
	w := testWorld(t, 20, 20_000)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if err := add(t, w, fmt.Sprintf("Subject: %d\r\n\r\n%d\r\n", i, j), "bob@x.example", fmt.Sprintf("u%d@x.example", i)); err != nil {
					t.Error(err)
				}
				if j%10 == 9 {
					w.remove(filter{to: fmt.Sprintf("u%d", i)})
				}
				found, st, _ := w.look(filter{to: "bob"})
				for _, e := range found {
					if e.ID < st.Oldest {
						t.Errorf("%d is older than the oldest, %d", e.ID, st.Oldest)
					}
				}
			}
		})
	}
	wg.Wait()
	var bytes int64
	live := make(map[*box]int)
	for _, e := range w.entries {
		bytes += e.cost
		for _, c := range e.copies {
			live[c.box]++
		}
	}
	assert.Equal(t, bytes, w.bytes)
	assert.LessOrEqual(t, len(w.entries), 20)
	for user, b := range w.boxes {
		assert.Equal(t, live[b], b.live, user)
		assert.Equal(t, live[b], holds(t, w, user), user)
	}
	assert.Equal(t, len(w.entries), holds(t, w, "all"))
	assert.Equal(t, int64(400), w.last)
}

func TestFilters(t *testing.T) {
	w := testWorld(t, 10, 1<<20)
	require.NoError(t, add(t, w, "From: Ann <ann@crepes.fr>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nPancakes at noon\r\n", "bob@x.example"))
	require.NoError(t, add(t, w, "Subject: other\r\n\r\n", "Bob+tag@X.example", "carol@x.example"))
	for query, want := range map[string][]int64{
		"": {1, 2}, "to=bob": {1}, "to=BOB@x.example": {1}, "to=bob%2Btag": {2}, "to=ob@x.example": nil, "to=carol": {2},
		"from=alice": {1, 2}, "from=ann": nil, "subject=GRÜSSE": nil, "subject=grüße": {1}, "q=PANCAKES": {1}, "q=ann+%3Cann": {1},
		"q=carol@": {2}, "after=1": {2}, "after=1&to=bob": nil, "after=-5": {1, 2},
	} {
		r := request("?" + query)
		f, err := filterOf(r)
		require.NoError(t, err, query)
		assert.Equal(t, want, ids(w, f), query)
	}
	for _, query := range []string{"?too=bob", "?after=x", "?after=", "?timeout=1s"} {
		_, err := filterOf(request(query))
		assert.Error(t, err, query)
	}
}
