package mime

import (
	"strings"
	"unicode/utf8"
)

// foldAt is the width a line of a header should not exceed (RFC 5322 §2.1.1).
const foldAt = 78

// fieldWriter writes header fields and folds them between tokens, never within
// one, so that no word, address or URL is broken.
type fieldWriter struct {
	b    []byte
	line int // octets of the line so far
}

// begin starts a field.
func (w *fieldWriter) begin(name string) {
	w.b = append(append(w.b, name...), ':')
	w.line = len(name) + 1
}

// end ends the field.
func (w *fieldWriter) end() { w.b = append(w.b, '\r', '\n') }

// room is what the line still takes, a space before it counted.
func (w *fieldWriter) room() int { return foldAt - w.line }

// token writes s after a space, or on a line of its own where it does not fit.
func (w *fieldWriter) token(s string) { w.spaced(" ", s) }

// spaced writes s after the white space before it, at which it may fold.
func (w *fieldWriter) spaced(space, s string) {
	// A fold right behind the name would leave a line without content.
	fresh := len(w.b) > 0 && w.b[len(w.b)-1] == ':' && w.line < 60
	if w.line+len(space)+len(s) > foldAt && !(fresh && len(s) < maxLine-w.line-1) && w.line > 1 {
		w.b = append(w.b, '\r', '\n')
		w.line = 0
	}
	w.b = append(append(w.b, space...), s...)
	w.line += len(space) + len(s)
}

// glue writes s right behind what stands there.
func (w *fieldWriter) glue(s string) {
	w.b = append(w.b, s...)
	w.line += len(s)
}

// text writes an unstructured field. What is plain goes as it is, with all its
// white space; from the first word that cannot to the last all goes as
// encoded-words, since a reader drops the white space between two of these and
// keeps that beside them (RFC 2047 §6.2).
func (w *fieldWriter) text(name, value string) {
	w.begin(name)
	value = strings.ReplaceAll(value, "\t", " ") // no reader shows more of it
	if value != strings.Trim(value, " ") {
		w.appendWords(" ", value, false) // white space at the ends is lost otherwise
		w.end()
		return
	}
	from, to := encodedSpan(value)
	space := w.plain(" ", value[:from])
	if from < to {
		w.appendWords(space, value[from:to], false)
	}
	w.plain("", value[to:])
	w.end()
}

// plain writes words as they are, the first one after space and its own, and
// gives back the white space that is left at the end.
func (w *fieldWriter) plain(space, s string) string {
	for s != "" {
		word := strings.TrimLeft(s, " ")
		space += s[:len(s)-len(word)]
		if word == "" {
			return space
		}
		if i := strings.IndexByte(word, ' '); i >= 0 {
			word = word[:i]
		}
		w.spaced(space, word)
		s = strings.TrimLeft(s, " ")[len(word):]
		space = ""
	}
	return space
}

// encodedSpan finds the first and the last word that need encoding.
func encodedSpan(s string) (from, to int) {
	from, to = len(s), len(s)
	for i := 0; i < len(s); {
		if s[i] == ' ' {
			i++
			continue
		}
		end := len(s)
		if n := strings.IndexByte(s[i:], ' '); n >= 0 {
			end = i + n
		}
		if needsWord(s[i:end]) {
			from, to = min(from, i), end
		}
		i = end
	}
	return from, to
}

// needsWord reports a word that cannot stand in a header as it is: not ASCII,
// too long for a line, or to be taken for an encoded-word.
func needsWord(s string) bool {
	if s == "" {
		return false
	}
	if len(s) > 900 || strings.Contains(s, "=?") {
		return true
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}
