package imap

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// testNow is the clock of servers and stores in tests.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testAuth knows alice, whose password is "secret".
func testAuth() *sasl.Authenticator {
	return &sasl.Authenticator{
		Password: func(_ context.Context, l sasl.Login, password string) error {
			if l.User != "alice" || password != "secret" {
				return sasl.ErrCredentials
			}
			return nil
		},
		Secret:  func(context.Context, sasl.Login) (sasl.Secret, error) { return sasl.Secret{}, sasl.ErrCredentials },
		SaltKey: []byte("golden"),
	}
}

// testStore is an empty account with a fixed clock.
func testStore() *memory.Store {
	return &memory.Store{User: "alice", UIDValidity: 1000, Now: func() time.Time { return testNow }}
}

// serverOf serves one store to whoever logs in.
func serverOf(store mailbox.Store) *Server {
	return &Server{
		Name: "imap.example.org", Auth: testAuth(), InsecureAuth: true,
		Open: func(context.Context, string) (mailbox.Store, error) { return store, nil },
		Now:  func() time.Time { return testNow },
	}
}

// peer is a client that knows lines and nothing else.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

// connect begins a session over a pipe and reads the greeting.
func connect(t testing.TB, s *Server) *peer {
	t.Helper()
	c, srv := net.Pipe()
	go s.ServeConn(context.Background(), srv)
	p := &peer{t: t, conn: c, r: bufio.NewReaderSize(c, 1<<20)}
	t.Cleanup(func() { c.Close() })
	p.deadline()
	require.Contains(t, p.line(), "* OK")
	return p
}

func (p *peer) deadline() { _ = p.conn.SetDeadline(time.Now().Add(20 * time.Second)) }

// login connects and logs in.
func login(t testing.TB, s *Server) *peer {
	t.Helper()
	p := connect(t, s)
	p.ok("LOGIN alice secret")
	return p
}

// enter logs in and selects a mailbox.
func enter(t testing.TB, s *Server, name string) *peer {
	t.Helper()
	p := login(t, s)
	p.ok("SELECT " + name)
	return p
}

// line reads one line without CRLF.
func (p *peer) line() string {
	p.t.Helper()
	s, err := p.r.ReadString('\n')
	require.NoError(p.t, err, "after %q", s)
	return strings.TrimSuffix(s, "\r\n")
}

// send writes octets in the background: a pipe has no buffer.
func (p *peer) send(s string) {
	p.deadline()
	go func() { _, _ = p.conn.Write([]byte(s)) }()
}

// do sends a command and returns its untagged responses and the reply, without
// tags.
func (p *peer) do(command string) (untagged []string, reply string) {
	p.t.Helper()
	p.tag++
	tag := fmt.Sprintf("t%d", p.tag)
	p.send(tag + " " + command + "\r\n")
	return p.until(tag)
}

// until reads up to the tagged reply. Literals stay in their lines.
func (p *peer) until(tag string) (untagged []string, reply string) {
	p.t.Helper()
	for {
		l := p.response()
		if rest, is := strings.CutPrefix(l, tag+" "); is {
			return untagged, rest
		}
		untagged = append(untagged, strings.TrimPrefix(l, "* "))
	}
}

// response reads a line with its literals.
func (p *peer) response() string {
	p.t.Helper()
	l := p.line()
	for strings.HasSuffix(l, "}") {
		var n int
		if _, err := fmt.Sscanf(l[strings.LastIndexByte(l, '{'):], "{%d}", &n); err != nil {
			break
		}
		b := make([]byte, n)
		for i := range b {
			c, err := p.r.ReadByte()
			require.NoError(p.t, err)
			b[i] = c
		}
		l += "\r\n" + string(b) + p.line()
	}
	return l
}

// ok wants OK and returns the untagged responses.
func (p *peer) ok(command string) []string {
	p.t.Helper()
	untagged, reply := p.do(command)
	require.True(p.t, strings.HasPrefix(reply, "OK"), "%s: %s", command, reply)
	return untagged
}

// fails wants the reply to begin so.
func (p *peer) fails(command, reply string) []string {
	p.t.Helper()
	untagged, got := p.do(command)
	require.True(p.t, strings.HasPrefix(got, reply), "%s: %s", command, got)
	return untagged
}

// textOf is a message as the RFCs show one.
func textOf(n int) string {
	return fmt.Sprintf("Date: Mon, 7 Feb 1994 21:52:%02d -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.example>\r\nSubject: afternoon meeting %d\r\n"+
		"To: mooch@owatagu.siam.edu.example\r\nMessage-Id: <B27397-%d@Blurdybloop.example>\r\n\r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n", n%60, n, n)
}

// put delivers a message as somebody else would.
func put(t testing.TB, s *memory.Store, name string, n ...int) {
	t.Helper()
	for _, i := range n {
		require.NoError(t, s.Put(context.Background(), name, mailbox.Flags{}, textOf(i)))
	}
}
