package imap

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// recorder is a server that says OK to everything and keeps each command as it
// came, literals in place, without tag and CRLF.
type recorder struct{ commands []string }

func record(t testing.TB, caps string) (*recorder, *Conn) {
	t.Helper()
	rec := &recorder{}
	near, far := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
	done := make(chan struct{})
	go func() { defer close(done); rec.serve(far, caps) }()
	conn, err := (&Client{}).NewConn(t.Context(), near)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(); <-done })
	return rec, conn
}

func (rec *recorder) serve(nc net.Conn, caps string) {
	defer nc.Close()
	r := bufio.NewReader(nc)
	_, _ = io.WriteString(nc, "* OK [CAPABILITY IMAP4rev1 "+caps+"] ready\r\n")
	for {
		tag, text, err := readCommand(r, nc)
		if err != nil {
			return
		}
		rec.commands = append(rec.commands, text)
		_, _ = io.WriteString(nc, tag+" OK\r\n")
	}
}

// readCommand reads as a server does: a line, and behind each announced literal its
// octets and another line.
func readCommand(r *bufio.Reader, nc io.Writer) (tag, text string, err error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		text += line
		lit, _, ok := wire.LiteralAt([]byte(strings.TrimSuffix(text, "\r\n")))
		if !ok {
			break
		}
		if !lit.NonSync {
			_, _ = io.WriteString(nc, "+ go\r\n")
		}
		octets := make([]byte, lit.Size)
		if _, err := io.ReadFull(r, octets); err != nil {
			return "", "", err
		}
		text += string(octets)
	}
	tag, text, _ = strings.Cut(strings.TrimSuffix(text, "\r\n"), " ")
	return tag, text, nil
}

// evil are arguments that want to be more than one.
var evil = []string{
	"", " ", "a b", `"`, `""`, `a"b`, `\`, `a\"b`, "(", ")", "{3}", "{3+}", "~{1}", "NIL", "*", "%", "]", "[",
	"\r\nx1 LOGOUT", "\nx1 LOGOUT", "\rx", "\r\n", "a\r\n", "{2}\r\nx1 LOGOUT", "\t", "\x7f", "\x1b[0m",
	"é", "日本語", "\xff\xfe", "&", "&-", "&AA0ACg-", "-x", "+x",
}

// arguments takes all of a command's arguments apart, parentheses and all.
func arguments(t testing.TB, conn *Conn, text string) (out []value) {
	t.Helper()
	r := conn.values([]byte(text))
	for r.more() {
		out = append(out, r.next())
	}
	require.False(t, r.bad, "%q", text)
	return out
}

// injection is one method, what it is given, and where in its command that stands.
type injection struct {
	name string
	do   func(ctx context.Context, c *Conn, s string) error
	at   func(args []value) value
	args int
	form form
}

// form is what becomes of an argument on its way.
type form uint8

const (
	aString form = iota
	aBox         // modified UTF-7
	anEntry      // behind "/private/", and not any
)

// check wants s to have arrived as one argument.
func (in *injection) check(t testing.TB, conn *Conn, s, command string) {
	t.Helper()
	args := arguments(t, conn, command)
	require.Len(t, args, in.args, "%q", command)
	want := s
	switch in.form {
	case aBox:
		want = wire.EncodeUTF7(s)
	case anEntry:
		want = "/private/" + s
	}
	got := in.at(args)
	assert.Equal(t, want, got.text(), "%q", command)
	assert.Contains(t, []valueKind{isAtom, isString}, got.kind, "%q", command)
}

func at(i int) func([]value) value { return func(a []value) value { return a[i] } }

var injections = []injection{
	{"ACL", func(ctx context.Context, c *Conn, s string) error { _, err := c.ACL(ctx, s); return err }, at(1), 2, aBox},
	{"MyRights", func(ctx context.Context, c *Conn, s string) error { _, err := c.MyRights(ctx, s); return err }, at(1), 2, aBox},
	{"SetACL name", func(ctx context.Context, c *Conn, s string) error {
		return c.SetACL(ctx, s, "bob", mailbox.ReplaceFlags, "lr")
	}, at(1), 4, aBox},
	{"SetACL who", func(ctx context.Context, c *Conn, s string) error {
		return c.SetACL(ctx, "a", s, mailbox.ReplaceFlags, "lr")
	}, at(2), 4, aString},
	{"SetACL rights", func(ctx context.Context, c *Conn, s string) error {
		return c.SetACL(ctx, "a", "bob", mailbox.ReplaceFlags, mailbox.Rights(s))
	}, at(3), 4, aString},
	{"DeleteACL", func(ctx context.Context, c *Conn, s string) error { return c.DeleteACL(ctx, "a", s) }, at(2), 3, aString},
	{"ListRights", func(ctx context.Context, c *Conn, s string) error { _, _, err := c.ListRights(ctx, "a", s); return err }, at(2), 3, aString},
	{"Quota", func(ctx context.Context, c *Conn, s string) error { _, err := c.Quota(ctx, s); return err }, at(1), 2, aBox},
	{"QuotaRoot", func(ctx context.Context, c *Conn, s string) error { _, err := c.QuotaRoot(ctx, s); return err }, at(1), 2, aString},
	{"SetQuota", func(ctx context.Context, c *Conn, s string) error {
		_, err := c.SetQuota(ctx, s, mailbox.Resource{Name: mailbox.Messages, Limit: 1})
		return err
	}, at(1), 3, aString},
	{"Metadata name", func(ctx context.Context, c *Conn, s string) error {
		_, err := c.Metadata(ctx, s, MetadataOptions{}, "/private/x")
		return err
	}, at(1), 3, aBox},
	{"Metadata entry", func(ctx context.Context, c *Conn, s string) error {
		_, err := c.Metadata(ctx, "a", MetadataOptions{}, "/private/x", "/private/"+s)
		return err
	}, func(a []value) value { return a[2].at(1) }, 3, anEntry},
	{"SetMetadata name", func(ctx context.Context, c *Conn, s string) error {
		return c.SetMetadata(ctx, s, mailbox.Entry{Name: "/private/x"})
	}, at(1), 3, aBox},
	{"SetMetadata entry", func(ctx context.Context, c *Conn, s string) error {
		return c.SetMetadata(ctx, "a", mailbox.Entry{Name: "/private/" + s, Value: []byte("x")})
	}, func(a []value) value { return a[2].at(0) }, 3, anEntry},
	{"SetMetadata value", func(ctx context.Context, c *Conn, s string) error {
		return c.SetMetadata(ctx, "a", mailbox.Entry{Name: "/private/x", Value: []byte(s)})
	}, func(a []value) value { return a[2].at(1) }, 3, aString},
	{"Notify name", func(ctx context.Context, c *Conn, s string) error {
		return c.Notify(ctx, NotifyOptions{}, NotifyGroup{Filter: FilterMailboxes, Names: []string{"a", s}, Events: NotifyNames})
	}, func(a []value) value { return a[2].at(1).at(1) }, 3, aBox},
	{"Notify one name", func(ctx context.Context, c *Conn, s string) error {
		return c.Notify(ctx, NotifyOptions{}, NotifyGroup{Filter: FilterSubtree, Names: []string{s}, Events: NotifyNames})
	}, func(a []value) value { return a[2].at(1) }, 3, aBox},
	{"Status", func(ctx context.Context, c *Conn, s string) error { _, err := c.Status(ctx, s); return err }, at(1), 3, aBox},
}

// Row 13, of each method: whatever an argument holds, it arrives as that one
// argument, in one command.
func TestRowClientCannotBeInjectedByAnyMethod(t *testing.T) {
	for _, caps := range []string{"", "LITERAL+"} {
		for _, in := range injections {
			t.Run(strings.TrimSpace(in.name+" "+caps), func(t *testing.T) {
				rec, conn := record(t, caps)
				for _, s := range evil {
					rec.commands = nil
					err := in.do(t.Context(), conn, s)
					require.NoError(t, conn.Noop(t.Context()), "%q", s)
					if in.form == anEntry && !isEntryName("/private/"+s) {
						assert.ErrorIs(t, err, errMetadata, "%q", s)
						assert.Equal(t, []string{"NOOP"}, rec.commands)
						continue
					}
					if _, empty := err.(ProtocolError); !empty { // the recorder answers nothing
						require.NoError(t, err, "%q", s)
					}
					require.Len(t, rec.commands, 2, "%q", s)
					require.Equal(t, "NOOP", rec.commands[1], "%q", s)
					in.check(t, conn, s, rec.commands[0])
				}
			})
		}
	}
}

// No form of a string can hold NUL: such a command is not begun.
func TestClientSendsNoNUL(t *testing.T) {
	for _, in := range injections {
		rec, conn := record(t, "")
		err := in.do(t.Context(), conn, "a\x00b")
		if in.form != aBox { // modified UTF-7 has a form for it
			assert.Error(t, err, in.name)
		}
		require.NoError(t, conn.Noop(t.Context()), in.name)
		for _, text := range rec.commands {
			assert.NotContains(t, text, "\x00", in.name)
		}
	}
	rec, conn := record(t, "")
	conn.utf8 = true
	assert.Error(t, conn.Create(t.Context(), "a\x00b"))
	assert.Empty(t, rec.commands)
}

// The same at a server of ours, which takes what it can and stays in step.
func TestClientOddArgumentsRoundTrip(t *testing.T) {
	conn := dialServer(t, serverOf(testStore()), Client{})
	ctx := t.Context()
	for _, s := range evil {
		if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\t*%\x7f\x1b") {
			continue
		}
		name := "box " + s + " x"
		require.NoError(t, conn.Create(ctx, name), "%q", name)
		r, err := conn.MyRights(ctx, name)
		require.NoError(t, err, "%q", name)
		assert.Equal(t, mailbox.AllRights, r)
		require.NoError(t, conn.SetACL(ctx, name, "bob", mailbox.ReplaceFlags, "lr"), "%q", name)
		grants, err := conn.ACL(ctx, name)
		require.NoError(t, err, "%q", name)
		assert.Len(t, grants, 2, "%q", name)
		_, _, err = conn.ListRights(ctx, name, "bob")
		require.NoError(t, err, "%q", name)
		roots, err := conn.Quota(ctx, name)
		require.NoError(t, err, "%q", name)
		assert.Len(t, roots, 1, "%q", name)
	}
	for _, s := range evil {
		entry := mailbox.Entry{Name: "/private/x", Value: []byte("<" + s + ">")}
		require.NoError(t, conn.SetMetadata(ctx, "INBOX", entry), "%q", s)
		got, err := conn.Metadata(ctx, "INBOX", MetadataOptions{}, "/private/x")
		require.NoError(t, err, "%q", s)
		assert.Equal(t, []mailbox.Entry{entry}, got, "%q", s)
	}
}
