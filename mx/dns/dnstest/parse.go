package dnstest

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mx/dns"
)

// Parse makes a Zone of a zone file. The error names the line.
func Parse(text string) (*Zone, error) {
	p := parser{zone: new(Zone), origin: ".", ttl: defaultTTL}
	entries, err := scan(text)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := p.entry(e); err != nil {
			return nil, fmt.Errorf("dnstest: line %d: %w", e.line, err)
		}
	}
	return p.zone, nil
}

// token is a word of a zone file; a quoted one is never a name or a keyword.
type token struct {
	text   string
	quoted bool
}

// entry is a line, or several held together by parentheses (RFC 1035 §5.1).
type entry struct {
	line   int
	indent bool // begins with space: the owner is that of the entry before
	tokens []token
}

// scan cuts the text into entries.
func scan(text string) ([]entry, error) {
	var all []entry
	cur := entry{line: 1}
	line, depth, fresh := 1, 0, true
	for i := 0; i < len(text); {
		c := text[i]
		if fresh {
			cur, fresh = entry{line: line, indent: c == ' ' || c == '\t'}, false
		}
		switch c {
		case '\n':
			line++
			if depth == 0 {
				all, fresh = append(all, cur), true
			}
			i++
		case ' ', '\t', '\r':
			i++
		case ';':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case '(':
			depth++
			i++
		case ')':
			depth--
			i++
		default:
			t, n, err := word(text[i:])
			if err != nil {
				return nil, fmt.Errorf("dnstest: line %d: %w", line, err)
			}
			cur.tokens = append(cur.tokens, t)
			i += n
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("dnstest: line %d: parentheses do not match", line)
	}
	if !fresh {
		all = append(all, cur)
	}
	return all, nil
}

// word reads one token at the start of s, and says how long it is.
func word(s string) (token, int, error) {
	var t token
	i := 0
	if s[0] == '"' {
		t.quoted = true
		i++
	}
	var b strings.Builder
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case t.quoted && c == '"':
			t.text = b.String()
			return t, i + 1, nil
		case c == '\n' || !t.quoted && strings.IndexByte(" \t\r;()\"", c) >= 0:
			if t.quoted {
				return t, 0, fmt.Errorf("string without its end")
			}
			t.text = b.String()
			return t, i, nil
		case c == '\\' && i+3 < len(s) && isDigits(s[i+1:i+4]):
			n, _ := strconv.Atoi(s[i+1 : i+4])
			b.WriteByte(byte(n))
			i += 3
		case c == '\\' && i+1 < len(s) && s[i+1] != '\n' && s[i+1] != '#':
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	if t.quoted {
		return t, 0, fmt.Errorf("string without its end")
	}
	t.text = b.String()
	return t, i, nil
}

// isDigits says whether s has only digits, as after the backslash of \DDD.
func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

type parser struct {
	zone   *Zone
	origin string // without its final dot, "." for the root
	owner  string
	ttl    time.Duration
}

// entry reads a directive or a record: [owner] [TTL] [class] type data, where TTL
// and class come in either order (RFC 1035 §5.1).
func (p *parser) entry(e entry) error {
	f := e.tokens
	if len(f) == 0 {
		return nil
	}
	switch {
	case len(f) == 2 && f[0].text == "$ORIGIN":
		p.origin = p.name(f[1].text)
		return nil
	case len(f) == 2 && f[0].text == "$TTL":
		ttl, ok := parseTTL(f[1].text)
		p.ttl = ttl
		return check(ok, "bad TTL")
	}
	if !e.indent {
		p.owner = p.name(f[0].text)
		f = f[1:]
	}
	if err := dns.CheckName(p.owner); err != nil {
		return fmt.Errorf("owner %q: %w", p.owner, err)
	}
	ttl := p.ttl
	for len(f) > 0 { // TTL and class, in either order
		if d, ok := parseTTL(f[0].text); ok {
			ttl = d
		} else if !strings.EqualFold(f[0].text, "IN") {
			break
		}
		f = f[1:]
	}
	if len(f) == 0 {
		return fmt.Errorf("no type")
	}
	if ok, err := p.fault(f); ok {
		return err
	}
	return p.rr(f, ttl)
}

// fault reads a fault in the place of a type.
func (p *parser) fault(f []token) (bool, error) {
	ft := fault{kind: f[0].text}
	f = f[1:]
	switch ft.kind {
	default:
		return false, nil
	case "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "TIMEOUT", "LAME", "TRUNCATE":
	case "DELAY":
		if len(f) == 0 {
			return true, fmt.Errorf("DELAY needs a duration")
		}
		d, err := time.ParseDuration(f[0].text)
		if err != nil {
			return true, err
		}
		ft.delay, f = d, f[1:]
	}
	for _, t := range f {
		typ, ok := dns.ParseType(strings.ToUpper(t.text))
		if !ok {
			return true, fmt.Errorf("no such type: %s", t.text)
		}
		ft.types = append(ft.types, typ)
	}
	p.zone.addFault(p.owner, ft)
	return true, nil
}

// rr reads type and data of a record.
func (p *parser) rr(f []token, ttl time.Duration) error {
	t, ok := dns.ParseType(strings.ToUpper(f[0].text)) // RFC 1035 §5.1 knows no case
	if !ok {
		return fmt.Errorf("no such type: %s", f[0].text)
	}
	rr := dns.RR{Name: p.owner, Type: t, TTL: ttl}
	if err := p.data(&rr, f[1:]); err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	p.zone.Add(rr)
	return nil
}

// data reads what stands after the type.
func (p *parser) data(rr *dns.RR, f []token) (err error) {
	switch rr.Type {
	case dns.TXT:
		for _, t := range f {
			rr.Data += t.text
		}
		return nil
	case dns.A, dns.AAAA:
		if len(f) != 1 {
			return fmt.Errorf("one address wanted")
		}
		rr.Addr, err = netip.ParseAddr(f[0].text)
		if err == nil && rr.Addr.Is4() != (rr.Type == dns.A) {
			err = fmt.Errorf("address of the other family")
		}
		return err
	case dns.MX:
		if len(f) != 2 {
			return fmt.Errorf("preference and host wanted")
		}
		n, err := strconv.ParseUint(f[0].text, 10, 16)
		rr.Pref, rr.Data = uint16(n), p.name(f[1].text)
		return err
	case dns.PTR, dns.CNAME, dns.NS:
		if len(f) != 1 {
			return fmt.Errorf("one name wanted")
		}
		rr.Data = p.name(f[0].text)
		return nil
	case dns.SOA:
		return soa(rr, f)
	}
	return generic(rr, f)
}

// soa keeps of an SOA what negative answers need, its five numbers.
func soa(rr *dns.RR, f []token) error {
	if len(f) != 7 {
		return fmt.Errorf("two names and five numbers wanted")
	}
	for _, t := range f[2:] {
		d, ok := parseTTL(t.text)
		if !ok {
			return fmt.Errorf("bad number %q", t.text)
		}
		n := uint32(d / time.Second)
		rr.Raw = append(rr.Raw, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return nil
}

// generic reads \# length hex (RFC 3597 §5).
func generic(rr *dns.RR, f []token) error {
	if len(f) < 2 || f[0].text != `\#` {
		return fmt.Errorf(`\# length and hexadecimal data wanted`)
	}
	var all strings.Builder
	for _, t := range f[2:] {
		all.WriteString(t.text)
	}
	raw, err := hex.DecodeString(all.String())
	if err == nil && f[1].text != strconv.Itoa(len(raw)) {
		err = fmt.Errorf("length does not fit the data")
	}
	rr.Raw = raw
	return err
}

// name makes a name absolute.
func (p *parser) name(s string) string {
	switch {
	case s == "@":
		return p.origin
	case s == "." || p.origin == ".":
		return cutDot(s)
	case strings.HasSuffix(s, "."):
		return cutDot(s)
	}
	return s + "." + p.origin
}

// cutDot takes the final dot away, but leaves the root alone.
func cutDot(s string) string {
	if s == "." {
		return s
	}
	return strings.TrimSuffix(s, ".")
}

// parseTTL reads seconds, or a number with a unit as name servers take it.
func parseTTL(s string) (time.Duration, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	unit := time.Second
	switch s[len(s)-1] {
	case 'm':
		unit, s = time.Minute, s[:len(s)-1]
	case 'h':
		unit, s = time.Hour, s[:len(s)-1]
	case 'd':
		unit, s = 24*time.Hour, s[:len(s)-1]
	case 's':
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * unit, err == nil
}

// check makes an error of a failed condition.
func check(ok bool, text string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s", text)
}
