package pop3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/internal/wire"
)

// conn is one connection of a [Server]. All of it belongs to the connection's
// goroutine.
type conn struct {
	srv *Server
	sc  *serve.Conn
	nc  net.Conn // sc, or the TLS connection over it
	ctx context.Context
	r   wire.Reader

	out     []byte    // replies not yet sent
	unsent  error     // why they never will be
	writeBy time.Time // the write deadline that is set

	session Session
	began   time.Time         // of the connection, for Timeouts.Login
	cert    *x509.Certificate // shown in the handshake, for channel bindings
	stamp   string            // the APOP timestamp; "" APOP is not offered
	user    string            // what USER said, until PASS or another command
	opened  bool              // the greeting is said
	drop    *maildrop         // nil before the login
	errors  int32             // refused commands in this state
	tries   int32             // failed logins
	utf8    bool              // the peer has said UTF8
	hush    bool              // what is no command may be a credential
	quit    bool
	cut     bool // the server hangs up on a peer that may still send
	err     error
}

var (
	errOver     = errors.New("pop3: connection over")
	errStopping = errors.New("pop3: server is shutting down")
	errTimeout  = errors.New("pop3: peer was silent for too long")
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

// open does what stands before the first command: TLS and the greeting.
func (c *conn) open() error {
	c.began = time.Now()
	c.session = Session{ID: c.srv.ids.Next(), Remote: serve.AddrPort(c.nc.RemoteAddr()), Local: serve.AddrPort(c.nc.LocalAddr())}
	if c.sc.TLS {
		if err := c.handshake(tls.Server(c.nc, c.srv.tls)); err != nil {
			return err
		}
	} else if tc, ok := c.nc.(*tls.Conn); ok {
		if err := c.handshake(tc); err != nil {
			return err
		}
	}
	greeting := c.srv.name() + " POP3 server ready"
	if c.srv.APOP && c.srv.Auth != nil && c.srv.Auth.Secret != nil {
		// RFC 1939 §7: a msg-id that is different each time.
		c.stamp = fmt.Sprintf("<%s.%d@%s>", serve.RandomID(c.srv.Rand, 10), c.srv.now().Unix(), c.srv.name())
		greeting += " " + c.stamp
	}
	c.put(ok(greeting))
	return nil
}

// finish says what is to be said and lets go of everything.
func (c *conn) finish() {
	_ = c.flush()
	c.guard(c.leave)
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		c.debug("connection ended", "err", c.err)
	}
	c.linger()
	c.r.Release()
}

// recover turns a panic into the end of this connection alone.
func (c *conn) recover() {
	if v := recover(); v != nil {
		c.err = c.burst(v)
	}
}

// burst is the end of a connection whose store, or whose Trace, has panicked.
// The reply goes past Trace, which may be what panicked.
func (c *conn) burst(v any) error {
	c.room(smallOut / 2)
	c.out = append(c.out, "-ERR [SYS/TEMP] Internal error\r\n"...)
	c.cut = true
	c.panicked(v)
	return fmt.Errorf("pop3: panic: %v", v)
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
		l.Error("store panicked", "conn", c.session.ID, "panic", v, "stack", string(debug.Stack()))
	}
}

// A peer that is hung up on while it sends would lose our last words: TCP
// resets a connection that is closed with input unread. So the input is read
// for a while first, within these bounds.
const (
	lingerTime   = time.Second
	lingerOctets = 64 << 10
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

// turn reads one command and answers it.
func (c *conn) turn() error {
	if !c.sc.Idle() {
		return c.goodbye(errStopping)
	}
	line, err := c.readLine()
	if err == wire.ErrParked {
		return err
	}
	if !c.sc.Busy() {
		return c.goodbye(errStopping)
	}
	if err != nil {
		return c.unread(err)
	}
	return c.command(line)
}

// goodbye is the last word to a peer that must go.
func (c *conn) goodbye(why error) error {
	text := "Server is shutting down"
	if why == errTimeout {
		text = "Timeout"
	}
	c.put(fail("SYS/TEMP", text))
	return why
}

// stored gives a call of the store its time.
func (c *conn) stored() (context.Context, context.CancelFunc) {
	if d := c.srv.waits.Store; d > 0 {
		return context.WithTimeout(c.ctx, d)
	}
	return context.WithCancel(c.ctx)
}

func (c *conn) trace(verb, arg string) {
	if t := c.srv.Trace; t != nil && t.Command != nil {
		t.Command(&c.session, verb, arg)
	}
}

func (c *conn) warn(msg string, err error) {
	if l := c.srv.Log; l != nil {
		l.Warn(msg, "conn", c.session.ID, "remote", c.session.Remote, "user", c.session.User, "err", err)
	}
}

func (c *conn) debug(msg string, args ...any) {
	if l := c.srv.Log; l != nil {
		l.Debug(msg, append([]any{"conn", c.session.ID, "remote", c.session.Remote}, args...)...)
	}
}
