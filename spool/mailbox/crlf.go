package mailbox

import (
	"bytes"
	"io"
)

// CRLF reads r with every LF that stands alone made CRLF: text files become
// messages as a [Mailbox] wants them. A CR alone stays.
func CRLF(r io.Reader) io.Reader { return &crlfReader{r: r} }

type crlfReader struct {
	r     io.Reader
	in    []byte // read and not yet given out
	buf   [4 << 10]byte
	wasCR bool // the last byte given out was a CR
	lf    bool // an LF is to follow the CR that was put in
	err   error
}

func (c *crlfReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.in) == 0 && !c.lf {
		if c.err != nil {
			return 0, c.err
		}
		var got int
		got, c.err = c.r.Read(c.buf[:])
		c.in = c.buf[:got]
	}
	for n < len(p) && (len(c.in) > 0 || c.lf) {
		switch {
		case c.lf:
			p[n] = '\n'
			n++
			c.in, c.lf, c.wasCR = c.in[1:], false, false
		case c.in[0] == '\n' && !c.wasCR:
			p[n] = '\r'
			n++
			c.lf = true
		default:
			n += c.run(p[n:])
		}
	}
	return n, nil
}

// run copies up to the next LF that may stand alone.
func (c *crlfReader) run(p []byte) int {
	end := bytes.IndexByte(c.in[1:], '\n') + 1
	if end == 0 {
		end = len(c.in)
	}
	k := copy(p, c.in[:end])
	c.wasCR = c.in[k-1] == '\r'
	c.in = c.in[k:]
	return k
}
