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
	max  int // what this line should not exceed
}

// begin starts a field.
func (w *fieldWriter) begin(name string) {
	w.b = append(append(w.b, name...), ':')
	w.line, w.max = len(name)+1, foldAt
}

// end ends the field.
func (w *fieldWriter) end() { w.b = append(w.b, '\r', '\n') }

// token writes s after a space, or on a line of its own where it does not fit.
func (w *fieldWriter) token(s string) { w.spaced(" ", s) }

// spaced writes s after the white space before it, at which it may fold. Right
// behind the name of the field it does so only where that helps.
func (w *fieldWriter) spaced(space, s string) {
	width := len(space) + len(s)
	if w.line+width > w.max && (w.b[len(w.b)-1] != ':' || width <= foldAt || w.line+width > maxLine) {
		w.fold()
	}
	w.b = append(append(w.b, space...), s...)
	w.line += width
}

// word writes an encoded-word, which makes its whole line a shorter one.
func (w *fieldWriter) word(space, s string) {
	if w.line+len(space)+len(s) > maxWordLine {
		w.fold()
	}
	w.b = append(append(w.b, space...), s...)
	w.line += len(space) + len(s)
	w.max = maxWordLine
}

// fold goes on to the next line.
func (w *fieldWriter) fold() {
	w.b = append(w.b, '\r', '\n')
	w.line, w.max = 0, foldAt
}

// semicolon ends what stands there before a parameter, which is to fit with it.
func (w *fieldWriter) semicolon() {
	w.b = append(w.b, ';')
	w.line++
}

// text writes an unstructured field. What is plain goes as it is, with all its
// white space; from the first word that cannot to the last all goes as
// encoded-words, since a reader drops the white space between two of these and
// keeps that beside them (RFC 2047 §6.2).
func (w *fieldWriter) text(name, value string) {
	w.begin(name)
	value = strings.ReplaceAll(value, "\t", " ") // no reader shows more of it
	if value != strings.Trim(value, " ") || strings.Contains(value, wideSpace) {
		w.appendWords(" ", value, false) // white space would be lost
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

// wideSpace is more white space than a line should have to hold.
const wideSpace = "                "

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
