package imap

import (
	"errors"
	"strconv"
	"sync"
	"time"
)

// outBuffer is the size of the buffers of responses, outFull when one is sent
// without waiting for more.
const (
	outBuffer = 32 << 10
	outFull   = 16 << 10
)

// outPool has the buffers: who waits for a command needs none.
var outPool = sync.Pool{New: func() any { return new([outBuffer]byte) }}

// begin makes sure there is a buffer to put a response into. Responses are
// appended to c.out, and sent when the peer has no further command on the way.
func (c *conn) begin() {
	if c.out == nil {
		c.out = outPool.Get().(*[outBuffer]byte)[:0]
	}
}

// put adds an untagged response, given without "* " and CRLF.
func (c *conn) put(parts ...string) {
	c.begin()
	c.out = append(c.out, "* "...)
	for _, s := range parts {
		c.out = append(c.out, s...)
	}
	c.end()
}

// putNumber adds an untagged response that is a number and a word.
func (c *conn) putNumber(n uint32, word string) {
	c.begin()
	c.out = append(c.out, "* "...)
	c.out = strconv.AppendUint(c.out, uint64(n), 10)
	c.out = append(c.out, ' ')
	c.out = append(c.out, word...)
	c.end()
}

// end ends a response.
func (c *conn) end() {
	c.out = append(c.out, '\r', '\n')
	c.relieve()
}

// relieve sends what there is, if it is much.
func (c *conn) relieve() {
	if len(c.out) > outFull {
		_ = c.flush() // its error stays with the connection
	}
}

// tagged ends the command.
func (c *conn) tagged(r reply) {
	c.begin()
	c.out = r.append(c.out, c.tag)
	if t := c.srv.Trace; t != nil && t.Reply != nil {
		t.Reply(&c.session, c.verb, string(r.appendLine(nil)), time.Since(c.began))
	}
	c.relieve()
}

// flush sends what was put. After a failure nothing is sent any more: half a
// response may be on its way.
func (c *conn) flush() error {
	if c.unsent == nil && len(c.out) > 0 {
		c.armWrite(time.Now())
		_, c.unsent = c.nc.Write(c.out)
	}
	if c.unsent == nil && c.deflate != nil {
		c.unsent = c.deflate.Flush()
	}
	c.release()
	return c.unsent
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

var errOver = errors.New("imap: connection over")

// bye sends the last word and ends the connection.
func (c *conn) bye(text string) error {
	c.put("BYE ", text)
	c.cut = true
	return errOver
}

func (c *conn) warn(msg string, err error) {
	if l := c.srv.Log; l != nil {
		l.Warn(msg, "conn", c.session.ID, "remote", c.session.Remote, "verb", c.verb, "err", err)
	}
}

func (c *conn) debug(msg string, args ...any) {
	if l := c.srv.Log; l != nil {
		l.Debug(msg, append([]any{"conn", c.session.ID, "remote", c.session.Remote}, args...)...)
	}
}
