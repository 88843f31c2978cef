package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/internal/wire"
)

// conn is one connection of a [Server]. All of it belongs to the connection's
// goroutine; hook has its own lock.
type conn struct {
	srv    *Server
	sc     *serve.Conn
	nc     net.Conn                // sc, or the TLS connection over it
	ctx    context.Context         // the server's, until somebody needs the connection's own
	cancel context.CancelCauseFunc // of the connection's own; nil: nobody did
	r      wire.Reader
	out    []byte // replies not yet sent
	unsent error  // why they never will be

	writeBy time.Time       // the write deadline that is set
	dot     *wire.DotReader // of all messages, one after the other

	session   Session
	connected Values       // of the session as Connect left them; nothing the peer said
	peer      netip.Addr   // who is there, by the socket or a trusted proxy; XCLIENT does not change it
	tx        *transaction // nil outside
	hook      hook

	dataStart time.Time // when the message's data began; before the greeting, when its silence ends
	source    source    // the message being read

	cert     *x509.Certificate // shown in the handshake, for channel bindings
	errors   int32             // refused commands since the last accepted message
	idlers   int32             // commands since the last message that move no mail
	messages int32             // transactions
	tries    int32             // failed logins
	state    state
	phase    phase
	opened   bool // the greeting is said
	esmtp    bool // EHLO or LHLO, not HELO
	coded    bool // replies have enhanced codes
	hush     bool // what is no command may be a credential
	quit     bool
	cut      bool  // the server hangs up, perhaps on a peer that still sends
	refusal  error // why the peer got 554 in place of the greeting
	err      error // why the connection ends; nil after QUIT
}

var (
	errOver  = errors.New("smtp: connection over")
	stopping = Reply{421, "4.3.2", "Server is shutting down"}
	timedOut = Reply{421, "4.4.2", "Timeout"}
)

// Serve runs the dialogue from the greeting to the end, or to where the peer
// lets us wait, for [serve.Dialogue].
func (c *conn) Serve() (waits bool) {
	defer func() {
		if !waits {
			c.finish()
		}
	}()
	defer c.recover()
	if !c.opened {
		c.opened = true
		c.err = c.open()
	}
	for c.err == nil && !c.quit {
		c.err = c.turn()
	}
	if waits = c.err == wire.ErrParked; waits {
		c.err = nil
	}
	return waits
}

func (c *conn) Wait() { c.r.Wait() }
func (c *conn) Wake() { c.r.Wake() }

// context ends with the connection, also while the handler runs. Who never
// calls the handler never pays for it.
func (c *conn) context() context.Context {
	if c.cancel == nil {
		c.ctx, c.cancel = context.WithCancelCause(c.ctx)
	}
	return c.ctx
}

// finish says what is to be said and lets go of everything.
func (c *conn) finish() {
	c.r.Unwatch()
	_ = c.flush()
	c.hook.stop()
	c.guard(func() { c.endTransaction(true) })
	if c.cancel != nil {
		c.cancel(errOver)
	}
	if c.refusal != nil {
		c.err = c.refusal
	}
	if f := c.srv.Handler.Close; f != nil {
		c.guard(func() { f(&c.session, c.err) })
	}
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		c.debug("connection ended", "err", c.err)
	}
	c.linger()
	c.r.Release()
}

// recover turns a panic of the handler into the end of this connection alone.
// The reply goes past Trace, which may be what panicked.
func (c *conn) recover() {
	if v := recover(); v != nil {
		r := Reply{421, "4.3.0", "Internal error"}
		c.out = r.append(c.out, c.coded)
		c.cut, c.err = true, &Error{Reply: r, Err: fmt.Errorf("handler panicked: %v", v)}
		c.panicked(v)
	}
}

// guard runs f, of whose panic nobody needs to be told any more.
func (c *conn) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
		}
	}()
	f()
}

func (c *conn) panicked(v any) {
	if l := c.srv.Log; l != nil {
		l.Error("handler panicked", "conn", c.session.ID, "panic", v, "stack", string(debug.Stack()))
	}
}

// A peer that is hung up on while it sends would lose our last words: TCP
// resets a connection that is closed with input unread. So the input is read
// for a while first, within these bounds.
const (
	lingerTime   = time.Second
	lingerOctets = 256 << 10
)

func (c *conn) linger() {
	half, ok := c.sc.Conn.(interface{ CloseWrite() error })
	if !c.cut || c.unsent != nil || !ok {
		return
	}
	if tc, ok := c.nc.(*tls.Conn); ok {
		_ = tc.CloseWrite() // close_notify first
	}
	if half.CloseWrite() == nil {
		_ = c.sc.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.sc.Conn, lingerOctets)
	}
}

// open does what stands before the first command: proxy header, TLS, greeting.
func (c *conn) open() error {
	c.session = Session{ID: c.srv.ids.Next(), Remote: serve.AddrPort(c.nc.RemoteAddr()), Local: serve.AddrPort(c.nc.LocalAddr()), Protocol: "SMTP"}
	if err := c.readProxy(); err != nil {
		return err
	}
	c.peer = c.session.Remote.Addr()
	if c.sc.TLS {
		if err := c.startTLS(); err != nil {
			return err
		}
	} else if tc, ok := c.nc.(*tls.Conn); ok {
		if err := c.handshake(tc); err != nil {
			return err
		}
	}
	if err := c.awaitSilence(); err != nil {
		return err
	}
	return c.greet()
}

// awaitSilence gives the peer time to show that it does not wait for the
// greeting, as spammers and other protocols do not (RFC 5321 §3.1).
func (c *conn) awaitSilence() error {
	if c.srv.waits.Banner == 0 {
		return nil
	}
	c.phase, c.dataStart = inSilence, time.Now().Add(c.srv.waits.Banner)
	err := c.r.Fill(0)
	c.phase = inCommand
	if err == nil {
		return c.lastWord(Reply{554, "5.5.0", "You spoke before the greeting"})
	}
	if wire.IsTimeout(err) {
		return nil
	}
	return err
}

// greet calls Connect and says 220, or what Connect says.
func (c *conn) greet() error {
	if f := c.srv.Handler.Connect; f != nil {
		if err := c.call(c.context(), func(ctx context.Context) error { return f(ctx, &c.session) }); err != nil {
			return c.turnAway(c.failure(err), err)
		}
	}
	c.connected = c.session.Values.clone()
	protocol := "ESMTP"
	if c.srv.Profile == LMTP {
		protocol = "LMTP"
	}
	c.putLine(Reply{220, "", c.srv.name() + " " + protocol})
	return nil
}

// turnAway refuses the peer at the door. The greeting knows 220, 421 and 554
// only (RFC 5321 §4.3.2). After 554 the peer is to say QUIT, and gets 503 for
// all else (RFC 5321 §3.1).
func (c *conn) turnAway(r Reply, err error) error {
	err = fmt.Errorf("refused at connect: %w", err)
	if !r.Permanent() {
		r.Code = 421
		_ = c.lastWord(r)
		return err
	}
	r.Code = 554
	c.put(r)
	c.state, c.refusal = turnedAway, err
	return nil
}

// turn reads one command and answers it.
func (c *conn) turn() error {
	if c.tx == nil && !c.sc.Idle() {
		return c.lastWord(stopping)
	}
	line, bad, err := c.awaitLine()
	if err == wire.ErrParked {
		return err
	}
	if c.tx == nil && !c.sc.Busy() {
		return c.lastWord(stopping)
	}
	switch {
	case bad.Code != 0:
		return c.refuseLine(bad)
	case err != nil:
		return c.readError(err)
	}
	return c.command(line)
}

// refuseLine counts the mistake and answers it.
func (c *conn) refuseLine(r Reply) error {
	c.trace("", "")
	c.put(r)
	return c.countError()
}

// countError ends a dialogue that goes nowhere.
func (c *conn) countError() error {
	c.errors++
	if n := c.srv.limits.Errors; n > 0 && int(c.errors) >= n {
		return c.lastWord(Reply{421, "4.7.0", "Too many errors"})
	}
	return nil
}

// readError makes the end of a timeout or of the server a 421.
func (c *conn) readError(err error) error {
	switch {
	case c.unsent != nil:
		return c.unsent
	case errors.Is(err, wire.ErrWoken):
		return c.lastWord(stopping)
	case wire.IsTimeout(err):
		return c.lastWord(timedOut)
	}
	return err
}
