package wire

// class is what an octet may be part of.
type class uint8

const (
	atomChar class = 1 << iota
	astringChar
	listChar
	tagChar
	digit
	textChar // of a quoted string or resp-text; no CR, LF, NUL
)

// classes is the table of the grammar's character classes (RFC 9051 §9).
var classes = makeClasses()

func makeClasses() (t [256]class) {
	for c := range t {
		if c != 0 && c != '\r' && c != '\n' {
			t[c] |= textChar
		}
		if c <= ' ' || c >= 0x7F {
			continue
		}
		switch c {
		case '(', ')', '{', '"', '\\': // never in an atom
		case '%', '*': // list-wildcards
			t[c] |= listChar
		case ']': // resp-specials
			t[c] |= astringChar | listChar | tagChar
		case '+':
			t[c] |= atomChar | astringChar | listChar
		default:
			t[c] |= atomChar | astringChar | listChar | tagChar
		}
		if '0' <= c && c <= '9' {
			t[c] |= digit
		}
	}
	return t
}

// is reports whether all of s is of the class, and s is not empty.
func is[T string | []byte](s T, c class) bool {
	for i := range len(s) {
		if classes[s[i]]&c == 0 {
			return false
		}
	}
	return len(s) > 0
}

// IsAtom reports whether s can be sent as an atom.
func IsAtom(s string) bool { return is(s, atomChar) }

// IsTag reports whether s can be the tag of a command (RFC 9051 §9: tag).
func IsTag(s []byte) bool { return is(s, tagChar) }

// Upper folds ASCII to upper case; in Unicode, U+017F is an "S" too.
func Upper(s string) string {
	for i := range len(s) {
		if c := s[i]; 'a' <= c && c <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'a' <= c && c <= 'z' {
					b[i] = c - ('a' - 'A')
				}
			}
			return string(b)
		}
	}
	return s
}

// EqualFold compares without regard to the case of ASCII letters alone.
func EqualFold[A, B string | []byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if 'a' <= x && x <= 'z' {
			x -= 'a' - 'A'
		}
		if 'a' <= y && y <= 'z' {
			y -= 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}
