package smtp

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

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/internal/wire"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Profile is the protocol a [Server] speaks; one engine has them all.
type Profile uint8

const (
	// MTA takes mail from other hosts (RFC 5321).
	MTA Profile = iota
	// Submission takes mail from users (RFC 6409, RFC 8314): MAIL needs TLS and
	// a login.
	Submission
	// LMTP takes mail for delivery and answers for each recipient (RFC 2033).
	LMTP
)

// Extensions are those that bind not only the server but the handler too, and
// so are offered only where it says that it keeps the promise. The others are
// offered by themselves as soon as what they need is there.
type Extensions uint32

const (
	ExtDSN           Extensions = 1 << iota // reports are sent as asked for (RFC 3461)
	ExtSMTPUTF8                             // paths and headers in UTF-8 (RFC 6531)
	ExtRequireTLS                           // passed on by verified TLS or not at all (RFC 8689)
	ExtDeliverBy                            // RFC 2852
	ExtFutureRelease                        // RFC 4865; Submission only
	ExtPRDR                                 // a reply for each recipient, where the client asks
	ExtBinaryMIME                           // bodies with any bytes in them (RFC 3030)
	ExtMTPriority                           // RFC 6710
	ExtRRVS                                 // RFC 7293
)

// LineEndings is what becomes of a CR or LF in a message that stands alone.
// None of the three lets it end the message: only CRLF "." CRLF does.
type LineEndings uint8

const (
	RejectBare    LineEndings = iota // refuse the message with 550 5.6.11
	NormalizeBare                    // make it CRLF
	KeepBare                         // leave the bytes as they are
)

// Server receives mail. Its zero value takes all mail and drops it. The fields
// must not change after the first Serve; the methods may be called at any time
// and concurrently.
type Server struct {
	Name    string  // in the greeting and in EHLO; "" is "localhost"
	Handler Handler // the zero Handler accepts and drops
	Profile Profile

	// TLSConfig makes STARTTLS be offered and ServeTLS possible. Certificates
	// change through its GetCertificate; the value itself is frozen.
	TLSConfig *tls.Config
	// Auth makes AUTH be offered; nil: not. Mechanisms that show a password are
	// offered under TLS only, and a Submission server wants TLS for all mail,
	// unless InsecureAuth says that the network itself is trusted.
	Auth         *sasl.Authenticator
	InsecureAuth bool

	Extensions  Extensions
	Private     []Extension // verbs, parameters and EHLO lines of your own
	Without     []string    // EHLO keywords to withhold, with all they stand for: "CHUNKING"
	Limits      Limits
	Timeouts    Timeouts
	LineEndings LineEndings
	MaxHold     time.Duration // of FUTURERELEASE; 0 is 30 days
	MinBy       time.Duration // of DELIVERBY in mode R; 0 none

	Allow   func(netip.Addr) bool // who may connect; nil everybody. Others get 554
	Proxy   func(netip.Addr) bool // whose PROXY header (v1, v2) is awaited and believed; nil nobody's
	XClient func(netip.Addr) bool // whose XCLIENT is believed; nil nobody's

	Log   *slog.Logger     // nil is silent. Never sees a credential
	Trace *Trace           // nil is silent
	Now   func() time.Time // for stamps, not for timeouts; nil is time.Now
	Rand  io.Reader        // for IDs; nil is crypto/rand

	once     sync.Once
	core     serve.Server
	tls      *tls.Config // TLSConfig, which also notes the certificate for channel bindings
	ids      serve.IDs
	commands []command // the table; by way of here, since its funcs look into it
	limits   Limits    // with defaults applied
	waits    Timeouts  // with defaults applied
}

var errNoTLS = errors.New("smtp: TLS without Server.TLSConfig")

// Trace lets a program look on. Each func may be nil, is called on the
// connection's goroutine, and must be quick. No credential reaches it.
type Trace struct {
	Command func(s *Session, verb, arg string) // arg is "***" for AUTH
	Reply   func(s *Session, r Reply)
	// Message is called when a message was answered: n octets came, and r says
	// what became of each recipient.
	Message func(t *Transaction, n int64, r Results, d time.Duration)
}

// Run serves plain and implicitTLS, either of which may be nil, until ctx ends;
// then it shuts down, with Timeouts.Grace for the transactions that run. It is
// nil after a clean stop. The values of ctx reach the handler, its end does not:
// what runs may finish. smtp, pop3, imap and the queue all live by Run(ctx),
// so one helper starts and stops a whole system.
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

// ServeTLS is Serve with implicit TLS (RFC 8314 §3.3). It needs TLSConfig.
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

// Shutdown closes the listeners, tells idle peers 421 at once, and lets
// transactions finish until ctx ends, when it closes what is left and returns
// the cause.
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
		s.core.Allow, s.core.Exempt = s.Allow, s.speaksForOthers
		s.core.Handle, s.core.Refuse = s.handle, s.refuse
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

// speaksForOthers reports the peers that are counted only when they have said
// for whom they come. One that may use XCLIENT can also speak for itself, so it
// must be allowed on its own account.
func (s *Server) speaksForOthers(ip netip.Addr) bool {
	return s.Proxy != nil && s.Proxy(ip) || s.XClient != nil && s.XClient(ip) && (s.Allow == nil || s.Allow(ip))
}

// refuse says why a connection is not served. 421 asks to come back, 554 not to
// (RFC 5321 §3.1). The text is short enough never to block.
func (s *Server) refuse(nc net.Conn, why serve.Refusal) {
	_, _ = nc.Write(refusal(why).append(nil, false))
}

func refusal(why serve.Refusal) Reply {
	switch why {
	case serve.NotAllowed:
		return Reply{554, "5.7.1", "You may not connect here"}
	case serve.TooManyIP, serve.TooFast:
		return Reply{421, "4.7.0", "Too many connections from your network"}
	}
	return Reply{421, "4.3.2", "Too many connections"}
}

// wireEnds translates the policy; the names are the same.
func (e LineEndings) wireEnds() wire.Ends { return wire.Ends(e) }
