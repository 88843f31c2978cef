package addr

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// cutDomain reads Domain or address-literal and gives it in its comparable
// form: ASCII letters in lower case, literals as netip writes them.
func cutDomain(s string) (domain, rest string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", s, ErrLiteral
		}
		ip, ok := ParseLiteral(s[:end+1])
		if !ok {
			return "", s, ErrLiteral
		}
		return Literal(ip), s[end+1:], nil
	}
	n := domainLen(s)
	if n > maxDomain {
		return "", s, ErrTooLong
	}
	if !ValidDomain(s[:n]) {
		return "", s, ErrDomain
	}
	return Lower(s[:n]), s[n:], nil
}

// domainLen is how far s could be a domain.
func domainLen(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < utf8.RuneSelf && !isLDH(c) && c != '.' {
			return i
		}
	}
	return len(s)
}

// ValidDomain reports whether s is a domain by RFC 5321 §4.1.2, with U-labels
// (RFC 6531 §3.3) and the underscore that real host names have.
func ValidDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !validLabel(label) {
			return false
		}
	}
	return true
}

func validLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	ascii := true
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if !isLDH(s[i]) {
				return false
			}
			i++
			continue
		}
		size := plainRune(s[i:])
		if size == 0 {
			return false
		}
		ascii = false
		i += size
	}
	return !ascii || len(s) <= 63 // RFC 1035 §2.3.4; a U-label is measured by ToASCII
}

func isLDH(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// Lower folds ASCII letters only: Unicode folding would make U+212A a "k".
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// EqualFold compares like strings.EqualFold, but folds ASCII letters only.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}

// IsASCII reports whether s needs no SMTPUTF8.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ParseLiteral reads "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3).
// No other tag is registered.
func ParseLiteral(s string) (netip.Addr, bool) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return netip.Addr{}, false
	}
	s = s[1 : len(s)-1]
	const tag = "ipv6:"
	six := len(s) > len(tag) && EqualFold(s[:len(tag)], tag)
	if six {
		s = s[len(tag):]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Is4() == six || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip, true
}

// Literal writes ip as an address literal.
func Literal(ip netip.Addr) string {
	if ip.Is4() {
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}

// lookup is the profile of RFC 5891 §5 as browsers apply it (UTS 46), without
// the checks that refuse names which exist: hyphens in the third and fourth
// place, underscores.
var lookup = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.CheckHyphens(false),
	idna.StrictDomainName(false),
	idna.BidiRule(),
)

// ToASCII gives domain as A-labels in lower case, for DNS and for servers
// without SMTPUTF8. A name that is ASCII already is only folded and measured,
// so "a--b.example" and "_dmarc.example" stay usable.
func ToASCII(domain string) (string, error) {
	name := Lower(domain)
	if !IsASCII(name) {
		var err error
		if name, err = lookup.ToASCII(name); err != nil {
			return "", ErrDomain
		}
	}
	if !ValidDomain(name) || !IsASCII(name) {
		return "", ErrDomain
	}
	return name, nil
}

// ToUnicode gives domain as U-labels for people to read, or as it is where it
// does not decode.
func ToUnicode(domain string) string {
	name, err := lookup.ToUnicode(domain)
	if err != nil {
		return domain
	}
	return name
}
