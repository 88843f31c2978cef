package wire

import "bytes"

// Encoder makes text fit for the wire: every line end becomes CRLF (any run of
// CRs with an LF behind it or none is one line end, so nothing bare is left)
// and, where asked, a dot that begins a line is doubled (RFC 5321 §4.5.2).
// What it writes can hold no end of data before [Encoder.Close].
type Encoder struct {
	stuff bool
	bol   bool // at the start of a line
	cr    bool // one or more CRs seen, their line end not yet written
}

// NewEncoder starts a message; stuff asks for dot-stuffing.
func NewEncoder(stuff bool) Encoder { return Encoder{stuff: stuff, bol: true} }

// Append appends src to dst, by at most 2*len(src)+2 bytes. It may be cut
// anywhere between two calls.
func (e *Encoder) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		n := bytes.IndexByte(src, '\n') + 1
		if n == 0 {
			n = len(src)
		}
		dst = e.line(dst, src[:n])
		src = src[n:]
	}
	return dst
}

// line appends p, which holds an LF at most at its end.
func (e *Encoder) line(dst, p []byte) []byte {
	for len(p) > 0 {
		if e.cr {
			if p[0] == '\r' {
				p = p[1:]
				continue
			}
			dst = append(dst, '\r', '\n')
			e.cr, e.bol = false, true
			if p[0] == '\n' {
				return dst
			}
		}
		if e.bol && e.stuff && p[0] == '.' {
			dst = append(dst, '.')
		}
		e.bol = false
		switch i := bytes.IndexByte(p, '\r'); {
		case i >= 0 && i == len(p)-2 && p[i+1] == '\n': // as nearly every line is
			e.bol = true
			return append(dst, p...)
		case i >= 0:
			dst = append(dst, p[:i]...)
			e.cr = true
			p = p[i+1:]
		case p[len(p)-1] == '\n':
			e.bol = true
			return append(append(dst, p[:len(p)-1]...), '\r', '\n')
		default:
			return append(dst, p...)
		}
	}
	return dst
}

// Close ends the last line and, with stuffing, the data.
func (e *Encoder) Close(dst []byte) []byte {
	if e.cr || !e.bol {
		dst = append(dst, '\r', '\n')
	}
	e.cr, e.bol = false, true
	if e.stuff {
		dst = append(dst, '.', '\r', '\n')
	}
	return dst
}
