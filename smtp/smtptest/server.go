package smtptest

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Name is how every fake server calls itself in its greeting.
const Name = "mx.example.org"

// Server is a mail server for one test: the real [smtp.Server], with all its
// extensions, that keeps what it gets and goes wrong where it is told to. It
// stops by itself at the end of the test. Its fields are for reading; its
// methods may be called by any goroutine.
type Server struct {
	// Addr is where it listens: a port of 127.0.0.1, or, in memory, a name
	// that only [Server.Dial] knows.
	Addr string
	// Auth are credentials that it accepts, as it does any others; nil where
	// it does not offer AUTH.
	Auth *sasl.Credentials
	// TLS trusts its certificate, and nothing else. nil where it has none.
	TLS *tls.Config
	// CA is the certificate of the authority behind TLS, in PEM: what programs
	// take as a file of trusted roots. nil where TLS is.
	CA []byte

	t        testing.TB
	ca       *testcert.Authority
	listener net.Listener
	smtp     smtp.Server
	outer    *tls.Config // shown to clients
	inner    *tls.Config // for the server behind an implicit TLS
	implicit bool
	lmtp     bool
	wg       sync.WaitGroup

	mu         sync.Mutex // guards all below
	faults     []*Fault
	advertised []string
	seed       uint64
	chaos      float64
	dialogues  []*dialogue
	messages   []Message
	arrived    chan struct{} // closed at the next message
	closed     bool
}

// New starts a server on a free port of 127.0.0.1 that offers STARTTLS with a
// certificate that [Server.Client] trusts, takes any login, and keeps every
// message. change is applied to the real server before it starts: its profile,
// limits, extensions, handler, or another TLSConfig or Auth, also nil.
//
//	srv := smtptest.New(t, func(s *smtp.Server) { s.Without = []string{"CHUNKING"} })
func New(t testing.TB, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, listen(t), false, change)
}

// NewTLS is New with TLS from the first octet, as on port 465.
func NewTLS(t testing.TB, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, listen(t), true, change)
}

// NewLMTP is New with LMTP, without AUTH.
func NewLMTP(t testing.TB, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, listen(t), false, append([]func(*smtp.Server){lmtp}, change...))
}

// NewPipe is New without a socket: its connections live in memory, so it works
// in a bubble of testing/synctest, where timeouts pass at once. Clients come
// in by [Server.Dial], as those of [Server.Client] do.
func NewPipe(t testing.TB, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, memnet.Listen(Name+":25"), false, change)
}

// NewPipeTLS is NewPipe with TLS from the first octet.
func NewPipeTLS(t testing.TB, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, memnet.Listen(Name+":465"), true, change)
}

func lmtp(s *smtp.Server) { s.Profile, s.Auth = smtp.LMTP, nil }

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return l
}

func start(t testing.TB, l net.Listener, implicit bool, change []func(*smtp.Server)) *Server {
	t.Helper()
	ca, err := testcert.New("localhost", "127.0.0.1", "::1", Name)
	if err != nil {
		l.Close()
		t.Fatalf("smtptest: %v", err)
	}
	s := &Server{t: t, ca: ca, listener: l, Addr: l.Addr().String(), implicit: implicit, arrived: make(chan struct{})}
	s.defaults()
	for _, f := range change {
		f(&s.smtp)
	}
	s.settle()
	t.Cleanup(s.close)
	s.wg.Go(s.accept)
	return s
}

// defaults make the server offer all it can and put up with anything.
func (s *Server) defaults() {
	s.smtp.Name = Name
	s.smtp.TLSConfig = s.ca.MutualServer()
	s.smtp.Auth = &sasl.Authenticator{
		Password: func(context.Context, sasl.Login, string) error { return nil },
		Token: func(_ context.Context, l sasl.Login, _ string) (string, error) {
			if l.User == "" {
				return "user", nil
			}
			return l.User, nil
		},
		Certificate: func(_ context.Context, l sasl.Login) (string, error) {
			return l.TLS.PeerCertificates[0].Subject.CommonName, nil
		},
	}
	s.smtp.Extensions = smtp.ExtDSN | smtp.ExtSMTPUTF8 | smtp.ExtRequireTLS | smtp.ExtDeliverBy |
		smtp.ExtFutureRelease | smtp.ExtBinaryMIME | smtp.ExtMTPriority | smtp.ExtRRVS
	s.smtp.Limits = smtp.Limits{Errors: -1, Commands: -1, Conns: -1, ConnsPerIP: -1}
}

// settle takes over what the test has made of the server.
func (s *Server) settle() {
	s.lmtp = s.smtp.Profile == smtp.LMTP
	if s.smtp.TLSConfig != nil {
		s.TLS, s.CA = s.ca.Client(), s.ca.PEM()
		s.outer = s.smtp.TLSConfig
		s.smtp.TLSConfig = innerTLS(s.outer)
		s.inner = sasl.TrackCertificate(s.smtp.TLSConfig)
	} else {
		s.implicit = false
	}
	if s.smtp.Auth != nil {
		s.Auth = &sasl.Credentials{User: "user", Password: "password"}
	}
	s.smtp.Handler = s.record(s.smtp.Handler)
}

// Client gives a client that sends to s: it trusts the certificate, speaks
// LMTP if s does, and logs in where that is offered. It is closed with the
// test.
func (s *Server) Client() *smtp.Client {
	c := &smtp.Client{Addr: s.Addr, TLSConfig: s.TLS, LMTP: s.lmtp, Dial: s.Dial}
	switch {
	case s.implicit:
		c.TLS = smtp.TLSImplicit
	case s.TLS == nil:
		c.TLS = smtp.TLSNone
	}
	if s.TLS != nil || s.smtp.InsecureAuth {
		c.Auth = s.auth()
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Certificate makes a client certificate that s trusts, for SASL EXTERNAL: user
// is its common name, which is who logs in by it.
func (s *Server) Certificate(user string) tls.Certificate {
	s.t.Helper()
	c, err := s.ca.Issue(testcert.Leaf{CommonName: user, Emails: []string{user + "@example.org"}})
	if err != nil {
		s.t.Fatalf("smtptest: %v", err)
	}
	return c
}

// auth is nil where the server does not offer AUTH.
func (s *Server) auth() *sasl.Credentials {
	for _, w := range s.smtp.Without {
		if equalFold(w, "AUTH") {
			return nil
		}
	}
	return s.Auth
}

// Dial connects to s, whatever network and addr say: it fits the Dial field of
// a client.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if l, ok := s.listener.(*memnet.Listener); ok {
		return l.Dial(ctx)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
}

// Advertise puts lines into the reply to EHLO, true or not: each takes the
// place of the line with its keyword, or stands at the end.
// [smtp.Server].Without takes an extension away, with all it stands for.
func (s *Server) Advertise(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advertised = append(s.advertised, lines...)
}

// accept serves until the listener is closed.
func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if d := s.dialogue(c); d != nil {
			s.wg.Go(d.run)
		}
	}
}

// dialogue puts a real server behind a connection.
func (s *Server) dialogue(c net.Conn) *dialogue {
	ours, theirs := memnet.Pair(c.RemoteAddr(), c.LocalAddr())
	d := &dialogue{srv: s, front: c, raw: c, back: ours, mem: ours}
	d.cond = sync.NewCond(&d.mu)
	d.client.Cond, d.server.Cond = d.cond, d.cond
	d.client.Cut, d.server.Cut = line, line
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return nil
	}
	s.dialogues = append(s.dialogues, d)
	d.number = len(s.dialogues)
	var behind net.Conn = theirs
	if s.implicit {
		behind = tls.Server(theirs, s.inner)
	}
	ctx := context.WithValue(context.Background(), dialogueKey{}, d)
	s.wg.Go(func() { _ = s.smtp.ServeConn(ctx, behind) })
	return d
}

// close ends everything and waits for it.
func (s *Server) close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	list := s.dialogues
	s.mu.Unlock()
	for _, d := range list {
		d.kill()
	}
	s.smtp.Close()
	s.wg.Wait()
}

// patience is how long Wait waits.
const patience = 5 * time.Second
