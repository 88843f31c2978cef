package spf

import (
	"net/netip"
	"strconv"
	"strings"
)

// syntax is what a macro-string turns out to be.
type syntax struct {
	uses  macros
	macro bool // its last part is a macro-expand
	fault string
}

// macroString checks a macro-string (RFC 7208 §7.1) and collects the macro letters
// in it. The letters in forbidden may not stand in it: c, r and t are for
// explanations only (§7.2). An explain-string may hold spaces as well.
func macroString(s, forbidden string, spaces bool) (x syntax) {
	for i := 0; i < len(s); i++ {
		x.macro = s[i] == '%'
		switch c := s[i]; {
		case c == ' ' && spaces:
			continue
		case c < 0x21 || c > 0x7e:
			return syntax{fault: "a character that may not stand in a record"}
		case c != '%':
			continue
		}
		m, n, fault := parseMacro(s[i:])
		if fault != "" {
			return syntax{fault: fault}
		}
		if m.letter != 0 {
			if strings.IndexByte(forbidden, m.letter) >= 0 {
				return syntax{fault: "%{" + string(rune(m.letter)) + "} may only stand in explanations"}
			}
			x.uses |= 1 << (m.letter - 'a')
		}
		i += n - 1
	}
	return x
}

// macro is a macro-expand (RFC 7208 §7.1).
type macro struct {
	letter     byte // in lower case; 0 for %%, %_ and %-
	literal    string
	escape     bool // written as a capital letter: URL-escape the value
	keep       int  // right-hand parts to keep, 0 for all
	reverse    bool
	delimiters string // "" means "."
}

// parseMacro reads the macro at the start of s, which begins with "%", and says
// how long it is.
func parseMacro(s string) (m macro, n int, fault string) {
	if len(s) < 2 {
		return m, 0, "% without a macro"
	}
	switch s[1] {
	case '%':
		return macro{literal: "%"}, 2, ""
	case '_':
		return macro{literal: " "}, 2, ""
	case '-':
		return macro{literal: "%20"}, 2, ""
	case '{':
	default:
		return m, 0, "% without a macro"
	}
	end := strings.IndexByte(s, '}')
	if end < 3 {
		return m, 0, "macro without its end"
	}
	if fault = m.read(s[2:end]); fault != "" {
		return m, 0, fault
	}
	return m, end + 1, ""
}

// read reads what stands between the braces: macro-letter transformers *delimiter.
func (m *macro) read(s string) (fault string) {
	m.letter = s[0] | 0x20
	m.escape = s[0] < 'a'
	if !isAlpha(s[0]) || strings.IndexByte("slodiphcrtv", m.letter) < 0 {
		return "no such macro letter"
	}
	i := 1
	for ; i < len(s) && isDigit(s[i]); i++ {
		// More than 128 parts cannot be told from all of them.
		m.keep = min(m.keep*10+int(s[i]-'0'), 1000)
	}
	if i > 1 && m.keep == 0 {
		return "zero parts to keep" // RFC 7208 §7.3: MUST be nonzero
	}
	if i < len(s) && s[i]|0x20 == 'r' {
		m.reverse = true
		i++
	}
	m.delimiters = s[i:]
	if strings.Trim(m.delimiters, ".-+,/_=") != "" {
		return "no such macro transformer or delimiter"
	}
	return ""
}

// scope is what macros stand for. Apart from domain it stays the same through a
// whole check (RFC 7208 §7.3).
type scope struct {
	ip       netip.Addr // unmapped
	local    string
	origin   string // the sender's domain, in A-labels
	hello    string // verbatim
	receiver string
	now      func() int64 // Unix time, for %{t}

	validated func(domain string) string // %{p} for the current domain
}

// maxExpansion ends the expansion of a string. A name has 253 octets and an
// explanation is cut at 400; but many macros for a long sender could grow without
// an end.
const maxExpansion = 64 << 10

// appendMacros expands s, a checked macro-string or explain-string, onto b. What is
// longer than maxExpansion afterwards is not whole.
func (sc *scope) appendMacros(b []byte, s, domain string) []byte {
	for len(b) <= maxExpansion {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		m, n, fault := parseMacro(s[i:])
		if fault != "" {
			return append(b, s[i:]...) // checked before: cannot happen
		}
		b = sc.appendMacro(b, m, domain)
		s = s[i+n:]
	}
	return b
}

// appendMacro expands one macro.
func (sc *scope) appendMacro(b []byte, m macro, domain string) []byte {
	if m.letter == 0 {
		return append(b, m.literal...)
	}
	start := len(b)
	b = sc.appendValue(b, m.letter, domain)
	if m.keep > 0 || m.reverse || m.delimiters != "" {
		b = m.transform(b, start)
	}
	if m.escape {
		return appendEscaped(b[:start], string(b[start:]))
	}
	return b
}

// appendValue appends what a letter stands for (RFC 7208 §7.2).
func (sc *scope) appendValue(b []byte, letter byte, domain string) []byte {
	switch letter {
	case 's':
		b = append(b, sc.local...)
		b = append(b, '@')
		return append(b, sc.origin...)
	case 'l':
		return append(b, sc.local...)
	case 'o':
		return append(b, sc.origin...)
	case 'd':
		return append(b, domain...)
	case 'i':
		return appendDotted(b, sc.ip)
	case 'p':
		return append(b, sc.validated(domain)...)
	case 'h':
		return append(b, sc.hello...)
	case 'c':
		return sc.ip.AppendTo(b)
	case 'r':
		return append(b, sc.receiver...)
	case 't':
		return strconv.AppendInt(b, sc.now(), 10)
	}
	// v
	if sc.ip.Is4() {
		return append(b, "in-addr"...)
	}
	return append(b, "ip6"...)
}

// appendDotted writes an address as the "i" macro wants it: for IPv6 the nibbles
// with dots between. They are in capitals, as the test suite of the openspf
// project has them; the DNS does not mind.
func appendDotted(b []byte, ip netip.Addr) []byte {
	const hex = "0123456789ABCDEF"
	if !ip.Is6() {
		return ip.AppendTo(b)
	}
	for i, c := range ip.As16() {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, hex[c>>4], '.', hex[c&15])
	}
	return b
}

// transform splits b[start:] at the delimiters, reverses the parts if wanted,
// keeps the last of them, and joins them with dots (RFC 7208 §7.3). Parts may be
// empty.
func (m *macro) transform(b []byte, start int) []byte {
	value := string(b[start:])
	delimiters := m.delimiters
	if delimiters == "" {
		delimiters = "."
	}
	count := 1
	for i := range len(value) {
		if strings.IndexByte(delimiters, value[i]) >= 0 {
			count++
		}
	}
	keep := count
	if m.keep > 0 {
		keep = min(m.keep, count)
	}
	b = b[:start]
	if m.reverse {
		return appendReversed(b, value, delimiters, count, keep)
	}
	for skip := count - keep; skip > 0; skip-- {
		value = value[strings.IndexAny(value, delimiters)+1:]
	}
	for i := range len(value) {
		if strings.IndexByte(delimiters, value[i]) >= 0 {
			b = append(b, '.')
		} else {
			b = append(b, value[i])
		}
	}
	return b
}

// appendReversed appends the first keep of count parts, the last of them in front:
// after the reversal they are the right-hand ones.
func appendReversed(b []byte, value, delimiters string, count, keep int) []byte {
	for drop := count - keep; drop > 0; drop-- {
		value = value[:strings.LastIndexAny(value, delimiters)]
	}
	for {
		i := strings.LastIndexAny(value, delimiters)
		b = append(b, value[i+1:]...)
		if i < 0 {
			return b
		}
		b = append(b, '.')
		value = value[:i]
	}
}

// appendEscaped appends s with all but the unreserved characters of RFC 3986 §2.3
// as %XX.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if isAlnum(c) || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
