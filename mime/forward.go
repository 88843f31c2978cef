package mime

import (
	"io"
	"strings"
)

// Forward begins a message that passes m on. The Builder may be changed in
// every way before it is built.
//
// Inline, the header of m, as far as people read it, and its text stand below
// f.Text, HTML as text where there is nothing else, and all files and images
// of m are attached again: read from m when the message is sent, so m's octets
// must stay. Signatures, which are over now, are not. At most 256 KiB of text
// are taken over.
//
// Attached, m travels as message/rfc822, octet by octet but for its line ends,
// which become CRLF. A message that cannot travel so, since a line is over 998
// octets, or for a NUL or a lone CR in it, is forwarded inline instead: such
// mail may not be encoded (RFC 2046 §5.2.1), and as an opaque file few could
// open it.
//
// Subject has one "Fwd: ", and References name m, so that it is found again.
func (m *Message) Forward(f Forward) *Builder {
	b := &Builder{From: []Address{f.From}, To: f.To, Text: f.Text}
	b.Subject = replySubject("Fwd:", m.Header().Subject(), forwardMarks[:])
	if own := fitIDs([]string{m.Header().MessageID()}); len(own) > 0 {
		b.References = own
	}
	if f.Attached {
		file := m.Root().asFile("message.eml").As("message/rfc822")
		if _, err := file.messageShape(); err != errBareCR && err != errLongLine && err != errNUL {
			b.Files = []File{file} // what else is wrong, Build will find too
			return b
		}
	}
	b.Text, b.unread = m.forwarded(f)
	for p := range m.carried {
		b.Files = append(b.Files, p.carry())
	}
	return b
}

// forwarded is the text of an inline forward.
func (m *Message) forwarded(f Forward) (string, error) {
	intro := f.Intro
	if intro == "" {
		intro = "---------- Forwarded message ----------"
	}
	var b strings.Builder
	if text := strings.TrimRight(f.Text, "\r\n"); text != "" {
		b.WriteString(text + "\n\n")
	}
	b.WriteString(intro + "\n")
	h := m.Header()
	for _, name := range []string{"From", "Date", "Subject", "To", "Cc"} {
		value := h.Text(name)
		if list := h.Addresses(name); name != "Date" && name != "Subject" && len(list) > 0 {
			value = addressText(list)
		}
		if value != "" {
			b.WriteString(name + ": " + shorten(fit(value), maxBlockLine) + "\n")
		}
	}
	text, err := m.bodyText()
	b.WriteString("\n" + strings.TrimRight(text, "\n") + "\n")
	return b.String(), err
}

// maxBlockLine bounds a line of the header block.
const maxBlockLine = 4000

// addressText is a list as people read it.
func addressText(list []Address) string {
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.WriteString(a.String()); b.Len() > maxBlockLine {
			break
		}
	}
	return b.String()
}

// carried yields the parts that an inline forward attaches again: the
// attachments, and what stood between the texts.
func (m *Message) carried(yield func(Part) bool) {
	for _, p := range m.TextBody() {
		if !p.IsText() && !yield(p) {
			return
		}
	}
	for _, p := range m.Attachments() {
		if sub := p.Type().Subtype; sub == "pgp-signature" || sub == "pkcs7-signature" || sub == "x-pkcs7-signature" {
			continue
		}
		if !yield(p) {
			return
		}
	}
}

// carry is the part as an attachment: decoded, to be encoded anew. A message
// that is not fit to travel as one goes as a file without a type.
func (p Part) carry() File {
	name := p.SafeFilename()
	typ := p.Type()
	if p.IsMessage() || typ.Type == "message" {
		f := p.contentFile(name).As("message/rfc822")
		if _, err := f.messageShape(); err == nil && typ.Subtype == "rfc822" {
			return f
		}
		return f.As("application/octet-stream")
	}
	f := p.contentFile(name)
	f.typ, f.charset = "application/octet-stream", fit(typ.Param("charset"))
	if t := typ.Type + "/" + typ.Subtype; isMediaType(t) && len(t) <= maxMediaType {
		f.typ = t
	}
	return f
}

// contentFile attaches what Open reads.
func (p Part) contentFile(name string) File {
	return Attach(name, func() (io.ReadCloser, error) { return io.NopCloser(p.Open()), nil })
}

// asFile attaches the part with its header.
func (p Part) asFile(name string) File {
	return Attach(name, func() (io.ReadCloser, error) { return io.NopCloser(p.Section()), nil })
}
