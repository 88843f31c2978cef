package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/internal/wire"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Conn is one dialogue with a server, for those who need its steps; most want
// a [Client], which pools them. Make one with [NewConn], then Hello, StartTLS
// and Hello again, Auth, Send any number of times, Quit. It is used by one
// goroutine at a time.
//
// Every method is bounded by its ctx and by Timeouts. After an error that is
// no *[Error] the connection is out of step: [Conn.Botched] reports it, and
// only Close is left.
type Conn struct {
	nc       net.Conn
	r        wire.Reader
	out      []byte // commands not yet sent
	lmtp     bool
	caps     Capabilities
	state    *tls.ConnectionState
	waits    Timeouts
	wait     time.Duration // for the next reply
	name     string        // what Hello said
	host     string        // who it is, for results
	user     string        // who logged in
	greeting Reply
	botched  bool
	bounds   wire.Bounds
	sending  bool // a message is under way: its buffer is kept
	open     bool // a transaction may be open: the next one begins with RSET
	messages int
	used     time.Time // when it was last known to be alive
}

// NewConn reads the greeting of a server on nc, which Conn owns from now on. A
// refusal is an *[Error]. lmtp makes Hello say LHLO and Send expect a reply for
// each recipient.
func NewConn(ctx context.Context, nc net.Conn, lmtp bool, t Timeouts) (*Conn, error) {
	c := &Conn{nc: nc, lmtp: lmtp, waits: t.withDefaults()}
	if tc, ok := nc.(*tls.Conn); ok {
		state := tc.ConnectionState()
		c.state = &state
	}
	if a := nc.RemoteAddr(); a != nil {
		c.host = a.String()
	}
	c.r.Deadline = c.readDeadline
	c.r.Reset(nc)
	defer c.bound(ctx)()
	var err error
	if c.greeting, err = c.reply(c.waits.Command); err == nil && c.greeting.Code != 220 {
		err = &Error{Reply: c.greeting}
	}
	if err != nil {
		nc.Close()
		return nil, cause(ctx, err)
	}
	return c, nil
}

// Greeting is the first reply.
func (c *Conn) Greeting() Reply { return c.greeting }

// Capabilities is what the last Hello learnt; do not change it.
func (c *Conn) Capabilities() Capabilities { return c.caps }

// TLS is the state of the connection's TLS, nil without.
func (c *Conn) TLS() *tls.ConnectionState { return c.state }

// Botched reports that the dialogue is out of step and cannot go on.
func (c *Conn) Botched() bool { return c.botched }

// bound makes the calls that follow end with ctx; the func it returns lifts
// that.
func (c *Conn) bound(ctx context.Context) func() {
	return c.bounds.Begin(ctx, c.nc, &c.r, &c.botched)
}

// cause tells why: the context's cause rather than the deadline it set.
func cause(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err // the server's word
	}
	return wire.Cause(ctx, err)
}

func (c *Conn) readDeadline() time.Time { return c.bounds.Within(c.wait) }

// fail marks the connection as out of step, unless err is a server's no.
func (c *Conn) fail(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Code == 421 {
		c.botched = true // RFC 5321 §3.8: after 421 the server hangs up
	}
	return err
}

// flush sends what was gathered in out.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.nc.SetWriteDeadline(c.bounds.Within(c.waits.DataBlock))
	err := errStoppedWrite
	if !c.bounds.Stopped() {
		_, err = c.nc.Write(c.out)
	}
	if c.out = c.out[:0]; cap(c.out) > maxKeptOut && !c.sending {
		c.out = nil
	}
	if err != nil {
		c.botched = true
	}
	return err
}

// reply flushes and reads one reply, text included.
func (c *Conn) reply(wait time.Duration) (Reply, error) {
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	c.wait = wait
	r, err := c.readReply(true)
	if err != nil {
		c.botched = true
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return r, err
	}
	c.used = time.Now()
	return r, nil
}

// command sends one line and reads its reply; anything but the wanted class is
// an *[Error].
func (c *Conn) command(class int, line string) (Reply, error) {
	if c.botched {
		return Reply{}, errBotched
	}
	c.out = append(append(c.out, line...), '\r', '\n')
	r, err := c.reply(c.waits.Command)
	if err == nil && r.Code/100 != class {
		err = &Error{Reply: r}
	}
	return r, c.fail(err)
}

var errStoppedWrite = errors.New("smtp: stopped")

// maxKeptOut is how large a buffer an idle connection keeps.
const maxKeptOut = 16 << 10

var errBotched = errors.New("smtp: connection is out of step")

// Hello says EHLO, or HELO to a server that does not know it, or LHLO. name is
// a host name or an address literal; "" is "localhost".
func (c *Conn) Hello(ctx context.Context, name string) error {
	if name == "" {
		name = "localhost"
	}
	if _, literal := addr.ParseLiteral(name); !literal && !addr.ValidDomain(name) {
		return fmt.Errorf("smtp: %q is no host name", name)
	}
	defer c.bound(ctx)()
	c.name = name
	verb := "EHLO "
	if c.lmtp {
		verb = "LHLO "
	}
	r, err := c.command(2, verb+name)
	if err == nil {
		c.caps = parseCapabilities(r.Text)
		return nil
	}
	c.caps = nil
	if c.lmtp || r.Code/10 != 50 && r.Code != 550 || c.botched {
		return cause(ctx, err)
	}
	_, err = c.command(2, "HELO "+name) // RFC 5321 §3.2
	return cause(ctx, err)
}

// StartTLS upgrades the connection by STARTTLS (RFC 3207) and forgets what the
// server said in the clear: say Hello again. config needs ServerName or
// InsecureSkipVerify. Bytes that came behind the server's 220 in the clear are
// an error, since they would be taken for replies over TLS.
func (c *Conn) StartTLS(ctx context.Context, config *tls.Config) error {
	if c.state != nil {
		return errors.New("smtp: TLS is active")
	}
	defer c.bound(ctx)()
	if _, err := c.command(2, "STARTTLS"); err != nil {
		return cause(ctx, err)
	}
	c.caps, c.botched = nil, true // until the handshake is through
	if c.r.Buffered() > 0 {
		return ProtocolError("replies in the clear behind STARTTLS")
	}
	tc := tls.Client(c.nc, config)
	hctx, cancel := ctx, context.CancelFunc(func() {})
	if c.waits.TLS > 0 {
		hctx, cancel = context.WithTimeout(ctx, c.waits.TLS)
	}
	defer cancel()
	_ = c.nc.SetDeadline(c.bounds.Until)
	if err := tc.HandshakeContext(hctx); err != nil {
		return cause(ctx, fmt.Errorf("smtp: TLS handshake: %w", err))
	}
	state := tc.ConnectionState()
	c.nc, c.state, c.botched = tc, &state, false
	c.r.Reset(tc)
	return nil
}

// Auth logs in by the strongest mechanism that the server offers and the
// credentials allow. A refusal is an *[Error] of 535 or so; nothing in any
// error or log shows a credential.
func (c *Conn) Auth(ctx context.Context, cred *sasl.Credentials) error {
	defer c.bound(ctx)()
	l := sasl.Login{Protocol: "smtp", Remote: serve.AddrPort(c.nc.RemoteAddr()), TLS: c.state}
	mechanism, x, err := cred.Start(l, c.caps.mechanisms())
	if err != nil {
		return err
	}
	out, done, err := x.Next(ctx, nil)
	if err != nil {
		return err
	}
	line := "AUTH " + mechanism
	early := out != nil
	if early {
		line += " " + encodeInitial(out)
		early = len(line) <= 510 // RFC 4954 §4: longer ones wait for their challenge
	}
	if !early {
		line = "AUTH " + mechanism
	}
	c.out = append(append(c.out, line...), '\r', '\n')
	return cause(ctx, c.exchange(ctx, x, out, early, done))
}

// exchange answers challenges until the server has said yes or no.
func (c *Conn) exchange(ctx context.Context, x sasl.Exchange, first []byte, early, done bool) error {
	var failed error // what the mechanism itself objects to
	for {
		r, err := c.reply(c.waits.Command)
		switch {
		case err != nil:
			return err
		case failed != nil:
			return c.fail(failed)
		case r.Code == 235 && done:
			c.user = x.Login().User
			return nil
		case r.Code/100 == 2:
			c.botched = true
			return fmt.Errorf("smtp: server says %d before it has proved itself", r.Code)
		case r.Code != 334:
			return c.fail(&Error{Reply: r})
		}
		out := first
		if early || first == nil {
			in, err := base64.StdEncoding.DecodeString(r.Text)
			if err != nil {
				return c.cancelAuth(ProtocolError("malformed challenge"))
			}
			out, done, failed = x.Next(ctx, in)
		}
		early, first = true, nil
		if failed != nil && out == nil {
			return c.cancelAuth(failed)
		}
		c.out = append(append(c.out, base64.StdEncoding.EncodeToString(out)...), '\r', '\n')
	}
}

// cancelAuth takes the attempt back (RFC 4954 §4) and reports why.
func (c *Conn) cancelAuth(why error) error {
	c.out = append(c.out, "*\r\n"...)
	if _, err := c.reply(c.waits.Command); err != nil {
		return errors.Join(why, err)
	}
	return why
}

func encodeInitial(b []byte) string {
	if len(b) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(b)
}

// alive reports that nothing came over an idle connection: a 421 or the end
// would be there to read.
func (c *Conn) alive() bool { return !c.botched && c.r.Quiet() }

// Reset takes back a transaction.
func (c *Conn) Reset(ctx context.Context) error {
	defer c.bound(ctx)()
	_, err := c.command(2, "RSET")
	return cause(ctx, err)
}

// Noop asks whether the server is still there.
func (c *Conn) Noop(ctx context.Context) error {
	defer c.bound(ctx)()
	_, err := c.command(2, "NOOP")
	return cause(ctx, err)
}

// Verify asks VRFY for a user; the reply may be 250, 251, 252 or an *[Error].
func (c *Conn) Verify(ctx context.Context, user string) (Reply, error) {
	if strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Reply{}, errors.New("smtp: control character in VRFY")
	}
	defer c.bound(ctx)()
	r, err := c.command(2, "VRFY "+user)
	return r, cause(ctx, err)
}

// Quit says goodbye and closes the connection.
func (c *Conn) Quit(ctx context.Context) error {
	defer c.Close()
	defer c.bound(ctx)()
	_, err := c.command(2, "QUIT")
	return cause(ctx, err)
}

// Close closes the connection at once.
func (c *Conn) Close() error {
	if tc, ok := c.nc.(*tls.Conn); ok && c.botched {
		tc.NetConn().Close() // or it would wait to say goodbye, to a peer that may not read
	}
	c.botched = true
	err := c.nc.Close()
	c.r.Unwatch()
	c.r.Release()
	return err
}
