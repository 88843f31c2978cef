package smtp

import (
	"bytes"
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
// goroutine; hook has its own lock.
type conn struct {
	srv    *Server
	sc     *serve.Conn
	nc     net.Conn // sc, or the TLS connection over it
	ctx    context.Context
	cancel context.CancelCauseFunc
	r      wire.Reader
	out    []byte // replies not yet sent

	session Session
	state   state
	tx      *transaction // nil outside
	hook    hook

	phase     phase
	dataStart time.Time // when the message's data began
	source    source    // the message being read

	cert     *x509.Certificate // shown in the handshake, for channel bindings
	esmtp    bool              // EHLO or LHLO, not HELO
	errors   int               // refused commands
	idlers   int               // commands since the last message that move no mail
	messages int               // transactions
	tries    int               // failed logins
	quit     bool
	err      error // why the connection ends; nil after QUIT
}

// phase is what the next read is for, and so how long it may take.
type phase uint8

const (
	inCommand phase = iota
	inData
	inAuth
)

var (
	errOver  = errors.New("smtp: connection over")
	stopping = Reply{421, "4.3.2", "Server is shutting down"}
	timedOut = Reply{421, "4.4.2", "Timeout"}
)

// serve runs the dialogue from the greeting to the end.
func (c *conn) serve() {
	c.session = Session{ID: c.srv.newID(), Remote: serve.AddrPort(c.nc.RemoteAddr()), Local: serve.AddrPort(c.nc.LocalAddr()), Protocol: "SMTP"}
	defer c.finish()
	defer c.recover()
	if c.err = c.open(); c.err != nil {
		return
	}
	for c.err == nil && !c.quit {
		c.err = c.turn()
	}
}

// finish says what is to be said and lets go of everything.
func (c *conn) finish() {
	c.r.Unwatch()
	_ = c.flush()
	c.endTransaction(true)
	c.r.Release()
	c.hook.stop()
	c.cancel(errOver)
	if f := c.srv.Handler.Close; f != nil {
		f(&c.session, c.err)
	}
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		c.debug("connection ended", "err", c.err)
	}
}

// recover turns a panic of the handler into the end of this connection alone.
func (c *conn) recover() {
	if v := recover(); v != nil {
		c.err = c.lastWord(Reply{421, "4.3.0", "Internal error"})
		if l := c.srv.Log; l != nil {
			l.Error("handler panicked", "conn", c.session.ID, "panic", v, "stack", string(debug.Stack()))
		}
	}
}

// open does what stands before the first command: proxy header, TLS, greeting.
func (c *conn) open() error {
	if err := c.readProxy(); err != nil {
		return err
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
	until := time.Now().Add(c.srv.waits.Banner)
	c.r.Deadline = func() time.Time { return until }
	err := c.r.Fill(0)
	c.r.Deadline = c.readDeadline
	if err == nil {
		return c.lastWord(Reply{554, "5.5.0", "You spoke before the greeting"})
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return nil
	}
	return err
}

// lastWord sends r and ends the connection.
func (c *conn) lastWord(r Reply) error {
	c.put(r)
	return &Error{Reply: r, Err: errOver}
}

// greet calls Connect and says 220, or what Connect says.
func (c *conn) greet() error {
	if f := c.srv.Handler.Connect; f != nil {
		if err := c.call(c.ctx, func(ctx context.Context) error { return f(ctx, &c.session) }); err != nil {
			r := ReplyTo(err)
			if r.Code != 421 && !r.Permanent() {
				r.Code = 421 // the greeting knows 220, 421 and 554 only (RFC 5321 §4.3.2)
			}
			c.put(r)
			return fmt.Errorf("refused at connect: %w", err)
		}
	}
	protocol := "ESMTP"
	if c.srv.Profile == LMTP {
		protocol = "LMTP"
	}
	c.putLine(Reply{220, "", c.srv.name() + " " + protocol})
	return nil
}

// turn reads one command and answers it.
func (c *conn) turn() error {
	if c.tx == nil && !c.sc.Idle() {
		return c.lastWord(stopping)
	}
	if !c.r.HasLine() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	line, err := c.r.ReadLine(c.srv.limits.CommandLine)
	if c.tx == nil && !c.sc.Busy() {
		return c.lastWord(stopping)
	}
	if r, bad := badLine(line, err); bad {
		return c.refuseLine(r)
	}
	if err != nil {
		return c.readError(err)
	}
	return c.command(line)
}

// badLine answers lines that are no commands whatever they say.
func badLine(line []byte, err error) (Reply, bool) {
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return Reply{500, "5.5.6", "Line too long"}, true // RFC 5321 §4.5.3.1.9
	case errors.Is(err, wire.ErrBareLF):
		return Reply{500, "5.5.2", "Lines end in CRLF"}, true
	case err == nil && (bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0):
		return Reply{501, "5.5.2", "Control character in command"}, true
	}
	return Reply{}, false
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
	if n := c.srv.limits.Errors; n > 0 && c.errors >= n {
		return c.lastWord(Reply{421, "4.7.0", "Too many errors"})
	}
	return nil
}

// readError makes the end of a timeout or of the server a 421.
func (c *conn) readError(err error) error {
	if errors.Is(err, wire.ErrWoken) {
		return c.lastWord(stopping)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return c.lastWord(timedOut)
	}
	return err
}

// readDeadline bounds the next read by what it is for.
func (c *conn) readDeadline() time.Time {
	wait := c.srv.waits.Command
	if c.phase == inData {
		return c.dataDeadline()
	}
	if wait == 0 {
		return time.Time{}
	}
	return time.Now().Add(wait)
}

// maxUnsent is how many octets of replies wait for the end of a batch.
const maxUnsent = 4 << 10

// put adds a reply to the batch that is sent when the peer has no further
// command on the way (RFC 2920 §3.2). Only here and in putLine replies are made.
func (c *conn) put(r Reply) {
	c.out = r.append(c.out, c.esmtp)
	c.traced(r)
}

// putLine adds a reply that has no enhanced code: greetings, EHLO, 354, 334.
func (c *conn) putLine(r Reply) {
	c.out = r.append(c.out, false)
	c.traced(r)
}

func (c *conn) traced(r Reply) {
	if t := c.srv.Trace; t != nil && t.Reply != nil {
		t.Reply(&c.session, r)
	}
	if len(c.out) > maxUnsent {
		c.err = errors.Join(c.err, c.flush())
	}
}

// flush sends what was put.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if d := c.srv.waits.Write; d > 0 {
		_ = c.nc.SetWriteDeadline(time.Now().Add(d))
	}
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *conn) trace(verb, arg string) {
	if t := c.srv.Trace; t != nil && t.Command != nil {
		t.Command(&c.session, verb, arg)
	}
}

func (c *conn) debug(msg string, args ...any) {
	if l := c.srv.Log; l != nil {
		l.Debug(msg, append([]any{"conn", c.session.ID, "remote", c.session.Remote}, args...)...)
	}
}
