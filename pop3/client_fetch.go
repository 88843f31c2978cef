package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/postilion-mail/postilion/internal/wire"
)

// Body is a message as it streams in, byte for byte as the server sends it,
// dots undone. io.EOF comes only after a complete message. It must be read to
// its end or closed before the session can go on.
type Body struct {
	c    *Conn
	ctx  context.Context
	dot  wire.DotReader
	free func() // lifts the bound of ctx
}

// body begins to read what follows a +OK.
func (c *Conn) newBody(ctx context.Context, free func()) *Body {
	b := &Body{c: c, ctx: ctx, free: free}
	b.dot.Ends = wire.KeepBare
	b.dot.Reset(&c.r)
	c.body = b
	return b
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.dot.Read(p)
	return n, b.note(err)
}

// WriteTo implements io.WriterTo without a copy.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	n, err := b.dot.WriteTo(w)
	if b.dot.InSync() {
		b.end()
	}
	return n, cause(b.ctx, err)
}

// note ends the body with its last octet, and with the connection.
func (b *Body) note(err error) error {
	switch {
	case err == nil:
		return nil
	case err == io.EOF:
		b.end()
		return err
	}
	b.c.botched = true
	b.end()
	return cause(b.ctx, err)
}

func (b *Body) end() {
	if b.c.body == b {
		b.c.body = nil
		b.free()
	}
}

// maxDrain is how much of a message nobody wants is read to stay in step; more
// than that and the connection is given up.
const maxDrain = 1 << 20

// Close drops the rest of the message.
func (b *Body) Close() error {
	if b.c.body != b {
		return nil
	}
	_, err := io.CopyN(io.Discard, b, maxDrain)
	if err == io.EOF {
		return nil
	}
	if err == nil {
		b.c.botched = true
	}
	b.end()
	return err
}

// Retrieve asks for a message (RFC 1939 §5). ctx bounds its reading too.
func (c *Conn) Retrieve(ctx context.Context, number int) (*Body, error) {
	return c.open(ctx, "RETR", strconv.Itoa(number))
}

// Top asks for the header of a message and so many lines of its body (RFC 1939
// §7), which 0 makes the header alone.
func (c *Conn) Top(ctx context.Context, number, lines int) (*Body, error) {
	return c.open(ctx, "TOP", strconv.Itoa(number)+" "+strconv.Itoa(lines))
}

func (c *Conn) open(ctx context.Context, verb, arg string) (*Body, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	free := c.bound(ctx)
	_ = c.queue(verb, arg)
	if _, err := c.status(verb); err != nil {
		free()
		return nil, cause(ctx, err)
	}
	return c.newBody(ctx, free), nil
}

// Download is a message on its way to the caller of [Conn.Fetch].
type Download struct {
	Message
	Body *Body // valid until the next round of the loop
}

// maxAhead is how many commands are sent before their replies are read. What
// they take fits any window (RFC 2449 §6.6).
const maxAhead = 32

// Fetch retrieves messages one after the other, asking ahead where the server
// offers PIPELINING (RFC 2449 §6.6), so that no round trip is waited for.
//
//	for d, err := range conn.Fetch(ctx, list) {
//		if err != nil { … }
//		_, err = io.Copy(file, d.Body)
//	}
//
// A message that the server refuses comes as an *[Error] with its Message and
// without a Body, and the loop goes on. After any other error it ends. What is
// left of a body is dropped; leaving the loop early may cost the connection.
//
// Of the methods of Conn only [Conn.Delete] may be called in the loop. What the
// server says to it comes later, as an *[Error] of a later round, or after the
// last.
func (c *Conn) Fetch(ctx context.Context, list []Message) iter.Seq2[Download, error] {
	return func(yield func(Download, error) bool) {
		if err := c.ready(); err != nil {
			yield(Download{}, err)
			return
		}
		ahead, err := c.ahead(ctx)
		if err != nil {
			yield(Download{}, err)
			return
		}
		defer c.bound(ctx)()
		f := &fetch{c: c, ctx: ctx, ahead: ahead, yield: yield}
		c.fetch = f
		defer func() { c.fetch = nil }()
		f.run(list)
	}
}

// ahead is how many commands may be on their way.
func (c *Conn) ahead(ctx context.Context) (int, error) {
	caps := c.caps
	if caps == nil {
		var err error
		if caps, err = c.Capabilities(ctx); err != nil {
			return 0, err
		}
	}
	if caps.Has("PIPELINING") {
		return maxAhead, nil
	}
	return 1, nil
}

// fetch is one run of [Conn.Fetch].
type fetch struct {
	c     *Conn
	ctx   context.Context
	ahead int
	yield func(Download, error) bool
	due   []asked // commands sent, or queued, whose replies are still to come
	next  []Message
}

// asked is one command.
type asked struct {
	verb string
	m    Message
}

func (f *fetch) run(list []Message) {
	f.next = list
	for f.refill(); len(f.due) > 0; f.refill() {
		a := f.due[0]
		f.due = f.due[1:]
		more, err := f.one(a)
		if err != nil {
			f.yield(Download{Message: a.m}, err)
			return
		}
		if !more {
			f.abandon()
			return
		}
	}
}

// refill asks ahead, by halves, so that commands share packets.
func (f *fetch) refill() {
	if len(f.due) > f.ahead/2 {
		return
	}
	for len(f.next) > 0 && len(f.due) < f.ahead {
		f.ask("RETR", f.next[0])
		f.next = f.next[1:]
	}
}

func (f *fetch) ask(verb string, m Message) {
	_ = f.c.queue(verb, strconv.Itoa(m.Number))
	f.due = append(f.due, asked{verb, m})
}

// one reads one reply; its error ends the loop.
func (f *fetch) one(a asked) (more bool, err error) {
	c := f.c
	_, err = c.status(a.verb)
	if e, refused := errors.AsType[*Error](err); refused {
		return f.yield(Download{Message: a.m}, e), nil
	}
	if err != nil || a.verb != "RETR" {
		return err == nil, cause(f.ctx, err)
	}
	b := c.newBody(f.ctx, func() {})
	more = f.yield(Download{Message: a.m, Body: b}, nil)
	err = b.Close()
	switch {
	case !more: // nobody is there to be told
		return false, nil
	case err != nil:
		return false, fmt.Errorf("pop3: message %d: %w", a.m.Number, err)
	case c.botched:
		return false, errBotched // the body has cost the connection
	}
	return true, nil
}

// abandon reads the replies that are due and wanted no more, within the bounds
// of one body; beyond that the connection is given up.
func (f *fetch) abandon() {
	c, left := f.c, int64(maxDrain)
	for _, a := range f.due {
		if c.botched {
			return
		}
		_, err := c.status(a.verb)
		if _, refused := errors.AsType[*Error](err); refused {
			continue
		}
		if err != nil {
			return
		}
		if a.verb != "RETR" {
			continue
		}
		b := c.newBody(context.Background(), func() {})
		n, err := io.CopyN(io.Discard, b, left)
		if left -= n; err != io.EOF {
			c.botched, c.body = true, nil
			return
		}
	}
}
