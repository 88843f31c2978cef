package authres

import (
	"strings"
	"unicode/utf8"
)

// Name is the name of the header field.
const Name = "Authentication-Results"

// Field is one Authentication-Results field. A Field without results says "none":
// that nothing was checked.
type Field struct {
	ID      string // authserv-id: who says so, most often a host name
	Results []Result
}

// Result is the outcome of one method.
type Result struct {
	Method string // "spf", "dkim", "iprev" … (RFC 8601 §2.7)
	Value  string // "pass", "fail", "temperror" …
	Reason string // for people, "" if there is none

	// Props are what was looked at: pairs of ptype.property and value, such as
	// {"smtp.mailfrom", "ann@example.org"}.
	Props [][2]string
}

// Prop gives the first value of a property, by its name in any case.
func (r Result) Prop(name string) (value string, ok bool) {
	for _, p := range r.Props {
		if strings.EqualFold(p[0], name) {
			return p[1], true
		}
	}
	return "", false
}

// Field writes the field, for a header. No octet of a value can end it or begin
// another one. A result whose method or value is no keyword is left out, and so is
// a property whose name is none; all other text is quoted as it needs, with control
// characters turned into "?", and cut after 256 octets. The value is folded where a
// line would have more than 78 octets.
func (f Field) Field() (name, value string) {
	w := folder{column: len(Name) + 2}
	w.word(encode(cut(f.ID)))
	none := true
	for _, r := range f.Results {
		if !keyword(r.Method) || !keyword(r.Value) {
			continue
		}
		none = false
		w.word(";")
		w.word(" " + r.Method + "=" + r.Value)
		if r.Reason != "" {
			w.word(" reason=" + encode(cut(r.Reason)))
		}
		for _, p := range r.Props {
			ptype, property, ok := strings.Cut(p[0], ".")
			if ok && keyword(ptype) && keyword(property) {
				w.word(" " + p[0] + "=" + encodeProp(cut(p[1])))
			}
		}
	}
	if none {
		w.word(";")
		w.word(" none")
	}
	return Name, w.b.String()
}

// folder builds a folded value.
type folder struct {
	b      strings.Builder
	column int
}

// word adds a piece that is not divided. If it begins with a space, a fold may stand
// there: RFC 5322 §2.2.3.
func (w *folder) word(s string) {
	if w.column+len(s) > 78 && s[0] == ' ' {
		w.b.WriteString("\r\n\t")
		w.column, s = 8, s[1:]
	}
	w.b.WriteString(s)
	w.column += len(s)
}

// cut keeps a value so short that its line cannot pass 998 octets (RFC 5322
// §2.1.1), even if each octet has to be escaped.
func cut(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// keyword is what RFC 5321 §4.1.2 calls so: letters, digits and hyphens, the last
// no hyphen. Underscores occur in the field and are let through.
func keyword(s string) bool {
	if len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && s[len(s)-1] != '-'
}

// encode writes a value: a token as it is, all else as a quoted-string (RFC 2045
// §5.1).
func encode(s string) string {
	if token(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case control(r):
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// encodeProp also leaves plain addresses as they are: RFC 8601 §2.2 wants those
// unquoted.
func encodeProp(s string) string {
	local, domain, found := strings.Cut(s, "@")
	if found && token(domain) && (local == "" || token(local)) {
		return s
	}
	return encode(s)
}

// control says whether r could end a line somewhere, or is no character at all.
func control(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
}

// token is 1*isToken (RFC 2045 §5.1).
func token(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// isToken is a character of a token: printable ASCII without the tspecials.
func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// isAlnum is a letter or digit of ASCII.
func isAlnum(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
