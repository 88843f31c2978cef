package script

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Player plays one side of a dialogue over a connection. The zero Player has
// no TLS and waits five seconds for each step. It keeps no state between
// plays and is safe for concurrent use.
type Player struct {
	TLS     *tls.Config   // for +TLS; nil makes that line an error
	Timeout time.Duration // for each step; 0 means 5 s
	Chunk   int           // bytes in one write; 0 means all lines that stand together
}

// PlayClient speaks the client's side of s to the server behind c, and
// compares the lines that come back. It returns the conversation as a
// [Transcript] has it, and an [*Error] at the first difference. It closes c.
func (p Player) PlayClient(ctx context.Context, c net.Conn, s *Script) (string, error) {
	pl := p.start(ctx, c, s, client)
	return pl.finish(pl.run())
}

// PlayServer is the fake server: it compares the client's lines and answers
// with the server's. It returns as PlayClient does, and closes c when the
// dialogue is at its end; a file that ends in -C waits for the client to close.
func (p Player) PlayServer(ctx context.Context, c net.Conn, s *Script) (string, error) {
	pl := p.start(ctx, c, s, server)
	return pl.finish(pl.run())
}

// play is one dialogue under way.
type play struct {
	Player
	ctx     context.Context // of this play alone, which ends with its call
	script  *Script
	me      side
	conn    net.Conn // the TLS layer once there is one
	r       *bufio.Reader
	notes   Transcript
	writing chan error  // outcome of the write under way; nil when there is none
	stop    func() bool // undoes the watch over ctx
	out     *rewriter   // nil unless the file is being rewritten
}

// maxLine is the longest line that is received, in bytes.
const maxLine = 64 << 10

func (p Player) start(ctx context.Context, c net.Conn, s *Script, me side) *play {
	if p.Timeout == 0 {
		p.Timeout = 5 * time.Second
	}
	pl := &play{Player: p, ctx: ctx, script: s, me: me, conn: c, r: bufio.NewReaderSize(c, maxLine)}
	pl.stop = context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	return pl
}

// finish closes the connection and waits for a write that hangs in it.
func (p *play) finish(err error) (string, error) {
	p.stop()
	if cerr := p.ctx.Err(); err != nil && cerr != nil {
		err = errors.Join(err, cerr)
	}
	p.close(err != nil)
	if p.writing != nil {
		<-p.writing
	}
	return p.notes.String(), err
}

// close ends the connection. After a failure it goes without the farewell of
// TLS, which would wait for a peer that may not read any more.
func (p *play) close(abrupt bool) {
	if t, ok := p.conn.(*tls.Conn); ok && abrupt {
		t.NetConn().Close()
		return
	}
	p.conn.Close()
}

func (p *play) run() error {
	items := p.script.items
	for i := 0; i < len(items); {
		n, err := p.step(items[i:])
		if err != nil {
			return err
		}
		i += n
	}
	return p.end()
}

// step plays the first of the items, or as many as belong together, and
// returns how many that were.
func (p *play) step(items []item) (int, error) {
	it := items[0]
	if err := p.arm(p.Timeout); err != nil {
		return 0, p.script.fail(it, &p.notes, it.src, "", err)
	}
	if p.out != nil {
		if it.kind == line && it.by == server {
			return p.rewrite(items)
		}
		p.out.keep(it)
	}
	switch {
	case it.kind == comment:
		return 1, nil
	case it.kind == startTLS:
		return 1, p.upgrade(it)
	case it.kind == closing && it.by == p.me:
		return 1, p.hangUp(it)
	case it.kind == closing:
		return 1, p.expectClose(it)
	case it.by == p.me:
		return p.send(items)
	case it.kind == raw:
		return 1, p.expectBytes(it)
	}
	return 1, p.expectLine(it)
}

// arm gives the next step its time, unless ctx is over.
func (p *play) arm(d time.Duration) error {
	t := time.Now().Add(d)
	if dl, ok := p.ctx.Deadline(); ok && dl.Before(t) {
		t = dl
	}
	p.conn.SetDeadline(t) // fails on a pipe that is closed, as reading and writing will
	return p.ctx.Err()    // asked last, or a cancellation in between would be undone
}

// send writes all items of this side that stand together. The write runs
// beside the reading that follows: over a connection without a buffer the
// peer may answer the first line before it takes the second.
func (p *play) send(items []item) (int, error) {
	if err := p.settle(items[0]); err != nil {
		return 0, err
	}
	var batch []byte
	n := 0
	for _, it := range items {
		if it.kind != comment && (it.by != p.me || it.kind == closing) {
			break
		}
		if n++; it.kind == comment {
			continue
		}
		batch = append(batch, it.bytes()...)
		p.note(p.me, it.bytes())
	}
	for _, it := range items[1:n] {
		if p.out != nil {
			p.out.keep(it)
		}
	}
	done := make(chan error, 1)
	p.writing = done
	go func(c net.Conn) { done <- p.write(c, batch) }(p.conn)
	return n, nil
}

func (p *play) write(c net.Conn, b []byte) error {
	size := p.Chunk
	if size <= 0 {
		size = max(1, len(b))
	}
	for len(b) > 0 {
		n, err := c.Write(b[:min(size, len(b))])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// settle waits for the write under way.
func (p *play) settle(it item) error {
	if p.writing == nil {
		return nil
	}
	err := <-p.writing
	p.writing = nil
	if err != nil {
		return p.script.fail(it, &p.notes, it.src, "", fmt.Errorf("while writing what came before: %w", err))
	}
	return nil
}

func (p *play) note(by side, bytes string) { p.notes.add(by, bytes) }
