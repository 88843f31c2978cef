package maildir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// errNoFile is for directories and links among the messages.
var errNoFile = errors.New("no regular file")

// measure finds out what the index has of a message. A file whose name does not
// say its size is read.
func (f *folder) measure(base string, e *entry) (*message, error) {
	m := &message{bits: e.bits, name: e.name}
	name := f.at(e.path())
	info, err := f.fs().Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeType != 0 {
		return nil, errNoFile
	}
	size := info.Size()
	read, known := sizeIn(base, ",W=")
	if named, ok := sizeIn(base, ",S="); !known || !ok || named != size || read < size {
		if read, err = f.readSize(name, size); err != nil {
			return nil, err
		}
	}
	if read > size {
		m.bits |= bareLF
	}
	_, letters := splitName(e.name)
	m.meta = mailbox.Meta{
		Flags: f.spelling.Fix(f.words.decodeInfo(letters, mailbox.Flags{}), true),
		Size:  read, Received: f.arrived(base, info.ModTime()), Saved: f.now().Unix(),
	}
	return m, nil
}

// arrived is when a message came: as its name says, or the time of the file.
func (f *folder) arrived(base string, file time.Time) int64 {
	if at, ok := timeIn(base); ok && at > 0 {
		return at
	}
	if file.IsZero() {
		file = f.now()
	}
	return file.Unix()
}

// readSize is how long a message is with CRLF line ends.
func (f *folder) readSize(name string, size int64) (int64, error) {
	r, err := f.fs().OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	err = eachBlock(io.NewSectionReader(r, 0, size), func(b []byte, before byte) {
		size += int64(bareLFs(b, before))
	})
	return size, err
}

// eachBlock calls do with the blocks of r, and the byte before each.
func eachBlock(r io.Reader, do func(b []byte, before byte)) error {
	buf := make([]byte, 64<<10)
	var before byte
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			do(buf[:n], before)
			before = buf[n-1]
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// bareLFs counts the LFs that no CR precedes.
func bareLFs(b []byte, before byte) int {
	n := bytes.Count(b, []byte("\n")) - bytes.Count(b, []byte("\r\n"))
	if len(b) > 0 && b[0] == '\n' && before == '\r' {
		n--
	}
	return n
}
