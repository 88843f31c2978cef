package mailbox

import (
	"io"
	"io/fs"
	"sync/atomic"
)

// Blob is a stored message. ReadAt may be called concurrently; Close once, after
// the last read. A Blob that is an [io.WriterTo] as well can hand the whole
// message over without a copy.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// Bytes is a Blob for stores that keep messages whole in memory. b must not
// change.
func Bytes(b []byte) Blob { return &bytesBlob{b: b} }

type bytesBlob struct {
	b      []byte
	closed atomic.Bool
}

func (b *bytesBlob) Size() int64 { return int64(len(b.b)) }

func (b *bytesBlob) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case b.closed.Load():
		return 0, fs.ErrClosed
	case off < 0:
		return 0, fs.ErrInvalid
	case off >= int64(len(b.b)):
		return 0, io.EOF
	}
	n := copy(p, b.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *bytesBlob) WriteTo(w io.Writer) (int64, error) {
	if b.closed.Load() {
		return 0, fs.ErrClosed
	}
	n, err := w.Write(b.b)
	return int64(n), err
}

func (b *bytesBlob) Close() error {
	if b.closed.Swap(true) {
		return fs.ErrClosed
	}
	return nil
}

// reader reads a Blob from the beginning; it keeps a WriterTo.
func reader(b Blob) io.Reader {
	r := io.NewSectionReader(b, 0, b.Size())
	if w, ok := b.(io.WriterTo); ok {
		return struct {
			io.Reader
			io.WriterTo
		}{r, w}
	}
	return r
}
