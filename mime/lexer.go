package mime

import (
	"bytes"
	"strings"
)

// A lexer reads a structured field body (RFC 5322 §3.2), folded or not, and
// never fails: where the grammar ends, it goes on with what is there.
type lexer struct {
	b []byte
	i int
	// A quote or parenthesis that nothing closes is an ordinary character,
	// and so are all after it: looking for their ends again and again would
	// cost quadratic time.
	noQuote, noComment bool
}

// done reports whether all is read.
func (l *lexer) done() bool { return l.i >= len(l.b) }

// peek returns the next octet, or 0 at the end.
func (l *lexer) peek() byte {
	if l.i < len(l.b) {
		return l.b[l.i]
	}
	return 0
}

// skipSpace steps over white space and line breaks.
func (l *lexer) skipSpace() {
	for l.i < len(l.b) && isSpace(l.b[l.i]) {
		l.i++
	}
}

// skipCFWS steps over white space and comments (RFC 5322 §3.2.2).
func (l *lexer) skipCFWS() {
	// Comments and white space may follow each other in any number.
	for {
		l.skipSpace()
		if l.peek() != '(' {
			return
		}
		if _, ok := l.comment(); !ok {
			return
		}
	}
}

// comment reads the comment at "(" and returns what stands between its
// parentheses. Comments nest (RFC 5322 §3.2.2); a counter is all that takes.
func (l *lexer) comment() (text []byte, ok bool) {
	if l.noComment {
		return nil, false
	}
	depth := 0 // RFC 5322 §3.2.2 sets no limit, and none is needed
	for i := l.i; i < len(l.b); i++ {
		switch l.b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				text = l.b[l.i+1 : i]
				l.i = i + 1
				return text, true
			}
		}
	}
	l.noComment = true
	return nil, false
}

// quoted reads the quoted-string at `"` and returns what stands between the
// quotes, with its backslashes (RFC 5322 §3.2.4).
func (l *lexer) quoted() (text []byte, ok bool) {
	if l.noQuote {
		return nil, false
	}
	for i := l.i + 1; i < len(l.b); i++ {
		switch l.b[i] {
		case '\\':
			i++
		case '"':
			text = l.b[l.i+1 : i]
			l.i = i + 1
			return text, true
		}
	}
	l.noQuote = true
	return nil, false
}

// atomUntil reads up to an octet of stop or the end.
func (l *lexer) atomUntil(stop string) []byte {
	start := l.i
	for l.i < len(l.b) && strings.IndexByte(stop, l.b[l.i]) < 0 {
		l.i++
	}
	return l.b[start:l.i]
}

// unescape removes the backslashes of quoted-pairs and the line breaks of
// folds; it returns b itself where there are none.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 && bytes.IndexByte(b, '\n') < 0 {
		return b
	}
	return appendUnescaped(make([]byte, 0, len(b)), b)
}

// appendUnescaped appends b as unescape gives it. A backslash before a line
// break quotes nothing: the break is taken out first (RFC 5322 §2.2.3).
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b) && b[i+1] != '\r' && b[i+1] != '\n':
			i++
			dst = append(dst, b[i])
		case c == '\\' && i+1 < len(b), c == '\n', c == '\r' && i+1 < len(b) && b[i+1] == '\n':
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// isSpace reports whether c is white space of a folded value.
func isSpace(c byte) bool { return octetClass[c]&classSpace != 0 }

// octetClass says of each octet what the parsers ask for most.
var octetClass = func() (t [256]uint8) {
	for c := range 256 {
		if c >= 0x80 {
			t[c] |= classHigh
		}
		if c > ' ' && c < 0x7F && strings.IndexByte("()<>@,;:\\\"/[]?=", byte(c)) < 0 {
			t[c] |= classToken
		}
		if c <= ' ' || c == 0x7F || c == ':' {
			t[c] |= classNoName
		}
	}
	t[0] |= classNUL
	t['\r'] |= classCR
	for _, c := range " \t\r\n" {
		t[c] |= classSpace
	}
	return t
}()

const (
	classHigh   = 1 << iota // above 0x7F
	classNUL                // NUL
	classCR                 // CR
	classSpace              // SP, HT, CR and LF
	classToken              // of a token (RFC 2045 §5.1)
	classNoName             // not of a field name (RFC 5322 §2.2)
)

// isSpaces reports whether b is nothing but white space.
func isSpaces(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// trimSpace removes white space and line breaks at both ends.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// trimBlanks removes white space at the end.
func trimBlanks(b []byte) []byte { return b[:len(b)-blankTail(b)] }

// trimCR removes one CR at the end.
func trimCR(b []byte) []byte { return b[:len(b)-bytesAtEnd(b, '\r')] }

// trimQuotes removes quotes around b, also a single one.
func trimQuotes(b []byte) []byte {
	if len(b) > 0 && b[0] == '"' {
		b = b[1:]
	}
	if len(b) > 0 && b[len(b)-1] == '"' {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares ASCII text without regard to case; lower must be in
// lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if toLower(c) != lower[i] {
			return false
		}
	}
	return true
}

// hasPrefixFold reports whether b begins with lower, without regard to case.
func hasPrefixFold(b []byte, lower string) bool {
	return len(b) >= len(lower) && equalFold(b[:len(lower)], lower)
}

// toLower folds ASCII letters only: names and keywords of mail are ASCII, and
// other folding would make different names equal.
func toLower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
