package mime

import "bytes"

// uuDecoder decodes uuencoded text (POSIX uuencode, historical form), with or
// without its "begin" and "end" lines. The zero value is ready.
type uuDecoder struct {
	state  uuState
	inLine bool // the last piece ended inside a line that is too long
	read   int64
	damage damage
}

type uuState uint8

const (
	uuStart uuState = iota // nothing seen yet
	uuBody
	uuEnd
)

// maxUULine bounds a line: 63 octets are 84 characters, plus the count.
const maxUULine = 256

// cut allows whole lines, and a line that is too long to be one.
func (d *uuDecoder) cut(buf []byte) int {
	if n := bytes.LastIndexByte(buf, '\n') + 1; n > 0 || len(buf) < decodeChunk {
		return n
	}
	return len(buf)
}

// append decodes the lines of src.
func (d *uuDecoder) append(dst, src []byte) []byte {
	for len(src) > 0 {
		line, n := src, bytes.IndexByte(src, '\n')+1
		if n > 0 {
			line = src[:n-1]
		} else {
			n = len(src)
		}
		if !d.inLine {
			dst = d.line(dst, trimCR(line))
		}
		d.inLine = src[n-1] != '\n'
		d.read += int64(n)
		src = src[n:]
	}
	return dst
}

// finish decodes a last line without its end.
func (d *uuDecoder) finish(dst, rest []byte) []byte { return d.append(dst, rest) }

// flaw returns the first damage met.
func (d *uuDecoder) flaw() damage { return d.damage }

// line decodes one line: a count of octets, then four characters for each
// three of them. A line with a count that its text does not fill is decoded as
// far as it goes.
func (d *uuDecoder) line(dst, line []byte) []byte {
	switch {
	case d.state == uuEnd || len(line) == 0:
		return dst
	case d.state == uuStart && bytes.HasPrefix(line, []byte("begin ")):
		d.state = uuBody
		return dst
	case bytes.Equal(line, []byte("end")):
		d.state = uuEnd
		return dst
	}
	if line[0] < ' ' || line[0] > '`' || len(line) > maxUULine {
		d.damage.note(UUBad, d.read)
		return dst
	}
	// A backquote stands for a space, which transport may have lost.
	count := int(line[0]-' ') & 63
	if (len(line)-1)*6/8 < count {
		d.damage.note(UUBad, d.read)
	}
	return appendUU(dst, line[1:], count)
}

// appendUU decodes count octets of four characters for each three.
func appendUU(dst, line []byte, count int) []byte {
	for count > 0 && len(line) > 0 {
		var acc uint32
		for i := range 4 {
			acc <<= 6
			if i < len(line) {
				acc |= uint32(line[i]-' ') & 63
			}
		}
		group := [3]byte{byte(acc >> 16), byte(acc >> 8), byte(acc)}
		n := min(count, 3, len(line)*6/8)
		dst = append(dst, group[:n]...)
		count -= n
		line = line[min(4, len(line)):]
		if n == 0 {
			break
		}
	}
	return dst
}
