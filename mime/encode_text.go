package mime

import (
	"bytes"
	"unicode/utf8"
)

// canonicalText gives text with CRLF at every line end, whatever ended a line
// before, as text parts travel (RFC 2049 §4).
func canonicalText(s string) []byte {
	out := make([]byte, 0, len(s)+len(s)/32)
	for i := 0; i < len(s); {
		n := i
		for n < len(s) && s[n] != '\r' && s[n] != '\n' {
			n++
		}
		out = append(out, s[i:n]...)
		if n == len(s) {
			return out
		}
		out = append(out, '\r', '\n')
		if s[n] == '\r' && n+1 < len(s) && s[n+1] == '\n' {
			n++
		}
		i = n + 1
	}
	return out
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
	var s textShape
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, crlf)
		s.long = s.long || len(line) > maxLine
		s.from = s.from || bytes.HasPrefix(line, fromLine)
		s.tail = s.tail || len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t')
		for _, c := range line {
			switch {
			case c >= utf8.RuneSelf:
				s.eight = true
				s.escapes++
			case c == 0:
				s.nul = true
				s.escapes++
			case c == '=' || c < ' ' && c != '\t' || c == 0x7f:
				s.escapes++
			}
		}
		b = rest
	}
	return s
}

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
	return "quoted-printable", appendQP(nil, b)
}

// maxQPLine is the longest line of quoted-printable (RFC 2045 §6.7).
const maxQPLine = 76

// appendQP writes canonical text as quoted-printable. A line that begins with
// "From " or is a single dot is escaped too (RFC 2049 §3).
func appendQP(dst, b []byte) []byte {
	dst = append(dst, make([]byte, 0, len(b)+len(b)/8)...)
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

func appendQPLine(dst, line []byte) []byte {
	start := len(dst)
	for i, c := range line {
		plain := c >= ' ' && c <= '~' && c != '=' || c == '\t'
		switch {
		case (c == ' ' || c == '\t') && i == len(line)-1: // RFC 2045 §6.7 (3)
			plain = false
		case i == 0 && (bytes.HasPrefix(line, fromLine) || len(line) == 1 && c == '.'):
			plain = false
		}
		width := 1
		if !plain {
			width = 3
		}
		// A soft break takes a place, unless the line ends here.
		if room := maxQPLine - (len(dst) - start); room < width+1 && !(room == width && i == len(line)-1) {
			dst = append(dst, '=', '\r', '\n')
			start = len(dst)
		}
		if plain {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"
