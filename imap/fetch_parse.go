package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// section is what stands in the brackets of BODY and BINARY (RFC 9051 §9:
// section).
type section struct {
	label  string   // as the response has it: "BODY[1.MIME]"
	spec   string   // as mime has it: "1.MIME"
	fields []string // of HEADER.FIELDS
	listed bool     // fields are given
	not    bool     // HEADER.FIELDS.NOT

	partial bool // "<from.size>"
	from    int64
	size    int64

	data []byte // of the message at hand, where it is not a part of it
	at   int64  // where it lies in the message, if it does
	n    int64
	miss bool // there is no such section
}

// fetching takes the arguments of FETCH.
func (p *parser) fetching() *fetching {
	f := &fetching{}
	p.SP()
	f.numbers = p.set()
	p.SP()
	if p.Peek() == '(' {
		p.List(func() { p.fetchItem(f) })
		if len(f.items) == 0 {
			p.Fail("what to fetch")
		}
	} else {
		p.macro(f)
	}
	if p.Take(' ') {
		p.List(func() { p.fetchModifier(f) })
	}
	if f.vanished && !f.since {
		p.Fail("CHANGEDSINCE beside VANISHED")
	}
	f.flags, f.modseq = f.has(itemFlags), f.has(itemModSeq)
	if f.since || f.modseq {
		p.c.condstoreAware(p)
	}
	return f
}

// condstoreAware notes that the client knows of mod-sequences (RFC 7162 §3.1):
// from now on it is told them.
func (c *conn) condstoreAware(p *parser) {
	if p.OK() && c.has("CONDSTORE") {
		c.turnOn(c.on | condstore)
	}
}

// macro takes ALL, FAST or FULL, or one item.
func (p *parser) macro(f *fetching) {
	for name, list := range macros {
		if p.TakeWord(name) {
			for _, it := range list {
				f.items = append(f.items, fetchItem{item: it})
			}
			return
		}
	}
	p.fetchItem(f)
}

// fetchItem takes one item.
func (p *parser) fetchItem(f *fetching) {
	name := p.itemName()
	if it, known := items[name]; known && p.Peek() != '[' {
		if it == itemPreview && p.lazy() {
			f.items = append(f.items, fetchItem{it, &section{}})
			return
		}
		f.items = append(f.items, fetchItem{item: it})
		return
	}
	switch name {
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT": // RFC 3501 §6.4.5
		f.seen = f.seen || name != "RFC822.HEADER"
		f.items = append(f.items, fetchItem{itemSection, &section{label: name, spec: strings.TrimPrefix(strings.TrimPrefix(name, "RFC822"), ".")}})
	case "BODY", "BODY.PEEK":
		f.seen = f.seen || name == "BODY"
		f.items = append(f.items, fetchItem{itemSection, p.section("BODY")})
	case "BINARY", "BINARY.PEEK": // RFC 3516 §4.2
		f.seen = f.seen || name == "BINARY"
		f.items = append(f.items, fetchItem{itemBinary, p.binary("BINARY", true)})
	case "BINARY.SIZE":
		f.items = append(f.items, fetchItem{itemBinarySize, p.binary("BINARY.SIZE", false)})
	default:
		p.Fail("known item")
	}
}

// itemName takes letters, digits and dots: an atom would go beyond "[".
func (p *parser) itemName() string {
	rest := p.Rest()
	n := 0
	for n < len(rest) && isItemChar(rest[n]) {
		n++
	}
	if n == 0 || !p.OK() {
		p.Fail("item")
		return ""
	}
	p.Skip(n)
	return wire.Upper(string(rest[:n]))
}

func isItemChar(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '.'
}

// lazy takes the modifier of PREVIEW (RFC 8970 §3.1).
func (p *parser) lazy() bool {
	if len(p.Rest()) < 2 || string(p.Rest()[:2]) != " (" {
		return false
	}
	p.SP()
	lazy := false
	p.List(func() {
		if p.Word() != "LAZY" {
			p.Fail("LAZY")
		}
		lazy = true
	})
	return lazy
}

// section takes "[...]" and perhaps "<from.size>".
func (p *parser) section(name string) *section {
	s := &section{}
	p.Want('[')
	if p.OK() && p.Peek() != ']' {
		s.spec = p.itemName()
	}
	if !validSpec(s.spec) {
		p.Fail("section")
	}
	label := []byte(name + "[" + s.spec)
	if base, is := strings.CutSuffix(s.spec, "HEADER.FIELDS.NOT"); is {
		s.spec, s.listed, s.not = base+"HEADER", true, true
	} else if base, is := strings.CutSuffix(s.spec, "HEADER.FIELDS"); is {
		s.spec, s.listed = base+"HEADER", true
	}
	if s.listed {
		label = p.fields(s, label)
	}
	p.Want(']')
	s.label = string(append(label, ']'))
	p.partial(s)
	return s
}

// fields takes the names of header fields.
func (p *parser) fields(s *section, label []byte) []byte {
	p.SP()
	label = append(label, " ("...)
	p.List(func() {
		name := p.AString()
		if len(s.fields) > 0 {
			label = append(label, ' ')
		}
		s.fields = append(s.fields, name)
		label = wire.AppendAString(label, name, p.c.utf8())
	})
	if len(s.fields) == 0 {
		p.Fail("name of a header field")
	}
	return append(label, ')')
}

// validSpec reports whether a section is one that a message may have.
func validSpec(spec string) bool {
	numbers := 0
	for spec != "" {
		word, rest, more := strings.Cut(spec, ".")
		if !isNZNumber(word) {
			switch spec {
			case "HEADER", "TEXT", "HEADER.FIELDS", "HEADER.FIELDS.NOT":
				return true
			case "MIME":
				return numbers > 0
			}
			return false
		}
		if numbers++; numbers > maxSectionDepth || more && rest == "" {
			return false
		}
		spec = rest
	}
	return true
}

// maxSectionDepth is deeper than any message is read.
const maxSectionDepth = 200

func isNZNumber(s string) bool {
	if s == "" || len(s) > 9 || s[0] == '0' {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// binary takes "[1.2]", which has numbers alone (RFC 3516 §4.2).
func (p *parser) binary(name string, partial bool) *section {
	s := &section{}
	p.Want('[')
	if p.OK() && p.Peek() != ']' {
		s.spec = p.itemName()
	}
	if !validSpec(s.spec) || strings.Trim(s.spec, "0123456789.") != "" {
		p.Fail("part number")
	}
	p.Want(']')
	s.label = name + "[" + s.spec + "]"
	if partial {
		p.partial(s)
	}
	return s
}

// partial takes "<from.size>".
func (p *parser) partial(s *section) {
	if !p.Take('<') {
		return
	}
	s.partial = true
	s.from = int64(p.Number64())
	p.Want('.')
	if s.size = int64(p.Number64()); s.size == 0 {
		p.Fail("size above 0")
	}
	p.Want('>')
}

// fetchModifier takes what stands behind the items (RFC 4466 §2.4).
func (p *parser) fetchModifier(f *fetching) {
	switch p.Word() {
	case "CHANGEDSINCE": // RFC 7162 §3.1.4.1
		p.SP()
		f.since, f.changedSince = true, mailbox.ModSeq(p.Number64())
	case "VANISHED":
		f.vanished = true
	case "PARTIAL": // RFC 9394 §3.3
		p.SP()
		if f.partial != nil {
			p.Fail("one PARTIAL")
		}
		f.partial = p.partialRange()
		if !p.uid {
			p.Fail("UID FETCH with PARTIAL")
		}
	default:
		p.Fail("known modifier")
	}
}
