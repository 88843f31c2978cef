package mime

import (
	"bytes"
	"strings"
)

// Addresses returns the addresses of all fields of a name, such as "To", with
// the members of groups in their place. What cannot be read as an address is
// returned as well, with an Addr that is empty or has no "@".
func (h Header) Addresses(name string) []Address {
	p := h.parseAddresses(name)
	return p.list
}

// Groups returns the addresses of all fields of a name in their groups. Those
// outside of groups form a Group that is not Named.
func (h Header) Groups(name string) []Group {
	p := h.parseAddresses(name)
	return p.groups()
}

func (h Header) parseAddresses(name string) *addressParser {
	var p addressParser
	for i := h.next(name, 0); i >= 0; i = h.next(name, i+1) {
		p.parse(Field{h.raw, h.fields[i]}.value())
	}
	return &p
}

// Addresses returns the addresses of one field.
func (f Field) Addresses() []Address {
	var p addressParser
	p.parse(f.value())
	return p.list
}

// ParseAddresses reads a list of addresses as people and programs write them:
// "Bob <bob@hamburger.edu>, c@example.org". Text that is no address is
// returned as well, with an Addr that is empty or has no "@".
func ParseAddresses(list string) []Address {
	var p addressParser
	p.parse([]byte(list))
	return p.list
}

// An addressParser reads address lists (RFC 5322 §3.4 and §4.4). A comma that
// is missing, a bracket never closed or a word too many costs at most the
// address it belongs to. Text is split into tokens first and decoded after
// that, so that no encoded-word can bring in a comma, a bracket or an "@".
type addressParser struct {
	lexer
	list  []Address
	marks []groupMark
	flaws valueFlaws

	undecoded bool // give names as they are written, for IMAP

	open     bool      // inside a group
	tokens   []addrTok // of the current entry, outside of angle brackets
	comments [][]byte
	angle    []byte // what stands in angle brackets
	angled   bool
	words    wordDecoder // where encoded-words end, remembered
}

// A groupMark says where in the list a group or a run of others begins.
type groupMark struct {
	start   int
	name    string
	comment string
	named   bool
}

// An addrTok is a token of an entry.
type addrTok struct {
	text  []byte
	at    int // where it begins in the value
	kind  addrKind
	space bool // white space stood before it
}

type addrKind uint8

const (
	addrAtom   addrKind = iota // with dots; also a domain literal
	addrQuoted                 // without the quotes
	addrWord                   // an encoded-word
	addrAt
)

// parse reads the value of one field.
func (p *addressParser) parse(value []byte) {
	p.lexer = lexer{b: value}
	p.words.end = -1
	p.setGroup(groupMark{})
	for {
		at := p.i
		p.skipSpace()
		space := p.i > at
		if p.done() {
			break
		}
		p.token(space)
	}
	p.endEntry(false)
	p.open = false
}

// token reads one token of the list, or what separates entries.
func (p *addressParser) token(space bool) {
	switch c := p.peek(); c {
	case ',':
		p.i++
		p.endEntry(true)
	case ';':
		p.i++
		p.endEntry(false)
		if p.open {
			p.open = false
			p.setGroup(groupMark{})
		}
	case ':':
		p.i++
		p.startGroup()
	case '<':
		p.readAngle()
	case '>':
		p.i++
		p.flaws.add(BadAddress)
	case '@':
		p.i++
		p.tokens = append(p.tokens, addrTok{p.b[p.i-1 : p.i], p.i - 1, addrAt, space})
	case '(':
		if text, ok := p.comment(); ok {
			p.comments = append(p.comments, text)
			return
		}
		p.atom(space)
	case '"':
		if text, ok := p.quoted(); ok {
			p.tokens = append(p.tokens, addrTok{text, p.i, addrQuoted, space})
			return
		}
		p.atom(space)
	default:
		p.atom(space)
	}
}

// atom reads an atom, a domain literal or an encoded-word. It takes at least
// one octet, whatever that is.
func (p *addressParser) atom(space bool) {
	if w, ok := p.words.scanWord(p.b, p.i); ok && !bytes.ContainsAny(w.text, `<>"()`) {
		p.tokens = append(p.tokens, addrTok{p.b[p.i : p.i+w.size], p.i, addrWord, space})
		p.i += w.size
		return
	}
	start := p.i
	for p.i++; p.i < len(p.b) && !isSpace(p.b[p.i]) && !addrSpecial[p.b[p.i]]; p.i++ {
	}
	if p.b[start] == '[' { // RFC 5322 §3.4.1: a domain literal may hold colons
		if n := bytes.IndexAny(p.b[start:], "]<,\n"); n > 0 && p.b[start+n] == ']' {
			p.i = start + n + 1
		}
	}
	p.tokens = append(p.tokens, addrTok{p.b[start:p.i], start, addrAtom, space})
}

var addrSpecial = [256]bool{',': true, ';': true, ':': true, '<': true, '>': true, '@': true, '(': true, '"': true}

// readAngle reads <...>. Without the ">" the address ends where the next one
// or the list goes on.
func (p *addressParser) readAngle() {
	if p.angled { // two addresses without a comma
		p.flaws.add(BadAddress)
		p.endEntry(false)
	}
	p.i++
	start := p.i
	p.angled = true
	for !p.done() {
		switch p.peek() {
		case '>':
			p.angle = p.b[start:p.i]
			p.i++
			return
		case '"':
			if _, ok := p.quoted(); ok {
				continue
			}
		case '<':
			p.unclosed(start)
			return
		}
		p.i++
	}
	p.unclosed(start)
}

// unclosed takes as address what stands between start and the next separator.
func (p *addressParser) unclosed(start int) {
	p.flaws.add(BadAddress)
	end := p.i
	if n := bytes.IndexAny(p.b[start:end], ",;\r\n"); n >= 0 {
		end = start + n
	}
	p.angle, p.i = p.b[start:end], end
}

// startGroup takes the tokens so far as the name of a group.
func (p *addressParser) startGroup() {
	if p.angled {
		p.flaws.add(BadAddress)
		p.endEntry(false)
	}
	name, comment := p.phrase(p.tokens), p.commentText()
	p.reset()
	p.open = true
	p.setGroup(groupMark{name: name, comment: comment, named: true})
}

// setGroup begins a group or a run of addresses outside of groups.
func (p *addressParser) setGroup(m groupMark) {
	m.start = len(p.list)
	if n := len(p.marks); n > 0 && !p.marks[n-1].named && (p.marks[n-1].start == m.start || !m.named) {
		if p.marks[n-1].start == m.start {
			p.marks[n-1] = m
		}
		return
	}
	p.marks = append(p.marks, m)
}

// groups cuts the list at the marks.
func (p *addressParser) groups() []Group {
	var out []Group
	for i, m := range p.marks {
		end := len(p.list)
		if i+1 < len(p.marks) {
			end = p.marks[i+1].start
		}
		if !m.named && m.start == end {
			continue
		}
		out = append(out, Group{m.name, m.comment, m.named, p.list[m.start:end:end]})
	}
	return out
}

func (p *addressParser) reset() {
	p.tokens, p.comments = p.tokens[:0], p.comments[:0]
	p.angle, p.angled = nil, false
}

// endEntry makes an address, or several, of what was read since the last
// separator.
func (p *addressParser) endEntry(comma bool) {
	if len(p.tokens) == 0 && !p.angled && len(p.comments) == 0 {
		if comma {
			p.flaws.add(EmptyAddress)
		}
		return
	}
	a := Address{Comment: p.commentText()}
	if p.angled {
		a.Route, a.Addr = p.splitRoute(p.angle)
		a.Name = p.phrase(p.tokens)
		p.push(a)
		return
	}
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
	p.flaws.add(BadAddress)
	if len(tokens) == 1 && tokens[0].kind == addrAtom { // MAILER-DAEMON
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
	if plainText(b) && bytes.IndexAny(b, " (\"\\") < 0 {
		return string(b)
	}
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
	if p.angled { // those inside the brackets count too
		defer func(n int) { p.comments = p.comments[:n] }(len(p.comments))
		p.splitRoute(p.angle)
	}
	if len(p.comments) == 0 {
		return ""
	}
	if len(p.tokens) > 0 {
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

func (p *addressParser) text(raw []byte) string {
	if plainText(raw) || p.undecoded {
		return string(raw)
	}
	d := wordDecoder{dst: make([]byte, 0, len(raw))}
	d.decode(raw)
	p.flaws.addWords(d.flaws)
	return ownedString(d.dst)
}
