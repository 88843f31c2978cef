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
		c.fetch(ctx, list, ahead, yield)
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

func (c *Conn) fetch(ctx context.Context, list []Message, ahead int, yield func(Download, error) bool) {
	asked := 0
	for i, m := range list {
		// Refilled by halves, so that commands share packets.
		if asked-i <= ahead/2 {
			for ; asked < len(list) && asked-i < ahead; asked++ {
				_ = c.queue("RETR", strconv.Itoa(list[asked].Number))
			}
		}
		more, err := c.one(ctx, m, yield)
		if err != nil {
			yield(Download{Message: m}, err)
			return
		}
		if !more {
			c.abandon(asked - i - 1)
			return
		}
	}
}

// one reads one reply; its error ends the loop.
func (c *Conn) one(ctx context.Context, m Message, yield func(Download, error) bool) (more bool, err error) {
	_, err = c.status("RETR")
	if e, refused := errors.AsType[*Error](err); refused {
		return yield(Download{Message: m}, e), nil
	}
	if err != nil {
		return false, cause(ctx, err)
	}
	b := c.newBody(ctx, func() {})
	more = yield(Download{Message: m, Body: b}, nil)
	if err := b.Close(); err != nil {
		return false, fmt.Errorf("pop3: message %d: %w", m.Number, err)
	}
	return more && !c.botched, c.broken()
}

// broken reports a body that has cost the connection.
func (c *Conn) broken() error {
	if c.botched {
		return errBotched
	}
	return nil
}

// abandon reads the replies that were asked for and are wanted no more, within
// the bounds of one body; beyond that the connection is given up.
func (c *Conn) abandon(n int) {
	left := int64(maxDrain)
	for ; n > 0 && !c.botched; n-- {
		_, err := c.status("RETR")
		if _, refused := errors.AsType[*Error](err); refused {
			continue
		}
		if err != nil {
			return
		}
		b := c.newBody(context.Background(), func() {})
		m, err := io.CopyN(io.Discard, b, left)
		if left -= m; err != io.EOF {
			c.botched, c.body = true, nil
			return
		}
	}
}
