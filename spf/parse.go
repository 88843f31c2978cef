package spf

import (
	"net/netip"
	"strings"

	"github.com/postilion-mail/postilion/mx/dns"
)

const version = "v=spf1"

// Is says whether a TXT record is meant as an SPF record: the version, in any
// case, and after it a space or the end (RFC 7208 §4.5).
func Is(text string) bool {
	n := len(version)
	return len(text) >= n && fold(text[:n], version) && (len(text) == n || text[n] == ' ')
}

// Parse reads an SPF record. It finds all errors, not only the first: the error
// is nil or of type [SyntaxErrors], and the record then holds the terms that could
// be read. A record with an error anywhere is a permerror, even if a term before
// the error matches (RFC 7208 §4.6).
func Parse(text string) (*Record, error) {
	r := &Record{Terms: make([]Term, 0, strings.Count(text, " "))}
	return r, r.parse(text)
}

// parse reads text into r, and uses the memory of its Terms again.
func (r *Record) parse(text string) error {
	r.Text, r.Terms = text, r.Terms[:0]
	if r.Redirect.Text != "" || r.Exp.Text != "" || r.Unknown != nil {
		r.Redirect, r.Exp, r.Unknown = Modifier{}, Modifier{}, nil
	}
	if !Is(text) {
		return SyntaxErrors{{Term: cut(text), Text: "the record does not begin with v=spf1"}}
	}
	p := parser{record: r}
	for at := len(version); at < len(text); {
		if text[at] == ' ' { // RFC 7208 §4.6.1: 1*SP between terms, and at the end
			at++
			continue
		}
		end := strings.IndexByte(text[at:], ' ')
		if end < 0 {
			end = len(text) - at
		}
		p.term(text[at:at+end], at)
		at += end
	}
	if p.errs != nil {
		return p.errs
	}
	return nil
}

// cut shortens what is no record at all, for an error text.
func cut(s string) string { return s[:min(len(s), 40)] }

type parser struct {
	record *Record
	errs   SyntaxErrors
}

// term reads one directive or modifier.
func (p *parser) term(text string, offset int) {
	fault := ""
	if n := nameEnd(text); n > 0 && n < len(text) && text[n] == '=' {
		fault = p.modifier(Modifier{Text: text, Offset: offset, Name: text[:n], Value: text[n+1:]})
	} else {
		fault = p.directive(text, n, offset)
	}
	if fault != "" {
		p.errs = append(p.errs, &SyntaxError{Offset: offset, Term: text, Text: fault})
	}
}

// nameEnd is the length of the name at the start of s:
// ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ).
func nameEnd(s string) int {
	if s == "" || !isAlpha(s[0]) {
		return 0
	}
	i := 1
	for i < len(s) && (isAlnum(s[i]) || s[i] == '-' || s[i] == '_' || s[i] == '.') {
		i++
	}
	return i
}

// modifier files a modifier under its name, which may be written in any case.
func (p *parser) modifier(m Modifier) (fault string) {
	slot := &p.record.Redirect
	switch {
	case fold(m.Name, "redirect"):
	case fold(m.Name, "exp"):
		slot = &p.record.Exp
	default:
		// RFC 7208 §6: unknown modifiers are ignored, as long as they are
		// macro-strings.
		if x := macroString(m.Value, "crt", false); x.fault != "" {
			return x.fault
		}
		p.record.Unknown = append(p.record.Unknown, m)
		return ""
	}
	if slot.Text != "" {
		return "the modifier stands twice" // RFC 7208 §6
	}
	m.target, fault = domainSpec(m.Value)
	*slot = m
	return fault
}

// directive reads [ qualifier ] mechanism, in place: terms are large. If text begins
// with a name, it has n octets.
func (p *parser) directive(text string, n, offset int) (fault string) {
	all, last := p.record.Terms, len(p.record.Terms)
	if last < cap(all) {
		all = all[:last+1]
	} else {
		all = append(all, Term{})
	}
	t := &all[last]
	*t = Term{Text: text, Offset: offset, Qualifier: '+', Bits4: 32, Bits6: 128}
	if fault = t.read(text, n); fault == "" {
		p.record.Terms = all
	}
	return fault
}

// read reads the term from its text.
func (t *Term) read(rest string, n int) (fault string) {
	qualified := n == 0 && strings.IndexByte("+-~?", rest[0]) >= 0
	if qualified {
		t.Qualifier, rest = rest[0], rest[1:]
		n = nameEnd(rest)
	}
	t.Mechanism = mechanism(rest[:n])
	switch rest = rest[n:]; {
	case qualified && strings.HasPrefix(rest, "="):
		return "a modifier takes no qualifier"
	case t.Mechanism == 0:
		return "no such mechanism"
	}
	return t.argument(rest)
}

// mechanism finds the mechanism of a name, 0 if there is none.
func mechanism(name string) Mechanism {
	for m := All; m <= Exists; m++ {
		if len(name) == len(mechanismNames[m]) && fold(name, mechanismNames[m]) {
			return m
		}
	}
	return 0
}

// argument reads what follows the name of the mechanism.
func (t *Term) argument(rest string) (fault string) {
	spec, given := strings.CutPrefix(rest, ":")
	switch t.Mechanism {
	case IP4, IP6:
		if !given {
			return "a network is needed"
		}
		return t.network(spec)
	case A, MX:
		if spec, fault = t.cidr(spec); fault != "" {
			return fault
		}
	}
	if !given {
		switch {
		case spec != "":
			return "unexpected text after the mechanism"
		case t.Mechanism == Include || t.Mechanism == Exists:
			return "a domain is needed"
		}
		return ""
	}
	if t.Mechanism == All {
		return "the mechanism takes no argument"
	}
	t.Domain = spec
	t.target, fault = domainSpec(spec)
	return fault
}

// cidr takes a dual-cidr-length off the end of a domain-spec, in which a slash may
// stand as well: [ "/" ip4 ] [ "//" ip6 ] (RFC 7208 §5.6).
func (t *Term) cidr(spec string) (rest, fault string) {
	rest = spec
	if head, digits := trailingDigits(rest); digits != "" && strings.HasSuffix(head, "//") {
		n, ok := bits(digits, 128)
		if !ok {
			return rest, "bad IPv6 prefix length"
		}
		t.Bits6, rest = n, head[:len(head)-2]
	}
	if head, digits := trailingDigits(rest); digits != "" && strings.HasSuffix(head, "/") {
		n, ok := bits(digits, 32)
		if !ok {
			return rest, "bad IPv4 prefix length"
		}
		t.Bits4, rest = n, head[:len(head)-1]
	}
	return rest, ""
}

// trailingDigits cuts s before the digits it ends with.
func trailingDigits(s string) (head, digits string) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	return s[:i], s[i:]
}

// bits reads a prefix length: no sign, no leading zero.
func bits(digits string, most int) (uint8, bool) {
	if digits == "" || len(digits) > 3 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		n = n*10 + int(digits[i]-'0')
	}
	return uint8(n), n <= most
}

// network reads the argument of ip4 and ip6.
func (t *Term) network(spec string) (fault string) {
	most, length := 32, ""
	if t.Mechanism == IP6 {
		most = 128
	}
	text, length, prefixed := strings.Cut(spec, "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Is4() != (t.Mechanism == IP4) || ip.Zone() != "" {
		return "not an address of this family"
	}
	n := uint8(most)
	if prefixed {
		var ok bool
		if n, ok = bits(length, most); !ok {
			return "bad prefix length"
		}
	}
	t.Prefix = netip.PrefixFrom(ip, int(n))
	return ""
}

// domainSpec checks a domain-spec and makes it ready (RFC 7208 §7.1):
// macro-string domain-end.
func domainSpec(s string) (target, string) {
	x := macroString(s, "crt", false)
	switch {
	case x.fault != "":
		return target{}, x.fault
	case s == "":
		return target{}, "a domain is needed"
	case !x.macro && !endsInLabel(s):
		return target{}, "the domain has no valid last label"
	case strings.IndexByte(s, '%') >= 0:
		return target{name: s, macro: true, uses: x.uses}, ""
	}
	return target{name: dns.Fold(s)}, ""
}

// endsInLabel says whether s ends in "." toplabel [ "." ].
func endsInLabel(s string) bool {
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	return dot >= 0 && toplabel(s[dot+1:])
}

// toplabel is LDH with a letter or a hyphen in it, so that no address passes for a
// name (RFC 7208 §7.1).
func toplabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	named := false
	for i := range len(s) {
		switch {
		case isAlpha(s[i]) || s[i] == '-':
			named = true
		case !isDigit(s[i]):
			return false
		}
	}
	return named
}

// The character classes ALPHA and DIGIT of the ABNF, ASCII alone.
func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }

// fold says whether s is name, which is in lower case, in any case.
func fold(s, name string) bool {
	if len(s) != len(name) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}
