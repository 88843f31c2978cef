package addr

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// The octet limits of RFC 5321 §4.5.3.1 are what everybody must accept, not
// what nobody may exceed: rewritten senders (VERP, SRS) are longer than 64.
const (
	maxLocal  = 255
	maxDomain = 255
)

// The mistakes an address can have. The texts are public: servers send them.
var (
	ErrSyntax  = errors.New("malformed address")
	ErrLocal   = errors.New("malformed local-part")
	ErrDomain  = errors.New("malformed domain")
	ErrLiteral = errors.New("malformed address literal")
	ErrTooLong = errors.New("address too long")
)

// CutPath reads a path in angle brackets from the start of s and returns what
// follows it. "<>" gives two empty strings. A source route is read and
// forgotten (RFC 5321 §4.1.1.3). "<postmaster>", in any case, needs no domain
// (RFC 5321 §4.5.1).
func CutPath(s string) (local, domain, rest string, err error) {
	if s == "" || s[0] != '<' {
		return "", "", s, ErrSyntax
	}
	s = s[1:]
	if strings.HasPrefix(s, ">") {
		return "", "", s[1:], nil
	}
	if s, err = skipRoute(s); err != nil {
		return "", "", s, err
	}
	local, domain, rest, err = cutMailbox(s)
	if err != nil {
		return "", "", rest, err
	}
	if rest == "" || rest[0] != '>' {
		return "", "", rest, ErrSyntax
	}
	return local, domain, rest[1:], nil
}

// ParseMailbox reads s, all of it, as a mailbox without brackets.
func ParseMailbox(s string) (local, domain string, err error) {
	local, domain, rest, err := cutMailbox(s)
	if err == nil && rest != "" {
		err = ErrSyntax
	}
	if err != nil {
		return "", "", err
	}
	return local, domain, nil
}

// skipRoute skips "@a,@b:" (RFC 5321 §4.1.2, A-d-l).
func skipRoute(s string) (string, error) {
	for strings.HasPrefix(s, "@") {
		n := domainLen(s[1:])
		if !ValidDomain(s[1 : 1+n]) {
			return s, ErrDomain
		}
		switch s = s[1+n:]; {
		case strings.HasPrefix(s, ",@"):
			s = s[1:]
		case strings.HasPrefix(s, ":"):
			return s[1:], nil
		default:
			return s, ErrSyntax
		}
	}
	return s, nil
}

func cutMailbox(s string) (local, domain, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		local, rest, err = cutQuoted(s)
	} else {
		local, rest, err = cutDotString(s)
	}
	if err != nil {
		return "", "", s, err
	}
	if len(local) > maxLocal {
		return "", "", s, ErrTooLong
	}
	if !strings.HasPrefix(rest, "@") {
		if strings.EqualFold(local, "postmaster") && len(local) == len("postmaster") {
			return local, "", rest, nil
		}
		return "", "", s, ErrSyntax
	}
	domain, rest, err = cutDomain(rest[1:])
	return local, domain, rest, err
}

// cutDotString reads Dot-string: atoms of atext with single dots between.
func cutDotString(s string) (local, rest string, err error) {
	n, dot := 0, true // dot: one more would be empty
	for n < len(s) {
		switch c := s[n]; {
		case c == '.':
			if dot {
				return "", s, ErrLocal
			}
			dot = true
			n++
		case c < utf8.RuneSelf && isAtext(c):
			dot = false
			n++
		case c >= utf8.RuneSelf:
			size := plainRune(s[n:])
			if size == 0 {
				return "", s, ErrLocal
			}
			dot = false
			n += size
		default:
			if dot {
				return "", s, ErrLocal
			}
			return s[:n], s[n:], nil
		}
	}
	if dot {
		return "", s, ErrLocal
	}
	return s, "", nil
}

// cutQuoted reads Quoted-string and undoes its quoting.
func cutQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for n := 1; n < len(s); {
		c := s[n]
		switch {
		case c == '"':
			return b.String(), s[n+1:], nil
		case c >= utf8.RuneSelf:
			size := plainRune(s[n:])
			if size == 0 {
				return "", s, ErrLocal
			}
			b.WriteString(s[n : n+size])
			n += size
			continue
		case c == '\\':
			n++
			if n == len(s) || s[n] < ' ' || s[n] > '~' {
				return "", s, ErrLocal
			}
			c = s[n]
		case c < ' ' || c > '~':
			return "", s, ErrLocal
		}
		b.WriteByte(c)
		n++
	}
	return "", s, ErrLocal
}

// plainRune gives the length of the rune s begins with, 0 if it is broken or
// some terminal or parser may take it for a control or a line end.
func plainRune(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size <= 1,
		r >= 0x80 && r <= 0x9f, // C1 controls
		r == 0x2028, r == 0x2029, r == 0xfeff:
		return 0
	}
	return size
}

// isAtext reports atext of RFC 5322 §3.2.3.
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// Quote writes a decoded local-part as it stands on the wire: bare where
// Dot-string allows, else as Quoted-string with the fewest backslashes
// (RFC 5321 §4.1.2).
func Quote(local string) string {
	if _, rest, err := cutDotString(local); err == nil && rest == "" {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 2)
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if c := local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}
