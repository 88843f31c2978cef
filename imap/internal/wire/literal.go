package wire

import "math"

// Literal announces octets behind a line (RFC 9051 §4.3).
type Literal struct {
	Size    int64 // octets; math.MaxInt64 stands for more than that
	NonSync bool  // "{n+}": they come without being asked for (RFC 7888)
	Binary  bool  // "~{n}": a literal8, which may hold NUL (RFC 3516 §4.4)
}

// LiteralAt reports whether a line, given without its CRLF, ends in the
// announcement of a literal, and where that begins.
func LiteralAt(line []byte) (l Literal, at int, ok bool) {
	n := len(line)
	if n < 3 || line[n-1] != '}' {
		return l, 0, false
	}
	i := n - 1
	if line[i-1] == '+' {
		l.NonSync = true
		i--
	}
	end := i
	for i > 0 && classes[line[i-1]]&digit != 0 {
		i--
	}
	if i == end || i == 0 || line[i-1] != '{' {
		return Literal{}, 0, false
	}
	l.Size = decimal(line[i:end])
	i--
	if i > 0 && line[i-1] == '~' {
		l.Binary = true
		i--
	}
	return l, i, true
}

// decimal reads digits; what is too large becomes math.MaxInt64.
func decimal(s []byte) int64 {
	var n int64
	for _, c := range s {
		if n > (math.MaxInt64-9)/10 {
			return math.MaxInt64
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
