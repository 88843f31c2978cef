package mime

import (
	"bytes"
	"strings"
)

// endEntry makes an address, or several, of what was read since the last
// separator.
func (p *addressParser) endEntry(comma bool) {
	if len(p.tokens) == 0 && !p.angled && len(p.comments) == 0 {
		if comma {
			p.flaws.add(EmptyAddress)
		}
		return
	}
	if p.angled {
		var a Address
		a.Route, a.Addr = p.splitRoute(p.angle)
		a.Name, a.Comment = p.phrase(p.tokens), p.commentText()
		p.push(a)
		return
	}
	// Without brackets, what stands around the "@" is the address, and all else
	// its name.
	a := Address{Comment: p.commentText()}
	tokens := p.tokens
	for {
		l, r := addrSpan(tokens)
		if l < 0 {
			break
		}
		rest := tokens[r:]
		a.Addr = p.joinAddr(tokens[l:r])
		if more, _ := addrSpan(rest); more >= 0 { // "a@example.org c@example.org"
			p.flaws.add(BadAddress)
			a.Name = p.phrase(tokens[:l])
			p.list = append(p.list, a)
			a = Address{}
			tokens = rest
			continue
		}
		a.Name = p.phrase(append(tokens[:l:l], rest...))
		p.push(a)
		return
	}
	// No "@" at all: a lone word is a local user, such as MAILER-DAEMON, and
	// several words are somebody's name.
	p.flaws.add(BadAddress)
	if len(tokens) == 1 && tokens[0].kind == addrAtom {
		a.Addr = p.joinAddr(tokens)
	} else {
		a.Name = p.phrase(tokens)
	}
	p.push(a)
}

// push adds the address and is ready for the next.
func (p *addressParser) push(a Address) {
	if a.Name == "" {
		a.Name = a.Comment
	}
	// The commas that are left tell how many are still to come.
	if len(p.list) == cap(p.list) && len(p.list) == 0 {
		p.list = make([]Address, 0, 1+bytes.Count(p.b[p.i:], []byte{','}))
	}
	p.list = append(p.list, a)
	p.reset()
}

// addrSpan finds the tokens of the first address written without brackets:
// those around an "@" that no white space divides, except beside a dot or the
// "@" itself (RFC 5322 §4.4). l is negative if there is no "@".
func addrSpan(tokens []addrTok) (l, r int) {
	at := -1
	for i, t := range tokens {
		if t.kind == addrAt {
			at = i
			break
		}
	}
	if at < 0 {
		return -1, 0
	}
	l, r = max(at-1, 0), min(at+2, len(tokens))
	for l > 0 && joined(tokens[l-1], tokens[l]) {
		l--
	}
	for r < len(tokens) && joined(tokens[r-1], tokens[r]) {
		r++
	}
	return l, r
}

// joined reports whether two tokens belong to one address.
func joined(a, b addrTok) bool {
	return !b.space || a.text != nil && bytesAtEnd(a.text, '.') == 1 || len(b.text) > 0 && b.text[0] == '.'
}

// joinAddr writes tokens as an addr-spec. Encoded-words in it stay as they are.
func (p *addressParser) joinAddr(tokens []addrTok) string {
	if b := p.onePiece(tokens); plainText(b) && len(b) > 0 {
		return string(b)
	}
	var buf []byte
	for _, t := range tokens {
		switch t.kind {
		case addrQuoted:
			buf = appendLocal(buf, unescape(t.text))
			continue
		case addrWord: // RFC 2047 §5: an encoded-word must not be in an addr-spec
			p.flaws.add(EncodedAddrSpec)
		}
		buf = append(buf, t.text...)
	}
	return p.addrText(buf)
}

// onePiece returns the octets of tokens that touch each other, as those of the
// usual address do, or nil.
func (p *addressParser) onePiece(tokens []addrTok) []byte {
	end := tokens[0].at
	for _, t := range tokens {
		if t.at != end || t.kind != addrAtom && t.kind != addrAt {
			return nil
		}
		end += len(t.text)
	}
	return p.b[tokens[0].at:end]
}

// addrText makes raw octets of an address a string without control characters.
func (p *addressParser) addrText(b []byte) string {
	if plainText(b) {
		return string(b)
	}
	if bytes.Contains(b, wordStart) {
		p.flaws.add(EncodedAddrSpec)
	}
	var d wordDecoder
	d.literal(b)
	return string(d.dst)
}

// appendLocal appends a local part that was quoted, with its quotes only if it
// is no dot-atom without them (RFC 5322 §3.4.1).
func appendLocal(dst, local []byte) []byte {
	if isDotAtom(local) {
		return append(dst, local...)
	}
	dst = append(dst, '"')
	for _, c := range local {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// isDotAtom reports whether b needs no quotes as a local part (RFC 5322
// §3.2.3). Octets above 127 are part of an atom since RFC 6532 §3.2.
func isDotAtom(b []byte) bool {
	if len(b) == 0 || b[0] == '.' || b[len(b)-1] == '.' || bytes.Contains(b, []byte("..")) {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == 0x7F || strings.IndexByte(`()<>[]:;@\,"`, c) >= 0 {
			return false
		}
	}
	return true
}

// splitRoute reads the inside of angle brackets: an obsolete route up to the
// colon (RFC 5322 §4.4), and the address without comments and white space.
func (p *addressParser) splitRoute(b []byte) (route, addr string) {
	b = trimSpace(b)
	if len(b) > 0 && b[0] == '@' {
		if i := bytes.IndexByte(b, ':'); i >= 0 {
			route, b = p.stripCFWS(b[:i]), b[i+1:]
		}
	}
	return route, p.stripCFWS(b)
}

// stripCFWS copies b without white space and comments outside of quotes.
func (p *addressParser) stripCFWS(b []byte) string {
	if plainText(b) && !bytes.ContainsAny(b, " (\"\\") {
		return string(b)
	}
	// In a URL, which List-* fields have here, a parenthesis is no comment.
	lex := lexer{b: b, noComment: bytes.Contains(b, []byte("://"))}
	var buf []byte
	for {
		lex.skipSpace()
		if lex.done() {
			return p.addrText(buf)
		}
		switch lex.peek() {
		case '(':
			if text, ok := lex.comment(); ok {
				p.comments = append(p.comments, text)
				continue
			}
		case '"':
			if text, ok := lex.quoted(); ok {
				buf = appendLocal(buf, unescape(text))
				continue
			}
		}
		buf = append(buf, lex.peek())
		lex.i++
	}
}

// phrase decodes the words of a display name.
func (p *addressParser) phrase(tokens []addrTok) string {
	if len(tokens) == 0 {
		return ""
	}
	if len(tokens) == 1 && plainText(tokens[0].text) && bytes.IndexByte(tokens[0].text, '\\') < 0 {
		return string(tokens[0].text)
	}
	raw := make([]byte, 0, 64)
	for i, t := range tokens {
		if i > 0 && t.space {
			raw = append(raw, ' ')
		}
		if t.kind == addrQuoted {
			raw = appendUnescaped(raw, t.text)
		} else {
			raw = append(raw, t.text...)
		}
	}
	return p.text(raw)
}

// commentText decodes the comments of the entry.
func (p *addressParser) commentText() string {
	if len(p.comments) == 0 {
		return ""
	}
	if p.angled && len(p.tokens) > 0 {
		p.flaws.add(CommentInPhrase)
	}
	var raw []byte
	for i, c := range p.comments {
		if i > 0 {
			raw = append(raw, ' ')
		}
		raw = appendUnescaped(raw, c)
	}
	return p.text(raw)
}

// text decodes a name or comment, or gives it as it is where IMAP wants that.
func (p *addressParser) text(raw []byte) string {
	if plainText(raw) || p.undecoded {
		return string(raw)
	}
	d := wordDecoder{dst: make([]byte, 0, len(raw))}
	d.decode(raw)
	p.flaws.addWords(d.flaws)
	return ownedString(d.dst)
}
