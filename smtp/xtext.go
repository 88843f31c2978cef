package smtp

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errXtext = errors.New("malformed xtext")

// appendXtext writes s as xtext: printable ASCII but "+" and "=" as it is, the
// rest as "+" and two upper-case hex digits (RFC 3461 §4).
func appendXtext(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '+' || c == '=' {
			b = append(b, '+', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// parseXtext undoes appendXtext. What comes out may hold any byte but CR, LF
// and NUL, which have no business in an identifier or an address.
func parseXtext(s string) (string, error) {
	if strings.IndexByte(s, '+') < 0 {
		return s, checkXchars(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errXtext
		}
		hi, lo := upperHex(s[i+1]), upperHex(s[i+2])
		c := hi<<4 | lo
		if hi > 15 || lo > 15 || c == '\r' || c == '\n' || c == 0 {
			return "", errXtext
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), checkXchars(s)
}

func checkXchars(s string) error {
	for i := 0; i < len(s); i++ {
		if s[i] < '!' || s[i] > '~' || s[i] == '=' {
			return errXtext
		}
	}
	return nil
}

func upperHex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// appendORcpt writes "type;address": xtext, but for the type utf-8 its own
// encoding (RFC 6533 §3), with the characters themselves where utf8 allows.
func appendORcpt(b []byte, orcpt string, utf8OK bool) []byte {
	kind, address, _ := strings.Cut(orcpt, ";")
	b = append(append(b, kind...), ';')
	if !strings.EqualFold(kind, "utf-8") {
		return appendXtext(b, address)
	}
	for _, r := range address {
		switch {
		case r > ' ' && r <= '~' && r != '\\' && r != '+' && r != '=', r > '~' && r > 0x9f && utf8OK:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, `\x{`...)
			b = append(b, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
			b = append(b, '}')
		}
	}
	return b
}

// parseORcpt decodes the value of ORCPT (RFC 3461 §4.2, RFC 6533 §3).
func parseORcpt(s string) (string, error) {
	kind, address, ok := strings.Cut(s, ";")
	if !ok || kind == "" || address == "" || !isKeyword(kind) {
		return "", errXtext
	}
	var err error
	if strings.EqualFold(kind, "utf-8") {
		address, err = parseUnitext(address)
	} else {
		address, err = parseXtext(address)
	}
	if err != nil || len(address) > 500 {
		return "", errXtext
	}
	return kind + ";" + address, nil
}

// parseUnitext decodes utf-8-addr-xtext and utf-8-addr-unitext: \x{HEX} stands
// for the character, all others for themselves.
func parseUnitext(s string) (string, error) {
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			break
		}
		hex, rest, ok := strings.Cut(strings.TrimPrefix(after, "x{"), "}")
		r, err := strconv.ParseUint(hex, 16, 32)
		if !ok || !strings.HasPrefix(after, "x{") || err != nil || len(hex) > 6 || !utf8.ValidRune(rune(r)) {
			return "", errXtext
		}
		b.WriteRune(rune(r))
		s = rest
	}
	out := b.String()
	if !utf8.ValidString(out) || strings.ContainsAny(out, "\r\n\x00") {
		return "", errXtext
	}
	return out, nil
}
