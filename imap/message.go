package imap

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// message is one message while a command looks at it. It opens, reads and
// parses no more than it is asked for. It is reused for one after the other.
type message struct {
	c    *conn
	mb   mailbox.Mailbox
	box  viewKey
	st   *mailbox.State
	meta *mailbox.Meta

	blob   mailbox.Blob
	buf    *[]byte       // of the pool; the message, if it is small
	parsed *mime.Message // valid as long as blob is open
	header mime.Header
	hasHdr bool
	f      forms
}

// reset turns to another message.
func (m *message) reset(meta *mailbox.Meta) {
	m.close()
	m.meta = meta
}

// close lets go of all that was read.
func (m *message) close() {
	if m.blob != nil {
		if err := m.blob.Close(); err != nil {
			m.c.warn("message did not close", err)
		}
	}
	if m.buf != nil {
		bodyPool.Put(m.buf)
	}
	m.blob, m.buf, m.parsed, m.hasHdr, m.header, m.f = nil, nil, nil, false, mime.Header{}, nil
}

// bodyPool has buffers for small messages.
var bodyPool = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// maxWhole is the largest message that is read into memory to be parsed.
const maxWhole = 256 << 10

func (m *message) open() error {
	if m.blob != nil {
		return nil
	}
	var err error
	m.blob, err = m.mb.Message(m.c.ctx, m.meta.UID)
	return err
}

// mime parses the message.
func (m *message) mime() (*mime.Message, error) {
	if m.parsed != nil {
		return m.parsed, nil
	}
	if err := m.open(); err != nil {
		return nil, err
	}
	size := m.blob.Size()
	if size > maxWhole {
		var err error
		m.parsed, err = mime.ParseAt(m.blob, size)
		return m.parsed, err
	}
	b, err := m.whole()
	if err != nil {
		return nil, err
	}
	m.parsed = mime.Parse(b)
	return m.parsed, nil
}

// whole reads a small message.
func (m *message) whole() ([]byte, error) {
	if m.buf != nil {
		return *m.buf, nil
	}
	buf := bodyPool.Get().(*[]byte)
	size := int(m.blob.Size())
	if cap(*buf) < size {
		*buf = make([]byte, 0, size)
	}
	b := (*buf)[:size]
	if n, err := m.blob.ReadAt(b, 0); n < size {
		bodyPool.Put(buf)
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	*buf = b
	m.buf = buf
	return b, nil
}

// head reads the header alone.
func (m *message) head() (mime.Header, error) {
	switch {
	case m.hasHdr:
		return m.header, nil
	case m.parsed != nil:
		return m.parsed.Header(), nil
	}
	b, err := mailbox.Header(m.c.ctx, m.mb, m.meta.UID)
	if err != nil {
		return mime.Header{}, err
	}
	m.header, m.hasHdr = mime.Parse(b).Header(), true
	return m.header, nil
}

// fields reads the header as far as the fields of some names go: from what is
// kept, if all of them are.
func (m *message) fields(names ...string) (mime.Header, error) {
	b, err := m.keptFields(names...)
	switch {
	case err != nil:
		return mime.Header{}, err
	case b == nil:
		return m.head()
	}
	return mime.Parse(b).Header(), nil
}

// keptFields are the fields of the header that are kept, as they stand in the
// message; nil if not all of names are among them, or the header is at hand
// anyway. Of a small message they are kept from now on: who looks at one message
// looks at all, and again.
func (m *message) keptFields(names ...string) ([]byte, error) {
	if m.hasHdr || m.parsed != nil || slices.ContainsFunc(names, func(n string) bool { return !isKept(n) }) {
		return nil, nil
	}
	if m.f == nil {
		m.f = m.kept(cacheKey{m.box, m.st.UIDValidity, m.meta.UID})
	}
	if m.f == nil {
		if m.meta.Size > maxWhole || !m.keeps() {
			return nil, nil
		}
		if _, err := m.forms(false); err != nil {
			return nil, err
		}
	}
	b, _ := m.f.field(formHeader)
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

// keeps reports whether forms are kept somewhere.
func (m *message) keeps() bool {
	_, is := m.mb.(mailbox.Cacher)
	return is || m.c.srv.cache.limit > 0
}

// forms returns what FETCH tells of the structure, from where it is kept or by
// parsing.
func (m *message) forms(preview bool) (forms, error) {
	key := cacheKey{m.box, m.st.UIDValidity, m.meta.UID}
	if m.f == nil {
		m.f = m.kept(key)
	}
	if m.f != nil {
		if _, has := m.f.preview(); has || !preview {
			return m.f, nil
		}
	}
	parsed, err := m.mime()
	if err != nil {
		return nil, err
	}
	m.f = makeForms(parsed, preview)
	if !mailbox.PutCached(m.mb, m.meta.UID, m.f) && m.c.srv.cache.limit > 0 {
		m.c.srv.cache.put(key, m.f)
	}
	return m.f, nil
}

func (m *message) kept(key cacheKey) forms {
	if b, found := mailbox.Cached(m.mb, m.meta.UID); found && forms(b).valid() {
		return b
	}
	if m.c.srv.cache.limit > 0 {
		return m.c.srv.cache.get(key)
	}
	return nil
}

// section finds a section of the message. Those of the header need no more than
// that to be read.
func (m *message) section(spec string) (offset, size int64, found bool, err error) {
	switch spec {
	case "":
		return 0, m.meta.Size, true, nil
	case "HEADER", "TEXT":
		h, err := m.head()
		n := int64(len(h.Raw()))
		if spec == "TEXT" {
			return n, m.meta.Size - n, true, err
		}
		return 0, n, true, err
	}
	f, err := m.forms(false)
	if err != nil {
		return 0, 0, false, err
	}
	offset, size, found = f.section(spec)
	return offset, size, found, nil
}

// stream puts octets of the message onto the wire as a literal. They are read
// straight into the buffer that is sent. Once the literal is announced there is
// no way back: an error ends the connection.
func (c *conn) stream(m *message, offset, size int64, binary bool) error {
	c.begin()
	c.out = wire.AppendLiteralHeader(c.out, wire.Literal{Size: size, Binary: binary})
	for size > 0 {
		if cap(c.out)-len(c.out) < 1024 {
			if err := c.flush(); err != nil {
				return err
			}
			c.begin()
		}
		room := c.out[len(c.out):cap(c.out)]
		room = room[:min(int64(len(room)), size)]
		n, err := m.blob.ReadAt(room, offset)
		if n == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return c.broken(err)
		}
		if !binary {
			fixNUL(room[:n])
		}
		c.out = c.out[:len(c.out)+n]
		offset += int64(n)
		size -= int64(n)
	}
	return nil
}

// fixNUL replaces what a literal cannot hold (RFC 9051 §4.3): such messages came
// as BINARY, or from elsewhere.
func fixNUL(b []byte) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return
		}
		b[i] = 0x80
		b = b[i+1:]
	}
}

func hasNUL(b []byte) bool { return bytes.IndexByte(b, 0) >= 0 }

// broken ends a connection in the middle of a response.
func (c *conn) broken(err error) error {
	c.warn("message cannot be read", err)
	c.out = nil
	c.unsent = err
	return err
}
