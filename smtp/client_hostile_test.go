package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Row 2: whatever the body holds, a strict server gets one message.
func TestClientCannotSmuggle(t *testing.T) {
	ends := []string{"\r", "\n", "\r\n", "\r\r\n", "\n\r", "\x00"}
	for _, without := range [][]string{nil, {"CHUNKING"}} {
		var b box
		c := &Client{Addr: start(t, &Server{Handler: b.handler(), Without: without, Limits: Limits{Messages: -1}}), TLS: TLSNone}
		n := 0
		for _, before := range ends {
			for _, after := range ends {
				body := "hello" + before + "." + after + "MAIL FROM:<x@y.example>" + after + "RCPT TO:<z@y.example>" + after + "DATA" + after
				_, err := c.Send(t.Context(), envelope(t, "a@b.example", "c@d.example"), strings.NewReader(body))
				require.NoError(t, err)
				n++
				require.Len(t, b.mail, n, "%q", body)
				assert.Equal(t, Path{"a", "b.example"}, b.envs[n-1].From)
				assert.Contains(t, b.mail[n-1], "MAIL FROM:<x@y.example>")
			}
		}
		c.Close()
	}
}

// Row 5: replies that came in the clear behind STARTTLS are not believed.
func TestResponseInjectionBehindSTARTTLS(t *testing.T) {
	c, stop := silent(t, hello+`S: 250-mx.example
S: 250 STARTTLS
C: STARTTLS
S: 220 go
S: 250-mx.example
S: 250 AUTH PLAIN
`)
	defer stop()
	c.TLS = TLSRequired
	_, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
	var p ProtocolError
	require.ErrorAs(t, err, &p)
}

// Row 6: without STARTTLS the mandatory mode sends nothing, and no mode sends a
// password in the clear.
func TestStripTLS(t *testing.T) {
	for _, tail := range []string{"S: 250 mx.example\n", "S: 250-mx.example\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now\n"} {
		c := played(t, hello+tail)
		c.TLS = TLSRequired
		_, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
		assert.ErrorIs(t, err, errTLS)
	}
	for _, mode := range []TLSMode{TLSOpportunistic, TLSNone} {
		c := played(t, hello+"S: 250-mx.example\nS: 250 AUTH PLAIN LOGIN\n")
		c.TLS, c.Auth = mode, &sasl.Credentials{User: "ann", Password: "secret"}
		_, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
		assert.ErrorIs(t, err, sasl.ErrMechanism)
	}
}

// Opportunistic TLS takes what it gets: a certificate of nobody, or none.
func TestOpportunisticTLS(t *testing.T) {
	authority, err := testcert.New("somebody.example")
	require.NoError(t, err)
	for _, conf := range []*tls.Config{authority.Server(), nil, {MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS12, Certificates: authority.Server().Certificates}} {
		var b box
		c := &Client{Addr: start(t, &Server{Handler: b.handler(), TLSConfig: conf}), TLS: TLSOpportunistic}
		sent, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
		require.NoError(t, err)
		assert.Equal(t, conf != nil && conf.MaxVersion == 0, sent.TLS != nil)
		c.Close()
	}
}

func TestTLSModes(t *testing.T) {
	authority, err := testcert.New("mx.example")
	require.NoError(t, err)
	for _, mode := range []TLSMode{TLSRequired, TLSImplicit} {
		var b box
		s := &Server{Handler: b.handler(), TLSConfig: authority.Server()}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		serve := s.Serve
		if mode == TLSImplicit {
			serve = s.ServeTLS
		}
		done := make(chan error, 1)
		go func() { done <- serve(l) }()
		for name, want := range map[string]bool{"mx.example": true, "other.example": false} {
			c := &Client{}
			target := Target{Addr: l.Addr().String(), Name: name, TLS: mode, TLSConfig: &tls.Config{RootCAs: authority.Pool()}}
			for range 3 { // the second goes over the pooled connection
				sent, err := c.SendTo(t.Context(), target, envelope(t, "a@b.example", "c@d.example"), strings.NewReader(strings.Repeat("x\n", 100_000)))
				if !want {
					assert.Error(t, err)
					assert.Nil(t, sent)
					continue
				}
				require.NoError(t, err)
				assert.NotNil(t, sent.TLS)
			}
			c.Close()
		}
		s.Close()
		<-done
		assert.Len(t, b.mail, 3)
	}
}

// Row 8: no public field carries a command or a parameter into the dialogue.
func TestParameterInjection(t *testing.T) {
	hostile := []string{"v@evil.example> NOTIFY=NEVER ORCPT=rfc822;x", "v@evil.example>\r\nDATA", "v@evil.example\nRSET", "v @evil.example", "<v@evil.example", "v@evil.example\x00"}
	for _, s := range hostile {
		_, err := NewEnvelope(s, "a@b.example")
		assert.Error(t, err, "%q", s)
		_, err = NewEnvelope("a@b.example", s)
		assert.Error(t, err, "%q", s)
		c := &Client{LocalName: s, TLS: TLSNone}
		c.Addr = start(t, &Server{})
		_, err = send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
		assert.Error(t, err, "LocalName %q", s)
	}
	var b box
	h := b.handler()
	c := &Client{Addr: start(t, &Server{Handler: h, Extensions: ExtDSN, Private: []Extension{{Keyword: "X", Mail: []string{"X"}}}}), TLS: TLSNone}
	defer c.Close()
	for _, s := range append(hostile, "=", "+", "a+b=c", "\r\n") {
		env := envelope(t, `"x@evil> NOTIFY=NEVER"@good.example`, `"a b"@c.example`)
		env.Params.EnvID = s
		env.To[0].ORcpt = "rfc822;" + s
		env.Params.Other = []Param{{"X", s}, {s, "1"}}
		sent, err := send(t, c, env, "x")
		if strings.ContainsAny(s, "\r\n\x00") {
			require.Error(t, err, "%q", s) // refused by the server, but understood
			require.NotNil(t, sent)
			continue
		}
		require.NoError(t, err, "%q", s)
		got := b.envs[len(b.envs)-1]
		assert.Equal(t, env.From, got.From)
		assert.Equal(t, s, got.Params.EnvID)
		assert.Equal(t, "rfc822;"+s, got.To[0].ORcpt)
		assert.Equal(t, Notify(0), got.To[0].Notify)
	}
}

// Row 12: a server that never stops talking is stopped.
func TestEndlessReplies(t *testing.T) {
	for name, talk := range map[string]string{
		"line":  strings.Repeat("x", 1<<20) + "\r\n",
		"lines": strings.Repeat("250-x\r\n", 10_000),
		"big":   strings.Repeat("250-"+strings.Repeat("x", 4000)+"\r\n", 100),
		"codes": "250-x\r\n251 y\r\n",
		"junk":  "hello\r\n",
		"short": "25\r\n",
		"what":  "999 x\r\n",
	} {
		us, peer := net.Pipe()
		go func() { _, _ = io.WriteString(peer, talk); peer.Close() }()
		_, err := NewConn(t.Context(), us, false, Timeouts{})
		var p ProtocolError
		assert.ErrorAs(t, err, &p, name)
		us.Close()
	}
}

// Row 20: SMTPUTF8 is asked for only where it is needed, and its lack is told.
func TestSMTPUTF8OnlyWhenNeeded(t *testing.T) {
	with := hello + "S: 250-mx.example\nS: 250-PIPELINING\nS: 250-CHUNKING\nS: 250 SMTPUTF8\n"
	tail := "C: BDAT * LAST\nC: *\nS: 250 ok\nS: 250 ok\nS: 250 ok\nC: QUIT\nS: 221 bye\n"
	ascii := envelope(t, "a@b.example", "c@d.example")
	asked := ascii.Clone()
	asked.Params.UTF8 = true
	local := envelope(t, "a@b.example", "jörg@d.example")
	domain := envelope(t, "a@b.example", "c@bücher.example")
	for _, tc := range []struct {
		env        Envelope
		body, want string
	}{
		{ascii, "x", "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\n"},
		{asked, "Subject: x\n\nü", "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\n"},
		{asked, "Subject: ü", "C: MAIL FROM:<a@b.example> SMTPUTF8\nC: RCPT TO:<c@d.example>\n"},
		{local, "x", "C: MAIL FROM:<a@b.example> SMTPUTF8\nC: RCPT TO:<jörg@d.example>\n"},
	} {
		script := with + tc.want + strings.Replace(tail, "C: *\n", strings.Repeat("C: *\n", strings.Count(tc.body, "\n")+1), 1)
		_, err := send(t, played(t, script), tc.env, tc.body)
		require.NoError(t, err, tc.want)
	}
	_, err := send(t, played(t, ehloPipelining+"C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@xn--bcher-kva.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354\nC: x\nC: .\nS: 250 ok\nC: QUIT\nS: 221 bye\n"), domain, "x")
	require.NoError(t, err)
	for _, env := range []Envelope{local, asked} {
		sent, err := send(t, played(t, ehloPipelining+"C: QUIT\nS: 221 bye\n"), env, "Subject: ü")
		require.Error(t, err)
		assert.Equal(t, Permanent, sent.Results[0].Status)
		assert.Equal(t, "5.6.7", sent.Results[0].Reply.Enhanced)
	}
}

// Every parameter comes out at the other side as it was meant.
func TestParametersTravel(t *testing.T) {
	var b box
	authority, err := testcert.New("localhost")
	require.NoError(t, err)
	users := &sasl.Authenticator{Password: func(context.Context, sasl.Login, string) error { return nil }}
	s := &Server{Handler: b.handler(), Profile: Submission, TLSConfig: authority.Server(), Auth: users,
		Extensions: ExtDSN | ExtSMTPUTF8 | ExtRequireTLS | ExtDeliverBy | ExtFutureRelease | ExtBinaryMIME | ExtMTPriority | ExtRRVS}
	c := &Client{Addr: start(t, s), TLSConfig: authority.Client(), Auth: &sasl.Credentials{User: "ann", Password: "secret"}}
	defer c.Close()
	now := time.Now().Truncate(time.Second)
	env := envelope(t, "a@b.example", "c@d.example")
	env.Params = MailParams{Body: BodyBinaryMIME, RequireTLS: true, RetHeaders: true, EnvID: "a=b+c", Auth: "ann@b.example",
		Priority: -3, DeliverBy: DeliverBy{now.Add(time.Hour), true, true}, HoldUntil: now.Add(time.Minute).UTC()}
	env.To[0] = Recipient{Path: env.To[0].Path, Notify: NotifySuccess | NotifyDelay, ORcpt: "utf-8;jörg@d.example", ValidSince: now.Add(-time.Hour).UTC(), ValidRelay: true}
	_, err = send(t, c, env, "\x00\r\n.\n")
	require.NoError(t, err)
	got := b.envs[0]
	assert.WithinDuration(t, env.Params.DeliverBy.Time, got.Params.DeliverBy.Time, 2*time.Second)
	got.Params.DeliverBy.Time = env.Params.DeliverBy.Time
	assert.Equal(t, int64(5), got.Params.Size)
	got.Params.Size = 0
	assert.Equal(t, env.Params, got.Params)
	assert.Equal(t, env.To, got.To)
	assert.Equal(t, []string{"\x00\r\n.\n"}, b.mail)
}

// What a server cannot do is told before anything is sent.
func TestWhatTheServerLacks(t *testing.T) {
	base := envelope(t, "a@b.example", "c@d.example")
	change := func(f func(*Envelope)) Envelope {
		e := base.Clone()
		f(&e)
		return e
	}
	for want, env := range map[string]Envelope{
		"5.7.30": change(func(e *Envelope) { e.Params.RequireTLS = true }),
		"5.5.4":  change(func(e *Envelope) { e.Params.HoldUntil = time.Now().Add(time.Hour) }),
		"5.4.7":  change(func(e *Envelope) { e.Params.DeliverBy = DeliverBy{time.Now().Add(time.Hour), true, false} }),
		"5.6.3":  change(func(e *Envelope) { e.Params.Body = BodyBinaryMIME }),
		"5.7.19": change(func(e *Envelope) { e.To[0].ValidSince = time.Now() }),
	} {
		sent, err := send(t, played(t, ehloPipelining+"C: QUIT\nS: 221 bye\n"), env, "x")
		require.Error(t, err, want)
		assert.Equal(t, want, sent.Results[0].Reply.Enhanced)
		assert.Equal(t, Permanent, sent.Results[0].Status)
	}
	sent, err := send(t, played(t, hello+"S: 250-mx.example\nS: 250 SIZE 10\nC: QUIT\nS: 221 bye\n"), base, "longer than ten octets")
	require.Error(t, err)
	assert.Equal(t, "5.3.4", sent.Results[0].Reply.Enhanced)
}

// RFC 8689 §5: a bounce is not lost for want of REQUIRETLS.
func TestBounceWithoutRequireTLS(t *testing.T) {
	env := envelope(t, "", "c@d.example")
	env.Params.RequireTLS, env.Params.RetFull = true, true
	_, err := send(t, played(t, ehloAll+`C: MAIL FROM:<>
C: RCPT TO:<c@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
S: 250 ok
C: QUIT
S: 221 bye
`), env, "x")
	require.NoError(t, err)
}

// No log, trace or error shows a credential, whatever the mechanism and however
// the login ends.
func TestCredentialsAreNotLogged(t *testing.T) {
	authority, err := testcert.New("localhost")
	require.NoError(t, err)
	var log lockedBuffer
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1"} {
		for _, password := range []string{"correct horse", "wrong donkey"} {
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 10}))
			s := &Server{TLSConfig: authority.Server(), Log: logger, Auth: &sasl.Authenticator{
				Password: func(_ context.Context, _ sasl.Login, p string) error {
					if p != "correct horse" {
						return sasl.ErrCredentials
					}
					return nil
				},
				Secret: func(context.Context, sasl.Login) (sasl.Secret, error) {
					return sasl.Secret{Plain: "correct horse"}, nil
				},
			}, Trace: &Trace{
				Command: func(_ *Session, verb, arg string) { fmt.Fprintln(&log, verb, arg) },
				Reply:   func(_ *Session, r Reply) { fmt.Fprintln(&log, r) },
			}}
			c := &Client{Addr: start(t, s), TLSConfig: authority.Client(), Log: logger,
				Auth: &sasl.Credentials{User: "ann", Password: password, Mechanisms: []string{mechanism}}}
			_, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), "x")
			fmt.Fprintf(&log, "%v %+v %#v\n", err, err, c.Auth)
			assert.Equal(t, password == "correct horse", err == nil, "%s: %v", mechanism, err)
			c.Close()
			s.Close()
		}
	}
	for _, secret := range []string{"correct horse", "wrong donkey", "Y29ycmVjdCBob3JzZ", "d3JvbmcgZG9ua2V5", "AGFubgBjb3JyZWN0", "Zm9u"} {
		assert.NotContains(t, log.String(), secret)
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
