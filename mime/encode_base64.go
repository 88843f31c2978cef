package mime

import (
	"encoding/base64"
	"encoding/binary"
	"io"
)

// A line of base64 holds 57 octets in 76 characters (RFC 2045 §6.8).
const (
	base64In  = 57
	base64Out = 76
)

// appendBase64 writes b as lines of base64, each with its CRLF.
func appendBase64(dst, b []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, base64Len(int64(len(b))))...)
	encodeLines(dst[n:], b)
	return dst
}

// encodeLines writes b as appendBase64 does to the start of dst, which has the
// room, and tells how many octets that are.
func encodeLines(dst, b []byte) int {
	n := 0
	for ; len(b) >= base64In; b = b[base64In:] {
		encodeLine((*[base64Out + 2]byte)(dst[n:]), (*[base64In]byte)(b))
		n += base64Out + 2
	}
	if len(b) == 0 {
		return n
	}
	base64.StdEncoding.Encode(dst[n:], b)
	n += (len(b) + 2) / 3 * 4
	dst[n], dst[n+1] = '\r', '\n'
	return n + 2
}

// base64Pairs are two characters for each twelve bits, as they lie in memory.
var base64Pairs = func() (t [1 << 12]uint16) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = uint16(alphabet[i>>6]) | uint16(alphabet[i&63])<<8
	}
	return t
}()

// encodeLine makes one full line, six octets at a time: attachments are most of
// what is ever built.
func encodeLine(dst *[base64Out + 2]byte, src *[base64In]byte) {
	const whole = base64In / 6
	for i := range whole {
		v := binary.BigEndian.Uint64(src[6*i:])
		binary.LittleEndian.PutUint64(dst[8*i:], uint64(base64Pairs[v>>52])|uint64(base64Pairs[v>>40&0xfff])<<16|
			uint64(base64Pairs[v>>28&0xfff])<<32|uint64(base64Pairs[v>>16&0xfff])<<48)
	}
	const in, out = whole * 6, whole * 8 // three octets are left
	v := uint32(src[in])<<16 | uint32(src[in+1])<<8 | uint32(src[in+2])
	binary.LittleEndian.PutUint32(dst[out:], uint32(base64Pairs[v>>12])|uint32(base64Pairs[v&0xfff])<<16)
	dst[base64Out], dst[base64Out+1] = '\r', '\n'
}

// base64Len is how many octets appendBase64 writes for n.
func base64Len(n int64) int64 {
	full, rest := n/base64In, n%base64In
	size := full * (base64Out + 2)
	if rest > 0 {
		size += (rest+2)/3*4 + 2
	}
	return size
}

// base64Reader encodes what r holds, from a line start on, after dropping the
// first octets of its output. Whole lines go straight to where they are wanted.
type base64Reader struct {
	r    io.Reader
	in   []byte
	line [base64Out + 2]byte // for the ends of reads
	rest []byte              // of line, not yet read
	drop int
	err  error
}

// newBase64Reader reads from r, which stands at the start of a line.
func newBase64Reader(r io.Reader, drop int) *base64Reader { return &base64Reader{r: r, drop: drop} }

// base64Lines is how many lines are made at a time, at most.
const base64Lines = 256

// Read encodes as many whole lines as p holds, or one where it holds none.
func (b *base64Reader) Read(p []byte) (int, error) {
	if len(b.rest) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	lines := min(len(p)/len(b.line), base64Lines)
	if b.drop > 0 || lines == 0 {
		n := encodeLines(b.line[:], b.fill(1))
		cut := min(b.drop, n)
		b.rest, b.drop = b.line[cut:n], 0
		return b.Read(p)
	}
	return encodeLines(p, b.fill(lines)), nil
}

// fill reads the octets of so many lines, or what is left of them.
func (b *base64Reader) fill(lines int) []byte {
	if len(b.in) < lines*base64In {
		b.in = make([]byte, lines*base64In)
	}
	n, err := io.ReadFull(b.r, b.in[:lines*base64In])
	if b.err = err; err == io.ErrUnexpectedEOF {
		b.err = io.EOF
	}
	return b.in[:n]
}
