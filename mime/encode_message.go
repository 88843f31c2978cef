package mime

import (
	"errors"
	"io"
)

// What keeps a message from being attached as one.
var (
	errBareCR   = errors.New("an attached message has a bare CR")
	errLongLine = errors.New("an attached message has a line over 998 octets")
	errNUL      = errors.New("an attached message has a NUL")
)

// messageShape is what has to be known of a message that is attached: it
// travels without an encoding (RFC 2046 §5.2.1), so it must be fit for that.
type messageShape struct {
	size  int64 // with CRLF line ends
	eight bool  // it has octets beyond ASCII
	fix   bool  // it has other line ends than CRLF
}

// messageShape reads the message once.
func (f *File) messageShape() (s messageShape, err error) {
	rc, err := f.reader()
	if err != nil {
		return s, err
	}
	defer rc.Close()
	r := &crlfReader{r: rc}
	buf := make([]byte, crlfBlock)
	line, cr := 0, false
	for err == nil {
		var n int
		n, err = r.Read(buf)
		for _, c := range buf[:n] {
			switch {
			case c == '\n':
				line = 0
			case cr:
				return s, errBareCR
			case c == 0:
				return s, errNUL
			case c != '\r':
				if line++; line > maxLine {
					return s, errLongLine
				}
			}
			cr = c == '\r'
			s.eight = s.eight || c >= 0x80
		}
		s.size += int64(n)
	}
	if err == io.EOF && cr {
		return s, errBareCR
	}
	if s.fix = r.fixed; err == io.EOF {
		err = nil
	}
	return s, err
}

// crlfBlock is how much a crlfReader reads at a time.
const crlfBlock = 16 << 10

// crlfReader gives a message the line ends that it travels with: CRLF for a
// bare LF, and for an LF behind several CRs, which [Parse] takes for one line
// end too. A CR anywhere else stays; it is no line end to all readers.
type crlfReader struct {
	r     io.Reader
	in    []byte
	out   []byte
	rest  []byte // of out, not yet read
	crs   int    // CRs read and not yet written
	fixed bool   // something was changed
	err   error
}

// Read gives what is ready, and makes more ready when that is used up.
func (c *crlfReader) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// fill reads and changes the next block. CRs wait until it is known what comes
// behind them.
func (c *crlfReader) fill() {
	if c.in == nil {
		c.in, c.out = make([]byte, crlfBlock), make([]byte, 0, crlfBlock+crlfBlock/16)
	}
	n, err := c.r.Read(c.in)
	c.out = c.out[:0]
	for _, b := range c.in[:n] {
		switch {
		case b == '\r':
			c.crs++
			continue
		case b == '\n':
			c.fixed = c.fixed || c.crs != 1
			c.out = append(c.out, '\r')
		case c.crs > 0:
			c.out = append(c.out, '\r')
		}
		c.crs = 0
		c.out = append(c.out, b)
	}
	if c.err = err; err != nil && c.crs > 0 {
		c.out, c.crs = append(c.out, '\r'), 0
	}
	c.rest = c.out
}
