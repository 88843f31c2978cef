package dirspool

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

// Open gives the body of an item; see [spool.Store]. The first time it is read
// through to see that it is what was put; a file that is not goes to corrupt/,
// with all items over the body.
func (s *Store) Open(ctx context.Context, id spool.ID) (spool.Blob, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	e := s.items[id]
	if e == nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", spool.ErrNotExist, id)
	}
	f, checked := e.file, e.file.checked
	s.ops.Add(1)
	s.mu.Unlock()
	defer s.ops.Done()
	h, err := s.openBody(ctx, f, checked)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", spool.ErrNotExist, id) // settled meanwhile
	case errors.Is(err, spool.ErrCorrupt):
		s.quarantine(f, err)
		return nil, err
	case err != nil:
		return nil, err
	}
	size := f.records - headerLen
	return &blob{ctx.Done(), ctx.Err, h, io.NewSectionReader(h, headerLen, size)}, nil
}

// openBody opens a file, and looks through its body unless that was done.
func (s *Store) openBody(ctx context.Context, f *file, checked bool) (safeio.File, error) {
	h, err := s.fsys.OpenFile(f.path(), os.O_RDONLY, 0)
	if err != nil {
		return nil, full(err)
	}
	// Once in the life of a process: a bad spot shows before anything of the body
	// has gone out, and a message to many is not read through for each.
	if checked {
		return h, nil
	}
	if err := checkBody(ctx, h, f); err != nil {
		h.Close()
		return nil, err
	}
	s.mu.Lock()
	f.checked = true
	s.mu.Unlock()
	return h, nil
}

// checkBody reads the whole body, in pieces, and compares its sum.
func checkBody(ctx context.Context, h safeio.File, f *file) error {
	b := make([]byte, headerLen)
	if _, err := h.ReadAt(b, 0); err != nil && err != io.EOF {
		return full(err)
	}
	head, err := parseHeader(b, f.name)
	if err != nil {
		return err
	}
	if head.body != f.records-headerLen { // another file has taken its place
		return errHeader
	}
	sum := &sumReader{ctx: ctx, r: io.NewSectionReader(h, headerLen, head.body)}
	if n, err := io.CopyBuffer(io.Discard, sum, make([]byte, min(head.body+1, 64<<10))); err != nil {
		return err
	} else if n != head.body || sum.sum != head.sum {
		return fmt.Errorf("%w: the body is not what was put", spool.ErrCorrupt)
	}
	return nil
}

// sumReader computes the sum of what goes through, as long as ctx lasts.
type sumReader struct {
	ctx context.Context
	r   io.Reader
	sum uint32
}

func (r *sumReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	return n, err
}

// blob is an open body. Its file may be gone meanwhile.
type blob struct {
	done <-chan struct{} // of the context it was opened with
	why  func() error
	file safeio.File
	body *io.SectionReader
}

var _ spool.Blob = (*blob)(nil)

func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-b.done:
		return 0, b.why()
	default:
	}
	return b.body.ReadAt(p, off)
}

func (b *blob) Size() int64 { return b.body.Size() }

func (b *blob) Close() error { return b.file.Close() }

// quarantine takes a file out of the queue that is damaged, or that somebody
// removed, and keeps it in corrupt/. Leases of its items are lost.
func (s *Store) quarantine(f *file, cause error) {
	mine := s.seizeFile(f)
	if mine == nil {
		return
	}
	if !errors.Is(cause, fs.ErrNotExist) {
		if err := s.setAside(f); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	s.opt.log().Error("spool file is damaged", "file", f.name.String(), "items", len(mine), "err", cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range mine {
		s.letGo(e)
	}
}

// seizeFile seizes all items of a file, and takes them out of the index; nil if
// somebody else is about it.
func (s *Store) seizeFile(f *file) (mine []*entry) {
	s.mu.Lock()
	if f.bad {
		s.mu.Unlock()
		return nil
	}
	f.bad = true
	// A file does not know its entries, which saves memory for all; that this is
	// slow matters to nobody.
	var all []*entry
	for _, e := range s.items {
		if e.file == f {
			all = append(all, e)
		}
	}
	for _, e := range all {
		for s.items[e.id] == e {
			// Whoever has it is at work, and ends by itself.
			waited, err := s.seize(context.Background(), e)
			if err != nil {
				return nil
			}
			if !waited {
				s.forget(e)
				mine = append(mine, e)
			}
		}
	}
	s.mu.Unlock()
	return mine
}

// setAside moves a file to corrupt/. If that fails it stays, and the next Open
// finds it again.
func (s *Store) setAside(f *file) error {
	if err := s.fsys.Rename(f.path(), corruptPath(f.name)); err != nil {
		return err
	}
	return errors.Join(s.fsys.SyncDir(corruptDir), s.dirs.Sync(f.dir()))
}
