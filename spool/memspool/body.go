package memspool

import (
	"io"
	"io/fs"
	"sort"
	"sync"

	"github.com/postilion-mail/postilion/spool"
)

// Chunks begin small and double with the body, so that a short message takes
// little and a long one is never copied to grow.
const (
	minChunk = 512
	maxChunk = 64 << 10
)

// body is the bytes that items share. It does not change once it is committed.
type body struct {
	chunks [][]byte
	starts []int64 // offset of each chunk
	size   int64
	taken  int64 // capacity of the chunks: what counts against the limit
	refs   int   // items and open blobs; guarded by Store.mu
}

// room is what a Write of n bytes more would add to taken.
func (b *body) room(n int) int64 {
	free := int(b.taken - b.size)
	taken := b.taken
	for n > free {
		c := nextChunk(taken)
		taken += c
		free += int(c)
	}
	return taken - b.taken
}

func nextChunk(taken int64) int64 { return max(minChunk, min(taken, maxChunk)) }

func (b *body) write(p []byte) {
	for len(p) > 0 {
		if b.size == b.taken {
			c := nextChunk(b.taken)
			b.chunks = append(b.chunks, make([]byte, 0, c))
			b.starts = append(b.starts, b.size)
			b.taken += c
		}
		last := &b.chunks[len(b.chunks)-1]
		n := min(len(p), cap(*last)-len(*last))
		*last = append(*last, p[:n]...)
		b.size += int64(n)
		p = p[n:]
	}
}

func (b *body) readAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	if off >= b.size {
		return 0, io.EOF
	}
	i := sort.Search(len(b.starts), func(i int) bool { return b.starts[i] > off }) - 1
	off -= b.starts[i]
	for ; i < len(b.chunks) && n < len(p); i++ {
		n += copy(p[n:], b.chunks[i][off:])
		off = 0
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// blob is an open body.
type blob struct {
	store *Store
	done  <-chan struct{} // of the context it was opened with
	why   func() error
	mu    sync.RWMutex // guards body
	body  *body        // nil when closed
}

var _ spool.Blob = (*blob)(nil)

func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-b.done:
		return 0, b.why()
	default:
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.body == nil {
		return 0, fs.ErrClosed
	}
	return b.body.readAt(p, off)
}

func (b *blob) Size() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.body == nil {
		return 0
	}
	return b.body.size
}

func (b *blob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return fs.ErrClosed
	}
	b.store.mu.Lock()
	b.store.unref(b.body)
	b.store.mu.Unlock()
	b.body = nil
	return nil
}
