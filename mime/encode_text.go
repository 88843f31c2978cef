package mime

import (
	"bytes"
	"slices"
	"strings"
)

// canonicalText gives text with CRLF at every line end, whatever ended a line
// before, as text parts travel (RFC 2049 §4).
func canonicalText(s string) []byte {
	out := make([]byte, 0, len(s)+strings.Count(s, "\n")+strings.Count(s, "\r"))
	for len(s) > 0 {
		n := lineEnd(s)
		out = append(out, s[:n]...)
		if n == len(s) {
			break
		}
		out = append(out, '\r', '\n')
		if s[n] == '\r' && n+1 < len(s) && s[n+1] == '\n' {
			n++
		}
		s = s[n+1:]
	}
	return out
}

// lineEnd is where the first CR or LF of s is, or its length.
func lineEnd(s string) int {
	n := strings.IndexByte(s, '\n')
	if n < 0 {
		n = len(s)
	}
	if cr := strings.IndexByte(s[:n], '\r'); cr >= 0 {
		return cr
	}
	return n
}

// maxLine is the longest line that may travel as it is, its CRLF not counted
// (RFC 5322 §2.1.1).
const maxLine = 998

// textShape is what the choice of an encoding depends on.
type textShape struct {
	escapes int  // octets that quoted-printable writes as three
	eight   bool // octets beyond ASCII
	long    bool // a line over 998
	nul     bool
	from    bool // a line that begins with "From ", which some mbox writers change
	tail    bool // a line that ends in white space, which some relays drop
}

// shapeOf looks at canonical text.
func shapeOf(b []byte) textShape {
	s := textShape{eight: !isASCII(b), nul: bytes.IndexByte(b, 0) >= 0}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, crlf)
		s.long = s.long || len(line) > maxLine
		s.from = s.from || bytes.HasPrefix(line, fromLine)
		s.tail = s.tail || len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t')
		for _, c := range line {
			s.escapes += int(qpEscape[c])
		}
		b = rest
	}
	return s
}

// qpEscape has a 1 for the octets that quoted-printable does not leave as they
// are: all but printable ASCII, tabs, and without "=" (RFC 2045 §6.7).
var qpEscape = func() (t [256]uint8) {
	for c := range t {
		if (c < ' ' || c > '~' || c == '=') && c != '\t' {
			t[c] = 1
		}
	}
	return t
}()

var (
	crlf     = []byte("\r\n")
	fromLine = []byte("From ")
)

// encodeText chooses the transfer encoding of a text part by its content and
// applies it (RFC 2045 §6): what is plain stays plain, what is mostly plain
// stays readable. Lines that are known to be changed on the way, which would
// break a signature as well, are not plain (RFC 2049 §3).
func encodeText(text string, allow8bit bool) (encoding string, body []byte) {
	b := canonicalText(text)
	s := shapeOf(b)
	switch {
	case s.long || s.nul || s.from || s.tail:
	case !s.eight:
		return "7bit", b
	case allow8bit:
		return "8bit", b
	}
	switch {
	case s.escapes > len(b)/3:
		return "base64", appendBase64(nil, b)
	}
	return "quoted-printable", appendQP(nil, b, s.escapes)
}

// maxQPLine is the longest line of quoted-printable (RFC 2045 §6.7).
const maxQPLine = 76

// appendQP writes canonical text as quoted-printable, of which the caller knows
// how many octets are escaped.
func appendQP(dst, b []byte, escapes int) []byte {
	size := len(b) + 2*escapes
	dst = slices.Grow(dst, size+size/(maxQPLine-3)*3+16)
	for len(b) > 0 {
		line, rest, found := bytes.Cut(b, crlf)
		dst = appendQPLine(dst, line)
		if found {
			dst = append(dst, '\r', '\n')
		}
		b = rest
	}
	return dst
}

// appendQPLine writes one line, in runs of what stays as it is. White space at
// its end is escaped (RFC 2045 §6.7), and so is the start of one that begins
// with "From " or is a single dot, which not all hosts leave alone (RFC 2049
// §3).
func appendQPLine(dst, line []byte) []byte {
	q := qpWriter{dst: dst, start: len(dst)}
	last := len(line)
	if last > 0 && (line[last-1] == ' ' || line[last-1] == '\t') {
		last--
	}
	i := 0
	if bytes.HasPrefix(line, fromLine) || len(line) == 1 && line[0] == '.' {
		q.escape(line[0], false)
		i = 1
	}
	for i < len(line) {
		n := i
		for n < last && qpEscape[line[n]] == 0 {
			n++
		}
		q.run(line[i:n], n == len(line))
		if i = n; i < len(line) {
			q.escape(line[i], i == len(line)-1)
			i++
		}
	}
	return q.dst
}

// qpWriter is a line of text on its way into lines of quoted-printable.
type qpWriter struct {
	dst   []byte
	start int // of the line in dst
}

// room is what the line takes, with a place kept for the soft break, unless the
// text ends here.
func (q *qpWriter) room(last bool) int {
	n := maxQPLine - (len(q.dst) - q.start)
	if !last {
		n--
	}
	return n
}

// softBreak goes on to the next line.
func (q *qpWriter) softBreak() {
	q.dst = append(q.dst, '=', '\r', '\n')
	q.start = len(q.dst)
}

// run writes octets as they are; last says that the line of text ends with them.
func (q *qpWriter) run(b []byte, last bool) {
	for len(b) > q.room(last) {
		n := q.room(false)
		q.dst = append(q.dst, b[:n]...)
		b = b[n:]
		q.softBreak()
	}
	q.dst = append(q.dst, b...)
}

// escape writes one octet as "=" and its number.
func (q *qpWriter) escape(c byte, last bool) {
	if q.room(last) < 3 {
		q.softBreak()
	}
	q.dst = append(q.dst, '=', upperHex[c>>4], upperHex[c&15])
}

const upperHex = "0123456789ABCDEF"
