package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Server lets users download their mail. It needs Auth and Open; without them
// nobody can log in. The fields must not change after the first Serve; the
// methods may be called at any time and concurrently.
type Server struct {
	Name string // in the greeting and the APOP timestamp; "" is "localhost"

	// Auth decides who logs in, and by what. Passwords and tokens are taken
	// under TLS only, unless InsecureAuth says that the network itself is
	// trusted.
	Auth         *sasl.Authenticator
	InsecureAuth bool
	// Open gives the mail of a user who has logged in, by the name that Auth
	// settled on. It is closed after the session if it is an io.Closer. An
	// error is answered [SYS/TEMP], or [SYS/PERM] if it has a method SMTP with
	// a 5yz code.
	Open func(ctx context.Context, user string) (mailbox.Store, error)

	// TLSConfig makes STLS be offered and ServeTLS possible. Certificates
	// change through its GetCertificate; the value itself is frozen.
	TLSConfig *tls.Config

	// APOP offers the command of that name, in the greeting as RFC 1939 §7 has
	// it. It wants Auth.Secret with plain passwords, and protects the password
	// but not the mail: it is off unless asked for.
	APOP bool
	// Without are the CAPA keywords to withhold, with the commands they stand
	// for: "TOP", "UTF8", "PIPELINING".
	Without []string
	// Expire tells clients how long mail is kept before it is removed by
	// others than themselves (RFC 2449 §6.7). 0 means for ever, NEVER; a
	// negative value is not told.
	Expire time.Duration
	// LoginDelay is how long a user must wait between two logins (RFC 2449
	// §6.5); 0 none. Kept for this server, in memory.
	LoginDelay time.Duration
	// Implementation is told to clients that ask; "" is "postilion", "-" keeps
	// it secret.
	Implementation string
	// KeepUnseen leaves the flags of messages alone. Otherwise those that were
	// retrieved are \Seen after QUIT, for users who read by IMAP too.
	KeepUnseen bool
	// AnyUTF8 sends messages with UTF-8 in their header also to clients that
	// did not say UTF8, who get -ERR [UTF8] otherwise (RFC 6856 §5).
	AnyUTF8 bool

	Limits   Limits
	Timeouts Timeouts

	Allow func(netip.Addr) bool // who may connect; nil everybody

	Log   *slog.Logger     // nil is silent. Never sees a credential
	Trace *Trace           // nil is silent
	Now   func() time.Time // for stamps and LoginDelay, not for timeouts; nil is time.Now
	Rand  io.Reader        // for IDs and the APOP timestamp; nil is crypto/rand

	once     sync.Once
	core     serve.Server
	tls      *tls.Config // TLSConfig, which also notes the certificate for channel bindings
	ids      serve.IDs
	commands []command // the table; by way of here, since its funcs look into it
	limits   Limits    // with defaults applied
	waits    Timeouts  // with defaults applied
	drops    drops     // who is at which maildrop
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
	Command func(s *Session, verb, arg string) // arg is "***" for PASS, APOP and AUTH
	Reply   func(s *Session, line string)      // the first line of each reply, without CRLF
}

var errNoTLS = errors.New("pop3: TLS without Server.TLSConfig")

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

// ServeTLS is Serve with implicit TLS, port 995 (RFC 8314 §3.2). It needs
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

// Shutdown closes the listeners, says goodbye to idle peers at once, and lets
// commands finish until ctx ends, when it closes what is left and returns the
// cause. Deletions of a session that is cut short do not happen (RFC 1939 §6).
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
		s.commands = commands[:]
		s.limits, s.waits = s.Limits.withDefaults(), s.Timeouts.withDefaults()
		s.core.Conns, s.core.PerIP, s.core.Rate = s.limits.Conns, s.limits.ConnsPerIP, s.limits.ConnRate
		s.core.Allow, s.core.Handle, s.core.Refuse = s.Allow, s.handle, s.refuse
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
	text := "-ERR [SYS/TEMP] Too many connections\r\n"
	switch why {
	case serve.NotAllowed:
		text = "-ERR [SYS/PERM] You may not connect here\r\n"
	case serve.TooManyIP, serve.TooFast:
		text = "-ERR [SYS/TEMP] Too many connections from your network\r\n"
	}
	_, _ = io.WriteString(nc, text)
}

// withholds reports whether Without names the capability.
func (s *Server) withholds(keyword string) bool {
	for _, w := range s.Without {
		if strings.EqualFold(w, keyword) {
			return true
		}
	}
	return false
}
