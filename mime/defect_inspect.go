package mime

import (
	"bytes"
	"io"
	"math/bits"
)

// Inspect reads everything there is to read, every field value and every body,
// and returns all defects: those of Defects and those of values and contents,
// in the order of the message. The first 1,000 are kept. It takes as long as
// decoding the message does, and remembers nothing.
func (m *Message) Inspect() []Defect { return m.inspect().sorted() }

// Ambiguous reports whether other readers may see another mail than this
// package does: whether Inspect finds a defect of that severity. A gateway
// that checks mail for others should refuse such a message, or rewrite it
// (draft-chen-email-mime-ambiguity-defense).
func (m *Message) Ambiguous() bool { return m.defects.ambiguous || m.inspect().ambiguous }

// inspect starts from what the structure has shown and adds the rest. The
// message stays as it is: nothing is cached, so nothing needs a lock.
func (m *Message) inspect() *defectList {
	l := m.defects
	l.list = append([]Defect(nil), l.list...)
	in := inspector{defectList: l}
	for i := range m.parts {
		in.part(Part{m, int32(i)})
	}
	return &in.defectList
}

// An inspector collects the defects of values and contents.
type inspector struct {
	defectList
	in, buf []byte // for bodies: encoded and decoded octets
}

// part inspects the header of any part, and the body of a leaf: those of other
// parts are the parts inside them.
func (in *inspector) part(p Part) {
	q := p.part()
	h := p.Header()
	for _, f := range h.fields {
		in.field(p, Field{h.raw, f})
	}
	in.names(p)
	if q.kind == kindLeaf && q.flags&partOpaque == 0 {
		in.body(p)
	}
}

// flaws adds the codes of a set, at a field.
func (in *inspector) flaws(p Part, f Field, v valueFlaws) {
	for v != 0 {
		n := bits.TrailingZeros32(uint32(v))
		v &^= 1 << n
		in.add(BadMediaType+Code(n), p.Index(), p.part().begin+int64(f.f.off))
	}
}

// field inspects one value.
func (in *inspector) field(p Part, f Field) {
	var v valueFlaws
	value := f.value()
	switch f.f.id {
	case fieldFrom, fieldSender, fieldReplyTo, fieldTo, fieldCc, fieldBcc:
		var a addressParser
		a.parse(value)
		v = a.flaws
	case fieldDate:
		if _, ok := parseDate(value); !ok {
			v.add(BadDate)
		}
	case fieldMessageID, fieldContentID, fieldReferences, fieldInReplyTo:
		v = idFlaws(value, f.f.id)
	case fieldContentType:
		_, v = parseMediaType(value)
	case fieldContentDisposition:
		_, v = parseDisposition(value)
	case fieldTransferEncoding:
		if parseTransfer(value) == transferOther {
			v.add(UnknownEncoding)
		}
	case fieldReceived, fieldReturnPath, fieldMIMEVersion:
	default:
		if bytes.Contains(value, wordStart) {
			_, words := decodeText(value)
			v.addWords(words)
		}
	}
	in.flaws(p, f, v)
}

// idFlaws inspects message ids. In-Reply-To may have a phrase besides.
func idFlaws(value []byte, id fieldID) (v valueFlaws) {
	s := idScanner{lexer: lexer{b: value}}
	n := 0
	for msgID := s.next(); msgID != nil; msgID = s.next() {
		n++
		if bytes.IndexByte(msgID, '@') <= 0 {
			v.add(BadMsgID)
		}
	}
	if n == 0 || s.bare || s.unclosed || n > 1 && (id == fieldMessageID || id == fieldContentID) {
		v.add(BadMsgID)
	}
	return v
}

// names compares the two names a part can have, which show it as two different
// files, and looks whether the charset is known.
func (in *inspector) names(p Part) {
	h := p.Header()
	f, ok := h.last(fieldContentType)
	if !ok {
		return
	}
	m, _ := parseMediaType(f.value())
	if label := m.Param("charset"); label != "" && lookupCharset([]byte(label)).kind == charsetUnknown {
		var v valueFlaws
		v.add(UnknownCharset)
		in.flaws(p, f, v)
	}
	name, filename := m.Param("name"), h.Disposition().Param("filename")
	if name != "" && filename != "" && name != filename {
		var v valueFlaws
		v.add(FilenamesDiffer)
		in.flaws(p, f, v)
	}
}

// body decodes a leaf piece by piece, notes the damage, and keeps the start of
// a text to compare it with its charset.
func (in *inspector) body(p Part) {
	q := p.part()
	keep := 0
	if typ, _ := p.typeBytes(); equalFold(typ, "text") {
		keep = maxInspectText
	}
	text, size := []byte(nil), q.end-q.body
	if d := newDecoder(q.transfer); d != nil {
		text, size = in.decode(p, d, keep)
	} else if keep > 0 {
		text, _ = p.m.bytes(q.body, min(q.end, q.body+int64(keep)))
	}
	if limit := p.m.limits.Decoded; limit > 0 && size > limit {
		in.add(DecodedLimit, p.Index(), q.body)
		text = text[:min(int64(len(text)), limit)]
	}
	if keep > 0 {
		in.text(p, text)
	}
}

// decode decodes a body through buffers that are used again for the next one.
// It returns the first keep octets of it, and how many there are.
func (in *inspector) decode(p Part, d decoder, keep int) (head []byte, size int64) {
	r := decodeReader{src: p.BodySection(), dec: d, in: in.in[:0], buf: in.buf}
	for r.err == nil {
		r.fill()
		size += int64(len(r.buf))
		head = append(head, r.buf[:min(len(r.buf), keep-len(head))]...)
	}
	in.in, in.buf = r.in, r.buf
	if flaw := d.flaw(); flaw.code != 0 && r.err == io.EOF {
		in.add(flaw.code, p.Index(), p.part().body+flaw.off)
	}
	return head, size
}

// maxInspectText is how much of a text is checked against its charset.
const maxInspectText = 1 << 20

// text looks whether a text is what its charset says. Unknown charsets are
// reported with the header and not here.
func (in *inspector) text(p Part, b []byte) {
	if len(b) == maxInspectText { // the cut may divide a character
		b = b[:bytes.LastIndexByte(b, '\n')+1]
	}
	cs := p.charset(b)
	if cs.kind == charsetUnknown {
		return
	}
	if _, ok := decodeCharsetString(cs, b, true); !ok {
		in.add(InvalidInCharset, p.Index(), p.part().body)
	}
}
