package mime

import (
	"encoding/base64"
	"io"
)

// A line of base64 holds 57 octets in 76 characters (RFC 2045 §6.8).
const (
	base64In  = 57
	base64Out = 76
)

// appendBase64 writes b as lines of base64, each with its CRLF.
func appendBase64(dst, b []byte) []byte {
	if need := int(base64Len(int64(len(b)))); cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	for len(b) > base64In {
		dst = append(base64.StdEncoding.AppendEncode(dst, b[:base64In]), '\r', '\n')
		b = b[base64In:]
	}
	if len(b) > 0 {
		dst = append(base64.StdEncoding.AppendEncode(dst, b), '\r', '\n')
	}
	return dst
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

// base64Block is read at a time: whole lines.
const base64Block = 512 * base64In

// base64Reader encodes what r holds, from a line start on, after dropping the
// first octets of its output.
type base64Reader struct {
	r    io.Reader
	in   []byte
	out  []byte
	rest []byte // of out, not yet read
	drop int
	err  error
}

func newBase64Reader(r io.Reader, drop int) *base64Reader {
	return &base64Reader{r: r, in: make([]byte, base64Block), drop: drop}
}

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		n, err := io.ReadFull(b.r, b.in)
		if b.err = err; err == io.ErrUnexpectedEOF {
			b.err = io.EOF
		}
		b.out = appendBase64(b.out[:0], b.in[:n])
		cut := min(b.drop, len(b.out))
		b.rest, b.drop = b.out[cut:], b.drop-cut
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
