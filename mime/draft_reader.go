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

// reader is Reader with all its methods.
func (d *Draft) reader() *draftReader { return newDraftReader(d.segments()) }

// newDraftReader reads some runs, as a signature needs those of the content.
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
	empty    int   // reads in a row that gave nothing
	err      error // of a file
}

// Size is the whole message's.
func (r *draftReader) Size() int64 { return r.size }

// Read reads on. Its errors stay until the reader is moved by Seek: whoever
// tries again must not take the rest for a whole message.
func (r *draftReader) Read(p []byte) (int, error) {
	if len(p) == 0 || r.err != nil {
		return 0, r.err
	}
	for r.at < len(r.segments) {
		s := &r.segments[r.at]
		if s.file == nil {
			if n := copy(p, s.b[r.off:]); n > 0 {
				r.move(n)
				return n, nil
			}
			r.at, r.off = r.at+1, 0
			continue
		}
		n, err := r.readFile(s, p)
		r.move(n)
		if err != nil {
			r.err = fmt.Errorf("mime: %s: %w", s.file.name, err)
		}
		if n > 0 || err != nil {
			return n, r.err
		}
	}
	return 0, io.EOF
}

// move notes that n octets of the segment were read.
func (r *draftReader) move(n int) {
	r.off += int64(n)
	r.pos += int64(n)
}

// errChanged is a file that is not as long as it was when it was attached.
var errChanged = errors.New("file changed since it was attached")

// readFile reads of the file of s, and goes on to the next segment once the
// file has turned out to have no more.
func (r *draftReader) readFile(s *segment, p []byte) (n int, err error) {
	if r.cur == nil {
		if r.cur, err = s.open(r.off); err != nil {
			return 0, err
		}
	}
	left := s.size - r.off
	if left == 0 {
		p = make([]byte, 1) // for what should not be there
	} else {
		p = p[:min(int64(len(p)), left)]
	}
	n, err = r.cur.Read(p)
	switch {
	case left == 0 && n > 0:
		return 0, errChanged
	case left == 0 && err == io.EOF:
		err = r.Close()
		r.at, r.off = r.at+1, 0
	case err == io.EOF && int64(n) < left:
		return n, errChanged
	case err == io.EOF:
		err = nil
	case n == 0 && err == nil:
		if r.empty++; r.empty >= maxEmptyReads {
			return 0, io.ErrNoProgress
		}
	}
	if n > 0 {
		r.empty = 0
	}
	return n, err
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
	var buf []byte
	for {
		var piece []byte
		if r.at < len(r.segments) && r.segments[r.at].file == nil && r.err == nil {
			piece = r.segments[r.at].b[r.off:]
			r.pos += int64(len(piece))
			r.at, r.off = r.at+1, 0
		} else {
			if buf == nil {
				buf = make([]byte, 16<<10)
			}
			var k int
			k, err = r.Read(buf)
			piece = buf[:k]
		}
		k, werr := 0, error(nil)
		if len(piece) > 0 {
			k, werr = w.Write(piece)
		}
		n += int64(k)
		switch {
		case werr != nil:
			return n, werr
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// Seek moves to any place of the message; only the files on the way are opened.
func (r *draftReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	default:
		return r.pos, errors.New("mime: seek from nowhere")
	}
	if offset < 0 {
		return r.pos, errors.New("mime: seek before the start")
	}
	if offset == r.pos && r.err == nil {
		return offset, nil
	}
	if err := r.Close(); err != nil {
		return r.pos, err
	}
	r.err, r.empty = nil, 0
	r.pos, r.at, r.off = offset, 0, min(offset, r.size)
	for r.at < len(r.segments) && r.off >= r.segments[r.at].size {
		r.off -= r.segments[r.at].size
		r.at++
	}
	return offset, nil
}
