package smtp

import (
	"errors"
	"sync"
	"time"
)

// maxUnsent is how many octets of replies wait for the end of a batch.
const maxUnsent = 4 << 10

// put adds a reply to the batch that is sent when the peer has no further
// command on the way (RFC 2920 §3.2). Only here and in putLine replies are made.
func (c *conn) put(r Reply) {
	c.begin()
	c.out = r.append(c.out, c.coded)
	c.traced(r)
}

// putLine adds a reply that has no enhanced code: greetings, EHLO, 354, 334.
func (c *conn) putLine(r Reply) {
	c.begin()
	c.out = r.append(c.out, false)
	c.traced(r)
}

func (c *conn) traced(r Reply) {
	if t := c.srv.Trace; t != nil && t.Reply != nil {
		t.Reply(&c.session, r)
	}
	if len(c.out) > maxUnsent {
		_ = c.flush() // its error stays with the connection
	}
}

// flush sends what was put. After a failure nothing is sent any more: half a
// reply may be on its way.
func (c *conn) flush() error {
	if len(c.out) == 0 || c.unsent != nil {
		return c.unsent
	}
	c.armWrite(time.Now())
	_, c.unsent = c.nc.Write(c.out)
	c.release()
	return c.unsent
}

// outPool has the buffers of replies: who waits for a command needs none.
var outPool = sync.Pool{New: func() any { return new([outBuffer]byte) }}

const outBuffer = 512

// begin makes sure there is a buffer to put a reply into.
func (c *conn) begin() {
	if c.out == nil {
		c.out = outPool.Get().(*[outBuffer]byte)[:0]
	}
}

// release gives the buffer back, or leaves it to the garbage if it has grown.
func (c *conn) release() {
	if cap(c.out) == outBuffer {
		outPool.Put((*[outBuffer]byte)(c.out[:outBuffer]))
	}
	c.out = nil
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

// lastWord sends r and ends the connection.
func (c *conn) lastWord(r Reply) error {
	c.put(r)
	return c.over(r)
}

// over ends the connection after r.
func (c *conn) over(r Reply) error {
	c.cut = r != stopping && r != timedOut
	return &Error{Reply: r, Err: errOver}
}

// answered makes the reply of a handler's func, which may have given neither an
// error nor a reply that can be sent.
func (c *conn) answered(r Reply, err error) Reply {
	if err == nil && (r.Code < 200 || r.Code > 559 || r.Code/100 == 3) {
		err = errors.New("smtp: handler gave no reply")
	}
	if err != nil {
		return c.failure(err)
	}
	return r
}

// failure makes the reply to a handler's error, and logs what it hides.
func (c *conn) failure(err error) Reply {
	r := ReplyTo(err)
	if r == tryLater {
		c.warn("temporary failure", err)
	}
	return r
}

func (c *conn) trace(verb, arg string) {
	if t := c.srv.Trace; t != nil && t.Command != nil {
		t.Command(&c.session, verb, arg)
	}
}

func (c *conn) warn(msg string, err error) {
	if l := c.srv.Log; l != nil {
		l.Warn(msg, "conn", c.session.ID, "remote", c.session.Remote, "err", err)
	}
}

func (c *conn) debug(msg string, args ...any) {
	if l := c.srv.Log; l != nil {
		l.Debug(msg, append([]any{"conn", c.session.ID, "remote", c.session.Remote}, args...)...)
	}
}
