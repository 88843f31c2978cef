package mime

import (
	"io"
	"iter"
	"math"
)

// A Message is the index of a parsed message: where its headers, parts and
// bodies are. The bytes themselves are neither copied nor changed, and nothing
// is decoded before someone asks. A Message is safe for concurrent use; the
// bytes it was made of must not change while it is in use.
type Message struct {
	b       []byte      // the message, if it was parsed from bytes
	r       io.ReaderAt // or where it is read from
	size    int64
	hdrs    []byte // where the headers are: b, or copies one after the other
	parts   []part
	fields  []field
	defects defectList
	limits  Limits
	nesting int // how many encoded messages this one came out of
}

// A part is one entity: offsets into the message, and links by index.
type part struct {
	begin, body, end int64 // of the header, of the body, after the body
	hdr              int64 // of the header in Message.hdrs

	bodyLines, endLines lineCount // line breaks of the message up to body and end

	fields                         [2]int32 // first and after the last, in Message.fields
	parent, child, lastChild, next int32    // -1 for none
	number                         int32    // among its siblings, from 1
	depth                          int32
	kind                           partKind
	transfer                       transfer
	flags                          partFlags
}

type partKind uint8

const (
	kindLeaf partKind = iota
	kindMultipart
	kindMessage
)

type partFlags uint8

const (
	partOpaque         partFlags = 1 << iota // beyond a limit
	partDigest                               // multipart/digest
	partOpened                               // a multipart with some delimiter
	partClosed                               // and with its closing delimiter
	partEncodedMessage                       // a message/rfc822 in base64 or quoted-printable
)

// Root returns the part that is the whole message.
func (m *Message) Root() Part { return Part{m, 0} }

// Header returns the header of the message.
func (m *Message) Header() Header { return m.Root().Header() }

// Size returns the number of octets of the message.
func (m *Message) Size() int64 { return m.size }

// Len returns the number of parts, multiparts and messages included.
func (m *Message) Len() int { return len(m.parts) }

// Part returns part i of Len, in the order in which the parts begin. The root
// is part 0.
func (m *Message) Part(i int) Part {
	if i < 0 || i >= len(m.parts) {
		return Part{}
	}
	return Part{m, int32(i)}
}

// Walk yields all parts in the order in which they begin, each with its IMAP
// part number; see Part.Path. It enters messages inside the message, but not
// those that are encoded: Part.Message opens them.
func (m *Message) Walk() iter.Seq2[string, Part] {
	return func(yield func(string, Part) bool) {
		for i := range m.parts {
			p := Part{m, int32(i)}
			if !yield(p.Path(), p) {
				return
			}
		}
	}
}

// Defects returns what the structure of the message has shown to be odd, in
// the order of the message: at most the first 1,000 findings. Inspect looks
// into values and contents as well.
func (m *Message) Defects() []Defect { return m.defects.sorted() }

// header makes the view of a part's header.
func (m *Message) header(p *part) Header {
	raw := m.hdrs[p.hdr : p.hdr+p.body-p.begin]
	return Header{raw: raw, fields: m.fields[p.fields[0]:p.fields[1]:p.fields[1]]}
}

// section returns a reader of the octets from one offset to another.
func (m *Message) section(from, to int64) *io.SectionReader {
	var r io.ReaderAt = noBytes{}
	switch {
	case m.r != nil:
		r = m.r
	case m.b != nil:
		r = byteReaderAt(m.b)
	}
	return io.NewSectionReader(r, from, to-from)
}

// bytes returns the octets from one offset to another: the message's own where
// it has them, else a copy read in, as far as that went.
func (m *Message) bytes(from, to int64) (b []byte, own bool) {
	if m.b != nil {
		return m.b[from:to:to], false
	}
	if to-from > math.MaxInt { // more than a slice can hold on 32 bits
		return nil, true
	}
	b = make([]byte, to-from)
	n, _ := io.ReadFull(m.section(from, to), b)
	return b[:n], true
}

// byteReaderAt reads from bytes without a cursor, hence for many at once.
type byteReaderAt []byte

// ReadAt implements io.ReaderAt.
func (b byteReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// noBytes is what a message has whose input was not kept.
type noBytes struct{}

// ReadAt says why there is nothing to read.
func (noBytes) ReadAt([]byte, int64) (int, error) { return 0, ErrNotKept }
