package pop3

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// scripted is a server that answers each line with what the script says next,
// whatever the line, and hangs up behind the last answer.
func scripted(t testing.TB, greeting string, answers ...string) *Client {
	return play(t, false, greeting, answers)
}

// play is scripted, or with hold a server that falls silent behind its last
// answer.
func play(t testing.TB, hold bool, greeting string, answers []string) *Client {
	return &Client{Addr: "pop.example.org:110", TLS: TLSNone, Auth: cred("mrose"), Dial: func(context.Context, string, string) (net.Conn, error) {
		c, s := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
		done := make(chan struct{})
		t.Cleanup(func() { c.Close(); <-done })
		go func() {
			defer close(done)
			defer s.Close()
			r := bufio.NewReader(s)
			_, _ = io.WriteString(s, greeting)
			for _, a := range answers {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
				_, _ = io.WriteString(s, a)
			}
			if hold {
				_, _ = io.Copy(io.Discard, r)
			}
		}()
		return c, nil
	}}
}

const ready = "+OK ready\r\n"

// login gets a client through CAPA, USER and PASS.
var login = []string{"-ERR no CAPA\r\n", "+OK\r\n", "+OK\r\n"}

// Row 2: what a server says in the clear behind its +OK to STLS is not taken
// for words that came over TLS.
func TestRowResponseInjection(t *testing.T) {
	c := scripted(t, ready, "+OK begin\r\n+OK injected\r\n")
	c.TLS = TLSRequired
	_, err := c.Connect(t.Context())
	assert.ErrorContains(t, err, "in the clear behind STLS")
}

// Row 3: a server, or who stands before it, that does not do TLS gets no
// password.
func TestRowNoSTLSNoPassword(t *testing.T) {
	for _, no := range []string{"-ERR unknown command\r\n", "+OK never mind\r\n-ERR\r\n"} {
		c := scripted(t, ready, no, "+OK\r\n", "+OK\r\n")
		c.TLS = TLSRequired
		_, err := c.Connect(t.Context())
		assert.True(t, err != nil && IsTLS(err), "%v", err)
	}
}

// Servers that break the protocol end the session with a clear error and never
// in silence.
func TestHostileServers(t *testing.T) {
	list := "+OK\r\n1 10\r\n.\r\n"
	uidl := "+OK\r\n1 abc\r\n.\r\n"
	for name, tc := range map[string]struct {
		greeting string
		answers  []string
	}{
		"SMTP":               {"220 mx.example.org ESMTP\r\n", nil},
		"nothing":            {"", nil},
		"no line end":        {"+OK " + strings.Repeat("x", 20000), nil},
		"refused":            {"-ERR [SYS/TEMP] come back\r\n", nil},
		"drop after USER":    {ready, login[:2]},
		"a list of nonsense": {ready, append(login[:3:3], "+OK\r\none two\r\n.\r\n", uidl)},
		"negative size":      {ready, append(login[:3:3], "+OK\r\n1 -5\r\n.\r\n", uidl)},
		"list without end":   {ready, append(login[:3:3], "+OK\r\n1 10\r\n2 10\r\n")},
		"nonsense for UIDL":  {ready, append(login[:3:3], list, "+OK\r\nx\r\n.\r\n")},
		"garbage":            {ready, append(login[:3:3], "\x00\xff\r\n", uidl)},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := scripted(t, tc.greeting, tc.answers...).Connect(t.Context())
			if err == nil {
				defer conn.Close()
				_, err = conn.List(t.Context())
				assert.True(t, conn.Botched())
			}
			assert.Error(t, err)
			assert.NotContains(t, err.Error(), "tanstaaf")
		})
	}
}

// Half a message is never whole, and its dot is none within a line.
func TestHalfAMessage(t *testing.T) {
	for _, text := range []string{"+OK\r\nSubject: x\r\n\r\nhalf", "+OK\r\nx\n.\n", "+OK\r\nx\r.\r\n", "+OK\r\nx.\r\n"} {
		conn, err := scripted(t, ready, append(login[:3:3], text)...).Connect(t.Context())
		require.NoError(t, err)
		body, err := conn.Retrieve(t.Context(), 1)
		require.NoError(t, err)
		_, err = io.ReadAll(body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", text)
		assert.True(t, conn.Botched())
		conn.Close()
	}
}

// What the caller passes on cannot begin another command.
func TestClientCannotBeInjected(t *testing.T) {
	for _, bad := range []string{"x\r\nDELE 1", "x\nDELE 1", "x\x00", "x\rDELE 1"} {
		c := scripted(t, ready, login...)
		c.Auth = &sasl.Credentials{User: bad, Password: "y", Cleartext: true}
		_, err := c.Connect(t.Context())
		assert.ErrorContains(t, err, "control character")
		c = scripted(t, ready, login...)
		c.Auth = &sasl.Credentials{User: "x", Password: bad, Cleartext: true}
		_, err = c.Connect(t.Context())
		assert.ErrorContains(t, err, "control character")
		assert.NotContains(t, err.Error(), bad)
	}
}

// A server that falls silent at any point is given up after Timeouts.Command.
func TestSilentServer(t *testing.T) {
	for n := range len(login) + 2 {
		synctest.Test(t, func(t *testing.T) {
			answers := append(login[:3:3], "+OK\r\nSubject: x\r\n")
			greeting := ready
			if n == 0 {
				greeting, answers = "", nil
			} else {
				answers = answers[:n-1]
			}
			c := play(t, true, greeting, answers)
			begun := time.Now()
			conn, err := c.Connect(t.Context())
			if err == nil {
				var body *Body
				if body, err = conn.Retrieve(t.Context(), 1); err == nil {
					_, err = io.ReadAll(body)
				}
				conn.Close()
			}
			var ne net.Error
			assert.True(t, errors.As(err, &ne) && ne.Timeout(), "%d: %v", n, err)
			assert.Equal(t, 2*time.Minute, time.Since(begun))
		})
	}
}

// Codes of refusals (RFC 2449 §8, RFC 3206).
func TestErrorCodes(t *testing.T) {
	for text, want := range map[string]struct{ temporary, credentials bool }{
		"-ERR [IN-USE] busy\r\n":      {true, false},
		"-ERR [LOGIN-DELAY] wait\r\n": {true, false},
		"-ERR [SYS/TEMP] later\r\n":   {true, false},
		"-ERR [SYS/PERM] never\r\n":   {false, false},
		"-ERR [AUTH] no\r\n":          {false, true},
		"-ERR no\r\n":                 {false, true},
		"-ERR\r\n":                    {false, true},
	} {
		_, err := scripted(t, ready, login[0], login[1], text).Connect(t.Context())
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "PASS", e.Command)
		assert.Equal(t, want.temporary, e.Temporary(), text)
		assert.Equal(t, want.credentials, e.Credentials(), text)
	}
	_, err := scripted(t, "-ERR [SYS/TEMP] \x1b[31mred\u2028\r\n").Connect(t.Context())
	assert.ErrorContains(t, err, "greeting: [SYS/TEMP] ?[31mred?")
}
