package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"
)

const (
	defaultDial    = 30 * time.Second
	defaultCommand = 5 * time.Minute
)

// Conn is one connection of a [Client]. It is used by one goroutine at a time.
//
// Every method is bounded by its ctx and by Timeouts; there are no goroutines
// behind it. After an error that is no *[Error] the connection is out of step:
// [Conn.Botched] reports it, and only Close is left.
//
// Messages are named by UID throughout. What the server says by itself, of new
// mail and of what other clients do, goes to the funcs of Events as it comes.
type Conn struct {
	// Events are told what the server says by itself. They may change between
	// two calls.
	Events Events

	client   *Client
	nc       net.Conn
	r        corewire.Reader
	deflate  *deflater // nil without compression
	out      []byte    // commands not yet sent
	buf      []byte    // the response at hand
	state    *tls.ConnectionState
	again    time.Time // when IDLE is to be said anew; zero: no IDLE
	caps     Capabilities
	selected *Selected
	utf8     bool // mailbox names and strings in UTF-8
	tag      int
	busy     bool // a body or a loop is open
	preauth  bool
	bye      *Error // what the server said when it hung up
	gathered int64  // octets of the answers that a method holds
	// spelled are names as the server spells them, where that is not how they
	// would be encoded.
	spelled map[string]string
	enabled map[string]bool // extensions, by ENABLED
	closed  func()          // is told that what came before was of the mailbox before
	botched bool
	bounds  corewire.Bounds
	// hook may take a literal out of the response that is being read.
	hook func(line []byte, size int64) (read bool, err error)
}

// NewConn reads the greeting of a server on nc, which the Conn owns from now
// on. A refusal is an *[Error]. It neither starts TLS nor logs in: see
// StartTLS and Auth.
func (c *Client) NewConn(ctx context.Context, nc net.Conn) (*Conn, error) {
	conn := &Conn{client: c, nc: nc}
	if tc, ok := nc.(*tls.Conn); ok {
		state := tc.ConnectionState()
		conn.state = &state
	}
	conn.r.Deadline = conn.deadline
	conn.r.Reset(nc)
	defer conn.bound(ctx)()
	if err := conn.greet(); err != nil {
		nc.Close()
		return nil, cause(ctx, err)
	}
	return conn, nil
}

// greet reads the greeting (RFC 9051 §7.1).
func (c *Conn) greet() error {
	r, err := c.response()
	if err != nil {
		return err
	}
	switch {
	case r.tag != "*":
		return c.broken("not a greeting")
	case r.word == "PREAUTH":
		c.preauth = true
	case r.word == "BYE":
		return r.refusal("")
	case r.word != "OK":
		return c.broken("not a greeting")
	}
	c.note(r)
	return nil
}

// Capabilities is what the server has told that it can do; do not change it.
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
	return corewire.Cause(ctx, err)
}

// deadline is that of the next read.
func (c *Conn) deadline() time.Time {
	if !c.again.IsZero() {
		return c.again
	}
	return c.bounds.Within(timeout(c.client.Timeouts.Command, defaultCommand))
}

// flush sends what was gathered in out.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *Conn) write(b []byte) error {
	_ = c.nc.SetWriteDeadline(c.bounds.Within(timeout(c.client.Timeouts.Write, time.Minute)))
	err := errStopped
	if !c.bounds.Stopped() {
		_, err = c.nc.Write(b)
		if err == nil && c.deflate != nil {
			err = c.deflate.Flush()
		}
	}
	if err != nil {
		c.botched = true
		if c.bye != nil {
			return c.bye
		}
	}
	return err
}

// ready reports why no command can be sent now.
func (c *Conn) ready() error {
	switch {
	case c.busy:
		return errBusy
	case c.bye != nil:
		c.botched = true
		return c.bye
	case c.botched:
		return errBotched
	}
	return nil
}

// begin is bound where a command can be sent. A context that has ended already
// costs nothing but the call.
func (c *Conn) begin(ctx context.Context) (end func(), err error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c.gathered = 0
	return c.bound(ctx), nil
}

// gather counts what a method holds of a server's answers: no server can make a
// client hold more than MaxResponse by sending it in small pieces.
func (c *Conn) gather(r *response) error {
	if c.gathered += int64(len(r.rest)) + 32; c.gathered > c.maxResponse() {
		c.botched = true
		return errLarge
	}
	return nil
}

// Noop asks whether the server is still there, and whether there is news.
func (c *Conn) Noop(ctx context.Context) error { return c.do(ctx, &call{verb: "NOOP"}) }

// Check is [Conn.Noop] for servers of old, which write down what they know.
func (c *Conn) Check(ctx context.Context) error { return c.do(ctx, &call{verb: "CHECK"}) }

// Do runs a command for which Conn has no method. args stand behind the verb as
// they are, and must not come from strangers. data gets the untagged responses
// meanwhile, without "* " and CRLF, and reports which were its own; nil leaves
// all to Events. text is what stands behind the tagged OK.
func (c *Conn) Do(ctx context.Context, verb, args string, data func(line []byte) (mine bool)) (text string, err error) {
	end, err := c.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	x := &call{verb: verb}
	if args != "" {
		x.word(args)
	}
	if data != nil {
		x.data = func(r *response) (bool, error) {
			c.busy = true
			defer func() { c.busy = false }()
			return data(r.rest), nil
		}
	}
	if err := c.start(x); err != nil {
		return "", cause(ctx, err)
	}
	r, err := c.finish(x)
	if err != nil {
		return "", cause(ctx, err)
	}
	return r.text, nil
}

// Logout says goodbye and closes the connection, whatever the server answers.
// One that hangs up behind its BYE has said enough.
func (c *Conn) Logout(ctx context.Context) error {
	defer c.Close()
	err := c.do(ctx, &call{verb: "LOGOUT"})
	if e, ok := errors.AsType[*Error](err); ok && e.Status == "BYE" {
		return nil
	}
	return err
}

// Close closes the connection at once. It may be called within a loop or a
// body, which then end with an error, and more than once.
func (c *Conn) Close() error {
	if tc, ok := c.under().(*tls.Conn); ok && c.botched {
		tc.NetConn().Close() // or it would wait to say goodbye, to a peer that may not read
	}
	c.botched = true
	err := c.nc.Close()
	c.r.Release()
	return err
}

// under is the connection below compression.
func (c *Conn) under() net.Conn {
	if c.deflate == nil {
		return c.nc
	}
	if p, ok := c.deflate.Conn.(*primed); ok {
		return p.Conn
	}
	return c.deflate.Conn
}
