package mime

import (
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/encoding"
)

// A charsetKind says which decoder a charset label stands for.
type charsetKind uint8

const (
	charsetUnknown charsetKind = iota
	charsetNone                // no label: UTF-8
	charsetASCII               // us-ascii, which senders put on UTF-8 and windows-1252 as well
	charsetUTF8
	charsetLatin  // iso-8859-1 and windows-1252, which senders do not tell apart
	charsetUTF7   // RFC 2152
	charset2022KR // RFC 1557
	charsetTable  // a decoder of golang.org/x/text
)

// A charset is a decoder chosen by label; enc is set for charsetTable only.
type charset struct {
	kind charsetKind
	enc  encoding.Encoding
}

// maxCharsetLabel bounds a label: the longest registered one has 45 octets.
const maxCharsetLabel = 64

// lookupCharset finds the charset for a label as it stands in a header, which
// may carry quotes, spaces, other punctuation or a second "charset=".
func lookupCharset(label []byte) charset {
	if equalFold(label, "utf-8") {
		return charset{kind: charsetUTF8}
	}
	// Labels differ in punctuation and case more than in letters: iso_8859-1,
	// ISO8859-1 and "iso-8859-1" are one. What is left is the key.
	var buf [maxCharsetLabel]byte
	n := 0
	for _, c := range label {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '=': // charset=charset=utf-8: the last one counts
			n = 0
			continue
		case c == '*': // RFC 2231 §5: a language may follow
			return charsetByKey(buf[:n])
		default:
			continue
		}
		if n == len(buf) {
			return charset{}
		}
		buf[n] = c
		n++
	}
	return charsetByKey(buf[:n])
}

// charsetByKey finds a charset by its label reduced to lower-case letters and
// digits; the most frequent ones come first.
func charsetByKey(key []byte) charset {
	switch string(key) {
	case "utf8", "unicode11utf8", "xunicode20utf8", "utf8mb4":
		return charset{kind: charsetUTF8}
	case "":
		return charset{kind: charsetNone}
	case "usascii", "ascii", "ansix341968", "ansix341986", "iso646us", "iso646irv1991",
		"us", "ibm367", "cp367", "646", "isoir6", "csascii", "7bit", "8bit":
		return charset{kind: charsetASCII}
	case "iso88591", "latin1", "l1", "isoir100", "ibm819", "cp819", "iso885911987",
		"csisolatin1", "windows1252", "cp1252", "xcp1252", "ansi", "xansi", "iso8859", "88591":
		return charset{kind: charsetLatin}
	case "utf7", "unicode11utf7", "csutf7", "csunicode11utf7", "xunicode20utf7":
		return charset{kind: charsetUTF7}
	case "iso2022kr", "csiso2022kr":
		return charset{kind: charset2022KR}
	}
	if enc := tableFor(key); enc != nil {
		return charset{charsetTable, enc}
	}
	return charset{}
}

// decodeCharset appends b, read as charset c, to dst as valid UTF-8. It
// reports whether every octet had a meaning there.
func decodeCharset(dst []byte, c charset, b []byte) ([]byte, bool) {
	switch c.kind {
	case charsetUTF8, charsetNone:
		return appendValid(dst, b)
	case charsetLatin:
		return appendLatin(dst, b), true
	case charsetUTF7:
		return appendUTF7(dst, b)
	case charset2022KR:
		return append2022KR(dst, b)
	case charsetTable:
		return appendTable(dst, c.enc, b)
	}
	// us-ascii or a label nobody knows: what is UTF-8 is taken as such,
	// anything else as windows-1252, which holds what most such mail means.
	if utf8.Valid(b) {
		return append(dst, b...), c.kind != charsetUnknown && isASCII(b)
	}
	return appendLatin(dst, b), false
}

// decodeCharsetString is decodeCharset for a whole text: where b needs no
// change it becomes the string in one copy, or in none if b is owned.
func decodeCharsetString(c charset, b []byte, owned bool) (string, bool) {
	// The usual text needs one look to become a string.
	asIs := false
	switch c.kind {
	case charsetUTF8, charsetNone, charsetASCII, charsetUnknown:
		asIs = utf8.Valid(b)
	case charsetLatin:
		asIs = isASCII(b)
	}
	if !asIs {
		s, ok := decodeCharset(make([]byte, 0, len(b)+len(b)/8+16), c, b)
		return ownedString(s), ok
	}
	ok := c.kind != charsetUnknown && (c.kind != charsetASCII || isASCII(b))
	if owned {
		return ownedString(b), ok
	}
	return string(b), ok
}

// appendTable decodes through golang.org/x/text, which substitutes U+FFFD for
// what a charset does not define.
func appendTable(dst []byte, enc encoding.Encoding, b []byte) ([]byte, bool) {
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil { // a decoder that stopped early: keep the rest readable
		dst = append(dst, out...)
		return append(dst, "\uFFFD"...), false
	}
	start := len(dst)
	dst = append(dst, out...)
	return dst, !containsReplacement(dst[start:])
}

// appendValid appends b with every octet that is not UTF-8 replaced by U+FFFD.
func appendValid(dst, b []byte) ([]byte, bool) {
	if utf8.Valid(b) {
		return append(dst, b...), true
	}
	for len(b) > 0 {
		n := asciiPrefix(b)
		dst, b = append(dst, b[:n]...), b[n:]
		if len(b) == 0 {
			break
		}
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = invalidPrefix(b)
		}
		dst, b = utf8.AppendRune(dst, r), b[size:]
	}
	return dst, false
}

// invalidPrefix counts the octets of a broken UTF-8 sequence that one U+FFFD
// stands for: the longest start of a valid sequence, at least one octet
// (Unicode, "substitution of maximal subparts").
func invalidPrefix(b []byte) int {
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			lo = 0xA0
		} else if c == 0xED {
			hi = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			lo = 0x90
		} else if c == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for n <= need && n < len(b) && b[n] >= lo && b[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}

// appendLatin decodes windows-1252; the five octets it leaves undefined become
// the C1 controls of ISO 8859-1, as in the WHATWG Encoding Standard.
func appendLatin(dst, b []byte) []byte {
	for len(b) > 0 {
		n := asciiPrefix(b)
		dst, b = append(dst, b[:n]...), b[n:]
		for len(b) > 0 && b[0] >= utf8.RuneSelf {
			r := rune(b[0])
			if r < 0xA0 {
				r = rune(windows1252[r-0x80])
			}
			dst, b = utf8.AppendRune(dst, r), b[1:]
		}
	}
	return dst
}

// windows1252 holds the characters of the octets 0x80 to 0x9F.
var windows1252 = [32]uint16{
	0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
	0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
}

// containsReplacement looks for U+FFFD, which the decoders of
// golang.org/x/text put where an octet has no meaning.
func containsReplacement(b []byte) bool {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 0xEF && b[i+1] == 0xBF && b[i+2] == 0xBD {
			return true
		}
	}
	return false
}

// isASCII reports whether b has no octet above 0x7F.
func isASCII(b []byte) bool { return asciiPrefix(b) == len(b) }

// asciiPrefix counts the octets up to 0x7F that b begins with.
func asciiPrefix(b []byte) int {
	const high = 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if load64(b, i)&high != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// load64 reads the eight octets at b[i]; the caller has checked the length.
func load64(b []byte, i int) uint64 {
	c := b[i : i+8 : i+8]
	return uint64(c[0]) | uint64(c[1])<<8 | uint64(c[2])<<16 | uint64(c[3])<<24 |
		uint64(c[4])<<32 | uint64(c[5])<<40 | uint64(c[6])<<48 | uint64(c[7])<<56
}

// ownedString makes a string of a buffer that nobody else holds and nobody
// writes to again, as strings.Builder does, without copying it.
func ownedString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
