package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Server lets users read and keep their mail where it is. It needs Auth and
// Open; without them nobody can log in. The fields must not change after the
// first Serve; the methods may be called at any time and concurrently.
type Server struct {
	Name string // in the greeting; "" is "localhost"

	// Auth decides who logs in, and by what. Passwords and tokens are taken
	// under TLS only, unless InsecureAuth says that the network itself is
	// trusted.
	Auth         *sasl.Authenticator
	InsecureAuth bool
	// Open gives the mail of a user who has logged in, by the name that Auth
	// settled on. It is closed after the session if it is an io.Closer. An
	// error is answered NO [UNAVAILABLE], or with the code of a
	// *mailbox.Error.
	Open func(ctx context.Context, user string) (mailbox.Store, error)

	// TLSConfig makes STARTTLS be offered and ServeTLS possible. Certificates
	// change through its GetCertificate; the value itself is frozen.
	TLSConfig *tls.Config

	// Without are the capabilities to withhold, with the commands they stand
	// for: "COMPRESS=DEFLATE", "THREAD=REFERENCES".
	Without []string
	// ID is what the command of that name tells of this server, names and
	// values in turn (RFC 2971 §3.3); nil is the name of this library, and an
	// empty slice tells nothing.
	ID []string

	Limits   Limits
	Timeouts Timeouts

	Allow func(netip.Addr) bool // who may connect; nil everybody

	Log   *slog.Logger     // nil is silent. Never sees a credential
	Trace *Trace           // nil is silent
	Now   func() time.Time // for dates and search keys such as YOUNGER, not for timeouts; nil is time.Now
	Rand  io.Reader        // for IDs; nil is crypto/rand

	once     sync.Once
	core     serve.Server
	tls      *tls.Config // TLSConfig, which also notes the certificate for channel bindings
	ids      serve.IDs
	commands map[string]*command // the table by verb; by way of here, since its funcs look into it
	limits   Limits              // with defaults applied
	waits    Timeouts            // with defaults applied
	views    views               // what sessions share
	cache    cache               // of parsed messages
}

// Session is what is known of one connection. Trace gets it; it is to be read
// only, and valid until the connection ends.
type Session struct {
	ID            string         // unique within the process, for logs
	Remote, Local netip.AddrPort // zero on pipes
	TLS           *tls.ConnectionState
	User          string // who logged in; "" nobody yet
}

// Trace lets a program look on. Each func may be nil, is called on the
// connection's goroutine, and must be quick. No credential reaches it.
type Trace struct {
	// Command is called before a command runs. arg is "***" for LOGIN and
	// AUTHENTICATE, and at most its first 1024 octets for others.
	Command func(s *Session, verb, arg string)
	// Reply is called with the line that ends a command, without tag and CRLF.
	Reply func(s *Session, verb, line string, d time.Duration)
}

var errNoTLS = errors.New("imap: TLS without Server.TLSConfig")

// Run serves plain and implicitTLS, either of which may be nil, until ctx ends;
// then it shuts down, with Timeouts.Grace for commands that run. It is nil
// after a clean stop. The values of ctx reach Open and Auth, its end does not.
func (s *Server) Run(ctx context.Context, plain, implicitTLS net.Listener) error {
	s.init()
	return s.core.Run(ctx, plain, implicitTLS, s.waits.Grace)
}

// Serve accepts from l until Shutdown or Close, after which it returns nil. It
// closes l.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	return s.core.Serve(l, false)
}

// ServeTLS is Serve with implicit TLS, port 993 (RFC 8314 §3.2). It needs
// TLSConfig.
func (s *Server) ServeTLS(l net.Listener) error {
	s.init()
	return s.core.Serve(l, true)
}

// ServeConn serves one connection to its end and closes it: of a pipe, of
// inetd, or of a *tls.Conn, which counts as implicit TLS.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) error {
	s.init()
	return s.core.ServeConn(ctx, c, false)
}

// Shutdown closes the listeners, tells idle peers BYE at once, those in IDLE
// too, and lets commands finish until ctx ends, when it closes what is left and
// returns the cause.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	return s.core.Shutdown(ctx)
}

// Close closes the listeners and all connections at once.
func (s *Server) Close() error {
	s.init()
	return s.core.Close()
}

// init applies the defaults, once.
func (s *Server) init() {
	s.once.Do(func() {
		s.commands = make(map[string]*command, len(commands))
		for i := range commands {
			s.commands[commands[i].verb] = &commands[i]
		}
		s.limits, s.waits = s.Limits.withDefaults(), s.Timeouts.withDefaults()
		s.core.Conns, s.core.PerIP, s.core.Rate = s.limits.Conns, s.limits.ConnsPerIP, s.limits.ConnRate
		s.core.Allow, s.core.Handle, s.core.Refuse = s.Allow, s.handle, s.refuse
		s.cache.limit = s.limits.CacheBytes
		if s.TLSConfig != nil {
			s.tls = sasl.TrackCertificate(s.TLSConfig)
		} else {
			s.core.NoTLS = errNoTLS
		}
		s.ids.Init(s.Rand)
	})
}

func (s *Server) name() string {
	if s.Name == "" {
		return "localhost"
	}
	return s.Name
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// handle serves one connection.
func (s *Server) handle(ctx context.Context, sc *serve.Conn) serve.Dialogue {
	c := &conn{srv: s, sc: sc, nc: sc.Conn, ctx: ctx}
	c.r.Reset(c.nc)
	c.r.Deadline = c.beforeRead
	return c
}

// refuse says why a connection is not served, in place of the greeting. The
// text is short enough never to block.
func (s *Server) refuse(nc net.Conn, why serve.Refusal) {
	text := "* BYE [UNAVAILABLE] Too many connections\r\n"
	switch why {
	case serve.NotAllowed:
		text = "* BYE [NOPERM] You may not connect here\r\n"
	case serve.TooManyIP, serve.TooFast:
		text = "* BYE [UNAVAILABLE] Too many connections from your network\r\n"
	}
	_, _ = io.WriteString(nc, text)
}

// withholds reports whether Without names the capability.
func (s *Server) withholds(name string) bool {
	for _, w := range s.Without {
		if wire.EqualFold(w, name) {
			return true
		}
	}
	return false
}
