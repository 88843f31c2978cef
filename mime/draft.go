package mime

import (
	"bytes"
	"errors"
	"io"

	"github.com/postilion-mail/postilion/internal/addr"
)

// Draft is a message that was built: it never changes, can be read and written
// any number of times, by several goroutines at once, and knows what an
// envelope needs. It is an smtp.Outgoing, though neither package imports the
// other.
type Draft struct {
	sender   string
	rcpts    []string
	utf8     bool
	eightBit bool
	top      []byte    // the message's own fields
	entity   []segment // the fields of the structure, the empty line, the body
	spare    string    // random, for a boundary around it all
}

// segment is a run of octets: from memory, or of a file that is read when its
// turn comes.
type segment struct {
	b    []byte
	file *File
	size int64 // of what comes out
	raw  bool  // the file as it is, not base64
	fix  bool  // but with CRLF line ends
}

// appendBytes adds what is held in memory. Short pieces are joined, so that few
// writes make a message; long ones stay where they are.
func appendBytes(out []segment, list ...[]byte) []segment {
	for _, b := range list {
		n := len(out)
		if len(b) >= longPiece || n == 0 || out[n-1].file != nil || len(out[n-1].b) >= longPiece {
			out = append(out, segment{b: b[:len(b):len(b)], size: int64(len(b))}) // never to be appended to in place
			continue
		}
		last := &out[n-1]
		last.b = append(last.b, b...)
		last.size = int64(len(last.b))
	}
	return out
}

// longPiece is from where on copying costs more than it saves.
const longPiece = 1 << 10

// appendSegments adds runs, joining those in memory.
func appendSegments(out, more []segment) []segment {
	for _, s := range more {
		if s.file == nil {
			out = appendBytes(out, s.b)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// mimeVersion stands before the structure's fields (RFC 2045 §4).
const mimeVersion = "MIME-Version: 1.0\r\n"

// segments are all the runs of the message. The first one is made anew, so that
// drafts with other fields on top share the rest.
func (d *Draft) segments() []segment {
	top := segment{b: append(append([]byte(nil), d.top...), mimeVersion...)}
	top.size = int64(len(top.b))
	return append([]segment{top}, d.entity...)
}

// Sender is the reverse-path: the address of Sender, else of From.
func (d *Draft) Sender() string { return d.sender }

// Recipients are the addresses of To, Cc and Bcc, each once.
func (d *Draft) Recipients() []string { return append([]string(nil), d.rcpts...) }

// Needs tells which extensions the message cannot do without: SMTPUTF8 if a
// local-part is not ASCII, 8BITMIME if a part travels in eight bits.
func (d *Draft) Needs() (smtputf8, eightBit bool) { return d.utf8, d.eightBit }

// Size is the message's length in octets.
func (d *Draft) Size() int64 {
	size := int64(0)
	for _, s := range d.segments() {
		size += s.size
	}
	return size
}

// WriteTo writes the message. Errors are those of w and of the files.
func (d *Draft) WriteTo(w io.Writer) (int64, error) {
	r := d.reader()
	defer r.Close()
	return r.WriteTo(w)
}

// Bytes is the message in memory, for tests and small messages.
func (d *Draft) Bytes() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(d.Size(), 1<<20)))
	_, err := d.WriteTo(&b)
	return b.Bytes(), err
}

// Prepend gives a draft with one more field on top and nothing else changed,
// as trace fields and signatures of the header need it. The value is written
// as it is; it may be folded, with CRLF before white space. Fields that the
// message has already cannot be put on top once more.
func (d *Draft) Prepend(name, value string) (*Draft, error) {
	if err := checkFieldName(name); err != nil {
		return nil, &FieldError{name, err}
	}
	if err := checkFolded(value); err != nil {
		return nil, &FieldError{name, err}
	}
	out := *d
	out.top = append([]byte(name+": "+value+"\r\n"), d.top...)
	out.utf8 = d.utf8 || !addr.IsASCII(value) // RFC 6532 §3.1
	return &out, nil
}

// checkFolded is checkText for a value with line breaks of its own.
func checkFolded(value string) error {
	first := true
	for line := range bytes.SplitSeq([]byte(value), crlf) {
		if !first && (len(line) == 0 || line[0] != ' ' && line[0] != '\t' || len(bytes.Trim(line, " \t")) == 0) {
			return errors.New("a line that is no fold")
		}
		if first = false; len(line) > maxLine-80 {
			return errors.New("line too long")
		}
		if err := checkText(string(line)); err != nil {
			return err
		}
	}
	return nil
}

// open reads the segment, which is a file, from an offset of its output on.
func (s *segment) open(off int64) (io.ReadCloser, error) {
	rc, err := s.file.reader()
	if err != nil {
		return nil, err
	}
	r := io.Reader(rc)
	switch {
	case s.fix:
		r = &crlfReader{r: rc}
		err = skip(r, off)
	case s.raw:
		err = skip(rc, off)
	default:
		err = skip(rc, off/(base64Out+2)*base64In)
		r = newBase64Reader(rc, int(off%(base64Out+2)))
	}
	if err != nil {
		rc.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{r, rc}, nil
}

// skip brings a reader from its start to an offset.
func skip(r io.Reader, off int64) error {
	if off == 0 {
		return nil
	}
	if seeker, ok := r.(io.Seeker); ok {
		_, err := seeker.Seek(off, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, off)
	return err
}
