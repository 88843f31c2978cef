package dirspool

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

const (
	// bufferSize is what a body takes in memory while it comes in.
	bufferSize = 32 << 10
	// checkEvery is after how many bytes of a body the free space is looked at
	// again. A body that is declared as so large has its room reserved at once;
	// for smaller ones that costs more than it gains.
	checkEvery = 1 << 20
)

// writer is a body on its way in.
type writer struct {
	s        *Store
	at       *file       // its name and directory
	file     safeio.File // nil after Commit and Abort
	followup bool        // may use the reserve
	failed   error

	buf     *[]byte // what is not written yet; before the first write, behind room for the header
	written int64   // bytes in the file
	size    int64   // of the body
	checked int64   // size at which the free space was looked at
	sum     uint32
}

// Begin opens a body; see [spool.Store].
func (s *Store) Begin(ctx context.Context, size int64) (spool.Writer, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	n := len(s.items)
	s.ops.Add(1)
	s.mu.Unlock()
	defer s.ops.Done()
	if limit := s.opt.maxItems(); limit >= 0 && n >= limit {
		return nil, fmt.Errorf("%w: %d items", spool.ErrFull, n)
	}
	if err := s.inTime(ctx); err != nil {
		return nil, err
	}
	if err := s.room(max(size, 0)); err != nil {
		return nil, err
	}
	return s.newWriter(size, false)
}

// room reports whether so many bytes more leave the reserve alone. A file system
// that does not say what is free is asked by writing to it.
func (s *Store) room(bytes int64) error {
	free, err := s.fsys.Space()
	if err != nil {
		return full(err)
	}
	keep := s.opt.reserve()
	if free.Bytes >= 0 && free.Bytes-bytes < keep.Bytes || free.Inodes >= 0 && free.Inodes-1 < keep.Inodes {
		return fmt.Errorf("%w: %d bytes and %d inodes are free", spool.ErrFull, free.Bytes, free.Inodes)
	}
	return nil
}

func (s *Store) newWriter(size int64, followup bool) (*writer, error) {
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	// It begins in the directory where it is to stay: a rename from another one
	// costs the disk more.
	shard, err := s.shard()
	if err != nil {
		return nil, full(err)
	}
	w := &writer{s: s, at: &file{shard: shard}, followup: followup}
	copy(w.at.name[:], id)
	w.file, err = s.fsys.OpenFile(w.at.tmp(), os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm)
	if err != nil {
		// It may be there all the same; O_EXCL says that it is then ours.
		if !errors.Is(err, os.ErrExist) {
			_ = s.fsys.Remove(w.at.tmp())
		}
		return nil, full(err)
	}
	if size >= checkEvery {
		// That there is no room shows now, and not when all has been sent.
		if err := w.file.Allocate(headerLen + size); err != nil {
			w.Abort()
			return nil, full(err)
		}
	}
	w.buf, _ = s.buffers.Get().(*[]byte)
	if w.buf == nil {
		b := make([]byte, 0, bufferSize)
		w.buf = &b
	}
	*w.buf = append((*w.buf)[:0], make([]byte, headerLen)...)
	return w, nil
}

// newID reads the randomness that goroutines share.
func (s *Store) newID() (spool.ID, error) {
	s.random.Lock()
	defer s.random.Unlock()
	return spool.NewID(s.opt.now(), s.opt.rand())
}

// Write adds to the body; see [spool.Writer].
func (w *writer) Write(p []byte) (int, error) { return add(w, p) }

// WriteString is Write without a copy in between.
func (w *writer) WriteString(s string) (int, error) { return add(w, s) }

func add[T string | []byte](w *writer, p T) (n int, err error) {
	if w.file == nil {
		return 0, fmt.Errorf("%w: the writer is used up", spool.ErrInvalid)
	}
	if w.failed == nil {
		w.failed = w.check(int64(len(p)))
	}
	for w.failed == nil && n < len(p) {
		at := len(*w.buf)
		if at == cap(*w.buf) {
			w.failed = w.flush()
			continue
		}
		k := min(len(p)-n, cap(*w.buf)-at)
		*w.buf = append(*w.buf, p[n:n+k]...)
		w.sum = crc32.Update(w.sum, castagnoli, (*w.buf)[at:])
		n += k
		w.size += int64(k)
	}
	return n, w.failed
}

// check looks from time to time whether there is still room.
func (w *writer) check(more int64) error {
	if w.followup || w.size+more-w.checked < checkEvery {
		return nil
	}
	w.checked = w.size
	if err := w.s.Err(); err != nil {
		return err
	}
	return w.s.room(more)
}

// flush writes what is in the buffer.
func (w *writer) flush() error {
	n, err := w.file.Write(*w.buf)
	if err == nil && n < len(*w.buf) {
		err = io.ErrShortWrite
	}
	w.written += int64(n)
	*w.buf = (*w.buf)[:0]
	return full(err)
}

// finish puts all that the file is to have on the disk: the body, the items and
// the commit. It has then still its name for the time being.
func (w *writer) finish(h header, records []byte) error {
	h.body, h.sum, h.records = w.size, w.sum, uint32(len(records))
	if w.written == 0 {
		h.append((*w.buf)[:0], w.at.name) // the room in front
	}
	*w.buf = append(*w.buf, records...)
	behind := w.written > 0
	if err := w.flush(); err != nil {
		return err
	}
	if behind {
		if _, err := w.file.WriteAt(h.append(nil, w.at.name), 0); err != nil {
			return full(err)
		}
	}
	// A failed sync is never tried again: the file is thrown away.
	if err := w.file.Sync(); err != nil {
		return full(err)
	}
	err := w.file.Close()
	w.file = nil
	w.recycle()
	return full(err)
}

// recycle gives the buffer to the next body.
func (w *writer) recycle() {
	if w.buf != nil && cap(*w.buf) <= 2*bufferSize {
		w.s.buffers.Put(w.buf)
	}
	w.buf = nil
}

// Abort drops what was written; see [spool.Writer].
func (w *writer) Abort() error {
	if w.file == nil {
		return nil
	}
	w.file.Close()
	w.file = nil
	w.recycle()
	// What stays is removed when the spool is opened the next time.
	_ = w.s.fsys.Remove(w.at.tmp())
	return nil
}
