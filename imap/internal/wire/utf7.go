package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF7 is the error of a name that is no modified UTF-7 (RFC 3501 §5.1.3).
var ErrUTF7 = errors.New("mailbox name is not valid modified UTF-7")

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding).Strict()

// EncodeUTF7 writes a name in modified UTF-7. What is no UTF-8 becomes U+FFFD.
func EncodeUTF7(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	var shifted []uint16
	flush := func() {
		if len(shifted) == 0 {
			return
		}
		raw := make([]byte, 0, 2*len(shifted))
		for _, u := range shifted {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteByte('&')
		b.WriteString(utf7.EncodeToString(raw))
		b.WriteByte('-')
		shifted = shifted[:0]
	}
	for _, r := range s {
		if r < ' ' || r > '~' {
			shifted = utf16.AppendRune(shifted, r)
			continue
		}
		flush()
		b.WriteByte(byte(r))
		if r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// isPlain reports a name that is the same in modified UTF-7.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '&' {
			return false
		}
	}
	return true
}

// DecodeUTF7 reads a name in modified UTF-7. There is one spelling of each
// name: what another would write otherwise is refused, so that no name, and no
// control character in it, has a second one that a check did not see.
func DecodeUTF7(s string) (string, error) {
	if isPlain(s) {
		return s, nil
	}
	var b strings.Builder
	shiftEnd := -1 // where a shifted run ended: another may not follow at once
	for i := 0; i < len(s); {
		c := s[i]
		if c < ' ' || c > '~' {
			return "", ErrUTF7
		}
		if c != '&' {
			b.WriteByte(c)
			i++
			continue
		}
		n := strings.IndexByte(s[i:], '-')
		switch {
		case n < 0:
			return "", ErrUTF7
		case n == 1:
			b.WriteByte('&')
		case shiftEnd == i || !decodeShift(&b, s[i+1:i+n]):
			return "", ErrUTF7
		default:
			shiftEnd = i + n + 1
		}
		i += n + 1
	}
	return b.String(), nil
}

// decodeShift writes one shifted run: whole UTF-16 units, pairs of surrogates,
// and nothing that ASCII has a plain form for.
func decodeShift(b *strings.Builder, s string) bool {
	if strings.ContainsAny(s, "\r\n") {
		return false // encoding/base64 would read over them
	}
	raw, err := utf7.DecodeString(s) // strict: pad bits are 0
	if err != nil || len(raw)%2 != 0 || len(raw) == 0 {
		return false
	}
	for i := 0; i < len(raw); i += 2 {
		r := rune(raw[i])<<8 | rune(raw[i+1])
		if utf16.IsSurrogate(r) {
			if i+3 >= len(raw) {
				return false
			}
			r = utf16.DecodeRune(r, rune(raw[i+2])<<8|rune(raw[i+3]))
			if r == utf8.RuneError {
				return false
			}
			i += 2
		}
		if r >= ' ' && r <= '~' {
			return false
		}
		b.WriteRune(r)
	}
	return true
}
