package mime

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
)

// appendUTF7 decodes UTF-7 (RFC 2152) leniently: an octet that has no meaning
// there stays what it is in windows-1252, a broken surrogate becomes U+FFFD.
func appendUTF7(dst, b []byte) ([]byte, bool) {
	ok := true
	for len(b) > 0 {
		c := b[0]
		if c != '+' {
			ok = ok && c < utf8.RuneSelf
			dst = appendLatin(dst, b[:1])
			b = b[1:]
			continue
		}
		if len(b) > 1 && b[1] == '-' { // RFC 2152: "+-" is a plus sign
			dst, b = append(dst, '+'), b[2:]
			continue
		}
		n, good := 0, false
		dst, n, good = appendUTF7Shift(dst, b[1:])
		if n == 0 { // a plus sign that starts nothing
			dst = append(dst, '+')
		}
		ok = ok && good
		b = b[1+n:]
		if n > 0 && len(b) > 0 && b[0] == '-' { // the end of a shift is absorbed
			b = b[1:]
		}
	}
	return dst, ok
}

// appendUTF7Shift decodes the base64 run at the start of b as UTF-16 and
// returns its length; ok is false when the run is empty or malformed.
func appendUTF7Shift(dst, b []byte) (_ []byte, n int, ok bool) {
	var acc uint32
	var bits uint
	high := rune(-1) // a high surrogate that waits for its low one
	ok = true
	for n < len(b) {
		v := base64Value[b[n]]
		if v > 63 {
			break
		}
		n++
		acc, bits = acc<<6|uint32(v), bits+6
		if bits < 16 {
			continue
		}
		bits -= 16
		unit := rune(acc >> bits & 0xFFFF)
		switch {
		case high >= 0:
			r := utf16.DecodeRune(high, unit)
			ok = ok && r != utf8.RuneError
			dst, high = utf8.AppendRune(dst, r), -1
		case unit >= 0xD800 && unit < 0xDC00:
			high = unit
		default:
			ok = ok && (unit < 0xDC00 || unit > 0xDFFF)
			dst = utf8.AppendRune(dst, unit)
		}
	}
	if high >= 0 {
		dst, ok = utf8.AppendRune(dst, utf8.RuneError), false
	}
	return dst, n, ok && n > 0
}

// append2022KR decodes ISO-2022-KR (RFC 1557): SO and SI switch between ASCII
// and KS C 5601, whose octets with the high bit set are EUC-KR.
func append2022KR(dst, b []byte) ([]byte, bool) {
	const shiftOut, shiftIn, escape = 0x0E, 0x0F, 0x1B
	euc := make([]byte, 0, len(b))
	shifted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == escape && i+3 < len(b) && string(b[i+1:i+4]) == "$)C": // the designator
			i += 3
		case c == shiftOut:
			shifted = true
		case c == shiftIn:
			shifted = false
		case c == '\n': // RFC 1557: a line begins in ASCII
			shifted = false
			euc = append(euc, c)
		case shifted && c > ' ' && c < 0x7F:
			euc = append(euc, c|0x80)
		default:
			euc = append(euc, c)
		}
	}
	return appendTable(dst, korean.EUCKR, euc)
}
