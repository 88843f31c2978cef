package imap

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/imap/internal/wire"
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
	until    time.Time // the context's deadline
	again    time.Time // when IDLE is to be said anew; zero: no IDLE
	caps     Capabilities
	selected *Selected
	utf8     bool // mailbox names and strings in UTF-8
	tag      int
	busy     bool // a body or a loop is open
	preauth  bool
	over     bool // BYE was said
	botched  bool
	stopped  atomic.Bool // a context has ended: nothing more is written
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
	c.until, _ = ctx.Deadline()
	if ctx.Done() == nil {
		return func() { c.until = time.Time{} }
	}
	nc := c.nc // of now: StartTLS changes it
	stop := context.AfterFunc(ctx, func() {
		c.r.Interrupt()
		c.stopped.Store(true)
		_ = nc.SetDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() && ctx.Err() != nil {
			c.botched = true // the deadline may have cut anything
		}
		c.until = time.Time{}
	}
}

// cause tells why: the context's cause rather than the deadline it set.
func cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	// The connection's deadline may have gone off before the context's own.
	if d, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(d) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// deadline is that of the next read.
func (c *Conn) deadline() time.Time {
	if !c.again.IsZero() {
		return c.again
	}
	return c.within(timeout(c.client.Timeouts.Command, defaultCommand))
}

func (c *Conn) within(wait time.Duration) time.Time {
	if wait == 0 {
		return c.until
	}
	t := time.Now().Add(wait)
	if !c.until.IsZero() && c.until.Before(t) {
		return c.until
	}
	return t
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
	_ = c.nc.SetWriteDeadline(c.within(timeout(c.client.Timeouts.Write, time.Minute)))
	err := errStopped
	if !c.stopped.Load() {
		_, err = c.nc.Write(b)
		if err == nil && c.deflate != nil {
			err = c.deflate.Flush()
		}
	}
	if err != nil {
		c.botched = true
	}
	return err
}

// ready reports why no command can be sent now.
func (c *Conn) ready() error {
	switch {
	case c.botched:
		return errBotched
	case c.busy:
		return errBusy
	}
	return nil
}

// A call is one command on its way.
type call struct {
	verb  string
	tag   string
	parts []part
	// data is given the untagged responses while the command runs; it reports
	// that one belongs to it, and then nobody else gets it.
	data func(r *response) (mine bool, err error)
	// asked is called for a continuation that no literal waits for.
	asked func(r *response) error
}

// part is a piece of a command: text, or a literal behind it.
type part struct {
	text    []byte
	literal io.Reader // nil: none
	size    int64
}

// arg appends to the last text of a call.
func (x *call) text() *[]byte {
	if n := len(x.parts); n == 0 || x.parts[n-1].literal != nil {
		x.parts = append(x.parts, part{})
	}
	return &x.parts[len(x.parts)-1].text
}

// word appends words, each behind a space.
func (x *call) word(words ...string) *call {
	b := x.text()
	for _, w := range words {
		*b = append(append(*b, ' '), w...)
	}
	return x
}

// raw appends without a space.
func (x *call) raw(s string) *call {
	b := x.text()
	*b = append(*b, s...)
	return x
}

// str appends an argument behind a space: an atom, a quoted string or, where
// neither can hold it, a literal. So no argument can end a command.
func (x *call) str(c *Conn, s string) *call {
	b := x.text()
	*b = append(*b, ' ')
	return x.value(c, s)
}

// value is str without the space.
func (x *call) value(c *Conn, s string) *call {
	b := x.text()
	switch {
	case wire.Quotable(s, c.utf8):
		*b = wire.AppendAString(*b, s, c.utf8)
	default:
		x.literal(strings.NewReader(s), int64(len(s)))
	}
	return x
}

// mailbox appends a mailbox name behind a space.
func (x *call) mailbox(c *Conn, name string) *call {
	if !c.utf8 {
		name = wire.EncodeUTF7(name)
	}
	return x.str(c, name)
}

func (x *call) literal(r io.Reader, size int64) {
	x.text()
	p := &x.parts[len(x.parts)-1]
	p.literal, p.size = r, size
}

// do runs commands: they are sent together and answered in turn (RFC 9051
// §5.5). The error is that of the first that failed; the others run all the
// same, unless the connection is out of step.
func (c *Conn) do(ctx context.Context, calls ...*call) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.bound(ctx)()
	var first error
	var sent []*call
	answers := func() error {
		for _, x := range sent {
			_, err := c.finish(x)
			if _, refused := errors.AsType[*Error](err); err != nil && (!refused || c.botched) {
				return err
			}
			first = cmp.Or(first, err)
		}
		sent = nil
		return nil
	}
	for _, x := range calls {
		if x.waits(c) { // for a "+", which must not be mistaken for another command's
			if err := answers(); err != nil {
				return cause(ctx, err)
			}
		}
		err := c.start(x)
		if _, refused := errors.AsType[*Error](err); refused && !c.botched {
			first = cmp.Or(first, err)
			continue
		}
		if err != nil {
			return cause(ctx, err)
		}
		sent = append(sent, x)
	}
	if err := answers(); err != nil {
		return cause(ctx, err)
	}
	return first
}

// waits reports that a literal of x has to be asked for.
func (x *call) waits(c *Conn) bool {
	for _, p := range x.parts {
		if p.literal != nil && !c.unasked(p.size) {
			return true
		}
	}
	return false
}

// start sends a command, with its literals.
func (c *Conn) start(x *call) error {
	c.tag++
	x.tag = "a" + strconv.Itoa(c.tag)
	c.out = append(append(append(c.out, x.tag...), ' '), x.verb...)
	for i := range x.parts {
		p := &x.parts[i]
		if bytes.ContainsAny(p.text, "\r\n\x00") {
			c.botched = true
			return fmt.Errorf("imap: control character in %s", x.verb)
		}
		c.out = append(c.out, p.text...)
		if p.literal == nil {
			continue
		}
		if err := c.sendLiteral(x, p); err != nil {
			return err
		}
	}
	c.out = append(c.out, '\r', '\n')
	return nil
}

// maxUnasked is the largest literal that LITERAL- lets go out without being
// asked for (RFC 7888 §5).
const maxUnasked = 4096

// unasked reports that a literal may go out with its command.
func (c *Conn) unasked(size int64) bool {
	return c.caps.Has("LITERAL+") || size <= maxUnasked && (c.caps.Has("LITERAL-") || c.caps.Has("IMAP4REV2"))
}

// sendLiteral sends the octets of a literal once the server wants them.
func (c *Conn) sendLiteral(x *call, p *part) error {
	unasked := c.unasked(p.size)
	c.out = wire.AppendLiteralHeader(c.out, wire.Literal{Size: p.size, NonSync: unasked})
	if !unasked {
		if err := c.awaitContinuation(x); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.copy(p.literal, p.size)
}

// copy sends exactly size octets. A reader that has fewer leaves the
// connection out of step: the server would take commands for them.
func (c *Conn) copy(r io.Reader, size int64) error {
	buf := make([]byte, min(size, 64<<10))
	for size > 0 {
		n, err := io.ReadFull(r, buf[:min(size, int64(len(buf)))])
		if err != nil {
			c.botched = true
			return fmt.Errorf("imap: reading the message: %w", err)
		}
		if err := c.write(buf[:n]); err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// awaitContinuation waits for "+". A tagged NO or BAD comes instead of it where
// the server does not want the literal.
func (c *Conn) awaitContinuation(x *call) error {
	for {
		r, err := c.response()
		switch {
		case err != nil:
			return err
		case r.tag == "+":
			return nil
		case r.tag == x.tag:
			return r.refusal(x.verb)
		case r.tag != "*":
			return c.broken("tag of another command")
		}
		if err := c.untagged(x, r); err != nil {
			return err
		}
	}
}

// finish reads to the tagged response of a command, which it returns.
func (c *Conn) finish(x *call) (*response, error) {
	for {
		r, err := c.response()
		switch {
		case err != nil:
			return nil, err
		case r.tag == x.tag:
			c.note(r)
			if r.word != "OK" {
				return r, r.refusal(x.verb)
			}
			return r, nil
		case r.tag == "+" && x.asked != nil:
			err = x.asked(r)
		case r.tag == "*":
			err = c.untagged(x, r)
		case r.tag == "+": // nobody waits for it: some servers send one too many
			if c.client.Strict {
				err = c.broken("continuation out of place")
			}
		default:
			err = c.broken("tag of another command")
		}
		if err != nil {
			return nil, err
		}
	}
}

// broken leaves the connection out of step.
func (c *Conn) broken(what string) error {
	c.botched = true
	return ProtocolError(what)
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
	if err := c.ready(); err != nil {
		return "", err
	}
	defer c.bound(ctx)()
	x := &call{verb: verb}
	if args != "" {
		x.word(args)
	}
	if data != nil {
		x.data = func(r *response) (bool, error) { return data(r.rest), nil }
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

// Logout says goodbye and closes the connection.
func (c *Conn) Logout(ctx context.Context) error {
	defer c.Close()
	return c.do(ctx, &call{verb: "LOGOUT"})
}

// Close closes the connection at once.
func (c *Conn) Close() error {
	if tc, ok := c.nc.(*tls.Conn); ok && c.botched {
		tc.NetConn().Close() // or it would wait to say goodbye, to a peer that may not read
	}
	c.botched = true
	err := c.nc.Close()
	c.r.Release()
	return err
}
