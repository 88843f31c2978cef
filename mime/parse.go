package mime

import (
	"bytes"
	"cmp"
	"errors"
	"io"
)

// ErrNotKept is the error of reading a body from the Message of a Scanner: its
// octets went by and are gone.
var ErrNotKept = errors.New("mime: the scanner has not kept the message")

// A Parser parses messages. Its zero value is what Parse and ParseAt use. It
// is a value without state: one may be used by many goroutines at once.
type Parser struct {
	Limits Limits // the zero value holds the defaults
}

// Parse indexes a message held in memory. It never fails: whatever is odd
// about the message becomes a Defect. The Message refers to b, which must not
// be changed as long as the Message is in use.
func Parse(b []byte) *Message { return Parser{}.Parse(b) }

// ParseAt indexes the message of size octets in r, reading it once, in pieces
// of 64 KiB. Of the message it keeps the headers in memory; bodies are read
// again when they are asked for. The only errors are those of r.
func ParseAt(r io.ReaderAt, size int64) (*Message, error) { return Parser{}.ParseAt(r, size) }

// Parse is the function Parse with the limits of p.
func (p Parser) Parse(b []byte) *Message {
	m := &Message{b: b, hdrs: b}
	if b == nil {
		m.b = []byte{}
	}
	s := p.scan(m, len(b))
	s.feed(b, 0, true)
	return m
}

// ParseAt is the function ParseAt with the limits of p.
func (p Parser) ParseAt(r io.ReaderAt, size int64) (*Message, error) {
	m := &Message{r: r}
	s := p.scan(m, readChunk)
	s.copyHeader = true
	f := feeder{scan: &s, r: io.NewSectionReader(r, 0, size), chunk: int(min(size+1, readChunk))}
	for !f.done {
		if err := f.step(); err != nil {
			return nil, err
		}
	}
	if m.size < size {
		return nil, io.ErrUnexpectedEOF
	}
	return m, nil
}

// scan makes the machine for a message of about size octets, ready for the
// first of them.
func (p Parser) scan(m *Message, size int) scan {
	m.limits = p.Limits.withDefaults()
	// One allocation each is enough for most messages: a field has some 70
	// octets, and few messages have more than a hundred.
	m.parts = make([]part, 0, 2)
	m.fields = make([]field, 0, min(max(size/64, 16), 104))
	s := scan{m: m, limits: m.limits}
	s.newPart(-1, 0)
	return s
}

// readChunk is the size in which messages are read; the buffer grows beyond it
// only for a header line longer than that.
const readChunk = 64 << 10

// maxEmptyReads is how often a reader may give nothing and no error.
const maxEmptyReads = 100

// A feeder reads a message into a buffer and feeds the scan from it.
type feeder struct {
	scan  *scan
	r     io.Reader
	buf   []byte
	n     int   // octets in buf
	base  int64 // offset of buf[0] in the message
	keep  int   // octets at the start of buf that the next step may drop
	fed   int   // octets at the start of buf that the scan has seen
	chunk int   // 0 means readChunk; tests make it small
	hold  bool  // drop nothing
	done  bool
}

// step reads until a line has ended, the buffer is full or the input ends, and
// feeds that: a header is known as soon as it is there, and a line that comes
// in many pieces is looked at once. What the scan has reported by then stays
// in the buffer until the next step.
func (f *feeder) step() error {
	f.discard()
	eof, line, empty := false, false, 0
	for f.n < len(f.buf) && !eof && !line {
		n, err := f.r.Read(f.buf[f.n:])
		line = bytes.IndexByte(f.buf[f.n:f.n+n], '\n') >= 0
		f.n += n
		switch {
		case err == io.EOF:
			eof = true
		case err != nil:
			return err
		case n == 0:
			if empty++; empty == maxEmptyReads {
				return io.ErrNoProgress
			}
		}
	}
	f.fed += f.scan.feed(f.buf[f.fed:f.n], f.base+int64(f.fed), eof)
	f.done = eof || f.scan.state == scanDone
	f.keep = f.fed
	if f.hold {
		f.keep = 0
	}
	if f.scan.record { // what is not reported yet will be, with a later piece
		f.keep = int(min(int64(f.fed), max(f.scan.dataFrom-f.base, 0)))
	}
	return nil
}

// discard makes room by dropping what is done with, and by growing where the
// scan could not use anything of a full buffer.
func (f *feeder) discard() {
	if f.buf == nil {
		f.buf = make([]byte, cmp.Or(f.chunk, readChunk))
	}
	copy(f.buf, f.buf[f.keep:f.n])
	f.base += int64(f.keep)
	f.n -= f.keep
	f.fed -= f.keep
	f.keep = 0
	if f.n == len(f.buf) {
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
	}
}
