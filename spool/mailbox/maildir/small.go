package maildir

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"sync"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// maxSmall is up to which size a message is read whole when it is opened: then
// its file need not stay open, and is read once, also if its lines are to be
// mended.
const maxSmall = 32 << 10

// smallBlob is a message in memory.
type smallBlob struct {
	ctx context.Context

	mu  sync.RWMutex // guards buf
	buf *[]byte      // of smallPool; nil when it is closed
}

// smallPool has buffers for messages of up to maxSmall bytes, with one byte more,
// which tells of files that are longer than they should be.
var smallPool = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// smallBuf takes a buffer of some size.
func smallBuf(size int64) *[]byte {
	buf := smallPool.Get().(*[]byte)
	if int64(cap(*buf)) < size {
		*buf = make([]byte, size)
	}
	*buf = (*buf)[:size]
	return buf
}

// openSmall reads a small message; nil if it is not small, or if its file is not
// as it should be, of which the longer way knows more.
func (f *folder) openSmall(ctx context.Context, m *message) (mailbox.Blob, error) {
	r, ok := f.fs().(interface {
		ReadInto(name string, buf []byte) (int, error)
	})
	if !ok || m.meta.Size > maxSmall {
		return nil, nil
	}
	buf := smallBuf(m.meta.Size + 1)
	n, err := r.ReadInto(f.at(dirOf(m.bits), m.name), *buf)
	if err == nil && m.bits&bareLF != 0 {
		raw := buf
		buf = smallBuf(m.meta.Size + 1)
		n = mend(*buf, (*raw)[:n])
		smallPool.Put(raw)
	}
	if err != nil || int64(n) != m.meta.Size {
		smallPool.Put(buf)
		return nil, err
	}
	*buf = (*buf)[:n]
	return &smallBlob{ctx: ctx, buf: buf}, nil
}

// mend copies src with CRLF at the end of each line, as far as dst has room, and
// returns how much that is.
func mend(dst, src []byte) (n int) {
	for {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return n + copy(dst[n:], src)
		}
		n += copy(dst[n:], bytes.TrimSuffix(src[:i], []byte("\r")))
		n += copy(dst[n:], "\r\n")
		src = src[i+1:]
	}
}

// Size is that of the message.
func (b *smallBlob) Size() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.buf == nil {
		return 0
	}
	return int64(len(*b.buf))
}

// ReadAt reads as long as the context lasts.
func (b *smallBlob) ReadAt(p []byte, off int64) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.buf == nil:
		return 0, fs.ErrClosed
	case off < 0:
		return 0, fs.ErrInvalid
	case off >= int64(len(*b.buf)):
		return 0, io.EOF
	}
	n := copy(p, (*b.buf)[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close lets the message go. A second time is an error.
func (b *smallBlob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf == nil {
		return fs.ErrClosed
	}
	smallPool.Put(b.buf)
	b.buf = nil
	return nil
}
