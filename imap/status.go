package imap

import (
	"strconv"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// statusItem is one thing that STATUS tells (RFC 9051 §6.3.11).
type statusItem string

// statusItems are those there are.
var statusItems = map[string]statusItem{
	"MESSAGES": "MESSAGES", "UIDNEXT": "UIDNEXT", "UIDVALIDITY": "UIDVALIDITY", "UNSEEN": "UNSEEN",
	"DELETED": "DELETED", "SIZE": "SIZE", // RFC 8438
	"RECENT":        "RECENT",        // RFC 3501 §6.3.10
	"HIGHESTMODSEQ": "HIGHESTMODSEQ", // RFC 7162 §3.1.2.2
	"MAILBOXID":     "MAILBOXID",     // RFC 8474 §4.3
	"APPENDLIMIT":   "APPENDLIMIT",   // RFC 7889 §3
}

// statusItems takes a list of them.
func (p *parser) statusItems() (out []statusItem) {
	p.List(func() {
		it, known := statusItems[p.Word()]
		if !known {
			p.Fail("known status item")
		}
		if it == "HIGHESTMODSEQ" {
			p.c.condstoreAware(p)
		}
		out = append(out, it)
	})
	if len(out) == 0 {
		p.Fail("status item")
	}
	return out
}

// STATUS tells of a mailbox without opening it (RFC 9051 §6.3.11).
func (c *conn) STATUS(p *parser) reply {
	p.SP()
	name := p.mailbox()
	p.SP()
	list := p.statusItems()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := mailbox.Find(c.ctx, c.store, name)
	if err == nil {
		err = c.putStatus(info, list)
	}
	if err != nil {
		return c.failure(err)
	}
	return ok("STATUS completed")
}

// putStatus tells of one mailbox.
func (c *conn) putStatus(info mailbox.Info, list []statusItem) error {
	counts, err := mailbox.CountsOf(c.ctx, c.store, info)
	if err != nil {
		return err
	}
	recent, err := c.recentIn(info, list)
	if err != nil {
		return err
	}
	c.begin()
	c.out = append(c.out, "* STATUS "...)
	c.out = c.appendMailbox(c.out, info.Name)
	c.out = append(c.out, " ("...)
	for i, it := range list {
		if i > 0 {
			c.out = append(c.out, ' ')
		}
		c.out = append(c.out, it...)
		c.out = append(c.out, ' ')
		c.out = c.appendStatus(c.out, it, info, counts, recent)
	}
	c.out = append(c.out, ')')
	c.end()
	return nil
}

func (c *conn) appendStatus(dst []byte, it statusItem, info mailbox.Info, n mailbox.Counts, recent uint32) []byte {
	switch it {
	case "MESSAGES":
		return strconv.AppendUint(dst, uint64(n.Messages), 10)
	case "UIDNEXT":
		return strconv.AppendUint(dst, uint64(n.State.UIDNext), 10)
	case "UIDVALIDITY":
		return strconv.AppendUint(dst, uint64(n.State.UIDValidity), 10)
	case "UNSEEN":
		return strconv.AppendUint(dst, uint64(n.Unseen), 10)
	case "DELETED":
		return strconv.AppendUint(dst, uint64(n.Deleted), 10)
	case "SIZE":
		return strconv.AppendInt(dst, n.Size, 10)
	case "RECENT":
		return strconv.AppendUint(dst, uint64(recent), 10)
	case "HIGHESTMODSEQ":
		return strconv.AppendUint(dst, uint64(n.State.HighestModSeq), 10)
	case "MAILBOXID":
		return append(append(append(dst, '('), info.ID...), ')')
	}
	if most := c.srv.limits.MessageBytes; most > 0 {
		return strconv.AppendInt(dst, most, 10)
	}
	return append(dst, "NIL"...) // RFC 7889 §3: no limit
}

// recentIn counts the messages that no session has seen, if that is asked for.
func (c *conn) recentIn(info mailbox.Info, list []statusItem) (uint32, error) {
	asked := false
	for _, it := range list {
		asked = asked || it == "RECENT"
	}
	if !asked {
		return 0, nil
	}
	if c.sel != nil && c.sel.id == info.ID {
		return c.sel.recents(), nil
	}
	m, err := c.store.Open(c.ctx, info.ID)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	first, next, err := mailbox.RecentOf(c.ctx, m, false)
	if err != nil || first == next {
		return 0, err
	}
	d, err := m.Changes(c.ctx, 0)
	n := uint32(0)
	for i := len(d.Messages) - 1; i >= 0 && d.Messages[i].UID >= first; i-- {
		if next == 0 || d.Messages[i].UID < next {
			n++
		}
	}
	return n, err
}
