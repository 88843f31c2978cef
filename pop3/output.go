package pop3

import (
	"sync"
	"time"
)

// A reply is the first line of an answer: +OK or -ERR, an extended response
// code (RFC 2449 §8) and a text.
type reply struct {
	ok   bool
	sent bool   // and on its way already, with what follows it
	code string // without its brackets; "" none
	text string
}

func ok(text string) reply         { return reply{ok: true, text: text} }
func fail(code, text string) reply { return reply{code: code, text: text} }

// done is for commands that have sent their reply themselves.
var done = reply{ok: true, sent: true}

// append writes the line. Texts are ours, so they are within 512 octets and
// hold no control character; those that quote a peer's word see to it.
func (r reply) append(dst []byte) []byte {
	status := "-ERR"
	if r.ok {
		status = "+OK"
	}
	dst = append(dst, status...)
	if r.code != "" {
		dst = append(append(append(dst, " ["...), r.code...), ']')
	}
	if r.text != "" {
		dst = append(append(dst, ' '), r.text...)
	}
	return append(dst, '\r', '\n')
}

func (r reply) String() string {
	b := r.append(nil)
	return string(b[:len(b)-2])
}

// Two sizes of buffers: single lines need no more than the small one, lists
// and messages go by the large one, and who waits for a command has none.
const (
	smallOut = 512
	largeOut = 64 << 10
	direct   = 16 << 10 // from here on a copy costs more than a write of its own
)

var (
	smallPool = sync.Pool{New: func() any { return new([smallOut]byte) }}
	largePool = sync.Pool{New: func() any { return new([largeOut]byte) }}
)

// put adds a reply to the batch that is sent when the peer has no further
// command on the way. Only by put and send octets go out.
func (c *conn) put(r reply) {
	c.room(smallOut / 2)
	c.out = r.append(c.out)
	if t := c.srv.Trace; t != nil && t.Reply != nil {
		t.Reply(&c.session, r.String())
	}
}

// room makes sure that n octets, up to largeOut, can be appended to the batch;
// a batch that is full goes out.
func (c *conn) room(n int) {
	switch {
	case len(c.out)+n <= cap(c.out):
	case c.out == nil && n <= smallOut:
		c.out = smallPool.Get().(*[smallOut]byte)[:0]
	case len(c.out)+n <= largeOut && cap(c.out) < largeOut:
		old := c.out
		c.out = append(largePool.Get().(*[largeOut]byte)[:0], old...)
		free(old)
	default:
		_ = c.flush() // its error stays with the connection
		c.out = largePool.Get().(*[largeOut]byte)[:0]
	}
}

// free gives a buffer back to its pool.
func free(b []byte) {
	switch cap(b) {
	case smallOut:
		smallPool.Put((*[smallOut]byte)(b[:smallOut]))
	case largeOut:
		largePool.Put((*[largeOut]byte)(b[:largeOut]))
	}
}

// maxLine is the longest line of a list: a capability (RFC 2449 §5).
const maxLine = 512

// list sends lines, each made by line, and the dot that ends them. It holds a
// block at a time.
func (c *conn) list(n int, line func(dst []byte, i int) []byte) {
	for i := range n {
		c.room(maxLine)
		c.out = line(c.out, i)
		if c.unsent != nil {
			return
		}
	}
	_ = c.send([]byte(".\r\n"))
}

// send writes b behind what was put. A short b joins the batch, a long one is
// written as it is.
func (c *conn) send(b []byte) error {
	if len(b) < direct {
		c.room(len(b))
		c.out = append(c.out, b...)
		return c.unsent
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.write(b)
}

// flush sends what was put. After a failure nothing is sent any more: half a
// reply may be on its way.
func (c *conn) flush() error {
	if len(c.out) > 0 {
		_ = c.write(c.out)
	}
	free(c.out)
	c.out = nil
	return c.unsent
}

func (c *conn) write(b []byte) error {
	if c.unsent == nil {
		c.armWrite(time.Now())
		_, c.unsent = c.nc.Write(b)
	}
	return c.unsent
}

// armWrite bounds the next write. The deadline is moved only when a good part
// of it has passed: moving it costs as much as a small write.
func (c *conn) armWrite(now time.Time) {
	d := c.srv.waits.Write
	if d > 0 && c.writeBy.Sub(now) < d-d/16 {
		c.writeBy = now.Add(d)
		_ = c.nc.SetWriteDeadline(c.writeBy)
	}
}
