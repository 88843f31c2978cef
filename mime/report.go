package mime

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
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
		part, err := r.returned()
		if err != nil {
			return nil, err
		}
		d.eightBit = d.eightBit || part.encoding == "8bit"
		parts = append(parts, part)
	}
	d.entity = newMultipart("report", d.spare, parts, "report-type", r.kind).segments(nil)
	return d, nil
}

// returned is the message, or its header where only that was asked for or the
// rest is not fit to travel once more.
func (r *report) returned() (*entity, error) {
	typ := "message/rfc822"
	if r.utf8 {
		typ = "message/global"
	}
	if !r.headers {
		f := Attach("original message", func() (io.ReadCloser, error) { return io.NopCloser(r.whole()), nil })
		n := &entity{}
		if err := n.asMessage(&f); err == nil {
			n.header = leaf(typ, n.encoding, nil).header
			return n, nil
		}
	}
	_, rest, err := ReadHeader(r.whole())
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
	typ = "text/rfc822-headers" // RFC 6522 §4
	if r.utf8 {
		typ = "message/global-headers"
	}
	n := leaf(typ, encoding, body)
	n.encoding = encoding
	return n, nil
}

// whole reads the message from its start, without the cursor of original, which
// is the caller's.
func (r *report) whole() *io.SectionReader {
	return io.NewSectionReader(r.original, 0, r.original.Size())
}

// maxReturnedHeader is how much of a header goes back.
const maxReturnedHeader = 256 << 10

// reportFields finds the machine's part of a report and gives its groups of
// fields (RFC 3464 §2.1). A report that is only attached, as a message within
// the message, does not make the message one.
func reportFields(m *Message, types ...string) (groups []Header, ok bool) {
	for i := range m.Len() {
		p := m.Part(i)
		if p.insideMessage() {
			continue
		}
		for _, typ := range types {
			if t, sub, _ := strings.Cut(typ, "/"); p.Type().Is(t, sub) {
				return fieldGroups(p), true
			}
		}
	}
	return nil, false
}

// What is read of a report's fields is bounded, and so are the groups, of which
// each recipient has one: others may write what they like.
const (
	maxReportFields = 4 << 20
	maxReportGroups = 10_000
)

// fieldGroups divides the body of p at its empty lines; each group is a header.
func fieldGroups(p Part) []Header {
	b, _ := io.ReadAll(io.LimitReader(p.Open(), maxReportFields))
	b = canonicalText(string(b))
	var out []Header
	for group := range bytes.SplitSeq(b, []byte("\r\n\r\n")) {
		if len(out) == maxReportGroups {
			break
		}
		if group = bytes.TrimLeft(group, "\r\n"); len(group) > 0 {
			out = append(out, Parse(append(group[:len(group):len(group)], "\r\n\r\n"...)).Header())
		}
	}
	return out
}

// typed writes "name: type; value", of which either part may hold nothing that
// ends the line.
func (w *fieldWriter) typed(name, typ, value string, utf8 bool) {
	if value == "" {
		return
	}
	w.begin(name)
	w.token(fitWord(typ, false) + ";")
	w.plainLine(value, utf8)
	w.end()
}

// field writes what others said: it is made fit, not refused.
func (w *fieldWriter) field(name, value string) { w.fieldIn(name, value, false) }

// fieldIn is field for a report that may hold UTF-8.
func (w *fieldWriter) fieldIn(name, value string, utf8 bool) {
	if value == "" {
		return
	}
	w.begin(name)
	w.plainLine(value, utf8)
	w.end()
}

// host writes the name of a host, which is ASCII in every form of a report.
func (w *fieldWriter) host(name, host string) {
	if ascii, ok := idDomain(host); ok && !addr.IsASCII(host) {
		host = ascii
	}
	w.typed(name, "dns", host, false)
}

// plainLine writes words, folded between them; one that no line can hold is cut.
func (w *fieldWriter) plainLine(s string, utf8 bool) {
	for word := range strings.FieldsSeq(fit(s)) {
		word = fitWord(word, utf8)
		for len(word) > maxReportWord {
			n := cutRune([]byte(word[:maxReportWord]))
			w.token(word[:maxReportWord-n])
			word = word[maxReportWord-n:]
		}
		w.token(word)
	}
}

// maxReportWord leaves room on a line for what a field begins with.
const maxReportWord = 900

// fitWord leaves "?" for what ASCII does not have. In a report that is ASCII by
// its type an odd word of a remote host is not worth another type.
func fitWord(s string, utf8 bool) string {
	if utf8 || addr.IsASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, s)
}

// dateLine writes a date that is known.
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
