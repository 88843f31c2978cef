package maildir

import (
	"io"
	"sync"
	"weak"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// stretchLen is how much is read at once for those who go through a file in
// order.
const stretchLen = 128 << 10

// ahead reads small pieces of a file: one by one as they are asked for, and by
// the stretch where each follows the one before. A stretch goes with the next
// garbage collection, so a session that does nothing holds none. The zero ahead
// is ready; it may be used concurrently.
type ahead struct {
	mu   sync.Mutex // guards all below
	next int64      // where the last piece ended
	had  weak.Pointer[stretch]
}

// stretch is a part of a file. It never changes.
type stretch struct {
	file safeio.File
	at   int64
	b    []byte
}

// piece is the part of a stretch at a place in a file; nil if it is not in it.
func (s *stretch) piece(file safeio.File, at int64, n int) []byte {
	if s == nil || s.file != file || at < s.at || at+int64(n) > s.at+int64(len(s.b)) {
		return nil
	}
	at -= s.at
	return s.b[at : at+int64(n) : at+int64(n)]
}

// read returns n bytes that stand at a place, and that nobody will write to: not
// whoever calls, and not in the file, which up to end has nothing but what stays.
// Those that are missing at the end of the file are left out.
func (a *ahead) read(file safeio.File, at int64, n int, end int64) ([]byte, error) {
	a.mu.Lock()
	had := a.had.Value()
	inOrder := a.next != 0 && at >= a.next && at < a.next+stretchLen
	a.next = at + int64(n)
	a.mu.Unlock()
	if b := had.piece(file, at, n); b != nil {
		return b, nil
	}
	size := int64(n)
	if inOrder {
		size = max(size, min(stretchLen, end-at))
	}
	s := &stretch{file: file, at: at, b: make([]byte, size)}
	got, err := file.ReadAt(s.b, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	s.b = s.b[:got]
	if inOrder {
		a.mu.Lock()
		a.had = weak.Make(s)
		a.mu.Unlock()
	}
	return s.b[:min(n, got)], nil
}
