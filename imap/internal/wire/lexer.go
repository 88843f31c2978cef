package wire

import (
	"fmt"
	"unicode/utf8"
)

// MaxDepth bounds the parentheses that [Lexer.List] enters (CVE-2026-27857).
const MaxDepth = 32

// SyntaxError says what was expected where. It never quotes the input, which
// may be a password.
type SyntaxError struct {
	Offset int
	Want   string
}

// Error tells both.
func (e *SyntaxError) Error() string { return fmt.Sprintf("expected %s at %d", e.Want, e.Offset) }

// Lexer takes the tokens of one command or response, one after the other. The
// first mistake is remembered: all further calls return zero values without
// going on, so that a parser may ask for Err once, at its end.
type Lexer struct {
	// UTF8 allows octets beyond ASCII in quoted strings: after ENABLE
	// UTF8=ACCEPT (RFC 6855 §3) or IMAP4rev2 (RFC 9051 §4.3).
	UTF8 bool
	// Lenient takes what real servers send against the grammar, for clients:
	// octets beyond ASCII in atoms and quoted strings, and any backslash.
	Lenient bool

	src   []byte
	pos   int
	depth int
	err   *SyntaxError
}

// NewLexer starts at the first octet of src, which must not change meanwhile.
func NewLexer(src []byte) Lexer { return Lexer{src: src} }

// Err is the first mistake, nil if there was none.
func (l *Lexer) Err() error {
	if l.err == nil {
		return nil
	}
	return l.err
}

// Fail notes that want was expected here, if nothing went wrong before.
func (l *Lexer) Fail(want string) {
	if l.err == nil {
		l.err = &SyntaxError{l.pos, want}
	}
}

// OK reports whether nothing went wrong yet.
func (l *Lexer) OK() bool { return l.err == nil }

// Pos is the offset of the next octet.
func (l *Lexer) Pos() int { return l.pos }

// Rest is what was not taken yet.
func (l *Lexer) Rest() []byte { return l.src[l.pos:] }

// Skip takes n octets of Rest.
func (l *Lexer) Skip(n int) { l.pos = min(l.pos+n, len(l.src)) }

// Peek is the next octet, 0 at the end or after a mistake.
func (l *Lexer) Peek() byte {
	if l.err != nil || l.pos == len(l.src) {
		return 0
	}
	return l.src[l.pos]
}

// AtEnd reports whether all was taken.
func (l *Lexer) AtEnd() bool { return l.err == nil && l.pos == len(l.src) }

// End wants that all was taken.
func (l *Lexer) End() {
	if l.err == nil && l.pos != len(l.src) {
		l.Fail("end of line")
	}
}

// Take takes c if it is next.
func (l *Lexer) Take(c byte) bool {
	if l.Peek() != c || c == 0 {
		return false
	}
	l.pos++
	return true
}

// Want takes c, which must be next.
func (l *Lexer) Want(c byte) {
	if !l.Take(c) {
		l.Fail(fmt.Sprintf("%q", c))
	}
}

// SP takes one space, which must be next.
func (l *Lexer) SP() {
	if !l.Take(' ') {
		l.Fail("space")
	}
}

// TakeWord takes the word if it is next, in any case, and is not the beginning
// of a longer atom.
func (l *Lexer) TakeWord(word string) bool {
	rest := l.Rest()
	if l.err != nil || len(rest) < len(word) || !EqualFold(rest[:len(word)], word) {
		return false
	}
	if len(rest) > len(word) && classes[rest[len(word)]]&atomChar != 0 && classes[word[len(word)-1]]&atomChar != 0 {
		return false
	}
	l.pos += len(word)
	return true
}

// run takes the octets of a class, at least one.
func (l *Lexer) run(c class, want string) []byte {
	if l.err != nil {
		return nil
	}
	start := l.pos
	for l.pos < len(l.src) && (classes[l.src[l.pos]]&c != 0 || l.Lenient && l.src[l.pos] >= 0x80) {
		l.pos++
	}
	if l.pos == start {
		l.Fail(want)
		return nil
	}
	return l.src[start:l.pos]
}

// Atom takes an atom.
func (l *Lexer) Atom() string { return string(l.run(atomChar, "atom")) }

// Word takes an atom and folds it to upper case: a keyword.
func (l *Lexer) Word() string { return Upper(l.Atom()) }

// Tag takes the tag of a command.
func (l *Lexer) Tag() string { return string(l.run(tagChar, "tag")) }

// Number takes a 32-bit number.
func (l *Lexer) Number() uint32 {
	n := l.Number64()
	if n > 1<<32-1 {
		l.Fail("number below 2^32")
		return 0
	}
	return uint32(n)
}

// NZNumber takes a 32-bit number that is not 0.
func (l *Lexer) NZNumber() uint32 {
	n := l.Number()
	if n == 0 {
		l.Fail("number above 0")
	}
	return n
}

// Number64 takes a 63-bit number, as a ModSeq is (RFC 7162 §7).
func (l *Lexer) Number64() uint64 {
	b := l.run(digit, "number")
	n := decimal(b)
	if len(b) > 19 || n < 0 || n == 1<<63-1 && string(b) != "9223372036854775807" {
		l.Fail("number below 2^63")
		return 0
	}
	return uint64(n)
}

// String takes a quoted string or a literal.
func (l *Lexer) String() string {
	switch l.Peek() {
	case '"':
		return string(l.quoted())
	case '{', '~':
		return string(l.literal())
	}
	l.Fail("string")
	return ""
}

// AString takes an atom, which may hold "]", or a string.
func (l *Lexer) AString() string {
	switch l.Peek() {
	case '"', '{', '~':
		if l.Peek() != '~' || l.isLiteral8() {
			return l.String()
		}
	}
	return string(l.run(astringChar, "string"))
}

// NString takes a string or NIL, which gives ok false.
func (l *Lexer) NString() (s string, ok bool) {
	if l.TakeWord("NIL") {
		return "", false
	}
	s = l.String()
	return s, l.err == nil
}

// ListMailbox takes a pattern of LIST: wildcards may stand in its atoms.
func (l *Lexer) ListMailbox() string {
	if c := l.Peek(); c == '"' || c == '{' {
		return l.String()
	}
	return string(l.run(listChar, "mailbox pattern"))
}

// Flag takes a flag: a keyword, or a backslash and an atom, or "\*".
func (l *Lexer) Flag() string {
	start := l.pos
	if l.Take('\\') && l.Take('*') {
		return `\*`
	}
	l.run(atomChar, "flag")
	if l.err != nil {
		return ""
	}
	return string(l.src[start:l.pos])
}

// Text takes all that is left, as in resp-text.
func (l *Lexer) Text() string {
	s := l.Rest()
	l.pos = len(l.src)
	return string(s)
}

// List takes "(", items separated by one space, and ")". item takes one; an
// empty list calls it never.
func (l *Lexer) List(item func()) {
	l.Want('(')
	if l.depth++; l.depth > MaxDepth {
		l.Fail("fewer parentheses")
	}
	for n := 0; l.err == nil && !l.Take(')'); n++ {
		if n > 0 {
			l.SP()
		}
		item()
	}
	l.depth--
}

// quoted takes a quoted string. Without escapes it is a part of the input.
func (l *Lexer) quoted() []byte {
	l.pos++
	start := l.pos
	var out []byte
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '"':
			s := l.src[start:l.pos]
			l.pos++
			if out != nil {
				s = append(out, s...)
			}
			if !l.allowed(s) {
				l.Fail("ASCII, or valid UTF-8 once it is enabled")
			}
			return s
		case c == '\\':
			// Only these two are ever quoted (RFC 9051 §9: QUOTED-CHAR).
			if next := l.pos + 1; !l.Lenient && (next == len(l.src) || l.src[next] != '"' && l.src[next] != '\\') {
				l.Fail(`\" or \\`)
				return nil
			}
			out = append(out, l.src[start:l.pos]...)
			start = l.pos + 1
			l.pos = min(l.pos+2, len(l.src))
		case classes[c]&textChar == 0:
			l.Fail("end of quoted string")
			return nil
		default:
			l.pos++
		}
	}
	l.Fail("end of quoted string")
	return nil
}

// allowed checks what a quoted string may hold.
func (l *Lexer) allowed(s []byte) bool {
	if l.Lenient {
		return true
	}
	for _, c := range s {
		if c >= 0x80 {
			return l.UTF8 && utf8.Valid(s)
		}
	}
	return true
}

func (l *Lexer) isLiteral8() bool {
	r := l.Rest()
	return len(r) > 1 && r[0] == '~' && r[1] == '{'
}

// literal takes a literal, whose octets stand behind its announcement.
func (l *Lexer) literal() []byte {
	start := l.pos
	for l.pos < len(l.src) && l.src[l.pos] != '\n' {
		l.pos++
	}
	end := l.pos - 1
	if l.pos == len(l.src) || end < start || l.src[end] != '\r' {
		l.pos = start
		l.Fail("literal")
		return nil
	}
	lit, at, ok := LiteralAt(l.src[start:end])
	l.pos++
	if !ok || at != 0 || lit.Size > int64(len(l.src)-l.pos) {
		l.pos = start
		l.Fail("literal")
		return nil
	}
	s := l.src[l.pos : l.pos+int(lit.Size)]
	l.pos += len(s)
	if !lit.Binary && !l.Lenient {
		for _, c := range s {
			if c == 0 { // RFC 9051 §9: CHAR8
				l.Fail("literal without NUL")
				return nil
			}
		}
	}
	return s
}
