package mime

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// An encoded-word has 75 characters at most (RFC 2047 §2), of which the frame
// takes twelve: =?utf-8?q? and ?=.
const (
	wordOpenQ = "=?utf-8?q?"
	wordOpenB = "=?utf-8?b?"
	wordClose = "?="
	maxWord   = 75
	wordRoom  = maxWord - len(wordOpenQ) - len(wordClose)

	maxWordLine = 76 // a line with one (RFC 2047 §2)
)

// appendWords writes s as encoded-words after space, as many as it takes, no
// rune split between two (RFC 2047 §5). phrase restricts the characters that
// stand for themselves to those a phrase allows.
func (w *fieldWriter) appendWords(space, s string, phrase bool) {
	q := qWidth(s, phrase) <= (len(s)+2)/3*4
	// The first word may share the line with what stands before it.
	room := maxWordLine - w.line - len(space) - len(wordOpenQ) - len(wordClose)
	if room < 12 {
		room = wordRoom
	}
	for room = min(room, wordRoom); s != ""; room = wordRoom {
		n := wordPrefix(s, room, q, phrase)
		w.word(space, encodeWord(s[:n], q, phrase))
		s, space = s[n:], " "
	}
}

// wordPrefix is how much of s fits into one encoded-word. It ends between words
// if it can: some readers put a space where two encoded-words meet.
func wordPrefix(s string, room int, q, phrase bool) int {
	n := runePrefix(s, room, q, phrase)
	if n < len(s) {
		if space := strings.LastIndexByte(s[:n], ' '); space > 0 {
			return space + 1
		}
	}
	return n
}

// runePrefix is how many octets of s, in whole characters, have room.
func runePrefix(s string, room int, q, phrase bool) int {
	n, width := 0, 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if q {
			width += qWidth(s[n:n+size], phrase)
		} else {
			width = (n + size + 2) / 3 * 4
		}
		if width > room && n > 0 {
			return n
		}
		n += size
	}
	return n
}

// encodeWord writes one encoded-word, in the Q or the B encoding (RFC 2047 §4).
func encodeWord(s string, q, phrase bool) string {
	if !q {
		return wordOpenB + base64.StdEncoding.EncodeToString([]byte(s)) + wordClose
	}
	var b strings.Builder
	b.WriteString(wordOpenQ)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case isQPlain(c, phrase):
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	b.WriteString(wordClose)
	return b.String()
}

// qWidth is the length of s in the Q encoding.
func qWidth(s string, phrase bool) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || isQPlain(s[i], phrase) {
			n++
		} else {
			n += 3
		}
	}
	return n
}

// isQPlain reports characters that stand for themselves in the Q encoding; in
// a phrase these are letters, digits and !*+-/ (RFC 2047 §5 (3)).
func isQPlain(c byte, phrase bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case phrase:
		return strings.IndexByte("!*+-/", c) >= 0
	}
	return c > ' ' && c <= '~' && c != '=' && c != '?' && c != '_'
}
