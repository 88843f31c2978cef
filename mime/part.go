package mime

import (
	"io"
	"iter"
	"strconv"
)

// A Part is one entity of a message: the message itself, a multipart, a leaf,
// or a message inside a message. It is a small value that refers to its
// Message. All methods of the zero Part give zero values.
type Part struct {
	m *Message
	i int32
}

// Valid reports whether p is a part of a message.
func (p Part) Valid() bool { return p.m != nil && int(p.i) < len(p.m.parts) }

// Index returns the number of the part for Message.Part.
func (p Part) Index() int { return int(p.i) }

// part returns the entry of the index, or an empty one for the zero Part.
func (p Part) part() *part {
	if !p.Valid() {
		return &part{parent: -1, child: -1, next: -1}
	}
	return &p.m.parts[p.i]
}

// Header returns the header of the part. For a message inside a message, the
// part that carries it has the Content-Type message/rfc822, and its only
// child has the header of the message.
func (p Part) Header() Header {
	if !p.Valid() {
		return Header{}
	}
	return p.m.header(p.part())
}

// Parent returns the part around p, or the zero Part.
func (p Part) Parent() Part { return p.at(p.part().parent) }

// Children yields the parts inside p: those of a multipart, or the message
// inside a message/rfc822.
func (p Part) Children() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for c := p.part().child; c >= 0; c = p.m.parts[c].next {
			if !yield(Part{p.m, c}) {
				return
			}
		}
	}
}

// Child returns the first part inside p, or the zero Part.
func (p Part) Child() Part { return p.at(p.part().child) }

// at makes a Part of an index that may be -1.
func (p Part) at(i int32) Part {
	if i < 0 {
		return Part{}
	}
	return Part{p.m, i}
}

// IsMultipart reports whether p was divided into parts. A multipart without a
// boundary that works is a leaf.
func (p Part) IsMultipart() bool { return p.part().kind == kindMultipart }

// IsMessage reports whether p carries a message, which is its only child.
func (p Part) IsMessage() bool { return p.part().kind == kindMessage }

// Path returns the IMAP part number of p, such as "2.1" (RFC 9051 §6.4.5.1).
// It is empty for the message itself. The parts of a multipart inside a
// message/rfc822 are numbered within the number of that part; a message inside
// that is no multipart has the number of its body, ending in ".1".
func (p Part) Path() string {
	if !p.Valid() {
		return ""
	}
	var buf [64]byte
	return string(p.appendPath(buf[:0]))
}

// appendPath climbs to the root, noting the numbers on the way, and writes them
// down in the other direction.
func (p Part) appendPath(dst []byte) []byte {
	var stack [32]int32
	numbers := stack[:0]
	if p.i != 0 && p.m.parts[0].kind == kindMessage { // the body of the root is part 1
		dst = append(dst, '1')
	}
	for q := p.part(); q.parent >= 0; q = &p.m.parts[q.parent] {
		up := &p.m.parts[q.parent]
		if up.kind == kindMessage && q.kind == kindMultipart {
			continue // a multipart that is a whole message has no number
		}
		numbers = append(numbers, q.number)
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		if len(dst) > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(numbers[i]), 10)
	}
	return dst
}

// A Span says where a part is in its message.
type Span struct {
	Begin int64 // of the header
	Body  int64 // of the body; what is before it is the header with its empty line
	End   int64 // after the body, without the line break that belongs to a delimiter

	Lines      int64 // line breaks in the body, for BODYSTRUCTURE
	CRLFOctets int64 // octets of the body if each of its line breaks were CRLF
}

// Span returns the place of the part.
func (p Part) Span() Span {
	q := p.part()
	return Span{
		Begin: q.begin, Body: q.body, End: q.end,
		Lines:      q.endLines.lf - q.bodyLines.lf,
		CRLFOctets: q.end - q.body + q.endLines.bare - q.bodyLines.bare,
	}
}

// Raw returns the octets of the part, header and body, exactly as they are in
// the message. Of a message given to ParseAt it reads a copy into memory, as
// far as reading works; Section does not need the memory. The octets of a
// message given to Parse must not be changed.
func (p Part) Raw() []byte {
	if !p.Valid() {
		return nil
	}
	b, _ := p.m.bytes(p.part().begin, p.part().end)
	return b
}

// RawBody returns the octets of the body as Raw returns those of the part: not
// decoded.
func (p Part) RawBody() []byte {
	if !p.Valid() {
		return nil
	}
	b, _ := p.m.bytes(p.part().body, p.part().end)
	return b
}

// Section returns a reader of what Raw returns.
func (p Part) Section() *io.SectionReader {
	if !p.Valid() {
		return io.NewSectionReader(byteReaderAt(nil), 0, 0)
	}
	return p.m.section(p.part().begin, p.part().end)
}

// BodySection returns a reader of what RawBody returns.
func (p Part) BodySection() *io.SectionReader {
	if !p.Valid() {
		return io.NewSectionReader(byteReaderAt(nil), 0, 0)
	}
	return p.m.section(p.part().body, p.part().end)
}

// Type returns the media type that holds for the part. Without a Content-Type
// it is text/plain in us-ascii (RFC 2045 §5.2), and message/rfc822 in a
// multipart/digest (RFC 2046 §5.1.5); one that cannot be read is text/plain
// as well. A part beyond a limit is application/octet-stream.
func (p Part) Type() MediaType {
	q := p.part()
	if q.flags&partOpaque != 0 {
		return MediaType{Type: "application", Subtype: "octet-stream"}
	}
	m := p.Header().ContentType()
	switch {
	case m.Type == "" && p.Valid() && q.parent >= 0 && p.m.parts[q.parent].flags&partDigest != 0:
		return MediaType{Type: "message", Subtype: "rfc822"}
	case m.Type == "text" && m.Subtype == "":
		m.Subtype = "plain"
	case m.Type == "" || m.Subtype == "":
		return MediaType{Type: "text", Subtype: "plain", Params: m.Params}
	}
	return m
}

// IsText reports whether the type of the part is text/*: whether Text is for it.
func (p Part) IsText() bool {
	typ, _ := p.typeBytes()
	return equalFold(typ, "text")
}

// typeBytes returns type and subtype as they are written: what the views need
// of Type without its parameters.
func (p Part) typeBytes() (typ, sub []byte) {
	q := p.part()
	if q.flags&partOpaque != 0 {
		return []byte("application"), []byte("octet-stream")
	}
	if f, ok := p.Header().last(fieldContentType); ok {
		ps := paramScanner{lexer: lexer{b: f.value()}}
		typ, sub, _ = splitMediaType(ps.head())
	}
	switch {
	case len(typ) == 0 && p.Valid() && q.parent >= 0 && p.m.parts[q.parent].flags&partDigest != 0:
		return []byte("message"), []byte("rfc822")
	case len(typ) == 0 || len(sub) == 0:
		return []byte("text"), []byte("plain")
	}
	return typ, sub
}

// Message returns the message that a message/rfc822 or message/global part
// carries. If the part is encoded, it is decoded and parsed; such messages
// nest three deep at most.
func (p Part) Message() (*Message, bool) {
	q := p.part()
	switch {
	case q.kind == kindMessage:
		return p.subMessage(), true
	case q.flags&partEncodedMessage == 0 || p.m.nesting >= maxEncodedNesting:
		return nil, false
	}
	b, _ := p.decoded()
	m := Parser{Limits: p.m.limits}.parseNested(b, p.m.nesting+1)
	return m, true
}

const maxEncodedNesting = 3

// parseNested parses a message that came out of another one.
func (p Parser) parseNested(b []byte, nesting int) *Message {
	m := p.Parse(b)
	m.nesting = nesting
	return m
}

// subMessage parses the octets of the child on their own, so that its offsets
// begin at zero.
func (p Part) subMessage() *Message {
	child := p.Child()
	b, _ := p.m.bytes(child.part().begin, child.part().end)
	return Parser{Limits: p.m.limits}.parseNested(b, p.m.nesting)
}
