package imap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

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
	nul   bool // an argument has one, which no form of a string can hold
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
	x.nul = x.nul || strings.IndexByte(s, 0) >= 0 // RFC 9051 §9: CHAR8
	switch {
	case wire.Quotable(s, c.utf8):
		*b = wire.AppendAString(*b, s, c.utf8)
	default:
		x.literal(strings.NewReader(s), int64(len(s)))
	}
	return x
}

// mailbox appends a mailbox name behind a space.
func (x *call) mailbox(c *Conn, name string) *call { return x.raw(" ").name(c, name) }

// name is mailbox without the space.
func (x *call) name(c *Conn, name string) *call {
	switch raw, ok := c.spelled[name]; {
	case ok:
		name = raw
	case !c.utf8:
		name = wire.EncodeUTF7(name)
	}
	return x.value(c, name)
}

func (x *call) literal(r io.Reader, size int64) {
	x.text()
	p := &x.parts[len(x.parts)-1]
	p.literal, p.size = r, size
}

// maxAhead is how many commands wait for their answers at a time. With more the
// server may wait for us to read while we wait for it to do so.
const maxAhead = 64

// do runs commands: they are sent together and answered in turn (RFC 9051
// §5.5). The error is that of the first that failed; the others run all the
// same, unless the connection is out of step.
func (c *Conn) do(ctx context.Context, calls ...*call) error {
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	q := pipeline{c: c}
	for _, x := range calls {
		if err := q.send(x); err != nil {
			return cause(ctx, err)
		}
	}
	if err := q.answers(); err != nil {
		return cause(ctx, err)
	}
	return q.first
}

// pipeline are commands that were sent and not answered.
type pipeline struct {
	c     *Conn
	sent  []*call
	first error // what the server has refused first
}

// send sends a command. The error is one that ends the connection, or that of a
// call which cannot be sent at all.
func (q *pipeline) send(x *call) error {
	// A "+" must not be mistaken for another command's.
	if len(q.sent) >= maxAhead || x.waits(q.c) {
		if err := q.answers(); err != nil {
			return err
		}
	}
	err := q.c.start(x)
	if q.refused(err) {
		return nil
	}
	if err == nil {
		q.sent = append(q.sent, x)
		return nil
	}
	if !q.c.botched { // nothing of it has gone out
		_ = q.answers()
	}
	return err
}

// refused takes note of a refusal that leaves the connection in step.
func (q *pipeline) refused(err error) bool {
	if _, ok := errors.AsType[*Error](err); !ok || q.c.botched {
		return false
	}
	if q.first == nil {
		q.first = err
	}
	return true
}

// answers waits for the answers to what was sent.
func (q *pipeline) answers() error {
	for _, x := range q.sent {
		if _, err := q.c.finish(x); err != nil && !q.refused(err) {
			return err
		}
	}
	q.sent = q.sent[:0]
	return nil
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

// check reports what no command may hold, whoever asks for it: an end of line
// would begin another one.
func (x *call) check() error {
	bad := x.nul || strings.ContainsAny(x.verb, "\r\n\x00")
	for _, p := range x.parts {
		bad = bad || bytes.ContainsAny(p.text, "\r\n\x00") || p.size < 0
	}
	if bad {
		return fmt.Errorf("imap: control character in %q", cleanText(x.verb))
	}
	return nil
}

// start sends a command, with its literals.
func (c *Conn) start(x *call) error {
	if err := x.check(); err != nil {
		return err
	}
	c.tag++
	x.tag = "a" + strconv.Itoa(c.tag)
	c.out = append(append(append(c.out, x.tag...), ' '), x.verb...)
	for i := range x.parts {
		p := &x.parts[i]
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

// worthAsking is the size from which a literal is asked for although it need
// not be (RFC 7888 §4): a server that does not want it can say so before.
const worthAsking = 256 << 10

// unasked reports that a literal may go out with its command.
func (c *Conn) unasked(size int64) bool {
	return c.caps.Has("LITERAL+") && size < worthAsking || size <= maxUnasked && (c.caps.Has("LITERAL-") || c.caps.Has("IMAP4REV2"))
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
			return c.hungUp(x, err)
		case r.tag == "+":
			return nil
		case r.tag == x.tag && r.word != "OK":
			if err := c.note(r); err != nil {
				return err
			}
			return r.refusal(x.verb)
		case r.tag == x.tag:
			return c.broken("OK in place of a continuation")
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
			return nil, c.hungUp(x, err)
		case r.tag == x.tag:
			if err := c.note(r); err != nil {
				return nil, err
			}
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

// hungUp names the command that a BYE came in place of an answer to.
func (c *Conn) hungUp(x *call, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != "BYE" {
		return err
	}
	named := *e
	named.Command = x.verb
	return &named
}
