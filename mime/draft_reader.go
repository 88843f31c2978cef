package mime

import (
	"errors"
	"fmt"
	"io"
)

// Reader reads the message from its start. It is an io.WriterTo and an
// io.Closer too, and has Size() int64; each Reader has a position of its own.
// Whoever does not read to the end should close it, if files are attached.
func (d *Draft) Reader() io.ReadSeeker { return d.reader() }

func (d *Draft) reader() *draftReader { return newDraftReader(d.segments()) }

func newDraftReader(list []segment) *draftReader {
	r := &draftReader{segments: list}
	for _, s := range r.segments {
		r.size += s.size
	}
	return r
}

// draftReader is a position in a draft.
type draftReader struct {
	segments []segment
	size     int64
	at       int // segment
	off      int64
	cur      io.ReadCloser // of segment at; nil: to be opened at off
	pos      int64
}

// Size is the whole message's.
func (r *draftReader) Size() int64 { return r.size }

func (r *draftReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.at < len(r.segments) {
		s := &r.segments[r.at]
		if r.off == s.size {
			if err := r.next(s); err != nil {
				return 0, err
			}
			continue
		}
		if err := r.open(s); err != nil {
			return 0, err
		}
		n, err := r.cur.Read(p[:min(int64(len(p)), s.size-r.off)])
		r.off += int64(n)
		r.pos += int64(n)
		if err == io.EOF && r.off < s.size {
			return n, fmt.Errorf("%w: %s", errChanged, s.file.name)
		}
		if err != nil && err != io.EOF {
			return n, fmt.Errorf("mime: %s: %w", s.file.name, err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (r *draftReader) open(s *segment) (err error) {
	if r.cur == nil {
		r.cur, err = s.open(r.off)
	}
	return err
}

// next goes on to the segment after s, once s has turned out to have no more.
func (r *draftReader) next(s *segment) error {
	if s.file != nil && r.cur != nil {
		var one [1]byte
		n, err := r.cur.Read(one[:])
		if n > 0 {
			return fmt.Errorf("%w: %s", errChanged, s.file.name)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("mime: %s: %w", s.file.name, err)
		}
	}
	err := r.Close()
	r.at, r.off = r.at+1, 0
	return err
}

// Close closes the file that is open, if one is.
func (r *draftReader) Close() error {
	if r.cur == nil {
		return nil
	}
	err := r.cur.Close()
	r.cur = nil
	return err
}

// WriteTo writes the rest of the message; what is in memory goes as it lies
// there.
func (r *draftReader) WriteTo(w io.Writer) (n int64, err error) {
	buf := []byte(nil)
	for r.at < len(r.segments) {
		if s := &r.segments[r.at]; s.file == nil {
			m, err := w.Write(s.b[r.off:])
			n, r.off, r.pos = n+int64(m), r.off+int64(m), r.pos+int64(m)
			if err != nil {
				return n, err
			}
			if err := r.next(s); err != nil {
				return n, err
			}
			continue
		}
		if buf == nil {
			buf = make([]byte, 32<<10)
		}
		m, err := r.Read(buf)
		if m > 0 {
			k, werr := w.Write(buf[:m])
			n += int64(k)
			if werr != nil {
				return n, werr
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Seek moves to any place of the message; only the files on the way are opened.
func (r *draftReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.pos, errors.New("mime: seek before the start")
	}
	if err := r.Close(); err != nil {
		return r.pos, err
	}
	r.pos, r.at, r.off = offset, 0, min(offset, r.size)
	for r.at < len(r.segments) && r.off > r.segments[r.at].size {
		r.off -= r.segments[r.at].size
		r.at++
	}
	return offset, nil
}
