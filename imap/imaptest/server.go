package imaptest

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/internal/fake"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// Name is how every fake server calls itself in its greeting.
const Name = "imap.example.org"

// Server is an IMAP server for one test: the real [imap.Server] over an account
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
	// Store is the account of every user.
	Store *memory.Store

	t        testing.TB
	fake     fake.Fake
	imap     imap.Server
	implicit bool

	mu    sync.Mutex    // guards all below
	caps  []string      // what the server says that it can do; nil the truth
	idle  int           // connections in IDLE
	moved chan struct{} // closed when idle changes
}

// New starts a server on a free port of 127.0.0.1 that offers STARTTLS with a
// certificate that [Server.Client] trusts, and takes any login. change is
// applied to the real server before it starts: its limits, what it withholds,
// or another TLSConfig, Auth or Open, also nil.
//
//	srv := imaptest.New(t, func(s *imap.Server) { s.Without = []string{"IDLE"} })
func New(t testing.TB, change ...func(*imap.Server)) *Server {
	t.Helper()
	return start(t, "", false, change)
}

// NewTLS is New with TLS from the first octet, as on port 993.
func NewTLS(t testing.TB, change ...func(*imap.Server)) *Server {
	t.Helper()
	return start(t, "", true, change)
}

// NewPipe is New without a socket: its connections live in memory, so it works
// in a bubble of testing/synctest, where timeouts pass at once. Clients come
// in by [Server.Dial], as those of [Server.Client] do.
func NewPipe(t testing.TB, change ...func(*imap.Server)) *Server {
	t.Helper()
	return start(t, Name+":143", false, change)
}

// NewPipeTLS is NewPipe with TLS from the first octet.
func NewPipeTLS(t testing.TB, change ...func(*imap.Server)) *Server {
	t.Helper()
	return start(t, Name+":993", true, change)
}

func start(t testing.TB, memoryAddr string, implicit bool, change []func(*imap.Server)) *Server {
	t.Helper()
	s := &Server{t: t, Store: &memory.Store{User: "user"}, moved: make(chan struct{})}
	s.fake.T, s.fake.Protocol, s.fake.Serve = t, protocol, s.serve
	s.fake.Edit, s.fake.Asked, s.fake.Answered = s.edit, s.asked, s.answered
	ca := s.fake.Authority(Name)
	s.imap = imap.Server{
		Name: Name, Auth: anybody(), TLSConfig: ca.Server(), Without: []string{"COMPRESS=DEFLATE"},
		Open:   func(context.Context, string) (mailbox.Store, error) { return s.Store, nil },
		Limits: imap.Limits{Errors: -1, AuthTries: -1, Conns: -1, ConnsPerIP: -1},
	}
	for _, f := range change {
		f(&s.imap)
	}
	if s.imap.TLSConfig != nil {
		s.TLS, s.CA, s.fake.TLS = ca.Client(), ca.PEM(), s.imap.TLSConfig
	}
	if s.imap.Auth != nil {
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
		c = tls.Server(c, s.imap.TLSConfig)
	}
	_ = s.imap.ServeConn(ctx, c)
}

// Client gives a client for s: it trusts the certificate and logs in.
func (s *Server) Client() *imap.Client {
	c := &imap.Client{Addr: s.Addr, TLSConfig: s.TLS, Auth: s.Auth, Dial: s.Dial}
	switch {
	case s.implicit:
		c.TLS = imap.TLSImplicit
	case s.TLS == nil:
		c.TLS = imap.TLSNone
	}
	return c
}

// Dial connects to s, whatever network and addr say: it fits the Dial field of
// a client.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return s.fake.Dial(ctx, network, addr)
}

// Deliver puts messages into a mailbox, which is made if it is not there; LF
// becomes CRLF. Sessions hear of them where the protocol lets the server tell.
func (s *Server) Deliver(name string, messages ...string) {
	s.t.Helper()
	if err := s.Store.Put(s.t.Context(), name, mailbox.Flags{}, messages...); err != nil {
		s.t.Fatalf("imaptest: %v", err)
	}
}

// patience is how long AwaitIdle waits.
const patience = 5 * time.Second

// AwaitIdle waits until n connections or more are in IDLE, and fails the test
// after 5 seconds.
func (s *Server) AwaitIdle(n int) {
	s.t.Helper()
	t := time.NewTimer(patience)
	defer t.Stop()
	for {
		s.mu.Lock()
		have, moved := s.idle, s.moved
		s.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-moved:
		case <-t.C:
			s.t.Fatalf("imaptest: %d of %d connections are in IDLE; the conversation so far:\n%s", have, n, s.Transcript())
		}
	}
}

func (s *Server) asked(stage string)    { s.count(stage, 1) }
func (s *Server) answered(stage string) { s.count(stage, -1) }

func (s *Server) count(stage string, by int) {
	if stage != "IDLE" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = max(s.idle+by, 0)
	close(s.moved)
	s.moved = make(chan struct{})
}

// Capabilities makes the server say that it can do these things and no others,
// whatever the truth. The zero list makes it tell the truth again.
func (s *Server) Capabilities(list ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caps = list
}

// edit puts the list of Capabilities in the place of the server's own.
func (s *Server) edit(unit []byte) []byte {
	s.mu.Lock()
	list := s.caps
	s.mu.Unlock()
	if list == nil {
		return unit
	}
	said := strings.Join(list, " ")
	if bytes.HasPrefix(unit, []byte("* CAPABILITY ")) {
		return []byte("* CAPABILITY " + said + "\r\n")
	}
	before, rest, ok := bytes.Cut(unit, []byte("[CAPABILITY "))
	_, after, closed := bytes.Cut(rest, []byte("]"))
	if !ok || !closed || bytes.Contains(before, []byte("\r\n")) {
		return unit
	}
	return []byte(string(before) + "[CAPABILITY " + said + "]" + string(after))
}

// Drop closes every connection at once, as a server that goes down does.
func (s *Server) Drop() { s.fake.Drop() }

// Transcript gives the conversation so far, one line for each that was sent:
//
//	S: * OK [CAPABILITY …] imap.example.org ready
//	C: a1 LOGIN [hidden]
//
// "+TLS" stands where TLS began, "-C" and "-S" where a side hung up without
// LOGOUT. Passwords are shown as [hidden]. The conversations of several
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
