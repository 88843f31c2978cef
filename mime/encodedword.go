package mime

import (
	"bytes"
	"unicode/utf8"
)

// A wordToken is a split encoded-word: =?charset?encoding?text?= (RFC 2047 §2).
type wordToken struct {
	charset []byte // with the language of RFC 2231 §5, if there is one
	text    []byte
	q       bool // Q encoding; otherwise B
	size    int  // octets of the whole word
}

// scanWord reads the encoded-word that begins at s[at]. It takes what is
// written rather than what should be: spaces and folds inside the text, a "?"
// in Q text, words longer than 75 octets. The decoder remembers where the next
// "?=" is, which keeps the time for a header full of "=?" linear.
func (d *wordDecoder) scanWord(s []byte, at int) (w wordToken, ok bool) {
	b := s[at:]
	if len(b) < 8 || b[0] != '=' || b[1] != '?' {
		return w, false
	}
	n := 2
	for n < len(b) && n <= 2+maxCharsetLabel && b[n] > ' ' && b[n] != '?' && b[n] != '=' {
		n++
	}
	if n+2 >= len(b) || n == 2 || b[n] != '?' || b[n+2] != '?' {
		return w, false
	}
	w.charset = b[2:n]
	switch b[n+1] {
	case 'Q', 'q':
		w.q = true
	case 'B', 'b':
	default:
		return w, false
	}
	n += 3
	end := d.closing(s, at+n) - at
	if end < n {
		return w, false
	}
	w.text = b[n:end]
	// A word that never ended does not swallow the next one.
	if bytes.IndexByte(w.text, '?') >= 0 && indexPair(w.text, '=', '?') >= 0 {
		return w, false
	}
	w.size = end + 2
	return w, true
}

// wordStart is what every encoded-word begins with.
var wordStart = []byte("=?")

// indexPair finds the octets c and d next to each other. Header texts are
// short, and most have neither.
func indexPair(b []byte, c, d byte) int {
	for i := 0; ; i++ {
		k := bytes.IndexByte(b[i:], c)
		if k < 0 || i+k+1 >= len(b) {
			return -1
		}
		if i += k; b[i+1] == d {
			return i
		}
	}
}

// closing finds the first "?=" at or after at, and remembers it.
func (d *wordDecoder) closing(s []byte, at int) int {
	if d.end >= at {
		return d.end
	}
	if d.end == noClosing {
		return -1
	}
	i := indexPair(s[at:], '?', '=')
	if i < 0 {
		d.end = noClosing
		return -1
	}
	d.end = at + i
	return d.end
}

// noClosing says that no "?=" follows: nothing more can be a word.
const noClosing = -2

// A wordDecoder decodes the encoded-words of one text (RFC 2047). The octets
// of adjacent words with one charset are joined before they are decoded, since
// senders cut multi-octet characters in two.
type wordDecoder struct {
	dst     []byte
	pending []byte    // decoded octets of the words seen since the last flush
	label   []byte    // their charset, as written
	charset charset   // and what it means
	mark    int       // where in dst they begin, or will
	last    wordToken // the last of them, to join base64 cut inside a group
	end     int       // the next "?=", or noClosing
	flaws   wordFlaws
	raw     charset // of octets above 0x7F that are not UTF-8, outside of words
	glue    bool    // put no space where a word touches the text before it

	// keepGaps keeps the spaces between words unless they are a fold: inside
	// the quotes of a parameter they were typed.
	keepGaps bool
}

// wordFlaws are what went wrong, for the defects of a header value.
type wordFlaws uint8

const (
	flawWord    wordFlaws = 1 << iota // a word that could not be decoded cleanly
	flawCharset                       // an unknown charset, or octets it does not have
	flawControl                       // a control character, replaced by a space
	flawSplit                         // a character cut in two by adjacent words
	flaw8bit                          // octets above 0x7F outside of words
)

// decode appends the decoded form of s, an unfolded or folded header text, to
// d.dst. Line breaks of folds vanish, control characters become spaces.
func (d *wordDecoder) decode(s []byte) { d.decodeFrom(s, indexPair(s, '=', '?')) }

// decodeFrom is decode for a text whose first "=?" is known; -1 for none.
func (d *wordDecoder) decodeFrom(s []byte, first int) {
	d.end = -1
	start := 0 // of the literal text not yet written
	for i, k := 0, first; k >= 0; k = indexPair(s[i:], '=', '?') {
		i += k
		w, ok := d.scanWord(s, i)
		if !ok {
			if d.end == noClosing {
				break
			}
			i += 2
			continue
		}
		gap := s[start:i]
		if d.label == nil || !isSpaces(gap) || d.keepGaps && len(gap) > 0 && bytes.IndexByte(gap, '\n') < 0 {
			// RFC 2047 §6.2: spaces between words vanish; these are not
			d.flush()
			d.literal(gap)
			d.separate(gap)
		}
		d.word(w)
		i += w.size
		start = i
	}
	d.flush()
	d.literal(s[start:])
}

// separate puts the white space that RFC 2047 §5 (1) demands where a gateway
// glued a tag such as "[SPAM]" to a word.
func (d *wordDecoder) separate(gap []byte) {
	if n := len(gap); n > 0 && gap[n-1] == ']' && !d.glue {
		d.dst = append(d.dst, ' ')
	}
}

// word adds one word to the pending ones, after writing those of another
// charset. The octets of UTF-8 words are written to where the text goes, since
// they hardly ever need more than a look.
func (d *wordDecoder) word(w wordToken) {
	if d.label != nil && !bytes.EqualFold(d.label, w.charset) {
		d.flush()
	}
	joined := d.label != nil
	if !joined {
		d.charset, d.mark = lookupCharset(w.charset), len(d.dst)
	}
	octets := &d.pending
	if d.charset.kind == charsetUTF8 {
		octets = &d.dst
	}
	before := len(*octets)
	if w.q {
		*octets = d.appendQ(*octets, w.text)
	} else {
		*octets = d.appendB(*octets, w.text)
	}
	if joined && before < len(*octets) && !utf8.RuneStart((*octets)[before]) {
		d.flaws |= flawSplit
	}
	d.label, d.last = w.charset, w
}

// appendB decodes B text. A group of four cut in two by the end of a word is
// joined with the start of the next one.
func (d *wordDecoder) appendB(dst, text []byte) []byte {
	var dec base64Decoder
	if rest := cutGroup(d.last.text); d.label != nil && !d.last.q && len(rest) > 0 {
		// The octets of the cut group are written already as far as they
		// were complete: take them back and decode the group whole.
		if n := len(rest) * 6 / 8; len(dst) >= n {
			dst = dst[:len(dst)-n]
			dst = dec.append(dst, rest)
		}
	}
	dst = dec.append(dst, text)
	dst = dec.finish(dst, nil)
	if dec.damage != (damage{}) && dec.damage.code != B64Padding {
		d.flaws |= flawWord
	}
	return dst
}

// cutGroup returns the last characters of base64 text that do not fill a group
// of four, and nothing where padding ends the text.
func cutGroup(text []byte) []byte {
	n := 0
	for _, c := range text {
		if c == '=' {
			return nil
		}
		if base64Value[c] <= 63 {
			n++
		}
	}
	if n %= 4; n < 2 || n > len(text) {
		return nil
	}
	return text[len(text)-n:]
}

// appendQ decodes Q text (RFC 2047 §4.2).
func (d *wordDecoder) appendQ(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '_':
			c = ' '
		case c == '\r', c == '\n': // a fold inside a word
			continue
		case c == '=':
			if v, ok := unhex2(text, i+1); ok {
				c = v
				i += 2
			} else {
				d.flaws |= flawWord
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// flush decodes the pending octets by their charset.
func (d *wordDecoder) flush() {
	if d.label == nil {
		return
	}
	ok := true
	switch {
	case d.charset.kind != charsetUTF8:
		d.dst, ok = decodeCharset(d.dst, d.charset, d.pending)
	case !utf8.Valid(d.dst[d.mark:]):
		octets := bytes.Clone(d.dst[d.mark:])
		d.dst, ok = appendValid(d.dst[:d.mark], octets)
	}
	if !ok {
		d.flaws |= flawCharset
	}
	d.clean(d.mark)
	d.pending, d.label = d.pending[:0], nil
}

// literal writes text that is no encoded-word, without the line breaks of
// folds. RFC 6532 §3.2 makes it UTF-8; other octets are in the charset raw,
// if the caller knows one, and U+FFFD if not.
func (d *wordDecoder) literal(s []byte) {
	for len(s) > 0 {
		n := bytes.IndexByte(s, '\n')
		line := s
		if n >= 0 {
			line, s = trimCR(s[:n]), s[n+1:]
		} else {
			s = nil
		}
		if len(line) > 0 && line[0] == '\t' { // the usual start of a folded line
			d.dst = append(d.dst, ' ')
			line = line[1:]
		}
		if printable(line) == len(line) {
			d.dst = append(d.dst, line...)
			continue
		}
		start := len(d.dst)
		d.literalLine(line)
		d.clean(start)
	}
}

// literalLine writes a line that is not plain.
func (d *wordDecoder) literalLine(line []byte) {
	switch {
	case isASCII(line):
		d.dst = append(d.dst, line...)
		return
	case utf8.Valid(line):
		d.dst = append(d.dst, line...)
	case d.raw.kind == charsetUnknown:
		d.dst, _ = appendValid(d.dst, line)
	default:
		d.dst, _ = decodeCharset(d.dst, d.raw, line)
	}
	d.flaws |= flaw8bit
}

// clean replaces control characters by spaces in what was written since start.
func (d *wordDecoder) clean(start int) {
	n, changed := cleanControls(d.dst[start:])
	d.dst = d.dst[:start+n]
	if changed {
		d.flaws |= flawControl
	}
}
