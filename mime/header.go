package mime

import (
	"bytes"
	"iter"
)

// A Header is the header section of a message or of a part: a view of its
// bytes, in their order, case and folding. The zero Header has no fields.
// It is safe for concurrent use, as long as nobody writes to the bytes.
type Header struct {
	raw    []byte // from the first field to the empty line, which is included
	fields []field
}

// A field is one field of a header: offsets into Header.raw.
type field struct {
	off   uint32  // of the name
	value uint32  // of the octet after the colon
	end   uint32  // after the line break
	name  uint16  // length of the name, without white space before the colon; 0 for a line that is no field
	id    fieldID // what the name means here
}

// A Field is one field of a Header. It is a view, as the header is.
type Field struct {
	raw []byte
	f   field
}

// Raw returns the field as it stands in the message, line break included. The
// bytes must not be changed.
func (f Field) Raw() []byte { return f.raw[f.f.off:f.f.end:f.f.end] }

// Name returns the name in the case it was written in. It is empty for a line
// of the header that is no field.
func (f Field) Name() string {
	if usual := usualNames[f.f.id]; string(f.name()) == usual {
		return usual
	}
	return string(f.name())
}

// Value returns the raw value without the line breaks of folding (RFC 5322
// §2.2.3), and without white space at its ends. It is not decoded, and may
// hold any octet but LF.
func (f Field) Value() string {
	v := trimSpace(f.value())
	if bytes.IndexByte(v, '\n') < 0 {
		return string(v)
	}
	return ownedString(appendUnfolded(make([]byte, 0, len(v)), v))
}

// Text returns the value with its encoded-words decoded (RFC 2047): valid
// UTF-8 without control characters.
func (f Field) Text() string {
	s, _ := decodeText(f.value())
	return s
}

// TextIn is Text for a sender that puts raw octets of some charset into its
// headers, against RFC 6532 §3.2: where they are no UTF-8 they are read in the
// charset of the label. Text makes them U+FFFD, since guessing would be wrong
// as often as not.
func (f Field) TextIn(label string) string {
	d := wordDecoder{raw: lookupCharset([]byte(label))}
	d.decode(trimSpace(f.value()))
	return ownedString(d.dst)
}

// name and value are the octets before and after the colon; the value has its
// line breaks.
func (f Field) name() []byte  { return f.raw[f.f.off : f.f.off+uint32(f.f.name)] }
func (f Field) value() []byte { return f.raw[f.f.value:f.f.end] }

// appendUnfolded appends v without its line breaks. White space stays: RFC
// 5322 §2.2.3 takes out the CRLF only.
func appendUnfolded(dst, v []byte) []byte {
	for {
		n := bytes.IndexByte(v, '\n')
		if n < 0 {
			return append(dst, v...)
		}
		dst = append(dst, trimCR(v[:n])...)
		v = v[n+1:]
	}
}

// Raw returns the header section as it stands in the message, with the empty
// line that ends it, if there is one. The bytes must not be changed.
func (h Header) Raw() []byte { return h.raw[:len(h.raw):len(h.raw)] }

// Len returns the number of fields, with lines that are none.
func (h Header) Len() int { return len(h.fields) }

// Fields yields all fields in their order. Lines that are no fields have an
// empty name.
func (h Header) Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for _, f := range h.fields {
			if !yield(Field{h.raw, f}) {
				return
			}
		}
	}
}

// All yields the fields of a name, without regard to case, in their order.
func (h Header) All(name string) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for i := h.next(name, 0); i >= 0; i = h.next(name, i+1) {
			if !yield(Field{h.raw, h.fields[i]}) {
				return
			}
		}
	}
}

// Lookup returns the first field of a name, without regard to case.
func (h Header) Lookup(name string) (Field, bool) {
	if i := h.next(name, 0); i >= 0 {
		return Field{h.raw, h.fields[i]}, true
	}
	return Field{}, false
}

// Has reports whether there is a field of the name.
func (h Header) Has(name string) bool { return h.next(name, 0) >= 0 }

// Get returns the Value of the first field of a name, or "".
func (h Header) Get(name string) string {
	if f, ok := h.Lookup(name); ok {
		return f.Value()
	}
	return ""
}

// Text returns the decoded text of the first field of a name, or "".
func (h Header) Text(name string) string {
	if f, ok := h.Lookup(name); ok {
		return f.Text()
	}
	return ""
}

// Subject returns the decoded subject, or "".
func (h Header) Subject() string {
	if f, ok := h.first(fieldSubject); ok {
		return f.Text()
	}
	return ""
}

// next finds the first field of a name at or after index i.
func (h Header) next(name string, i int) int {
	id := fieldIDOf([]byte(name))
	for ; i < len(h.fields); i++ {
		f := h.fields[i]
		if f.id != id || int(f.name) != len(name) {
			continue
		}
		if id != fieldOther || bytes.EqualFold(Field{h.raw, f}.name(), []byte(name)) {
			return i
		}
	}
	return -1
}

// first finds the first field of an id.
func (h Header) first(id fieldID) (Field, bool) {
	for _, f := range h.fields {
		if f.id == id {
			return Field{h.raw, f}, true
		}
	}
	return Field{}, false
}

// last finds the last field of an id. Of the fields that describe a body the
// last one counts; RFC 2045 allows one each, and a second is reported.
func (h Header) last(id fieldID) (Field, bool) {
	for i := len(h.fields) - 1; i >= 0; i-- {
		if h.fields[i].id == id {
			return Field{h.raw, h.fields[i]}, true
		}
	}
	return Field{}, false
}
