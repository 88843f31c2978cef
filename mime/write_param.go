package mime

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// param writes a parameter of a MIME field (RFC 2045 §5.1): a token, a
// quoted-string, or, where neither will do, the form of RFC 2231, in pieces if
// it is long.
func (w *fieldWriter) param(name, value string) {
	w.semicolon()
	if s := name + "=" + value; isToken(value) && !strings.Contains(value, "=?") && len(s) < maxParam {
		w.token(s)
		return
	}
	if s := name + "=" + quoteString(value); isPrintable(value) && !strings.Contains(value, "=?") && len(s) < maxParam {
		w.token(s)
		return
	}
	w.extended(name, value)
}

// maxParam leaves room for the space before a parameter and the semicolon
// behind it.
const maxParam = foldAt - 2

// legacyName writes a file name as many senders did before RFC 2231, as
// encoded-words within quotes, for readers that know nothing else.
func (w *fieldWriter) legacyName(name, value string) {
	q := qWidth(value, true) <= (len(value)+2)/3*4
	w.semicolon()
	head, room := name+`="`, wordRoom-len(name)-len(`=""; `)
	for value != "" {
		n := wordPrefix(value, room, q, true)
		word := head + encodeWord(value[:n], q, true)
		if value = value[n:]; value == "" {
			word += `"`
		}
		w.token(word)
		head = ""
	}
}

// extended writes name*=utf-8 and two quotes, then the value, or name*0*=, name*1*= and so on.
func (w *fieldWriter) extended(name, value string) {
	const charset = "utf-8''"
	text := percent(value)
	if s := name + "*=" + charset + text; len(s) < maxParam {
		w.token(s)
		return
	}
	for i := 0; value != ""; i++ {
		head := name + "*" + strconv.Itoa(i) + "*="
		if i == 0 {
			head += charset
		}
		n := percentPrefix(value, maxParam-1-len(head))
		w.token(head + percent(value[:n]))
		if value = value[n:]; value != "" {
			w.semicolon()
		}
	}
}

// percent escapes all but attribute-char (RFC 2231 §7).
func percent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < utf8.RuneSelf && isTokenChar(c) && strings.IndexByte("*'%", c) < 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// percentPrefix is how much of s has room when it is escaped. It cuts no
// character apart, though RFC 2231 §4.1 would have the pieces joined first.
func percentPrefix(s string, room int) int {
	n := 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if room -= len(percent(s[n : n+size])); room < 0 && n > 0 {
			break
		}
		n += size
	}
	return n
}

// isToken is RFC 2045 §5.1.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenChar leaves out white space, controls and tspecials.
func isTokenChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}
