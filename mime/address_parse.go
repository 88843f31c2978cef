package mime

import (
	"bytes"
	"slices"
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

// parseAddresses reads all fields of a name as one list: a second To field is
// against RFC 5322 §3.6, but its recipients are recipients all the same.
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
	before   int         // how many of the tokens stand before the brackets
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
	// RFC 5322 §4.4: entries may be empty. A semicolon divides them as well:
	// some programs write their lists so.
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
	case ':': // RFC 5322 §3.4: what came before is the name of a group
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
	// An encoded-word is one token, whatever its text holds. One with brackets
	// or quotes in it is more likely to have lost its end.
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
		p.splitEntry()
	}
	p.i++
	start := p.i
	p.before = len(p.tokens)
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

// splitEntry ends an entry that another follows without a comma. What stands
// behind its brackets is the name of the other.
func (p *addressParser) splitEntry() {
	name := slices.Clone(p.tokens[p.before:])
	p.tokens = p.tokens[:p.before]
	p.endEntry(false)
	p.tokens = append(p.tokens, name...)
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

// setGroup begins a group or a run of addresses outside of groups. Most lists
// have no groups, and need no mark.
func (p *addressParser) setGroup(m groupMark) {
	m.start = len(p.list)
	n := len(p.marks)
	switch {
	case m.named:
		if n == 0 && m.start > 0 {
			p.marks = append(p.marks, groupMark{})
		} else if n > 0 && !p.marks[n-1].named && p.marks[n-1].start == m.start {
			p.marks = p.marks[:n-1] // a run of none
		}
		p.marks = append(p.marks, m)
	case n > 0 && p.marks[n-1].named:
		p.marks = append(p.marks, m)
	}
}

// groups cuts the list at the marks.
func (p *addressParser) groups() []Group {
	if len(p.marks) == 0 && len(p.list) > 0 {
		return []Group{{Members: p.list}}
	}
	var out []Group
	for i, m := range p.marks {
		end := len(p.list)
		if i+1 < len(p.marks) {
			end = p.marks[i+1].start
		}
		if m.named || m.start < end {
			out = append(out, Group{m.name, m.comment, m.named, p.list[m.start:end:end]})
		}
	}
	return out
}

// reset forgets the entry and keeps the space it took.
func (p *addressParser) reset() {
	p.tokens, p.comments = p.tokens[:0], p.comments[:0]
	p.angle, p.angled = nil, false
}
