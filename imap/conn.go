package imap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// state is where a dialogue stands (RFC 9051 §3).
type state uint8

const (
	fresh    state = 1 << iota // not authenticated
	authed                     // authenticated, nothing selected
	selected                   // a mailbox is selected

	loggedIn = authed | selected
	anyState = fresh | loggedIn
)

// enabled are the modes a client has switched on (RFC 5161).
type enabled uint8

const (
	rev2      enabled = 1 << iota // RFC 9051
	condstore                     // RFC 7162 §3.1
	qresync                       // RFC 7162 §3.2
	utf8ok                        // RFC 6855 §3
	uidonly                       // RFC 9586
)

// conn is one connection of a [Server]. All of it belongs to the connection's
// goroutine; what others may touch is within the reader, and in bell.
type conn struct {
	srv     *Server
	sc      *serve.Conn
	nc      net.Conn        // sc, or TLS or compression over it
	ctx     context.Context // of the server: it ends with Close. What a session opens is closed
	r       corewire.Reader
	out     []byte    // responses not yet sent
	unsent  error     // why they never will be
	cmd     []byte    // the command, if it has literals
	deflate *deflater // nil without compression

	writeBy time.Time // the write deadline that is set
	loginBy time.Time // when the login must be done

	session  Session
	cert     *x509.Certificate // shown in the handshake, for channel bindings
	store    mailbox.Store     // of the user; nil before the login
	sel      *view             // the selected mailbox; nil: none
	target   target            // where messages went last
	saved    mailbox.Set       // "$" (RFC 5182)
	notify   *notify           // nil: no NOTIFY
	contexts []*searchContext  // searches that are kept up to date (RFC 5267)
	bell     bell              // how others tell that there is news

	tag       string
	verb      string
	told      time.Time    // when a long command last said that it goes on
	began     time.Time    // when the command did
	since     time.Time    // when the wait for the next one did
	pending   wire.Literal // the message announced by APPEND and its like
	announced bool         // pending holds one
	on        enabled
	phase     phase
	errors    int32 // refused commands in a row
	tries     int32 // failed logins
	opened    bool  // the greeting is said
	idling    bool  // between IDLE and DONE
	quit      bool
	cut       bool // the server hangs up, perhaps on a peer that still sends
	err       error
}

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
	if waits = c.err == corewire.ErrParked; waits {
		c.err = nil
	}
	return waits
}

func (c *conn) Wait() { c.r.Wait() }
func (c *conn) Wake() { c.r.Wake() }

// open does what stands before the first command: TLS and the greeting.
func (c *conn) open() error {
	c.session = Session{ID: c.srv.ids.Next(), Remote: serve.AddrPort(c.nc.RemoteAddr()), Local: serve.AddrPort(c.nc.LocalAddr())}
	if d := c.srv.waits.Login; d > 0 {
		c.loginBy = time.Now().Add(d)
	}
	if c.sc.TLS {
		if err := c.startTLS(); err != nil {
			return err
		}
	} else if tc, ok := c.nc.(*tls.Conn); ok {
		if err := c.handshake(tc); err != nil {
			return err
		}
	}
	// RFC 9051 §7.1: the code saves the client a round trip.
	c.put("OK [CAPABILITY ", c.capabilities(), "] ", c.srv.name(), " ready")
	return nil
}

// recover turns a panic of the store into the end of this connection alone.
func (c *conn) recover() {
	if v := recover(); v != nil {
		c.out = append(c.out[:0:0], "* BYE [SERVERBUG] Internal error\r\n"...)
		c.cut, c.err = true, errOver
		c.panicked(v)
	}
}

// finish says what is to be said and lets go of everything.
func (c *conn) finish() {
	_ = c.flush()
	c.guard(c.leave)
	if c.err != nil && !errors.Is(c.err, io.EOF) && !errors.Is(c.err, errOver) {
		c.debug("connection ended", "err", c.err)
	}
	c.linger()
	c.r.Release()
}

// leave ends the session of a user, if there is one.
func (c *conn) leave() {
	c.deselect()
	c.notify.stop()
	c.notify = nil
	if c.store != nil {
		if err := mailbox.Close(c.store); err != nil {
			c.warn("store did not close", err)
		}
		c.store = nil
	}
}

// state derives from what there is.
func (c *conn) state() state {
	switch {
	case c.store == nil:
		return fresh
	case c.sel == nil:
		return authed
	}
	return selected
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
		l.Error("command panicked", "conn", c.session.ID, "verb", c.verb, "panic", v, "stack", string(debug.Stack()))
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

// turn reads one command and answers it.
func (c *conn) turn() error {
	if !c.sc.Idle() {
		return c.bye(stopping)
	}
	line, err := c.awaitLine()
	if err == corewire.ErrParked {
		return err
	}
	if !c.sc.Busy() {
		return c.bye(stopping)
	}
	switch {
	case err != nil:
		return c.readError(err)
	case c.idling:
		return c.endIdle(line)
	}
	return c.command(line)
}

const stopping = "[UNAVAILABLE] Server is shutting down"

// readError makes the end of a timeout or of the server a BYE.
func (c *conn) readError(err error) error {
	switch {
	case c.unsent != nil:
		return c.unsent
	case errors.Is(err, errOver):
		return err
	case errors.Is(err, corewire.ErrWoken):
		return c.bye(stopping)
	case errors.Is(err, corewire.ErrLineTooLong):
		// What follows may be the rest of a literal that the end of the line
		// announced: nothing of it may be taken for a command.
		return c.bye("[TOOBIG] Command line is too long")
	case errors.Is(err, corewire.ErrBareLF):
		return c.bye("Lines end in CRLF")
	case corewire.IsTimeout(err) && c.store == nil:
		return c.bye("[UNAVAILABLE] Login took too long")
	case corewire.IsTimeout(err):
		return c.bye("[UNAVAILABLE] Autologout; idle for too long") // RFC 9051 §5.4
	}
	return err
}
