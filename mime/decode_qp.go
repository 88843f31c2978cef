package mime

import "bytes"

// qpDecoder decodes quoted-printable (RFC 2045 §6.7) from anything: an "="
// that starts no escape stays, lower-case digits count, lines may be of any
// length, and octets above 127 pass. White space at the end of a line, which
// transport may have added, goes, unless it is so much that it was meant.
// The zero value is ready.
type qpDecoder struct {
	blanks bool // the last piece ended in more than maxPadding blanks of a line
	read   int64
	damage damage
}

// maxPadding bounds the white space that counts as added at a line's end. It
// is the longest line there may be, RFC 5322 §2.1.1; a bound is needed since
// a decoder must hold the blanks until it sees what comes after them.
const maxPadding = 998

// cut returns how much of buf has its meaning whatever follows: not the blanks
// and a CR that may end a line, and not an escape cut in two.
func (d *qpDecoder) cut(buf []byte) int {
	n := len(buf) - blankTail(buf)
	switch {
	case len(buf)-n > maxPadding: // text; a last CR may still belong to a break
		return len(buf) - bytesAtEnd(buf, '\r')
	case n >= 1 && buf[n-1] == '=':
		return n - 1
	case n == len(buf) && n >= 2 && buf[n-2] == '=':
		return n - 2
	}
	return n
}

// append decodes src, which ends at a cut, and appends the octets to dst.
func (d *qpDecoder) append(dst, src []byte) []byte {
	for len(src) > 0 {
		n := bytes.IndexByte(src, '\n')
		if n < 0 {
			d.blanks = blankTail(src) > maxPadding || d.blanks && blankTail(src) == len(src)
			dst = d.line(dst, src)
			d.read += int64(len(src))
			break
		}
		text, soft := qpLine(src[:n], d.blanks)
		d.blanks = false
		dst = d.line(dst, text)
		if !soft {
			dst = append(dst, src[n-bytesAtEnd(src[:n], '\r'):n+1]...)
		}
		d.read += int64(n + 1)
		src = src[n+1:]
	}
	return dst
}

// finish decodes the rest at the end of the text.
func (d *qpDecoder) finish(dst, rest []byte) []byte {
	text, soft := qpLine(rest, d.blanks)
	if soft {
		d.damage.note(QPSoftAtEnd, d.read+int64(len(text)))
	}
	return d.line(dst, text)
}

// flaw returns the first damage met.
func (d *qpDecoder) flaw() damage { return d.damage }

// qpLine returns what of a line, without its LF, is text, and whether a soft
// line break joins it to the next (RFC 2045 §6.7 (3) and (5)). continued says
// that the line began before, with blanks that were taken for text.
func qpLine(line []byte, continued bool) (text []byte, soft bool) {
	n := len(line) - blankTail(line)
	switch {
	case len(line)-n > maxPadding, continued && n == 0:
		return line[:len(line)-bytesAtEnd(line, '\r')], false
	case n > 0 && line[n-1] == '=':
		return line[:n-1], true
	}
	return line[:n], false
}

// blankTail counts the blanks and CRs at the end of b.
func blankTail(b []byte) int {
	n := len(b)
	for n > 0 && (b[n-1] == ' ' || b[n-1] == '\t' || b[n-1] == '\r') {
		n--
	}
	return len(b) - n
}

// bytesAtEnd returns 1 if b ends in c, and 0 if not.
func bytesAtEnd(b []byte, c byte) int {
	if len(b) > 0 && b[len(b)-1] == c {
		return 1
	}
	return 0
}

// line decodes the escapes of a text without line breaks.
func (d *qpDecoder) line(dst, src []byte) []byte {
	off := d.read
	for {
		n := bytes.IndexByte(src, '=')
		if n < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:n]...)
		if v, ok := unhex2(src, n+1); ok {
			dst = append(dst, v)
			src = src[n+3:]
			off += int64(n + 3)
			continue
		}
		d.damage.note(QPBadEscape, off+int64(n))
		dst = append(dst, '=')
		src = src[n+1:]
		off += int64(n + 1)
	}
}

// unhex2 reads two hexadecimal digits at b[i]. RFC 2045 §6.7 (1) wants them in
// upper case; lower case is read too.
func unhex2(b []byte, i int) (byte, bool) {
	if i+1 >= len(b) {
		return 0, false
	}
	hi, lo := hexValue[b[i]], hexValue[b[i+1]]
	return hi<<4 | lo&0x0F, hi|lo < 0x10
}

// hexValue maps a hexadecimal digit to its value and others to 0x80.
var hexValue = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0x80
	}
	for i := range 10 {
		t['0'+i] = uint8(i)
	}
	for i := range 6 {
		t['A'+i], t['a'+i] = uint8(10+i), uint8(10+i)
	}
	return t
}()
