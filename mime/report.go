package mime

import (
	"bytes"
	"io"
	"strings"
	"time"
)

// A report is multipart/report (RFC 6522): words for people, fields for
// programs, and the message that is reported on. DSN, MDN and ARF differ in the
// fields.
type report struct {
	kind     string // report-type
	text     string
	machine  string // media type of the fields
	groups   []*fieldWriter
	original *io.SectionReader // nil: not returned
	headers  bool              // only its header
	utf8     bool              // RFC 6533: the global forms
}

// build makes the report of b, which holds who it is from and for.
func (r *report) build(b *Builder) (*Draft, error) {
	d, err := b.Build()
	if err != nil {
		return nil, err
	}
	c := &compiler{Builder: b}
	var fields []byte
	for i, g := range r.groups {
		if i > 0 {
			fields = append(fields, crlf...)
		}
		fields = append(fields, g.b...)
	}
	encoding := "7bit"
	if r.utf8 {
		encoding, d.eightBit = "8bit", true
	}
	parts := []*entity{c.textNode("text/plain", r.text), leaf(r.machine, encoding, fields)}
	if r.original != nil {
		part, err := r.returned(c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	d.eightBit = d.eightBit || c.eightBit
	d.entity = newMultipart("report", c.random, parts, "report-type", r.kind).segments(nil)
	return d, nil
}

// returned is the message, or its header where only that was asked for or the
// rest is not fit to travel once more.
func (r *report) returned(c *compiler) (*entity, error) {
	typ := "message/rfc822"
	if r.utf8 {
		typ = "message/global"
	}
	if !r.headers {
		f := Attach("", func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(r.original, 0, r.original.Size())), nil
		})
		if encoding, size, err := c.messageShape(&f); err == nil {
			n := leaf(typ, encoding, nil)
			n.file, n.size, n.raw = &f, size, true
			return n, nil
		}
	}
	_, rest, err := ReadHeader(io.NewSectionReader(r.original, 0, r.original.Size()))
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(rest, maxReturnedHeader))
	if err != nil {
		return nil, err
	}
	if i := bytes.Index(head, []byte("\r\n\r\n")); i >= 0 {
		head = head[:i+2]
	} else if i := bytes.Index(head, []byte("\n\n")); i >= 0 {
		head = head[:i+1]
	}
	encoding, body := encodeText(strings.ToValidUTF8(string(head), "?"), r.utf8)
	if r.utf8 {
		return leaf("message/global-headers", encoding, body), nil
	}
	return leaf("text/rfc822-headers", encoding, body), nil // RFC 6522 §4
}

// maxReturnedHeader is how much of a header goes back.
const maxReturnedHeader = 256 << 10

// reportFields finds the machine's part of a report and gives its groups of
// fields (RFC 3464 §2.1).
func reportFields(m *Message, types ...string) (groups []Header, ok bool) {
	for _, p := range m.Walk() {
		for _, typ := range types {
			if t, sub, _ := strings.Cut(typ, "/"); p.Type().Is(t, sub) {
				return fieldGroups(p), true
			}
		}
	}
	return nil, false
}

// maxReportFields bounds what is read of a report's fields.
const maxReportFields = 4 << 20

func fieldGroups(p Part) []Header {
	b, _ := io.ReadAll(io.LimitReader(p.Open(), maxReportFields))
	b = canonicalText(string(b))
	var out []Header
	for group := range bytes.SplitSeq(b, []byte("\r\n\r\n")) {
		if group = bytes.TrimLeft(group, "\r\n"); len(group) > 0 {
			out = append(out, Parse(append(group[:len(group):len(group)], "\r\n\r\n"...)).Header())
		}
	}
	return out
}

// typed writes "name: type; value", of which either part may hold nothing that
// ends the line.
func (w *fieldWriter) typed(name, typ, value string) {
	if value == "" {
		return
	}
	w.begin(name)
	w.token(typ + ";")
	w.plainLine(value)
	w.end()
}

// field writes what others said: it is made fit, not refused.
func (w *fieldWriter) field(name, value string) {
	if value == "" {
		return
	}
	w.begin(name)
	w.plainLine(value)
	w.end()
}

func (w *fieldWriter) plainLine(s string) {
	clean := func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}
	s = strings.ToValidUTF8(strings.Map(clean, s), "?")
	for word := range strings.FieldsSeq(s) {
		for len(word) > 900 {
			w.token(word[:900])
			word = word[900:]
		}
		w.token(word)
	}
}

func (w *fieldWriter) dateLine(name string, t time.Time) {
	if !t.IsZero() {
		w.date(name, t)
	}
}

// cutTyped splits "rfc822; ann@example.org".
func cutTyped(s string) (typ, value string) {
	typ, value, ok := strings.Cut(s, ";")
	if !ok {
		return "", strings.TrimSpace(s)
	}
	return strings.TrimSpace(typ), strings.TrimSpace(value)
}
