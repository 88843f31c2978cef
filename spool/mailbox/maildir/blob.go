package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// fileBlob is an open message that stands in its file as it is read.
type fileBlob struct {
	safeio.File
	size int64
	done <-chan struct{}
	why  func() error
	once sync.Once
}

// Size is that of the message as it is read.
func (b *fileBlob) Size() int64 { return b.size }

// ReadAt reads as long as the context lasts.
func (b *fileBlob) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-b.done:
		return 0, b.why()
	default:
		return b.File.ReadAt(p, off)
	}
}

// Close closes the file. A second time is an error.
func (b *fileBlob) Close() error {
	err := fs.ErrClosed
	b.once.Do(func() { err = b.File.Close() })
	return err
}

// openBlob opens the file of a message.
func (f *folder) openBlob(ctx context.Context, m *message) (mailbox.Blob, error) {
	if b, err := f.openSmall(ctx, m); b != nil || errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	file, err := f.fs().OpenFile(f.at(dirOf(m.bits), m.name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	b := &fileBlob{File: file, size: m.meta.Size, done: ctx.Done(), why: ctx.Err}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.Mode()&fs.ModeType != 0:
		err = &mailbox.Error{Code: "CORRUPTION", Err: errors.New("message is no regular file")}
	case m.bits&bareLF != 0:
		return newLines(b, info.Size())
	case info.Size() != b.size:
		err = &mailbox.Error{Code: "CORRUPTION", Err: errors.New("file of a message has another length than before")}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return b, nil
}

// step is how many bytes of a file lie between two marks.
const step = 64 << 10

// lines is a message whose file has line ends without CR, read with CRLF.
type lines struct {
	*fileBlob
	raw   int64
	marks []int64 // where every step of the file begins as it is read
}

// newLines goes through the file once.
func newLines(b *fileBlob, raw int64) (mailbox.Blob, error) {
	l := &lines{fileBlob: b, raw: raw, marks: []int64{0}}
	var at int64
	err := eachBlock(io.NewSectionReader(b, 0, raw), func(p []byte, before byte) {
		at += int64(len(p) + bareLFs(p, before))
		l.marks = append(l.marks, at)
	})
	if err == nil && at != b.size {
		err = &mailbox.Error{Code: "CORRUPTION", Err: errors.New("file of a message has other lines than before")}
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return l, nil
}

// ReadAt begins at the last mark before off, so it reads at most one step too
// much.
func (l *lines) ReadAt(p []byte, off int64) (n int, err error) {
	switch {
	case off < 0:
		return 0, fs.ErrInvalid
	case off >= l.size:
		return 0, io.EOF
	}
	i := 0
	for i+1 < len(l.marks) && l.marks[i+1] <= off {
		i++
	}
	for at := l.marks[i]; n < len(p) && at < l.size; i++ {
		b, err := l.block(int64(i) * step)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[max(off-at, 0):])
		at += int64(len(b))
		off = max(off, at)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// block reads one step of the file, as it is to be read.
func (l *lines) block(from int64) ([]byte, error) {
	// The byte before says whether a first LF stands alone.
	lead := min(from, 1)
	raw := make([]byte, min(step, l.raw-from)+lead)
	if n, err := l.fileBlob.ReadAt(raw, from-lead); err != nil && (err != io.EOF || n < len(raw)) {
		return nil, err
	}
	var before byte
	if lead > 0 {
		before, raw = raw[0], raw[1:]
	}
	out := make([]byte, 0, len(raw)+len(raw)/32)
	for _, c := range raw {
		if c == '\n' && before != '\r' {
			out = append(out, '\r')
		}
		out, before = append(out, c), c
	}
	return out, nil
}
