package mime

import (
	"bytes"
	"io"
)

// ReadHeader reads the header section of a message that streams by. rest gives
// the whole message, the header included, so that a server can look at the
// fields and then pass everything on. The only errors are those of r; rest is
// usable even then, and ends in the error.
//
// A header over the limit ends there, as for Parse.
func ReadHeader(r io.Reader) (h Header, rest io.Reader, err error) { return Parser{}.ReadHeader(r) }

// ReadHeader is the function ReadHeader with the limits of p.
func (p Parser) ReadHeader(r io.Reader) (h Header, rest io.Reader, err error) {
	m := new(Message)
	s := p.scan(m, headChunk)
	s.copyHeader, s.onlyHead = true, true
	f := feeder{scan: &s, r: r, chunk: headChunk, hold: true}
	for !f.done && err == nil {
		err = f.step()
	}
	if err != nil {
		return Header{}, io.MultiReader(bytes.NewReader(f.buf[:f.n]), failingReader{err}), err
	}
	return m.header(&m.parts[0]), io.MultiReader(bytes.NewReader(f.buf[:f.n]), r), nil
}

// headChunk is the size in which a header is read: few are larger.
const headChunk = 4 << 10

// A failingReader has nothing but an error.
type failingReader struct{ err error }

// Read fails.
func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
