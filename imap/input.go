package imap

import (
	"errors"
	"io"
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// phase is what the next read is for, and so how long it may take.
type phase uint8

const (
	inCommand phase = iota
	inLiteral
)

// past is a deadline that has passed on every clock.
var past = time.Unix(1, 0)

// beforeRead is called before each read that may wait: it sends what the peer
// may be waiting for and tells how long to wait.
func (c *conn) beforeRead() time.Time {
	if c.flush() != nil {
		return past // who does not read our responses has nothing more to say
	}
	now := time.Now()
	wait := c.srv.waits.Command
	if c.phase == inLiteral {
		wait = c.srv.waits.DataBlock
	}
	var until time.Time
	if wait > 0 {
		until = now.Add(wait)
	}
	if c.store == nil && !c.loginBy.IsZero() && (until.IsZero() || c.loginBy.Before(until)) {
		until = c.loginBy
	}
	if c.phase == inCommand && c.polls() {
		if next := now.Add(c.srv.waits.Poll); until.IsZero() || next.Before(until) {
			until = next
		}
	}
	return until
}

// lineLimit is how long a line may be.
func (c *conn) lineLimit() int {
	if c.store == nil {
		return max(c.srv.limits.LoginLine, maxAuthLine) // tokens stand behind AUTHENTICATE
	}
	return c.srv.limits.CommandLine
}

// awaitLine waits for the first line of a command, or for the end of IDLE.
// Meanwhile it passes on the news that a client has asked for. It may end with
// [corewire.ErrParked] and is then called again.
func (c *conn) awaitLine() ([]byte, error) {
	c.phase = inCommand
	if c.bell.on.Load() {
		return c.await()
	}
	if err := c.r.Ready(); err != nil {
		return nil, err
	}
	return c.readLine()
}

// disturbed reports whether a wait ended for news, or to look for some.
func (c *conn) disturbed(err error) bool {
	switch {
	case errors.Is(err, corewire.ErrNudged):
		return true
	case !corewire.IsTimeout(err) || !c.polls() || c.unsent != nil:
		return false
	}
	all := c.srv.waits.Command
	return all == 0 || time.Since(c.since) < all
}

func (c *conn) readLine() ([]byte, error) { return c.r.ReadLine(c.lineLimit()) }

// gather reads the literals of the command that begins with line, so that the
// whole of it lies in one slice. The message of an APPEND is left on the wire
// and told by c.pending. A reply refuses the command, which was read over.
func (c *conn) gather(row *command, line []byte) (cmd []byte, refused reply, err error) {
	lit, at, found := wire.LiteralAt(line)
	if !found {
		return line, reply{}, nil
	}
	c.phase = inLiteral
	defer func() { c.phase = inCommand }()
	c.cmd = append(c.cmd[:0], line...)
	dropped := int64(0)
	refused = c.allowed(row)
	for n := 1; found; n++ {
		if refused.status == "" {
			if row.streams != nil && row.streams(c.cmd[:at]) {
				c.pending, c.announced = lit, true
				return c.cmd[:at], reply{}, nil
			}
			refused = c.mayGather(row, lit, n)
		}
		start := len(c.cmd)
		switch {
		case refused.status != "" && !lit.NonSync:
			return nil, refused, nil // it is not asked for, and so never comes
		case refused.status != "":
			if dropped += lit.Size; lit.Size > maxDropped || dropped > maxDropped {
				return nil, refused, c.bye("[TOOBIG] Literal is too long") // RFC 7888 §4
			}
			if err := c.drop(lit.Size); err != nil {
				return nil, refused, err
			}
		default:
			if !lit.NonSync {
				c.begin()
				c.out = append(c.out, "+ Go on\r\n"...)
			}
			c.cmd = append(c.cmd, '\r', '\n')
			if err := c.collect(lit.Size); err != nil {
				return nil, refused, err
			}
			start = len(c.cmd)
		}
		line, err := c.readLine()
		if err != nil {
			return nil, refused, err
		}
		if refused.status == "" {
			c.cmd = append(c.cmd, line...)
		}
		if lit, at, found = wire.LiteralAt(line); refused.status == "" {
			at += start
		}
	}
	return c.cmd, refused, nil
}

// maxDropped is how many octets of literals that nobody wants are read over
// before the connection is closed instead.
const maxDropped = 1 << 20

// mayGather decides whether a literal is taken, before it is asked for: it may
// be a password that must not cross the network (RFC 9051 §11.3).
func (c *conn) mayGather(row *command, lit wire.Literal, n int) reply {
	bytes, count := c.srv.limits.CommandBytes, c.srv.limits.Literals
	if c.store == nil {
		bytes, count = c.srv.limits.LoginBytes, min(count, 8)
	}
	if row.early != nil {
		if r := row.early(c); r.status != "" {
			return r
		}
	}
	switch {
	case n > count, lit.Size > int64(bytes-len(c.cmd)):
		return no("TOOBIG", "Command is too long")
	case lit.NonSync && lit.Size > maxSmallLiteral && !c.has("LITERAL+"):
		return bad("Literal is longer than LITERAL- allows") // RFC 7888 §5
	}
	return reply{}
}

// maxSmallLiteral is the longest that LITERAL- allows (RFC 7888 §5).
const maxSmallLiteral = 4096

// collect appends n octets to the command as they come.
func (c *conn) collect(n int64) error {
	for n > 0 {
		b, err := c.r.Next(int(min(n, outBuffer)))
		if err != nil {
			return err
		}
		c.cmd = append(c.cmd, b...)
		n -= int64(len(b))
	}
	return nil
}

// skip reads over a message that was announced and is not wanted, and over all
// that follows it in the same command. One that was not asked for yet never
// comes.
func (c *conn) skip(lit wire.Literal) error {
	c.phase = inLiteral
	defer func() { c.phase = inCommand }()
	most := max(maxDropped, 4*c.srv.limits.MessageBytes)
	for lit.NonSync {
		if most -= min(lit.Size, most+1); most < 0 {
			return c.bye("[TOOBIG] Message is too long")
		}
		if err := c.drop(lit.Size); err != nil {
			return err
		}
		line, err := c.readLine()
		if err != nil {
			return err
		}
		lit, _, _ = wire.LiteralAt(line)
	}
	return nil
}

// drop reads n octets over.
func (c *conn) drop(n int64) error {
	for n > 0 {
		b, err := c.r.Next(int(min(n, outBuffer)))
		if err != nil {
			return err
		}
		n -= int64(len(b))
	}
	return nil
}

// literalReader reads a message from the wire, and no further. io.EOF comes
// only after all of it.
type literalReader struct {
	c    *conn
	left int64
	err  error // why the rest never came
	nul  bool  // NUL is allowed (RFC 3516 §4.4)
	utf8 bool  // ")" stands behind it
	bad  bool  // one was there although it is not
}

func (l *literalReader) Read(p []byte) (int, error) {
	switch {
	case l.err != nil:
		return 0, l.err
	case l.left == 0 && l.bad:
		return 0, errNUL
	case l.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	b, err := l.next(int64(len(p)))
	return copy(p, b), err
}

// WriteTo hands the message to w as it lies in the buffer.
func (l *literalReader) WriteTo(w io.Writer) (n int64, err error) {
	for l.left > 0 && l.err == nil {
		b, err := l.next(outBuffer * 2)
		if err != nil {
			return n, err
		}
		m, err := w.Write(b)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	if l.err == nil && l.bad {
		return n, errNUL
	}
	return n, l.err
}

func (l *literalReader) next(limit int64) ([]byte, error) {
	l.c.phase = inLiteral
	b, err := l.c.r.Next(int(min(l.left, limit)))
	l.c.phase = inCommand
	if err != nil {
		l.err = corewire.Truncated(err)
		return nil, l.err
	}
	l.left -= int64(len(b))
	if !l.nul && !l.bad {
		l.bad = hasNUL(b)
	}
	return b, nil
}
