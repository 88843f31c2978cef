package mime

import (
	"html"
	"strings"
)

// htmlText is what HTML says, as plain text: paragraphs and lines as they would
// be seen, entities as characters, quotations with ">" marks. It goes over the
// text once and needs no tree: what is never closed harms nothing but itself.
func htmlText(s string) string {
	var w htmlWriter
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			i = len(s)
		}
		w.text(html.UnescapeString(s[:i]))
		if s = s[i:]; s == "" {
			break
		}
		s = w.markup(s)
	}
	w.newline(1)
	return w.b.String()
}

// htmlWriter lays text out.
type htmlWriter struct {
	b      strings.Builder
	line   bool   // something is on the line
	breaks int    // line breaks at the end
	space  bool   // white space waits for a word
	pre    bool   // in <pre>, where white space counts
	depth  int    // of quotations
	skip   string // the element whose content is not shown
}

// markup takes the tag, comment or lone bracket that s begins with.
func (w *htmlWriter) markup(s string) string {
	if strings.HasPrefix(s, "<!--") && w.skip == "" {
		if i := strings.Index(s, "-->"); i >= 0 {
			return s[i+3:]
		}
		return ""
	}
	name, rest := htmlTagName(s[1:])
	if name == "" || w.skip != "" && name != "/"+w.skip {
		w.text("<")
		return s[1:]
	}
	end := tagEnd(rest)
	w.tag(name)
	return rest[end:]
}

// htmlTagName reads a name in lower case, "/" before it for an end tag.
func htmlTagName(s string) (name, rest string) {
	n := 0
	for n < len(s) && n < 16 && (n == 0 && s[n] == '/' || s[n] == '!' && n == 0 || isAlnum(s[n])) {
		n++
	}
	return strings.ToLower(s[:n]), s[n:]
}

// isAlnum reports what names of tags are made of.
func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// tagEnd is behind the ">" of a tag, which may stand in the quotes of a value.
func tagEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '>':
			return i + 1
		case '<': // the bracket was forgotten
			return i
		case '"', '\'':
			// A quote that is never closed is no quote.
			if n := strings.IndexByte(s[i+1:min(len(s), i+maxAttribute)], s[i]); n >= 0 {
				i += n + 1
			}
		}
	}
	return len(s)
}

// maxAttribute is how far the end of a value is looked for.
const maxAttribute = 4096

// tag does what a tag means for the layout. Tags that are not named here stand
// within words.
func (w *htmlWriter) tag(name string) {
	if w.skip != "" {
		w.skip = ""
		return
	}
	switch name {
	case "script", "style", "title", "template":
		w.skip = name
	case "br":
		w.newline(w.breaks + 1)
	case "p", "/p", "h1", "h2", "h3", "h4", "h5", "h6", "/h1", "/h2", "/h3", "/h4", "/h5", "/h6", "ul", "ol", "/ul", "/ol", "table", "/table", "hr":
		w.newline(2)
	case "div", "/div", "tr", "/tr", "/li", "dt", "dd", "section", "article", "header", "footer", "address", "form":
		w.newline(1)
	case "td", "th":
		w.space = w.line
	case "li":
		w.newline(1)
		w.text("- ")
		w.space = true
	case "pre", "/pre":
		w.newline(1)
		w.pre = name == "pre"
	case "blockquote":
		w.newline(1)
		w.depth = min(w.depth+1, maxMarks)
	case "/blockquote":
		w.newline(1)
		w.depth = max(w.depth-1, 0)
	}
}

// text writes words, with single spaces between them outside of <pre>.
func (w *htmlWriter) text(s string) {
	if w.skip != "" {
		return
	}
	for _, r := range s {
		switch {
		case r == '\n' && w.pre:
			w.newline(w.breaks + 1)
			continue
		case r == ' ' && w.pre:
		case r == ' ', r == '\n', r == '\t', r == '\r', isControl(r):
			w.space = w.line
			continue
		case r == '\u200b', r == '\u200c', r == '\ufeff', r == '\u034f', r == '\u00ad':
			continue // newsletters fill hidden texts with these
		}
		w.rune(r)
	}
}

// rune writes a character, behind the marks of a new line and the space that
// waits.
func (w *htmlWriter) rune(r rune) {
	if !w.line && w.depth > 0 {
		for range w.depth {
			w.b.WriteByte('>')
		}
		w.b.WriteByte(' ')
	}
	if w.space && w.line {
		w.b.WriteByte(' ')
	}
	if r == '\u00a0' {
		r = ' '
	}
	w.b.WriteRune(r)
	w.line, w.space, w.breaks = true, false, 0
}

// newline ends the line, and sees to it that n breaks stand there, but never
// more than one empty line, nor any at the start.
func (w *htmlWriter) newline(n int) {
	w.space, w.line = false, false
	if w.b.Len() == 0 {
		return
	}
	for ; w.breaks < min(n, 2); w.breaks++ {
		w.b.WriteByte('\n')
	}
}
