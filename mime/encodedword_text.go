package mime

// cleanControls replaces, in place, what could end a line or a string where
// the text is shown or sent on: C0, DEL, C1 and the Unicode line separators.
// It returns the new length. A TAB becomes a space silently.
func cleanControls(b []byte) (n int, changed bool) {
	i := printable(b)
	n = i
	for i < len(b) {
		c := b[i]
		switch {
		case c == '\t':
			c = ' '
		case c < ' ' || c == 0x7F:
			c, changed = ' ', true
		case c == 0xC2 && i+1 < len(b) && b[i+1] < 0xA0:
			i++
			c, changed = ' ', true
		case c == 0xE2 && i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xA8 || b[i+2] == 0xA9):
			i += 2
			c, changed = ' ', true
		}
		b[n] = c
		n++
		i++
	}
	return n, changed
}

// printable counts the octets from 0x20 to 0x7E that b begins with.
func printable(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for i+8 <= len(b) {
		w := load64(b, i)
		if (w|(w-ones*' ')|(w+ones))&high != 0 {
			break
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] < 0x7F {
		i++
	}
	return i
}

// decodeText decodes a header text: what Text and Subject give. Most texts
// need no decoding, only the line breaks of folds taken out.
func decodeText(s []byte) (string, wordFlaws) {
	s = trimSpace(s)
	first := indexPair(s, '=', '?')
	if first < 0 {
		if printable(s) == len(s) {
			return string(s), 0
		}
		if text, ok := unfoldPlain(s); ok {
			return text, 0
		}
	}
	d := wordDecoder{dst: make([]byte, 0, len(s))}
	d.decodeFrom(s, first)
	return ownedString(d.dst), d.flaws
}

// unfoldPlain joins the lines of a text that has nothing but printable ASCII
// in them. A tab at the start of a line becomes a space.
func unfoldPlain(s []byte) (text string, ok bool) {
	var out []byte
	for len(s) > 0 {
		n := printable(s)
		rest := s[n:]
		if out == nil {
			if len(rest) > 0 && rest[0] != '\r' && rest[0] != '\n' {
				return "", false // not even the first line
			}
			out = make([]byte, 0, len(s))
		}
		out = append(out, s[:n]...)
		if len(rest) > 0 && rest[0] == '\r' {
			rest = rest[1:]
		}
		switch {
		case len(rest) == 0:
		case rest[0] != '\n':
			return "", false
		case len(rest) > 1 && rest[1] == '\t':
			out = append(out, ' ')
			rest = rest[2:]
		default:
			rest = rest[1:]
		}
		s = rest
	}
	return ownedString(out), true
}

// plainText reports whether s is its own decoded form: printable ASCII without
// the start of an encoded-word.
func plainText(s []byte) bool {
	return printable(s) == len(s) && indexPair(s, '=', '?') < 0
}
