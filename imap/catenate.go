package imap

import (
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// catenation is a message put together of texts from the wire and of pieces of
// messages that are here (RFC 4469 §3). It reads on in the command as it goes.
type catenation struct {
	a     *appending
	cur   io.Reader
	close func()
	n     int   // pieces begun
	size  int64 // octets so far
	err   error
}

func (k *catenation) Read(p []byte) (int, error) {
	for k.err == nil {
		if k.cur == nil {
			k.err = k.piece()
			continue
		}
		n, err := k.cur.Read(p)
		if k.size += int64(n); err == io.EOF {
			err = k.end()
		}
		if most := k.a.c.srv.limits.MessageBytes; err == nil && most > 0 && k.size > most {
			err = mailbox.ErrTooBig
		}
		k.err = err
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, k.err
}

// piece begins the next one; io.EOF says that there is none.
func (k *catenation) piece() error {
	p := k.a.p
	if k.n > 0 && p.Take(')') {
		if k.size == 0 {
			return errCancelled
		}
		return io.EOF
	}
	if k.n++; k.n > 1 {
		p.SP()
	}
	switch {
	case p.TakeWord("TEXT"):
		p.SP()
		if !p.AtEnd() || k.a.lit == nil {
			p.Fail("literal")
		}
		if err := p.Err(); err != nil {
			return err
		}
		if err := k.a.room(k.size + k.a.lit.Size); err != nil {
			return err
		}
		k.cur = k.a.begin()
		return nil
	case p.TakeWord("URL"):
		p.SP()
		address, err := k.address()
		if err != nil {
			return err
		}
		return k.resolve(address)
	}
	p.Fail("TEXT or URL")
	return p.Err()
}

// address takes a URL, which may be a literal of its own.
func (k *catenation) address() (string, error) {
	p := k.a.p
	if !p.AtEnd() || k.a.lit == nil {
		s := p.AString()
		return s, p.Err()
	}
	if k.a.lit.Size > maxURL {
		return "", &replyError{no("TOOBIG", "URL is too long")}
	}
	b, err := io.ReadAll(k.a.begin())
	if err == nil {
		err = k.a.drain()
	}
	return string(b), err
}

// maxURL is the longest URL that is taken.
const maxURL = 4 << 10

// end ends a piece.
func (k *catenation) end() error {
	if k.close != nil {
		k.close()
		k.close = nil
	}
	k.cur = nil
	if k.a.body == nil {
		return nil
	}
	return k.a.drain()
}

// finish checks that the store read all of it.
func (k *catenation) finish() error {
	if k.close != nil {
		k.close()
	}
	switch {
	case k.err == nil:
		return errors.New("imap: store did not read the message to its end")
	case k.err != io.EOF:
		return k.err
	}
	k.a.over = k.a.p.AtEnd() && k.a.lit == nil
	return k.a.p.Err()
}

// resolve opens what a URL names: a message of this user, or a section of one.
func (k *catenation) resolve(address string) error {
	c := k.a.c
	r, closer, err := c.openURL(address)
	if err != nil {
		if codeOf(err) == "" {
			c.debug("URL cannot be used", "err", err)
		}
		return &replyError{no("BADURL "+string(wire.AppendString(nil, clipURL(address), true)), "URL cannot be used")} // RFC 4469 §4.2
	}
	k.cur, k.close = r, closer
	return nil
}

// clipURL makes a URL fit for a response code.
func clipURL(s string) string {
	s = s[:min(len(s), 256)]
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7F || r == '"' || r == '\\' || r == ']' {
			return '?'
		}
		return r
	}, s)
}

var errURL = errors.New("imap: not a URL of a message here")

// messageURL is a URL of RFC 5092 as far as it can name what is here: it begins
// at the mailbox.
type messageURL struct {
	mailbox  string
	validity uint32
	uid      mailbox.UID
	section  string
	partial  *section
}

// parseURL reads "/mailbox;UIDVALIDITY=1/;UID=2/;SECTION=3/;PARTIAL=0.9". Hosts
// are others, and not asked.
func parseURL(address string) (u messageURL, err error) {
	path, isAbsolute := strings.CutPrefix(address, "/")
	if !isAbsolute || strings.HasPrefix(path, "/") {
		return u, errURL
	}
	before, after, found := cutFold(path, "/;UID=")
	if !found {
		return u, errURL
	}
	name, validity, has := cutFold(before, ";UIDVALIDITY=")
	if u.mailbox, err = url.PathUnescape(name); err != nil {
		return u, errURL
	}
	if has {
		if u.validity, err = number32(validity); err != nil {
			return u, errURL
		}
	}
	after, partial, has := cutFold(after, "/;PARTIAL=")
	if has {
		if u.partial, err = parseURLPartial(partial); err != nil {
			return u, err
		}
	}
	uid, spec, _ := cutFold(after, "/;SECTION=")
	if spec, err = url.PathUnescape(spec); err != nil || !validSpec(wire.Upper(spec)) {
		return u, errURL
	}
	u.section = wire.Upper(spec)
	n, err := number32(uid)
	u.uid = mailbox.UID(n)
	return u, err
}

func parseURLPartial(s string) (*section, error) {
	from, size, has := strings.Cut(s, ".")
	p := &section{partial: true, size: 1<<63 - 1}
	var err error
	if p.from, err = strconv.ParseInt(from, 10, 64); err != nil || p.from < 0 {
		return nil, errURL
	}
	if has {
		if p.size, err = strconv.ParseInt(size, 10, 64); err != nil || p.size < 1 {
			return nil, errURL
		}
	}
	return p, nil
}

func number32(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, errURL
	}
	return uint32(n), nil
}

func cutFold(s, sep string) (before, after string, found bool) {
	i := strings.Index(wire.Upper(s), sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// openURL opens the octets that a URL names.
func (c *conn) openURL(address string) (io.Reader, func(), error) {
	u, err := parseURL(address)
	if err != nil {
		return nil, nil, err
	}
	name, err := mailbox.CheckName(u.mailbox)
	if err != nil {
		return nil, nil, err
	}
	mb, err := mailbox.OpenName(c.ctx, c.store, name)
	if err != nil {
		return nil, nil, err
	}
	m := &message{c: c, mb: mb}
	closer := func() { m.close(); mb.Close() }
	r, err := u.open(m)
	if err != nil {
		closer()
		return nil, nil, err
	}
	return r, closer, nil
}

func (u messageURL) open(m *message) (io.Reader, error) {
	d, err := m.mb.Changes(m.c.ctx, 0)
	if err != nil {
		return nil, err
	}
	if u.validity != 0 && u.validity != d.State.UIDValidity {
		return nil, errURL
	}
	m.st = &d.State
	for i := range d.Messages {
		if d.Messages[i].UID == u.uid {
			m.meta = &d.Messages[i]
		}
	}
	if m.meta == nil {
		return nil, mailbox.ErrNotExist
	}
	parsed, err := m.mime()
	if err != nil {
		return nil, err
	}
	at, n, found := parsed.Section(u.section)
	if !found || strings.HasPrefix(u.section, "HEADER.") {
		return nil, errURL
	}
	if u.partial != nil {
		from, size := u.partial.window(n)
		at, n = at+from, size
	}
	return io.NewSectionReader(m.blob, at, n), nil
}
