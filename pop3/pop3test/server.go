package pop3test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/postilion-mail/postilion/internal/fake"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// Name is how every fake server calls itself in its greeting.
const Name = "pop.example.org"

// Server is a POP3 server for one test: the real [pop3.Server] over a mailbox
// in memory, which goes wrong where it is told to. It stops by itself at the
// end of the test. Its fields are for reading; its methods may be called by any
// goroutine.
type Server struct {
	// Addr is where it listens: a port of 127.0.0.1, or, in memory, a name
	// that only [Server.Dial] knows.
	Addr string
	// Auth are credentials that it accepts, as it does any others; nil where
	// the test has taken its Auth away.
	Auth *sasl.Credentials
	// TLS trusts its certificate, and nothing else. nil where it has none.
	TLS *tls.Config
	// CA is the certificate of the authority behind TLS, in PEM: what programs
	// take as a file of trusted roots. nil where TLS is.
	CA []byte
	// Store is the account whose INBOX is the maildrop of every user.
	Store *memory.Store

	t        testing.TB
	fake     fake.Fake
	pop3     pop3.Server
	implicit bool
}

// New starts a server on a free port of 127.0.0.1 that offers STLS with a
// certificate that [Server.Client] trusts, and takes any login. change is
// applied to the real server before it starts: its limits, what it withholds,
// or another TLSConfig, Auth or Open, also nil.
//
//	srv := pop3test.New(t, func(s *pop3.Server) { s.Without = []string{"UIDL"} })
func New(t testing.TB, change ...func(*pop3.Server)) *Server {
	t.Helper()
	return start(t, "", false, change)
}

// NewTLS is New with TLS from the first octet, as on port 995.
func NewTLS(t testing.TB, change ...func(*pop3.Server)) *Server {
	t.Helper()
	return start(t, "", true, change)
}

// NewPipe is New without a socket: its connections live in memory, so it works
// in a bubble of testing/synctest, where timeouts pass at once. Clients come
// in by [Server.Dial], as those of [Server.Client] do.
func NewPipe(t testing.TB, change ...func(*pop3.Server)) *Server {
	t.Helper()
	return start(t, Name+":110", false, change)
}

// NewPipeTLS is NewPipe with TLS from the first octet.
func NewPipeTLS(t testing.TB, change ...func(*pop3.Server)) *Server {
	t.Helper()
	return start(t, Name+":995", true, change)
}

func start(t testing.TB, memoryAddr string, implicit bool, change []func(*pop3.Server)) *Server {
	t.Helper()
	s := &Server{t: t, implicit: implicit, Store: &memory.Store{User: "user"}}
	s.fake.T, s.fake.Protocol, s.fake.Serve = t, protocol, s.serve
	ca := s.fake.Authority(Name)
	s.pop3 = pop3.Server{
		Name: Name, Auth: anybody(), TLSConfig: ca.Server(),
		Open:   func(context.Context, string) (mailbox.Store, error) { return s.Store, nil },
		Limits: pop3.Limits{Errors: -1, AuthTries: -1, Conns: -1, ConnsPerIP: -1},
	}
	for _, f := range change {
		f(&s.pop3)
	}
	if s.pop3.TLSConfig != nil {
		s.TLS, s.CA, s.fake.TLS = ca.Client(), ca.PEM(), s.pop3.TLSConfig
	}
	if s.pop3.Auth != nil {
		s.Auth = &sasl.Credentials{User: "user", Password: "password", Cleartext: s.TLS == nil}
	}
	s.implicit = implicit && s.TLS != nil
	s.fake.Implicit = s.implicit
	s.Addr = s.fake.Listen(memoryAddr)
	s.fake.Start()
	return s
}

// anybody takes every password and token. Mechanisms that look at a secret or
// at the client's certificate are left out: there is none that fits all, and the
// TLS connection of the client ends in the fake.
func anybody() *sasl.Authenticator {
	return &sasl.Authenticator{
		Password: func(context.Context, sasl.Login, string) error { return nil },
		Token: func(_ context.Context, l sasl.Login, _ string) (string, error) {
			if l.User == "" {
				return "user", nil
			}
			return l.User, nil
		},
	}
}

// serve is the real server behind the fake.
func (s *Server) serve(ctx context.Context, c net.Conn) {
	if s.implicit {
		c = tls.Server(c, s.pop3.TLSConfig)
	}
	_ = s.pop3.ServeConn(ctx, c)
}

// Client gives a client for s: it trusts the certificate and logs in.
func (s *Server) Client() *pop3.Client {
	c := &pop3.Client{Addr: s.Addr, TLSConfig: s.TLS, Auth: s.Auth, Dial: s.Dial}
	switch {
	case s.implicit:
		c.TLS = pop3.TLSImplicit
	case s.TLS == nil:
		c.TLS = pop3.TLSNone
	}
	return c
}

// Dial connects to s, whatever network and addr say: it fits the Dial field of
// a client.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return s.fake.Dial(ctx, network, addr)
}

// Deliver puts messages into the maildrop, with CRLF line ends or with LF. A
// session that is open does not see them (RFC 1939 §4).
func (s *Server) Deliver(messages ...string) {
	s.t.Helper()
	if err := s.Store.Put(s.t.Context(), mailbox.Inbox, mailbox.Flags{}, messages...); err != nil {
		s.t.Fatalf("pop3test: %v", err)
	}
}

// Messages is how many messages the maildrop has now.
func (s *Server) Messages() int {
	s.t.Helper()
	info, err := mailbox.Find(context.Background(), s.Store, mailbox.Inbox)
	if err == nil {
		var n mailbox.Counts
		if n, err = s.Store.Counts(context.Background(), info.ID); err == nil {
			return int(n.Messages)
		}
	}
	s.t.Fatalf("pop3test: %v", err)
	return 0
}

// Drop closes every connection at once, as a server that goes down does.
func (s *Server) Drop() { s.fake.Drop() }

// Transcript gives the conversation so far, one line for each that was sent:
//
//	S: +OK pop.example.org POP3 server ready
//	C: USER user
//
// "+TLS" stands where TLS began, "-C" and "-S" where a side hung up without
// QUIT. Passwords are shown as [hidden]. The conversations of several
// connections stand one behind the other, each with a comment above it.
func (s *Server) Transcript() string { return s.fake.Transcript() }

// Compare compares the only conversation with a golden one: the form of
// [Server.Transcript], in whose lines "*" stands for anything and "**" for one
// star. The error shows the first difference, and nil means there is none.
func (s *Server) Compare(golden string) error { return s.fake.Compare("golden", golden) }

// Golden compares the only conversation with the file at path, as
// [Server.Compare] does, and fails the test at the first difference. With
// update it writes the file instead.
func (s *Server) Golden(path string, update bool) {
	s.t.Helper()
	s.fake.Golden(path, update)
}
