package sasl

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The contract of Exchange, as it shows in the lines of an SMTP session.

// zeros is a source of randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// smtpLines runs both sides as an SMTP client and server would and returns
// the conversation with base64 undone, except for "=" and "*". Without ir the
// client keeps its initial response for the first challenge.
func smtpLines(t *testing.T, c, s Exchange, ir bool) (lines []string) {
	t.Helper()
	say := func(who, verb string, b []byte) { lines = append(lines, who+verb+string(b)) }
	out, cdone, err := c.Next(t.Context(), nil)
	require.NoError(t, err)
	in, held := out, out
	auth := "AUTH " + c.Login().Mechanism
	switch {
	case out == nil || !ir:
		in = nil
		say("C: ", auth, nil)
	case len(out) == 0:
		held = nil
		say("C: ", auth+" =", nil)
	default:
		held = nil
		say("C: ", auth+" ", out)
	}
	for {
		challenge, sdone, err := s.Next(t.Context(), in)
		if err != nil {
			say("S: ", "fails", nil)
			return lines
		}
		if sdone {
			assert.Nil(t, challenge, "no data with success")
			assert.True(t, cdone, "the client must be satisfied by then")
			say("S: ", "235", nil)
			return lines
		}
		require.NotNil(t, challenge, "a challenge may be empty, but it is there")
		say("S: ", "334 ", challenge)
		if held != nil {
			require.Empty(t, challenge, "the server waits for the client to begin")
			in, held = held, nil
		} else if in, cdone, err = c.Next(t.Context(), challenge); err != nil && in == nil {
			say("C: ", "*", nil)
			return lines
		}
		say("C: ", "", in)
	}
}

func TestContractOnTheWire(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	secret := secretOf(Secret{Plain: "pencil"})
	a := &Authenticator{
		Secret: secret, Password: Secrets(secret, -1), SaltKey: []byte("k"), Rand: zeros{},
		Now: func() time.Time { return time.Unix(7, 0) },
		Token: func(_ context.Context, l Login, token string) (string, error) {
			if token != "good" {
				return "", &TokenError{Scope: "mail"}
			}
			return l.User, nil
		},
		Certificate: func(context.Context, Login) (string, error) { return "ann", nil },
	}
	token := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	user := Credentials{User: "ann", Password: "pencil"}
	const nonce = "AAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct {
		mech string
		cred Credentials
		ir   bool
		want []string
	}{
		{"PLAIN", user, true, []string{"C: AUTH PLAIN \x00ann\x00pencil", "S: 235"}},
		{"PLAIN", user, false, []string{"C: AUTH PLAIN", "S: 334 ", "C: \x00ann\x00pencil", "S: 235"}},
		{"PLAIN", Credentials{User: "ann", Password: "pen"}, true, []string{"C: AUTH PLAIN \x00ann\x00pen", "S: fails"}},
		{"LOGIN", user, true, []string{"C: AUTH LOGIN", "S: 334 Username:", "C: ann", "S: 334 Password:", "C: pencil", "S: 235"}},
		{"CRAM-MD5", user, true, []string{"C: AUTH CRAM-MD5", "S: 334 <000000000000000000000000.7@localhost>",
			"C: ann " + cramDigest("pencil", "<000000000000000000000000.7@localhost>"), "S: 235"}},
		{"EXTERNAL", Credentials{}, true, []string{"C: AUTH EXTERNAL =", "S: 235"}},
		{"EXTERNAL", Credentials{}, false, []string{"C: AUTH EXTERNAL", "S: 334 ", "C: ", "S: 235"}},
		{"EXTERNAL", Credentials{Authz: "ann"}, true, []string{"C: AUTH EXTERNAL ann", "S: 235"}},
		{"EXTERNAL", Credentials{Authz: "bob"}, true, []string{"C: AUTH EXTERNAL bob", "S: fails"}},
		{"OAUTHBEARER", Credentials{User: "ann", Token: token("good")}, true, []string{
			"C: AUTH OAUTHBEARER n,a=ann,\x01host=mx.example.org\x01port=4711\x01auth=Bearer good\x01\x01", "S: 235"}},
		{"OAUTHBEARER", Credentials{User: "ann", Token: token("bad")}, false, []string{
			"C: AUTH OAUTHBEARER", "S: 334 ", "C: n,a=ann,\x01host=mx.example.org\x01port=4711\x01auth=Bearer bad\x01\x01",
			`S: 334 {"status":"invalid_token","scope":"mail"}`, "C: \x01", "S: fails"}},
		{"XOAUTH2", Credentials{User: "ann", Token: token("bad")}, true, []string{
			"C: AUTH XOAUTH2 user=ann\x01auth=Bearer bad\x01\x01",
			`S: 334 {"status":"401","schemes":"bearer","scope":"mail"}`, "C: ", "S: fails"}},
		{"SCRAM-SHA-1", Credentials{User: "ann", Password: "pen", Binding: "none"}, true, []string{
			"C: AUTH SCRAM-SHA-1 n,,n=ann,r=" + nonce, "S: 334 r=" + nonce + nonce + ",s=*,i=4096",
			"C: c=biws,r=" + nonce + nonce + ",p=*", "S: fails"}},
		{"SCRAM-SHA-256", Credentials{User: "ann", Password: "pencil", Authz: "ann", Binding: "none"}, false, []string{
			"C: AUTH SCRAM-SHA-256", "S: 334 ", "C: n,a=ann,n=ann,r=" + nonce, "S: 334 r=" + nonce + nonce + ",s=*,i=4096",
			"C: c=bixhPWFubiw=,r=" + nonce + nonce + ",p=*", "S: 334 v=*", "C: ", "S: 235"}},
		{"SCRAM-SHA-512-PLUS", user, true, []string{
			"C: AUTH SCRAM-SHA-512-PLUS p=tls-exporter,,n=ann,r=" + nonce, "S: 334 r=" + nonce + nonce + ",s=*,i=4096",
			"C: c=" + encode64(append([]byte("p=tls-exporter,,"), exporter(ch.server.TLS)...)) + ",r=" + nonce + nonce + ",p=*",
			"S: 334 v=*", "C: ", "S: 235"}},
	} {
		t.Run(c.mech, func(t *testing.T) {
			c.cred.Mechanisms, c.cred.Rand = []string{c.mech}, zeros{}
			x, s := begin(t, c.cred, a, ch.client, ch.server, []string{"PLAIN", c.mech, "SCRAM-SHA-1-PLUS"})
			got := smtpLines(t, x, s, c.ir)
			for i, line := range got {
				got[i] = hide(line, ",s=", "S: 334 v=", ",p=")
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, got[len(got)-1] == "S: 235", s.Login().Identity == "ann")
		})
	}
}

// hide puts a star for what no test can know, up to the next comma.
func hide(line string, after ...string) string {
	for _, mark := range after {
		b := []byte(line)
		if i := bytes.Index(b, []byte(mark)); i >= 0 {
			rest := b[i+len(mark):]
			tail := ""
			if j := bytes.IndexByte(rest, ','); j >= 0 {
				tail = string(rest[j:])
			}
			line = line[:i+len(mark)] + "*" + tail
		}
	}
	return line
}

// Whatever a client says to a refused token, it stays refused, as that.
func TestRefusedTokenTakesAnyAnswer(t *testing.T) {
	a := &Authenticator{Token: func(context.Context, Login, string) (string, error) { return "", ErrCredentials }}
	for _, answer := range []string{"", "\x01", "n,a=ann,\x01auth=Bearer good\x01\x01"} {
		s, err := a.Start(Login{Mechanism: "OAUTHBEARER"})
		require.NoError(t, err)
		out, _, err := s.Next(t.Context(), []byte("n,a=ann,\x01auth=Bearer bad\x01\x01"))
		require.NoError(t, err)
		assert.JSONEq(t, `{"status":"invalid_token"}`, string(out))
		_, done, err := s.Next(t.Context(), []byte(answer))
		assert.ErrorIs(t, err, ErrCredentials)
		assert.False(t, done)
	}
}

// An abort is nothing but dropping the exchange: nothing waits, and the next
// attempt starts afresh.
func TestAbortAtEveryStep(t *testing.T) {
	a := Throttle(all(Secret{Plain: testPassword}), 1, 0)
	for _, mech := range a.Mechanisms(Login{}) {
		for steps := 1; steps <= 2; steps++ {
			x, s := begin(t, good(mech), a, Login{}, Login{Remote: peer}, []string{mech})
			in, _, err := x.Next(t.Context(), nil)
			require.NoError(t, err)
			for range steps {
				var done bool
				if in, done, err = s.Next(t.Context(), in); err != nil || done {
					break
				}
				if in, _, err = x.Next(t.Context(), in); err != nil {
					break
				}
			}
			require.NoError(t, err, mech)
		}
	}
	_, err := a.Check(t.Context(), Login{User: testUser, Remote: peer}, testPassword)
	assert.NoError(t, err, "aborted exchanges are no failures")
}

// After an error there is no way on, and no second try on the same exchange.
func TestFailedExchangeStaysFailed(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	for _, mech := range a.Mechanisms(Login{}) {
		s, err := a.Start(Login{Mechanism: mech})
		require.NoError(t, err)
		for range 4 { // LOGIN fails at its third message only
			_, _, err = s.Next(t.Context(), []byte("\x01"))
		}
		require.Error(t, err, mech)
		good := "\x00" + testUser + "\x00" + testPassword
		_, done, err := s.Next(t.Context(), []byte(good))
		assert.ErrorIs(t, err, ErrMalformed, mech)
		assert.False(t, done)
	}
}

// One Authenticator under many connections at once, among them the first use
// of its random salt key.
func TestOneAuthenticatorManyConnections(t *testing.T) {
	a := Throttle(all(Secret{Plain: testPassword}), 1000, 0)
	var wg sync.WaitGroup
	salts := make(chan string, 16)
	for range cap(salts) {
		wg.Go(func() {
			s, err := a.Start(Login{Mechanism: "SCRAM-SHA-1", Remote: peer})
			if !assert.NoError(t, err) {
				return
			}
			out, _, err := s.Next(context.Background(), []byte("n,,n=nobody,r=x"))
			assert.NoError(t, err)
			m, err := parseServerFirst(string(out))
			assert.NoError(t, err)
			salts <- string(m.salt)
			_, err = a.Check(context.Background(), Login{User: testUser, Remote: peer}, "wrong")
			assert.True(t, errors.Is(err, ErrCredentials))
		})
	}
	wg.Wait()
	close(salts)
	first := <-salts
	for s := range salts {
		assert.Equal(t, first, s)
	}
}

// What a peer sends costs in proportion to its length, and a little.
func TestMemoryPerExchange(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Skip("counts allocations")
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = Prepare("an ordinary password") }))
	a := &Authenticator{Secret: secretOf(Secret{Plain: "p"})}
	long := append([]byte("n,,n="), bytes.Repeat([]byte("=2C"), MaxMessage/3-10)...)
	long = append(long, ",r=x"...)
	s, err := a.Start(Login{Mechanism: "SCRAM-SHA-256"})
	require.NoError(t, err)
	out, _, err := s.Next(t.Context(), long)
	require.NoError(t, err)
	assert.Less(t, len(out), 200, "the answer does not grow with the name")
}
