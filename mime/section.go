package mime

import (
	"slices"
	"strconv"
	"strings"
)

// Section finds a section of IMAP's BODY[...] (RFC 9051 §6.4.5.1) and returns
// where in the message it lies. spec is "", "HEADER", "TEXT", a part number
// such as "2.1", or a part number with ".MIME", ".HEADER" or ".TEXT", in any
// case. ok is false if the message has no such section. For HEADER.FIELDS, ask
// for HEADER here, or use Header.AppendFields.
func (m *Message) Section(spec string) (offset, size int64, ok bool) {
	numbers, what := splitSection(spec)
	p := m.Root()
	if len(numbers) > 0 {
		if p, ok = m.PartAt(numbers...); !ok {
			return 0, 0, false
		}
	}
	s := p.Span()
	switch what {
	case "":
		if len(numbers) == 0 {
			return 0, m.size, true
		}
		return s.Body, s.End - s.Body, true
	case "MIME":
		if len(numbers) == 0 {
			return 0, 0, false
		}
		return s.Begin, s.Body - s.Begin, true
	case "HEADER", "TEXT":
		if len(numbers) > 0 { // of the message that the part carries
			if !p.IsMessage() {
				return 0, 0, false
			}
			s = p.Child().Span()
		}
		if what == "HEADER" {
			return s.Begin, s.Body - s.Begin, true
		}
		return s.Body, s.End - s.Body, true
	}
	return 0, 0, false
}

// splitSection divides a section into its part numbers and what follows them.
func splitSection(spec string) (numbers []int, what string) {
	for spec != "" {
		word, rest, _ := strings.Cut(spec, ".")
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return numbers, strings.ToUpper(spec)
		}
		numbers = append(numbers, n)
		spec = rest
	}
	return numbers, ""
}

// PartAt returns the part with an IMAP part number. A message that is no
// multipart has one part, number 1, which is its body.
func (m *Message) PartAt(numbers ...int) (p Part, ok bool) {
	p = m.Root()
	for i, n := range numbers {
		// The first number of a message that is no multipart is its body, hence
		// 1; there is nothing to step into.
		if i > 0 || p.IsMultipart() {
			// Inside a message/rfc822 the numbers are those of its message.
			switch {
			case p.IsMessage():
				p = p.Child()
			case !p.IsMultipart():
				return Part{}, false
			}
		}
		if !p.IsMultipart() {
			if n != 1 {
				return Part{}, false
			}
			continue
		}
		if p, ok = p.nth(n); !ok {
			return Part{}, false
		}
	}
	return p, p.Valid()
}

// nth returns child n, counted from 1.
func (p Part) nth(n int) (Part, bool) {
	for child := range p.Children() {
		if int(child.part().number) == n {
			return child, true
		}
	}
	return Part{}, false
}

// AppendFields appends the fields of the given names as they stand in the
// message, or with not those of all other names, and the empty line if the
// header has one: what IMAP calls HEADER.FIELDS and HEADER.FIELDS.NOT.
func (h Header) AppendFields(dst []byte, names []string, not bool) []byte {
	for f := range h.Fields() {
		name := f.name()
		listed := len(name) > 0 && slices.ContainsFunc(names, func(s string) bool {
			return len(s) == len(name) && strings.EqualFold(s, string(name))
		})
		if listed != not {
			dst = append(dst, f.Raw()...)
		}
	}
	// RFC 9051 §6.4.5.1: a message without a body need not have the line.
	if h.endsEmpty() {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// endsEmpty reports whether an empty line ends the header.
func (h Header) endsEmpty() bool {
	end := 0
	if n := len(h.fields); n > 0 {
		end = int(h.fields[n-1].end)
	}
	return end < len(h.raw)
}
