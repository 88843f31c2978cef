package smtp

import (
	"bytes"
	"io"
	"sync"

	"github.com/postilion-mail/postilion/internal/wire"
)

// bodyBuffer is how much of a message is held at a time, and up to which size
// one is sent in a single flight.
const bodyBuffer = 64 << 10

var bodyPool = sync.Pool{New: func() any { return new([bodyBuffer]byte) }}

// outgoing is a message on its way out. Its first block is read before any
// command is sent, so that a small message is known whole.
type outgoing struct {
	body  io.Reader
	size  int64 // of all octets, -1 not known
	buf   *[bodyBuffer]byte
	head  []byte // the first block, as it was read
	whole bool   // there is no more than head
	start int64  // where a Seeker stood
	enc   encoder
	chunk int // chunks made so far
}

// bodyErr is an error of the caller's reader, not of the wire.
type bodyErr struct{ err error }

func (e *bodyErr) Error() string { return "smtp: reading the message: " + e.err.Error() }
func (e *bodyErr) Unwrap() error { return e.err }

// openBody reads the first block of prefix and body.
func openBody(prefix []byte, body io.Reader) (*outgoing, error) {
	o := &outgoing{body: body, size: bodySize(body), start: -1, buf: bodyPool.Get().(*[bodyBuffer]byte)}
	if s, ok := body.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			o.start = at
		}
	}
	if o.size >= 0 {
		o.size += int64(len(prefix))
	}
	if err := o.fill(prefix); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// fill reads the first block.
func (o *outgoing) fill(prefix []byte) error {
	n := copy(o.buf[:], prefix)
	if n < len(prefix) {
		o.body = io.MultiReader(bytes.NewReader(prefix[n:]), o.body)
	}
	m, err := readBlock(o.body, o.buf[n:])
	o.head, o.whole = o.buf[:n+m], err == io.EOF
	if err != nil && !o.whole {
		return &bodyErr{err}
	}
	return nil
}

// rewind goes back to the start for another try; it reports whether it could.
func (o *outgoing) rewind(prefix []byte, body io.Reader) bool {
	o.chunk = 0
	if o.whole {
		return true
	}
	s, ok := body.(io.Seeker)
	if !ok || o.start < 0 {
		return false
	}
	if _, err := s.Seek(o.start, io.SeekStart); err != nil {
		return false
	}
	o.body = body
	return o.fill(prefix) == nil
}

func (o *outgoing) close() {
	if o.buf != nil {
		bodyPool.Put(o.buf)
		o.buf = nil
	}
}

// eightBit reports octets that need 8BITMIME, as far as the first block tells.
func (o *outgoing) eightBit() bool { return !isASCII(o.head) }

// header8 reports that the header needs SMTPUTF8, or cannot be told from the
// first block.
func (o *outgoing) header8() bool {
	header := o.head
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(header, []byte(end)); i >= 0 {
			header = header[:i]
		}
	}
	return !isASCII(header) || len(header) == len(o.head) && !o.whole
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// bodySize asks a body for the octets it still has.
func bodySize(body io.Reader) int64 {
	switch b := body.(type) {
	case interface{ Len() int }: // bytes.Buffer, bytes.Reader, strings.Reader
		return int64(b.Len())
	case interface{ Size() int64 }:
		size := b.Size()
		if s, ok := body.(io.Seeker); ok {
			if at, err := s.Seek(0, io.SeekCurrent); err == nil {
				size -= at
			}
		}
		return size
	}
	return -1
}

// each gives the blocks of the message one after the other.
func (o *outgoing) each(f func(block []byte, last bool) error) error {
	block := o.head
	for last := o.whole; ; {
		if err := f(block, last); err != nil || last {
			return err
		}
		n, err := readBlock(o.body, o.buf[:])
		block, last = o.buf[:n], err == io.EOF
		if err != nil && !last {
			return &bodyErr{err}
		}
	}
}

// readBlock fills b unless the end comes first, which is io.EOF and nothing
// else: io.ErrUnexpectedEOF is a message that is not whole.
func readBlock(r io.Reader, b []byte) (n int, err error) {
	for empty := 0; n < len(b) && err == nil; {
		var m int
		m, err = r.Read(b[n:])
		n += m
		if empty++; m > 0 {
			empty = 0
		}
		if empty == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, err
}

// encoder makes a block fit for DATA or for a chunk.
type encoder struct {
	enc wire.Encoder
	raw bool // BINARYMIME: as it is
}

func (e *encoder) append(dst, block []byte, last bool) []byte {
	if e.raw {
		return append(dst, block...)
	}
	dst = e.enc.Append(dst, block)
	if last {
		dst = e.enc.Close(dst)
	}
	return dst
}
