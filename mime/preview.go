package mime

import (
	"strings"
	"unicode"
)

// Preview returns the first words of the message's text, at most limit
// characters, in one line: what RFC 8970 §3 gives in a list of messages.
// Quoted lines, signatures and the markup of HTML are left out. A limit of 0
// means 200, the length RFC 8970 §3.1 names; 256 is its most.
func (m *Message) Preview(limit int) string {
	if limit <= 0 {
		limit = 200
	}
	for _, p := range m.TextBody() {
		typ, sub := p.typeBytes()
		if !equalFold(typ, "text") {
			continue
		}
		text := previewText(p)
		if equalFold(sub, "html") {
			text = stripHTML(text)
		} else {
			text = dropQuotes(text)
		}
		if text = squeeze(text, limit); text != "" {
			return text
		}
	}
	return ""
}

// previewBytes is how much of a part a preview looks at.
const previewBytes = 16 << 10

// previewText decodes the start of a text part.
func previewText(p Part) string {
	// A part of any size costs the same: what is shown stands at its start.
	buf := make([]byte, previewBytes)
	n := 0
	r := p.Open()
	for n < len(buf) {
		k, err := r.Read(buf[n:])
		n += k
		if err != nil {
			break
		}
	}
	s, _ := decodeCharsetString(p.charset(buf[:n]), buf[:n], true)
	return s
}

// dropQuotes leaves out quoted lines and what follows a signature mark.
func dropQuotes(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\r\n")
		if trimmed == "-- " {
			break
		}
		if !strings.HasPrefix(trimmed, ">") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// squeeze makes runs of white space single spaces and cuts after limit
// characters.
func squeeze(text string, limit int) string {
	// Characters without width are left out as white space is: newsletters
	// fill their hidden preview text with them.
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200B' || r == '\u200C' || r == '\u034F' || r == '\uFEFF' {
			space = n > 0
			continue
		}
		if space {
			if n+1 >= limit {
				break
			}
			b.WriteByte(' ')
			n, space = n+1, false
		}
		if n == limit {
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// stripHTML takes the text out of HTML, well enough for a preview: tags go,
// scripts, styles and comments go with their content, the usual entities
// become characters.
func stripHTML(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			unescapeEntities(&b, s)
			return b.String()
		}
		unescapeEntities(&b, s[:i])
		s = s[i:]
		end, block := htmlTag(s)
		if block {
			b.WriteByte(' ')
		}
		s = s[end:]
	}
}

// htmlTag measures the tag, comment or skipped element that s begins with.
// block tells of a tag that divides words.
func htmlTag(s string) (end int, block bool) {
	if strings.HasPrefix(s, "<!--") {
		if i := strings.Index(s, "-->"); i >= 0 {
			return i + 3, false
		}
		return len(s), false
	}
	close := strings.IndexByte(s, '>')
	if close < 0 {
		return len(s), false
	}
	name := strings.ToLower(strings.TrimFunc(s[1:min(close, 16)], func(r rune) bool { return r == '/' || unicode.IsSpace(r) }))
	name, _, _ = strings.Cut(name, " ")
	switch name {
	// What these hold is not shown.
	case "script", "style", "title", "head":
		if s[1] == '/' {
			return close + 1, true
		}
		if i := indexFold(s[close:], "</"+name); i >= 0 {
			return close + i, true
		}
		return len(s), true
	// These stand within words.
	case "b", "i", "u", "em", "strong", "span", "a", "font", "small", "code", "sub", "sup":
		return close + 1, false
	}
	return close + 1, true
}

// indexFold finds a text in lower case in s without regard to case.
func indexFold(s, lower string) int {
	return strings.Index(strings.ToLower(s), lower)
}

var htmlEntities = strings.NewReplacer("&nbsp;", " ", "&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`,
	"&#39;", "'", "&apos;", "'", "&zwnj;", "", "&#8203;", "", "&ndash;", "–", "&mdash;", "—", "&hellip;", "…",
	"&rsquo;", "’", "&lsquo;", "‘", "&ldquo;", "“", "&rdquo;", "”", "&copy;", "©", "&reg;", "®", "&euro;", "€")

// unescapeEntities writes s with the usual entities resolved.
func unescapeEntities(b *strings.Builder, s string) { htmlEntities.WriteString(b, s) }
