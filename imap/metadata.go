package imap

import (
	"errors"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// metadataOption is what GETMETADATA asks for (RFC 5464 §4.2).
type metadataOption struct {
	entries []string
	depth   int // 0, 1 or -1 for all levels below
	maxSize int // of a value; -1 any
}

// GETMETADATA tells annotations of a mailbox or, with an empty name, of the
// account.
func (c *conn) GETMETADATA(p *parser) reply {
	o := &metadataOption{maxSize: -1}
	p.SP()
	if p.Peek() == '(' {
		p.List(func() { p.metadataOption(o) })
		p.SP()
	}
	name, server := p.mailboxOrServer()
	p.SP()
	if p.Peek() == '(' {
		p.List(func() { o.entries = append(o.entries, p.entry(o.depth != 0)) })
	} else {
		o.entries = []string{p.entry(o.depth != 0)}
	}
	if r := p.done(); r.status != "" {
		return r
	}
	var info mailbox.Info
	if !server {
		var err error
		if info, err = c.found(name); err != nil {
			return c.failure(err)
		}
	}
	longest, err := c.putEntries(info, o)
	if err != nil {
		return c.failure(err)
	}
	if longest > 0 { // RFC 5464 §4.2.1
		return okCode("METADATA LONGENTRIES "+strconv.Itoa(longest), "GETMETADATA completed")
	}
	return ok("GETMETADATA completed")
}

func (p *parser) metadataOption(o *metadataOption) {
	switch p.Word() {
	case "MAXSIZE":
		p.SP()
		o.maxSize = int(p.Number())
	case "DEPTH":
		p.SP()
		switch p.Word() {
		case "0":
		case "1":
			o.depth = 1
		case "INFINITY":
			o.depth = -1
		default:
			p.Fail("0, 1 or infinity")
		}
	default:
		p.Fail("MAXSIZE or DEPTH")
	}
}

// metadataEntries takes what RETURN (METADATA ...) names (RFC 9590).
func (p *parser) metadataEntries() *metadataOption {
	o := &metadataOption{maxSize: -1}
	p.List(func() { o.entries = append(o.entries, p.entry(false)) })
	return o
}

// mailboxOrServer takes a name, which is empty for the account.
func (p *parser) mailboxOrServer() (name string, server bool) {
	if rest := p.Rest(); len(rest) > 1 && string(rest[:2]) == `""` {
		p.Skip(2)
		return "", true
	}
	return p.mailbox(), false
}

// entry takes the name of an annotation (RFC 5464 §3.1), or one above all.
func (p *parser) entry(above bool) string {
	s := p.AString()
	if above && (strings.EqualFold(s, "/private") || strings.EqualFold(s, "/shared")) {
		return s
	}
	if p.OK() && !validEntry(s) {
		p.Fail("entry name that begins with /private/ or /shared/")
	}
	return s
}

func validEntry(s string) bool {
	low := strings.ToLower(s)
	if !strings.HasPrefix(low, "/private/") && !strings.HasPrefix(low, "/shared/") {
		return false
	}
	if strings.HasSuffix(s, "/") || strings.Contains(s, "//") || strings.ContainsAny(s, "*%") {
		return false
	}
	for i := range len(s) {
		if s[i] <= 0x19 || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

// covers reports whether an entry is asked for.
func (o *metadataOption) covers(name string) bool {
	for _, e := range o.entries {
		if len(name) < len(e) || !strings.EqualFold(name[:len(e)], e) {
			continue
		}
		rest := name[len(e):]
		switch {
		case rest == "":
			return true
		case rest[0] != '/' || o.depth == 0:
		case o.depth < 0 || strings.Count(rest, "/") == 1:
			return true
		}
	}
	return false
}

// putEntries tells the entries that are asked for, and returns the size of the
// longest that is too long to be told.
func (c *conn) putEntries(info mailbox.Info, o *metadataOption) (longest int, err error) {
	all, err := mailbox.MetadataOf(c.ctx, c.store, info.ID)
	if err != nil {
		return 0, err
	}
	var told []mailbox.Entry
	for _, e := range all {
		switch {
		case !o.covers(e.Name):
		case o.maxSize >= 0 && len(e.Value) > o.maxSize:
			longest = max(longest, len(e.Value))
		default:
			told = append(told, e)
		}
	}
	for _, name := range o.entries { // what has no value is NIL (RFC 5464 §4.4.1)
		if o.depth == 0 && !hasEntry(all, name) {
			told = append(told, mailbox.Entry{Name: name})
		}
	}
	if len(told) == 0 {
		return longest, nil
	}
	c.begin()
	c.out = append(c.out, "* METADATA "...)
	if info.ID == "" {
		c.out = append(c.out, `""`...)
	} else {
		c.out = c.appendMailbox(c.out, info.Name)
	}
	c.out = append(c.out, " ("...)
	for i, e := range told {
		if i > 0 {
			c.out = append(c.out, ' ')
		}
		c.out = wire.AppendAString(c.out, e.Name, false)
		c.out = append(c.out, ' ')
		c.out = appendValue(c.out, e.Value)
	}
	c.out = append(c.out, ')')
	c.end()
	return longest, nil
}

// appendValue appends a value, which may be any octets (RFC 5464 §5: value).
func appendValue(dst, v []byte) []byte {
	switch {
	case v == nil:
		return append(dst, "NIL"...)
	case wire.Quotable(string(v), false):
		return wire.AppendQuoted(dst, string(v))
	}
	return append(wire.AppendLiteralHeader(dst, wire.Literal{Size: int64(len(v)), Binary: hasNUL(v)}), v...)
}

func hasEntry(all []mailbox.Entry, name string) bool {
	for _, e := range all {
		if strings.EqualFold(e.Name, name) {
			return true
		}
	}
	return false
}

func (c *conn) putMetadataOf(info mailbox.Info, o *metadataOption) error {
	_, err := c.putEntries(info, o)
	return err
}

// SETMETADATA changes annotations, all or none (RFC 5464 §4.3).
func (c *conn) SETMETADATA(p *parser) reply {
	p.SP()
	name, server := p.mailboxOrServer()
	p.SP()
	var entries []mailbox.Entry
	p.List(func() {
		e := mailbox.Entry{Name: p.entry(false)}
		p.SP()
		if s, has := p.NString(); has {
			e.Value = append([]byte{}, s...)
		}
		entries = append(entries, e)
	})
	if r := p.done(); r.status != "" {
		return r
	}
	var info mailbox.Info
	if !server {
		var err error
		if info, err = c.found(name); err != nil {
			return c.failure(err)
		}
	}
	err := mailbox.SetMetadata(c.ctx, c.store, info.ID, entries)
	switch {
	case errors.Is(err, mailbox.ErrLimit):
		return no("METADATA TOOMANY", "Too many entries") // RFC 5464 §4.3
	case err != nil:
		return c.failure(err)
	}
	return ok("SETMETADATA completed")
}
