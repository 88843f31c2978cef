package imap

import (
	"bytes"
	"io"
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// prepareSection finds what BODY[...] asks for, and opens the message.
func (c *conn) prepareSection(s *section, m *message) error {
	s.data = nil
	if s.listed && !s.not && s.spec == "HEADER" {
		s.miss = false
		return s.prepareFields(m)
	}
	at, n, found, err := m.section(s.spec)
	if err != nil {
		return err
	}
	s.at, s.n, s.miss = at, n, !found
	if s.miss {
		return nil
	}
	if s.listed {
		return s.prepareFields(m)
	}
	return m.open()
}

// prepareFields makes HEADER.FIELDS, whose octets do not lie together.
func (s *section) prepareFields(m *message) error {
	var h mime.Header
	var err error
	if s.spec == "HEADER" && s.not {
		h, err = m.head()
	} else if s.spec == "HEADER" {
		h, err = m.fields(s.fields...)
	} else if err = m.open(); err == nil {
		h, _, err = mime.ReadHeader(io.NewSectionReader(m.blob, s.at, s.n))
	}
	if err != nil {
		return err
	}
	s.data = h.AppendFields(s.data, s.fields, s.not)
	fixNUL(s.data)
	return nil
}

// window is the part of size octets that "<from.size>" leaves (RFC 9051
// §6.4.5).
func (s *section) window(size int64) (from, n int64) {
	if !s.partial {
		return 0, size
	}
	from = min(s.from, size)
	return from, min(s.size, size-from)
}

// appendLabel appends the name that the client knows the data by.
func (c *conn) appendLabel(s *section) {
	c.out = append(c.out, s.label...)
	if s.partial {
		c.out = append(c.out, '<')
		c.out = strconv.AppendInt(c.out, s.from, 10)
		c.out = append(c.out, '>')
	}
	c.out = append(c.out, ' ')
}

// appendSection appends name and octets of a section.
func (c *conn) appendSection(s *section, m *message) error {
	c.appendLabel(s)
	switch {
	case s.miss:
		c.out = append(c.out, "NIL"...)
		return nil
	case s.listed:
		from, n := s.window(int64(len(s.data)))
		c.out = wire.AppendLiteralHeader(c.out, wire.Literal{Size: n})
		c.out = append(c.out, s.data[from:from+n]...)
		return nil
	}
	from, n := s.window(s.n)
	return c.stream(m, s.at+from, n, false)
}

// maxBinary bounds what BINARY decodes into memory; a window within it is
// looked for from the start.
const maxBinary = 64 << 20

// prepareBinary decodes a part (RFC 3516 §4.2).
func (c *conn) prepareBinary(it *fetchItem, m *message) error {
	s := it.section
	s.data, s.miss = nil, false
	parsed, err := m.mime()
	if err != nil {
		return err
	}
	if s.spec == "" { // all of it; there is nothing to undo
		s.n = m.meta.Size
		return nil
	}
	part, found := parsed.PartAt(partNumbers(s.spec)...)
	if s.miss = !found; s.miss {
		return nil
	}
	if !knownEncoding(part) {
		return &replyError{no("UNKNOWN-CTE", "Transfer encoding of the part is not known")} // RFC 3516 §4.3
	}
	if it.item == itemBinarySize {
		s.n, err = io.Copy(io.Discard, part.Open())
		return err
	}
	r := part.Open()
	if s.partial {
		if _, err = io.CopyN(io.Discard, r, s.from); err == io.EOF {
			return nil
		}
		r = io.LimitReader(r, s.size)
	}
	if err != nil {
		return err
	}
	if s.data, err = io.ReadAll(io.LimitReader(r, maxBinary+1)); err == nil && len(s.data) > maxBinary {
		err = &replyError{no("TOOBIG", "Part is too large to be decoded at once; ask for less of it")}
	}
	return err
}

// knownEncoding reports whether the transfer encoding can be undone.
func knownEncoding(p mime.Part) bool {
	switch wire.Upper(p.Header().Get("Content-Transfer-Encoding")) {
	case "", "7BIT", "8BIT", "BINARY", "BASE64", "QUOTED-PRINTABLE":
		return true
	}
	// Others, and those with comments and quotes, are what mime makes of them:
	// what it decodes differs from what it was given.
	return !bytes.Equal(p.Bytes(), p.RawBody())
}

func partNumbers(spec string) (out []int) {
	for word := range bytes.SplitSeq([]byte(spec), []byte{'.'}) {
		n, _ := strconv.Atoi(string(word))
		out = append(out, n)
	}
	return out
}

// appendBinary appends decoded octets, or how many they are.
func (c *conn) appendBinary(it *fetchItem, m *message) error {
	s := it.section
	c.appendLabel(s)
	switch {
	case it.item == itemBinarySize:
		c.out = strconv.AppendInt(c.out, s.n, 10)
	case s.miss:
		c.out = append(c.out, "NIL"...)
	case s.spec == "":
		from, n := s.window(s.n)
		if err := m.open(); err != nil {
			return c.broken(err)
		}
		return c.stream(m, from, n, true)
	default:
		binary := hasNUL(s.data)
		c.out = wire.AppendLiteralHeader(c.out, wire.Literal{Size: int64(len(s.data)), Binary: binary})
		c.out = append(c.out, s.data...)
	}
	return nil
}

// prepareID makes sure that the message is there.
func (c *conn) prepareID(m *message) error {
	_, _, err := mailbox.EmailID(c.ctx, m.mb, m.meta.UID)
	return err
}

// appendID appends EMAILID or THREADID (RFC 8474 §5). A store without names for
// messages has one in mailbox, UIDVALIDITY and UID.
func (c *conn) appendID(it item, m *message) error {
	if it == itemThreadID {
		c.out = append(c.out, "THREADID "...)
		id, err := mailbox.ThreadID(c.ctx, m.mb, m.meta.UID)
		if err != nil || id == "" {
			c.out = append(c.out, "NIL"...)
			return nil
		}
		c.out = append(append(append(c.out, '('), id...), ')')
		return nil
	}
	c.out = append(c.out, "EMAILID ("...)
	c.out = append(c.out, c.emailID(m)...)
	c.out = append(c.out, ')')
	return nil
}

func (c *conn) emailID(m *message) string {
	if id, has, err := mailbox.EmailID(c.ctx, m.mb, m.meta.UID); has && err == nil {
		return id
	}
	id := string(m.box.id)
	if len(id) > 200 {
		id = id[:200]
	}
	return id + "-" + strconv.FormatUint(uint64(m.st.UIDValidity), 10) + "-" + strconv.FormatUint(uint64(m.meta.UID), 10)
}
