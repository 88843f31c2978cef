package mime

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Editor writes a message with some fields or parts changed. What is not
// changed is copied octet by octet, odd as it may be, so that signatures over
// it stay valid. The Message itself does not change. An Editor is for one
// goroutine; it may be written any number of times.
type Editor struct {
	m     *Message
	edits []edit
	line  string // the line break of the message
}

// An edit replaces the octets from one offset to another.
type edit struct {
	from, to int64
	text     []byte
	top      bool // stands before others at the same place
}

// Edit returns an Editor without any changes yet.
func Edit(m *Message) *Editor {
	e := &Editor{m: m, line: "\r\n"}
	if raw := m.Header().Raw(); len(raw) > 0 {
		if i := bytes.IndexByte(raw, '\n'); i == 0 || i > 0 && raw[i-1] != '\r' {
			e.line = "\n"
		}
	}
	return e
}

var errField = errors.New("mime: not a header field")

// Prepend puts a field on top of the message, before those put there earlier,
// as a relay does with Received and DKIM-Signature. value is what follows the
// colon and a space. It is not encoded and may be folded by CRLF and white
// space; anything else that would end the field is an error.
func (e *Editor) Prepend(name, value string) error {
	text, err := e.field(name, value)
	if err != nil {
		return err
	}
	e.edits = append(e.edits, edit{text: text, top: true})
	return nil
}

// Add puts a field at the end of the part's header; value is as for Prepend.
func (e *Editor) Add(p Part, name, value string) error {
	text, err := e.field(name, value)
	if err != nil {
		return err
	}
	at := p.Span().Begin
	h := p.Header()
	if n := len(h.fields); n > 0 {
		at += int64(h.fields[n-1].end)
	} else if len(h.raw) == 0 { // no header at all: what follows is text
		text = append(text, e.line...)
	}
	e.edits = append(e.edits, edit{from: at, to: at, text: text})
	return nil
}

// Set replaces the first field of a name in the part's header and removes the
// others, or adds the field if there is none; value is as for Prepend.
func (e *Editor) Set(p Part, name, value string) error {
	text, err := e.field(name, value)
	if err != nil {
		return err
	}
	if !p.Header().Has(name) {
		return e.Add(p, name, value)
	}
	e.replaceFields(p, name, text)
	return nil
}

// Remove removes all fields of a name from the part's header.
func (e *Editor) Remove(p Part, name string) { e.replaceFields(p, name, nil) }

// replaceFields puts text in the place of the first field of a name and takes
// out the others.
func (e *Editor) replaceFields(p Part, name string, text []byte) {
	h, begin := p.Header(), p.Span().Begin
	for i := h.next(name, 0); i >= 0; i = h.next(name, i+1) {
		f := h.fields[i]
		e.edits = append(e.edits, edit{from: begin + int64(f.off), to: begin + int64(f.end), text: text})
		text = nil
	}
}

// ReplaceBody replaces the body of the part by encoded octets. They must not
// hold a delimiter of a multipart around the part.
func (e *Editor) ReplaceBody(p Part, body []byte) error {
	if err := e.checkBoundaries(p, body); err != nil {
		return err
	}
	s := p.Span()
	e.edits = append(e.edits, edit{from: s.Body, to: s.End, text: body})
	return nil
}

// ReplacePart replaces a part by another, header and body, which must not hold
// a delimiter of a multipart around it. A part with nil becomes an empty one;
// RemovePart takes it out.
func (e *Editor) ReplacePart(p Part, raw []byte) error {
	if err := e.checkBoundaries(p, raw); err != nil {
		return err
	}
	if len(raw) == 0 {
		raw = []byte(e.line)
	}
	s := p.Span()
	e.edits = append(e.edits, edit{from: s.Begin, to: s.End, text: raw})
	return nil
}

// RemovePart removes a part of a multipart with its delimiter. The only part
// of one becomes an empty text, since a multipart needs one. The message
// itself, and a message inside a message/rfc822, cannot be removed.
func (e *Editor) RemovePart(p Part) error {
	up := p.Parent()
	if !up.IsMultipart() {
		return errors.New("mime: only a part of a multipart can be removed")
	}
	// With the part goes the delimiter before it, or for the last part, so that
	// the closing delimiter stays, the line break that ended the part before.
	s := p.Span()
	var before Part
	for c := range up.Children() {
		if c.part().next == p.i {
			before = c
		}
	}
	switch next := p.at(p.part().next); {
	case next.Valid():
		e.edits = append(e.edits, edit{from: s.Begin, to: next.Span().Begin})
	case before.Valid():
		e.edits = append(e.edits, edit{from: before.Span().End, to: s.End})
	default:
		e.edits = append(e.edits, edit{from: s.Begin, to: s.End, text: []byte(e.line)})
	}
	return nil
}

// checkBoundaries refuses text with a line that ends p or a multipart around
// it (RFC 2046 §5.1.1).
func (e *Editor) checkBoundaries(p Part, text []byte) error {
	// The boundaries are read from the headers again: an Editor has nothing of
	// the scan, and there are few.
	var open []string
	for q := p.Parent(); q.Valid(); q = q.Parent() {
		if f, ok := q.Header().last(fieldContentType); ok && q.IsMultipart() {
			b, _ := boundaryOf(f.value())
			open = append(open, strings.TrimRight(b, " \t\r\n"))
		}
	}
	for line := range bytes.Lines(text) {
		content, ok := bytes.CutPrefix(trimSpace(line), []byte("--"))
		if ok && slices.ContainsFunc(open, func(b string) bool { return isDelimiterOf(content, b) }) {
			return fmt.Errorf("mime: the new text holds the delimiter %q", trimSpace(line))
		}
	}
	return nil
}

// field writes a field, or refuses what would be no field or more than one.
func (e *Editor) field(name, value string) ([]byte, error) {
	if n, _ := fieldName([]byte(name + ":")); n == 0 || n != len(name) || !isASCII([]byte(name)) {
		return nil, fmt.Errorf("%w: name %q", errField, name)
	}
	if !utf8.ValidString(value) || len(value) > maxHeaderBytes {
		return nil, fmt.Errorf("%w: %s is no UTF-8", errField, name)
	}
	out := append([]byte(name), ": "...)
	start := 0
	for i, line := range strings.Split(value, "\r\n") {
		if i > 0 {
			// A fold begins with white space and has more than that (RFC
			// 5322 §3.2.2).
			if line == "" || line[0] != ' ' && line[0] != '\t' || strings.Trim(line, " \t") == "" {
				return nil, fmt.Errorf("%w: %s is not folded right", errField, name)
			}
			out = append(out, e.line...)
			start = len(out)
		}
		if clean := []byte(line); strings.IndexByte(line, '\r') >= 0 || strings.IndexByte(line, '\n') >= 0 {
			return nil, fmt.Errorf("%w: %s holds a line break", errField, name)
		} else if _, changed := cleanControls(clean); changed {
			return nil, fmt.Errorf("%w: %s holds a control character", errField, name)
		}
		out = append(out, line...)
		if len(out)-start > 998 { // RFC 5322 §2.1.1
			return nil, fmt.Errorf("%w: %s has a line over 998 octets", errField, name)
		}
	}
	return append(out, e.line...), nil
}

// pieces returns the edits in the order of the message. An edit inside another
// one, such as a field of a part that is removed, is left out.
func (e *Editor) pieces() []edit {
	// At one place the longer edit comes first, so that what lies within it is
	// found to begin before it ends.
	edits := slices.Clone(e.edits)
	for i := range edits { // the last field put on top stands first
		if edits[i].top {
			edits[i].from = int64(-1 - i)
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int {
		return cmp.Or(cmp.Compare(a.from, b.from), -cmp.Compare(a.to, b.to))
	})
	out, end := edits[:0], int64(0)
	for _, ed := range edits {
		if ed.top {
			ed.from = 0
		}
		if ed.from >= end {
			out = append(out, ed)
			end = max(end, ed.to)
		}
	}
	return out
}

// Reader returns a reader of the changed message.
func (e *Editor) Reader() io.Reader {
	var readers []io.Reader
	at := int64(0)
	for _, ed := range e.pieces() {
		if ed.from > at {
			readers = append(readers, e.m.section(at, ed.from))
		}
		if len(ed.text) > 0 {
			readers = append(readers, bytes.NewReader(ed.text))
		}
		at = max(at, ed.to)
	}
	if e.m.size > at {
		readers = append(readers, e.m.section(at, e.m.size))
	}
	return io.MultiReader(readers...)
}

// WriteTo writes the changed message.
func (e *Editor) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, e.Reader()) }

// Size returns the number of octets of the changed message.
func (e *Editor) Size() int64 {
	size := e.m.size
	for _, ed := range e.pieces() {
		size += int64(len(ed.text)) - (ed.to - ed.from)
	}
	return size
}
