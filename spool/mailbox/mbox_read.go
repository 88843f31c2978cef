package mailbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"time"
)

// Mbox reads a mailbox in one file, of the kind mboxrd: each message begins with a
// line "From sender date", at the start or behind an empty line, and lines in it
// that would look so have one ">" more. The sequence is for Append. A Body is to
// be read before the next message is asked for; its rest is skipped.
//
// LF becomes CRLF. Received is the date of the From line, zero if that has none
// that can be read; Flags are those of the fields Status and X-Status, which stay
// in the message. Content-Length is ignored, since many programs write it wrong.
// A file that does not begin with a From line is an error; an empty one has no
// messages.
func Mbox(r io.Reader) iter.Seq2[*Incoming, error] {
	return func(yield func(*Incoming, error) bool) {
		m := &mboxReader{r: bufio.NewReaderSize(r, mboxBuffer)}
		line, err := m.r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return
		}
		for more := isFrom(line); more; {
			var in *Incoming
			if in, err = m.message(line, err); err != nil {
				yield(nil, err)
				return
			}
			if !yield(in, nil) {
				return
			}
			if _, err = io.Copy(io.Discard, in.Body); err != nil {
				yield(nil, err)
				return
			}
			line, err, more = m.next, m.nextErr, m.next != nil
			m.next = nil
		}
		if m.started {
			return
		}
		if err == nil || err == io.EOF || err == bufio.ErrBufferFull {
			err = errNoMbox
		}
		yield(nil, err)
	}
}

// mboxBuffer is how much of a line is looked at in one piece.
const mboxBuffer = 64 << 10

var errNoMbox = errors.New("mailbox: not an mbox file: it does not begin with a From line")

// mboxReader is a file of messages.
type mboxReader struct {
	r       *bufio.Reader
	started bool
	next    []byte // the From line behind the message that was read
	nextErr error  // with which that came
}

// message begins one behind its From line, of which err says whether it is
// whole.
func (m *mboxReader) message(from []byte, err error) (*Incoming, error) {
	m.started = true
	in := &Incoming{Received: fromDate(string(from))}
	for err == bufio.ErrBufferFull {
		_, err = m.r.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	in.Flags = m.flags()
	in.Body = &mboxBody{m: m, atStart: true}
	return in, nil
}

func isFrom(line []byte) bool { return bytes.HasPrefix(line, []byte("From ")) }

// isQuoted reports whether a line is a From line behind some ">".
func isQuoted(line []byte) bool {
	return len(line) > 0 && line[0] == '>' && isFrom(bytes.TrimLeft(line, ">"))
}

// fromDates are the forms in which programs write dates.
var fromDates = [...]string{
	"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006", "Mon Jan _2 15:04:05 -0700 2006",
	"Mon Jan _2 15:04:05 2006 -0700", "Mon Jan _2 15:04 2006", "Mon, 2 Jan 2006 15:04:05 -0700",
}

// fromDate is the date of a From line, whatever the sender before it.
func fromDate(line string) time.Time {
	rest := strings.TrimSpace(line)
	for more := true; more; {
		_, rest, more = strings.Cut(rest, " ")
		for _, f := range fromDates {
			if t, err := time.Parse(f, strings.TrimSpace(rest)); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// flags are those of Status and X-Status, as far as the header is in the buffer.
func (m *mboxReader) flags() Flags {
	head, _ := m.r.Peek(m.r.Size())
	var f Flags
	for line := range bytes.Lines(head) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if ok && (bytes.EqualFold(name, []byte("Status")) || bytes.EqualFold(name, []byte("X-Status"))) {
			for _, c := range value {
				f.Sys |= statusFlag(c)
			}
		}
	}
	return f
}

// statusFlag is a letter of Status or X-Status.
func statusFlag(c byte) SysFlags {
	switch c {
	case 'R':
		return Seen
	case 'A':
		return Answered
	case 'F':
		return Flagged
	case 'D':
		return Deleted
	case 'T':
		return Draft
	}
	return 0
}

// mboxBody is one message.
type mboxBody struct {
	m       *mboxReader
	out     []byte // still to be given out
	atStart bool   // of a line
	blank   bool   // an empty line came, which is of the file if a From line follows
	cr      bool   // the last piece of a long line ended with a CR
	done    error
}

func (b *mboxBody) Read(p []byte) (int, error) {
	for len(b.out) == 0 {
		if b.done != nil {
			return 0, b.done
		}
		b.fill()
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// fill takes the next line, or the next piece of a long one.
func (b *mboxBody) fill() {
	line, err := b.m.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		b.done = err
		if len(line) == 0 {
			return // with it goes the empty line at the end
		}
	}
	if b.atStart {
		if b.blank && isFrom(line) {
			b.m.next, b.m.nextErr, b.done = bytes.Clone(line), err, io.EOF
			return
		}
		if isQuoted(line) {
			line = line[1:]
		}
	}
	b.out = b.out[:0]
	if b.blank {
		b.out, b.blank = append(b.out, "\r\n"...), false
	}
	if b.atStart && (string(line) == "\n" || string(line) == "\r\n") {
		b.blank = true
		return
	}
	b.put(line)
}

// put gives out a piece with CRLF at the end of the line.
func (b *mboxBody) put(piece []byte) {
	text, ended := bytes.CutSuffix(piece, []byte("\n"))
	cr := bytes.HasSuffix(text, []byte("\r")) || len(text) == 0 && b.cr && !b.atStart
	b.out = append(b.out, text...)
	if ended && !cr {
		b.out = append(b.out, '\r')
	}
	if ended {
		b.out = append(b.out, '\n')
	}
	b.atStart, b.cr = ended, cr
}
