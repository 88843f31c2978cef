package imap

import (
	"context"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// MailboxInfo is one line of a list of mailboxes.
type MailboxInfo struct {
	Name      string // with the server's separator between its levels
	Separator string // "" there are no levels
	Attrs     []string
	OldName   string         // what it was called before (RFC 9051 §6.3.9.7); "" nothing else
	Status    *MailboxStatus // nil unless asked for
}

// Has reports whether the mailbox has an attribute, such as `\Sent` or
// `\Noselect`, whatever its case.
func (m *MailboxInfo) Has(attr string) bool { return hasFold(m.Attrs, attr) }

// MailboxStatus is what STATUS tells (RFC 9051 §6.3.11). What the server does
// not tell is 0.
type MailboxStatus struct {
	Name      string
	State     mailbox.State
	Messages  uint32
	Unseen    uint32
	Deleted   uint32
	Recent    uint32
	Size      int64
	MailboxID string
}

// malformed is about a response that makes no sense. Lenient clients go on
// without it where they can.
func (c *Conn) malformed(word string) error {
	if c.client.Strict {
		return c.broken("malformed " + word)
	}
	return nil
}

func (c *Conn) statusItems() string {
	items := "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"
	if c.caps.Has("STATUS=SIZE") || c.caps.Has("IMAP4REV2") {
		items += " SIZE" // RFC 8438
	}
	if c.caps.Has("CONDSTORE") {
		items += " HIGHESTMODSEQ"
	}
	if c.caps.Has("OBJECTID") {
		items += " MAILBOXID"
	}
	return items
}

// Status tells of a mailbox without opening it.
func (c *Conn) Status(ctx context.Context, name string) (*MailboxStatus, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	var got *MailboxStatus
	if err := c.do(ctx, c.statusCall(name, func(s *MailboxStatus) { got = s })); err != nil {
		return nil, err
	}
	if got == nil {
		return nil, ProtocolError("STATUS without an answer")
	}
	return got, nil
}

func (c *Conn) statusCall(name string, f func(*MailboxStatus)) *call {
	x := (&call{verb: "STATUS"}).mailbox(c, name).word("(" + c.statusItems() + ")")
	var sum *MailboxStatus // news of the same mailbox, after NOTIFY, have fewer items
	x.data = func(r *response) (bool, error) {
		if r.word != "STATUS" {
			return false, nil
		}
		s := c.parseStatus(r.args, sum)
		switch {
		case s == nil:
			return true, c.malformed("STATUS")
		case infoKey(s.Name) != infoKey(name):
			return false, nil
		}
		sum = s
		f(s)
		return true, nil
	}
	return x
}

// parseList reads (attributes) separator name, nil if it cannot.
func (c *Conn) parseList(b []byte) *MailboxInfo {
	r := c.values(b)
	attrs, sep, name := r.next(), r.next(), r.next()
	if r.bad || attrs.kind == isString || name.kind == isList || name.kind == isNil && attrs.kind != isList {
		return nil
	}
	m := &MailboxInfo{Name: c.listedName(name.text()), Separator: sep.text()}
	for _, a := range attrs.list {
		m.Attrs = append(m.Attrs, a.text())
	}
	if r.more() {
		c.parseListItems(m, r.next().list)
	}
	return m
}

// parseListItems reads name value …, the extended items (RFC 5258 §6).
func (c *Conn) parseListItems(m *MailboxInfo, items []value) {
	for i := 0; i+1 < len(items); i += 2 {
		if wire.EqualFold(items[i].text(), "OLDNAME") {
			m.OldName = c.mailboxName(items[i+1].at(0).text())
		}
	}
}

// maxSpelled bounds the names that are kept as the server spells them.
const maxSpelled = 10_000

// listedName decodes the name of a list. One that is not in modified UTF-7, as
// some servers send them, is taken as it is, and sent back as it came.
func (c *Conn) listedName(s string) string {
	d := c.mailboxName(s)
	switch {
	case c.utf8:
	case wire.EncodeUTF7(d) == s:
		delete(c.spelled, d)
	case len(c.spelled) < maxSpelled:
		if c.spelled == nil {
			c.spelled = make(map[string]string)
		}
		c.spelled[d] = s
	}
	return d
}

// mailboxName decodes a name that is told of otherwise. There are servers that do
// not encode it there, and want it encoded all the same.
func (c *Conn) mailboxName(s string) string {
	if c.utf8 {
		return s
	}
	if d, err := wire.DecodeUTF7(s); err == nil {
		return d
	}
	return s
}

// parseStatus reads name (item value …), nil if it cannot. What is not told stands
// as it was before, if that is of the same mailbox.
func (c *Conn) parseStatus(b []byte, before *MailboxStatus) *MailboxStatus {
	r := c.values(b)
	name, items := r.next(), r.next()
	if r.bad || items.kind != isList {
		return nil
	}
	s := &MailboxStatus{Name: c.mailboxName(name.text())}
	if before != nil && infoKey(before.Name) == infoKey(s.Name) {
		*s = *before
	}
	for i := 0; i+1 < len(items.list); i += 2 {
		v := items.list[i+1]
		n := v.num()
		switch wire.Upper(items.list[i].text()) {
		case "MESSAGES":
			s.Messages = uint32(n)
		case "RECENT":
			s.Recent = uint32(n)
		case "UNSEEN":
			s.Unseen = uint32(n)
		case "DELETED":
			s.Deleted = uint32(n)
		case "SIZE":
			s.Size = int64(n)
		case "UIDNEXT":
			s.State.UIDNext = mailbox.UID(n)
		case "UIDVALIDITY":
			s.State.UIDValidity = uint32(n)
		case "HIGHESTMODSEQ":
			s.State.HighestModSeq = mailbox.ModSeq(n)
		case "MAILBOXID":
			s.MailboxID = v.at(0).text()
		}
	}
	return s
}

// Create makes a mailbox. use are attributes such as `\Sent` (RFC 6154 §3).
func (c *Conn) Create(ctx context.Context, name string, use ...string) error {
	x := (&call{verb: "CREATE"}).mailbox(c, name)
	if len(use) > 0 {
		x.word("(USE (" + strings.Join(use, " ") + "))")
	}
	return c.do(ctx, x)
}

// Delete removes a mailbox and its messages.
func (c *Conn) Delete(ctx context.Context, name string) error {
	return c.do(ctx, (&call{verb: "DELETE"}).mailbox(c, name))
}

// Rename gives a mailbox, and those below it, another name.
func (c *Conn) Rename(ctx context.Context, from, to string) error {
	return c.do(ctx, (&call{verb: "RENAME"}).mailbox(c, from).mailbox(c, to))
}

// Subscribe marks a name, or unmarks it.
func (c *Conn) Subscribe(ctx context.Context, name string, on bool) error {
	verb := "UNSUBSCRIBE"
	if on {
		verb = "SUBSCRIBE"
	}
	return c.do(ctx, (&call{verb: verb}).mailbox(c, name))
}

// Namespaces are the prefixes of a user's own mailboxes, those of other users
// and shared ones (RFC 9051 §6.3.10).
type Namespaces struct{ Personal, Other, Shared []Namespace }

// Namespace is one prefix and the separator below it.
type Namespace struct{ Prefix, Separator string }

// Namespace asks where mailboxes are.
func (c *Conn) Namespace(ctx context.Context) (*Namespaces, error) {
	ns := &Namespaces{}
	x := &call{verb: "NAMESPACE", data: func(r *response) (bool, error) {
		if r.word != "NAMESPACE" {
			return false, nil
		}
		v := c.values(r.args)
		for _, list := range []*[]Namespace{&ns.Personal, &ns.Other, &ns.Shared} {
			for _, n := range v.next().list {
				*list = append(*list, Namespace{c.listedName(n.at(0).text()), n.at(1).text()})
			}
		}
		return true, nil
	}}
	return ns, c.do(ctx, x)
}

// dateTime reads INTERNALDATE; servers leave the space before one digit out.
func dateTime(s string) time.Time {
	for _, layout := range []string{"_2-Jan-2006 15:04:05 -0700", "2-Jan-2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
