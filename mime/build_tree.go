package mime

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// entity is a part or the whole: the fields of its structure, and a body or parts.
type entity struct {
	header   []byte
	body     []byte // of a leaf, as it travels
	file     *File  // or this, encoded while it is read
	size     int64  // of file, as it travels
	raw      bool   // file travels as it is
	fix      bool   // but for its line ends
	encoding string // of file or body; "" if it does not matter
	boundary string
	parts    []*entity
	pieces   []segment // all of it, from elsewhere
}

// tree nests the parts as readers expect them: attachments beside the text,
// the alternatives of the text by rising worth (RFC 2046 §5.1.4), images next
// to the HTML that shows them (RFC 2387).
func (c *compiler) tree() *entity {
	var inline, attached []*entity
	for i := range c.Files {
		f := c.Files[i] // a copy: the draft must not change with the builder
		n := c.fileNode(&f)
		if f.cid != "" && c.html != "" {
			inline = append(inline, n)
		} else {
			attached = append(attached, n)
		}
	}
	var alternatives []*entity
	// A file may be the whole message, but for a message, which would be taken
	// for the one around it.
	bare := len(attached) == 0 || attached[0].raw
	if c.text != "" || c.html == "" && (c.Calendar != nil || bare) {
		alternatives = append(alternatives, c.textNode("text/plain", c.text))
	}
	if c.html != "" {
		html := c.textNode("text/html", c.html)
		if len(inline) > 0 {
			html = c.multipart("related", append([]*entity{html}, inline...), "type", "text/html")
		}
		alternatives = append(alternatives, html)
	}
	if c.Calendar != nil {
		alternatives = append(alternatives, c.calendarNode())
		attached = append(attached, c.invitation())
	}
	body := alternatives
	if len(alternatives) > 1 {
		body = []*entity{c.multipart("alternative", alternatives)}
	}
	all := append(body, attached...)
	if len(all) > 1 {
		return c.multipart("mixed", all)
	}
	all[0].endLine()
	return all[0]
}

// endLine ends a text that is the whole message with a line break, which
// transport would add otherwise; one that does not count, where there is such
// (RFC 2045 §6.7 (5)).
func (n *entity) endLine() {
	switch {
	case len(n.body) == 0 || bytes.HasSuffix(n.body, crlf):
	case n.encoding == "quoted-printable":
		n.body = append(n.body, "=\r\n"...)
	default:
		n.body = append(n.body, crlf...)
	}
}

// multipart puts parts together. params are further parameters of its type.
func (c *compiler) multipart(sub string, parts []*entity, params ...string) *entity {
	return newMultipart(sub, c.random(), parts, params...)
}

// newMultipart takes a boundary that none of the parts holds: it begins with
// "=_", which no encoding writes (RFC 2045 §6.7), and is not to be guessed. What
// lies in memory is searched too, in case the randomness is none.
func newMultipart(sub, name string, parts []*entity, params ...string) *entity {
	boundary := "=_" + name
	for i := 1; holdsAny(parts, boundary); i++ {
		boundary = "=_" + strconv.Itoa(i) + "_" + name // never the start of another
	}
	w := &fieldWriter{}
	w.begin("Content-Type")
	w.token("multipart/" + sub)
	for i := 0; i+1 < len(params); i += 2 {
		w.param(params[i], params[i+1])
	}
	w.param("boundary", boundary)
	w.end()
	return &entity{header: w.b, boundary: boundary, parts: parts}
}

// holdsAny is holds for several.
func holdsAny(parts []*entity, text string) bool {
	return slices.ContainsFunc(parts, func(p *entity) bool { return p.holds(text) })
}

// holds reports a text in what is held in memory.
func (n *entity) holds(text string) bool {
	if n.encoding == "base64" || n.encoding == "quoted-printable" {
		return false // neither writes what a boundary begins with
	}
	for _, s := range n.pieces {
		if bytes.Contains(s.b, []byte(text)) {
			return true
		}
	}
	return n.boundary == text || bytes.Contains(n.body, []byte(text)) || holdsAny(n.parts, text) ||
		n.raw && bytes.Contains(n.file.data, []byte(text))
}

// textNode is a text part in the encoding that suits it.
func (c *compiler) textNode(mediaType, text string, params ...string) *entity {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	encoding, body := encodeText(text, c.EightBit)
	c.eightBit = c.eightBit || encoding == "8bit"
	w := &fieldWriter{}
	w.begin("Content-Type")
	w.token(mediaType)
	w.param("charset", "utf-8")
	for i := 0; i+1 < len(params); i += 2 {
		w.param(params[i], params[i+1])
	}
	w.end()
	w.text("Content-Transfer-Encoding", encoding)
	return &entity{header: w.b, body: body, encoding: encoding}
}

// calendarNode is the alternative that clients turn into buttons (RFC 6047
// §2.4).
func (c *compiler) calendarNode() *entity {
	return c.textNode("text/calendar", string(c.Calendar.Data), "method", strings.ToUpper(c.Calendar.Method))
}

// invitation is the same object as a file. Its type is the one that clients
// which show text/calendar do not show once more.
func (c *compiler) invitation() *entity {
	f := AttachBytes("invite.ics", canonicalText(string(c.Calendar.Data))).As("application/ics")
	return c.fileNode(&f)
}

// fileNode is an attachment, in base64 but for messages, which must not be
// encoded (RFC 2046 §5.2.1).
func (c *compiler) fileNode(f *File) *entity {
	typ := strings.ToLower(f.mediaType())
	n := &entity{file: f, encoding: "base64"}
	charset, err := "", error(nil)
	switch {
	case strings.HasPrefix(typ, "message/"):
		err = n.asMessage(f)
		c.eightBit = c.eightBit || n.encoding == "8bit"
	case strings.HasPrefix(typ, "text/") && f.charset == "":
		n.size, charset, err = f.textSize()
		n.size = base64Len(n.size)
	default:
		n.size, err = f.size()
		n.size, charset = base64Len(n.size), f.charset
	}
	if err != nil {
		c.fail("Files", fmt.Errorf("%s: %w", f.name, err))
	}
	n.header = f.header(typ, charset, n.encoding, c.LegacyNames)
	return n
}

// asMessage makes n the body of a message/* part, which travels as it is.
func (n *entity) asMessage(f *File) error {
	shape, err := f.messageShape()
	n.file, n.size, n.raw, n.fix, n.encoding = f, shape.size, true, shape.fix, "7bit"
	if shape.eight {
		n.encoding = "8bit"
	}
	return err
}

// header writes the fields of an attachment (RFC 2183).
func (f *File) header(typ, charset, encoding string, legacy bool) []byte {
	w := &fieldWriter{}
	w.begin("Content-Type")
	w.token(typ)
	if charset != "" && strings.HasPrefix(typ, "text/") {
		w.param("charset", charset)
	}
	if f.name != "" && legacy && !isASCIIText(f.name) {
		w.legacyName("name", f.name)
	}
	w.end()
	w.text("Content-Transfer-Encoding", encoding)
	w.begin("Content-Disposition")
	if f.cid != "" {
		w.token("inline")
	} else {
		w.token("attachment")
	}
	if f.name != "" {
		w.param("filename", f.name)
	}
	w.end()
	if f.cid != "" {
		w.begin("Content-ID")
		w.token("<" + f.cid + ">")
		w.end()
	}
	return w.b
}

// segments writes the entity as pieces to be read one after the other.
func (n *entity) segments(out []segment) []segment {
	if n.pieces != nil {
		return appendSegments(out, n.pieces)
	}
	out = appendBytes(out, n.header, crlf)
	switch {
	case n.boundary != "":
		for _, p := range n.parts {
			out = appendBytes(out, []byte("--"+n.boundary+"\r\n"))
			out = p.segments(out)
			out = appendBytes(out, crlf) // belongs to the delimiter (RFC 2046 §5.1.1)
		}
		return appendBytes(out, []byte("--"+n.boundary+"--\r\n"))
	case n.file != nil:
		return append(out, segment{file: n.file, size: n.size, raw: n.raw, fix: n.fix})
	}
	return appendBytes(out, n.body)
}
