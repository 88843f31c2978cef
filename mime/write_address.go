package mime

import (
	"strings"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/internal/addr"
)

// addresses writes an address list (RFC 5322 §3.4), a line for as many as fit.
func (w *fieldWriter) addresses(name string, list []Address) {
	w.begin(name)
	for i, a := range list {
		w.address(a, comma(i, len(list)))
	}
	w.end()
}

// comma is what stands behind item i of n.
func comma(i, n int) string {
	if i < n-1 {
		return ","
	}
	return ""
}

// address writes one mailbox and what comes right behind it.
func (w *fieldWriter) address(a Address, tail string) {
	spec := headerSpec(a.Addr)
	if a.Name == "" {
		w.token(spec + tail)
		return
	}
	w.phrase(strings.ReplaceAll(a.Name, "\t", " "))
	w.token("<" + spec + ">" + tail)
}

// headerSpec is an address as a header carries it: a domain beyond ASCII goes
// as A-labels, so that only a local-part can make SMTPUTF8 necessary.
func headerSpec(s string) string {
	local, domain, err := addr.ParseMailbox(s)
	if err != nil || addr.IsASCII(domain) || !addr.IsASCII(local) {
		return s
	}
	if ascii, err := addr.ToASCII(domain); err == nil {
		return addr.Quote(local) + "@" + ascii
	}
	return s
}

// phrase writes a display name: as atoms, as a quoted-string, or as
// encoded-words (RFC 5322 §3.2.5, RFC 2047 §5).
func (w *fieldWriter) phrase(s string) {
	switch {
	case needsPhraseWords(s):
		w.appendWords(" ", s, true)
	case isAtoms(s):
		w.plain(" ", s)
	default:
		w.token(quoteString(s))
	}
}

// needsPhraseWords reports names that neither atoms nor quotes can carry.
func needsPhraseWords(s string) bool {
	if len(s) > 60 && !isAtoms(s) {
		return true // a quoted-string is not folded
	}
	if s != strings.TrimSpace(s) || strings.Contains(s, "  ") {
		return !isASCIIText(s)
	}
	for word := range strings.FieldsSeq(s) {
		if needsWord(word) {
			return true
		}
	}
	return false
}

// isASCIIText reports text that needs no encoding, nor looks encoded.
func isASCIIText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return !strings.Contains(s, "=?")
}

// isAtoms reports words of atext with single spaces between.
func isAtoms(s string) bool {
	for word := range strings.SplitSeq(s, " ") {
		if word == "" {
			return false
		}
		for i := 0; i < len(word); i++ {
			if c := word[i]; !isAtext(c) {
				return false
			}
		}
	}
	return true
}

// isAtext is RFC 5322 §3.2.3, of ASCII.
func isAtext(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// quoteString writes a quoted-string (RFC 5322 §3.2.4).
func quoteString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// ids writes message identifiers (RFC 5322 §3.6.4).
func (w *fieldWriter) ids(name string, list ...string) {
	w.begin(name)
	for _, id := range list {
		w.token("<" + id + ">")
	}
	w.end()
}

// urls writes a List-* field (RFC 2369 §2).
func (w *fieldWriter) urls(name string, list []string) {
	w.begin(name)
	for i, u := range list {
		w.token("<" + u + ">" + comma(i, len(list)))
	}
	w.end()
}
