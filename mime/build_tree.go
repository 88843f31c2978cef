package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// entity is a part or the whole: the fields of its structure, and a body or parts.
type entity struct {
	header   []byte
	body     []byte // of a leaf, as it travels
	file     *File  // or this, encoded while it is read
	size     int64  // of file, as it travels
	raw      bool   // file travels as it is
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
		f := &c.Files[i]
		n := c.fileNode(f)
		if f.cid != "" && c.html != "" {
			inline = append(inline, n)
		} else {
			attached = append(attached, n)
		}
	}
	var alternatives []*entity
	if c.text != "" || c.html == "" && (c.Calendar != nil || len(attached) == 0) {
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
	if all := append(body, attached...); len(all) > 1 {
		return c.multipart("mixed", all)
	} else {
		return all[0]
	}
}

// multipart puts parts together. params are further parameters of its type.
func (c *compiler) multipart(sub string, parts []*entity, params ...string) *entity {
	return newMultipart(sub, c.random, parts, params...)
}

// newMultipart takes a boundary that none of the parts holds: it begins with
// "=_", which no encoding writes (RFC 2045 §6.7), and texts are searched.
func newMultipart(sub string, random func() string, parts []*entity, params ...string) *entity {
	boundary := "=_" + random()
	for range 8 {
		taken := false
		for _, p := range parts {
			taken = taken || p.holds(boundary)
		}
		if !taken {
			break
		}
		boundary += "_" + random()
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

// holds reports a text in what is held in memory.
func (n *entity) holds(text string) bool {
	for _, p := range n.parts {
		if p.holds(text) {
			return true
		}
	}
	for _, s := range n.pieces {
		if bytes.Contains(s.b, []byte(text)) {
			return true
		}
	}
	return bytes.Contains(n.body, []byte(text))
}

// textNode is a text part in the encoding that suits it.
func (c *compiler) textNode(mediaType, text string, params ...string) *entity {
	if strings.IndexByte(text, 0) < 0 {
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
	return &entity{header: w.b, body: body}
}

// calendarNode is the alternative that clients turn into buttons (RFC 6047
// §2.4).
func (c *compiler) calendarNode() *entity {
	return c.textNode("text/calendar", string(c.Calendar.Data), "method", strings.ToUpper(c.Calendar.Method))
}

func (c *compiler) invitation() *entity {
	f := AttachBytes("invite.ics", c.Calendar.Data).As("application/ics")
	return c.fileNode(&f)
}

// fileNode is an attachment, in base64 but for messages, which must not be
// encoded (RFC 2046 §5.2.1).
func (c *compiler) fileNode(f *File) *entity {
	typ := strings.ToLower(f.mediaType())
	n := &entity{file: f, raw: typ == "message/rfc822"}
	encoding := "base64"
	var err error
	if n.raw {
		encoding, n.size, err = c.messageShape(f)
	} else if n.size, err = f.size(); err == nil {
		n.size = base64Len(n.size)
	}
	if err != nil {
		c.fail("Files", fmt.Errorf("%s: %w", f.name, err))
	}
	w := &fieldWriter{}
	w.begin("Content-Type")
	w.token(typ)
	if f.name != "" && c.LegacyNames && !isASCIIText(f.name) {
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
	n.header = w.b
	return n
}

// messageShape reads a message that is attached: it travels as it is, so its
// lines must be fit for that.
func (c *compiler) messageShape(f *File) (encoding string, size int64, err error) {
	r, err := f.reader()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	encoding = "7bit"
	var buf [32 << 10]byte
	line, cr := 0, false
	for {
		n, err := r.Read(buf[:])
		for _, ch := range buf[:n] {
			switch {
			case ch == '\n' && !cr, ch != '\n' && cr:
				return "", 0, errors.New("an attached message needs CRLF line ends")
			case ch == '\n':
				line = 0
			case ch != '\r':
				line++
			}
			if cr = ch == '\r'; line > maxLine || ch == 0 {
				return "", 0, errors.New("an attached message has a line over 998 octets, or NUL")
			}
			if ch >= 0x80 {
				encoding, c.eightBit = "8bit", true
			}
		}
		size += int64(n)
		if err == io.EOF {
			return encoding, size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
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
		return append(out, segment{file: n.file, size: n.size, raw: n.raw})
	}
	return appendBytes(out, n.body)
}
