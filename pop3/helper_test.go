package pop3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// testNow is the clock of all servers here.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func clock() time.Time { return testNow }

// zeros is randomness that a golden file can foresee.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// users knows mrose, of RFC 1939 §7, and his password.
func users() *sasl.Authenticator {
	secret := func(_ context.Context, l sasl.Login) (sasl.Secret, error) {
		if l.User != "mrose" {
			return sasl.Secret{}, sasl.ErrCredentials
		}
		return sasl.Secret{Plain: "tanstaaf"}, nil
	}
	return &sasl.Authenticator{Password: sasl.Secrets(secret, -1), Secret: secret, SaltKey: []byte("golden")}
}

// serverOf is a server in the clear, over one store.
func serverOf(store mailbox.Store) *Server {
	return &Server{
		Name: "dbc.mtview.ca.us", Auth: users(), InsecureAuth: true, Now: clock, Rand: zeros{},
		Open: func(context.Context, string) (mailbox.Store, error) { return store, nil },
	}
}

// storeOf holds messages.
func storeOf(t testing.TB, messages ...string) *memory.Store {
	t.Helper()
	s := &memory.Store{User: "mrose", Now: clock}
	fill(t, s, messages...)
	return s
}

func fill(t testing.TB, s mailbox.Store, messages ...string) {
	t.Helper()
	box, err := mailbox.OpenName(t.Context(), s, mailbox.Inbox)
	require.NoError(t, err)
	defer box.Close()
	for _, m := range messages {
		_, err := box.Append(t.Context(), mailbox.One(&mailbox.Incoming{Body: strings.NewReader(m), Received: testNow}))
		require.NoError(t, err)
	}
}

// left lists the messages of a store's INBOX: UID, flags and text.
func left(t testing.TB, s mailbox.Store) (uids []mailbox.UID, flags []string) {
	t.Helper()
	box, err := mailbox.OpenName(t.Context(), s, mailbox.Inbox)
	require.NoError(t, err)
	defer box.Close()
	d, err := box.Changes(t.Context(), 0)
	require.NoError(t, err)
	for _, m := range d.Messages {
		uids = append(uids, m.UID)
		flags = append(flags, m.Flags.String())
	}
	return uids, flags
}

// sized is a message of exactly n octets.
func sized(n int) string {
	const top = "Subject: x\r\n\r\n"
	body := n - len(top)
	lines, rest := body/66, body%66
	s := top + strings.Repeat(strings.Repeat("a", 64)+"\r\n", lines)
	if rest > 0 {
		s += strings.Repeat("b", max(rest-2, 0)) + "\r\n"
	}
	return s[:n-2] + "\r\n"
}

// peer is the client's end of a connection to a server, by hand.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// dial connects to s in memory and reads the greeting.
func dial(t testing.TB, s *Server) *peer {
	t.Helper()
	c, end := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeConn(context.Background(), end) }()
	t.Cleanup(func() { c.Close(); <-done })
	p := &peer{t: t, Conn: c, r: bufio.NewReader(c)}
	p.expect("+OK")
	return p
}

// in is dial with a login.
func in(t testing.TB, s *Server) *peer {
	t.Helper()
	p := dial(t, s)
	p.do("USER mrose", "+OK")
	p.do("PASS tanstaaf", "+OK")
	return p
}

// say writes lines, of which a server that hangs up may not read all.
func (p *peer) say(lines ...string) {
	_, _ = io.WriteString(p.Conn, strings.Join(lines, "\r\n")+"\r\n")
}

func (p *peer) line() string {
	p.t.Helper()
	s, err := p.r.ReadString('\n')
	require.NoError(p.t, err)
	return strings.TrimSuffix(s, "\r\n")
}

func (p *peer) expect(prefix string) string {
	p.t.Helper()
	s := p.line()
	require.True(p.t, strings.HasPrefix(s, prefix), "%q, not %q", s, prefix)
	return s
}

// do sends a command and expects the reply to begin so.
func (p *peer) do(command, prefix string) string {
	p.t.Helper()
	p.say(command)
	return p.expect(prefix)
}

// rest reads a multi-line reply to its dot, with dots undone.
func (p *peer) rest() string {
	p.t.Helper()
	var b strings.Builder
	for {
		l := p.line()
		if l == "." {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(l, ".") + "\r\n")
	}
}

// gone expects the connection to end.
func (p *peer) gone() {
	p.t.Helper()
	b, err := p.r.ReadByte()
	require.True(p.t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe), "%q, %v", b, err)
}

// authority makes certificates for tests.
func authority(t testing.TB) *testcert.Authority {
	t.Helper()
	ca, err := testcert.New("localhost", "127.0.0.1", "dbc.mtview.ca.us")
	require.NoError(t, err)
	return ca
}

// listen serves s on a port of 127.0.0.1 until the test ends.
func listen(t testing.TB, s *Server, implicitTLS bool) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		if implicitTLS {
			done <- s.ServeTLS(l)
		} else {
			done <- s.Serve(l)
		}
	}()
	t.Cleanup(func() { s.Close(); require.NoError(t, <-done) })
	return l.Addr().String()
}

func numbered(n int) string { return fmt.Sprintf("Subject: %d\r\n\r\nmessage %d\r\n", n, n) }

type saslLogin = sasl.Login

// cred logs a user in by any password, in the clear.
func cred(user string) *sasl.Credentials {
	return &sasl.Credentials{User: user, Password: "tanstaaf", Cleartext: true}
}
