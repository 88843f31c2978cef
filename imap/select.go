package imap

import (
	"iter"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// selecting is what SELECT and EXAMINE may ask for beside the mailbox.
type selecting struct {
	condstore bool
	qresync   *resync
}

// resync is what a client still knows of a mailbox (RFC 7162 §3.2.5).
type resync struct {
	validity uint32
	since    mailbox.ModSeq
	known    mailbox.Set // nil: all below UIDNEXT
	seqs     wire.Set    // message numbers it is sure of,
	uids     wire.Set    // and their UIDs
}

// SELECT opens a mailbox (RFC 9051 §6.3.2).
func (c *conn) SELECT(p *parser) reply { return c.selectMailbox(p, false) }

// EXAMINE is SELECT without a trace (RFC 9051 §6.3.3).
func (c *conn) EXAMINE(p *parser) reply { return c.selectMailbox(p, true) }

func (c *conn) selectMailbox(p *parser, examine bool) reply {
	p.SP()
	name := p.mailbox()
	s := p.selecting()
	if r := p.done(); r.status != "" {
		if r.status == statusNo {
			c.close() // RFC 9051 §6.3.2: whatever happens, the old one is closed
			r.code = "NONEXISTENT"
		}
		return r
	}
	if s.qresync != nil && c.on&qresync == 0 {
		return bad("Say ENABLE QRESYNC first") // RFC 7162 §3.2.5
	}
	c.close()
	info, err := mailbox.Find(c.ctx, c.store, name)
	if err != nil {
		return c.failure(err)
	}
	if s.condstore {
		c.on |= condstore
	}
	v, err := c.openView(info.ID, name, examine)
	if err != nil {
		return c.failure(err)
	}
	c.sel = v
	if r := c.mayRead(v); r.status != "" {
		c.deselect()
		return r
	}
	if err := c.putSelected(info); err != nil {
		c.deselect()
		return c.failure(err)
	}
	if s.qresync != nil {
		if err := c.putResync(*s.qresync); err != nil {
			c.deselect()
			return c.failure(err)
		}
	}
	if v.readOnly() {
		return okCode("READ-ONLY", c.verb+" completed")
	}
	return okCode("READ-WRITE", c.verb+" completed")
}

// mayRead asks for the rights without which a mailbox cannot be selected
// (RFC 4314 §4).
func (c *conn) mayRead(v *view) reply {
	rights, err := mailbox.MyRights(c.ctx, c.store, v.id)
	switch {
	case err != nil:
		return c.failure(err)
	case !rights.Has("r"):
		return no("NOPERM", "Permission denied")
	}
	return reply{}
}

// close leaves the selected mailbox, if there is one, before another is opened.
// What was sent before the CLOSED belongs to it (RFC 7162 §3.2.11).
func (c *conn) close() {
	if c.sel != nil {
		c.deselect()
		c.put("OK [CLOSED] Previous mailbox is closed")
	}
}

// putSelected tells what a client must know of its mailbox.
func (c *conn) putSelected(info mailbox.Info) error {
	v := c.sel
	v.keywords = -1
	if c.on&rev2 == 0 {
		if err := c.claim(v); err != nil {
			return err
		}
	}
	c.putAnnouncement()
	c.putExists(false)
	state := v.base.state
	if seq := v.unseen(); seq > 0 && c.on&(rev2|uidonly) == 0 {
		c.put("OK [UNSEEN ", strconv.FormatUint(uint64(seq), 10), "] First unseen message")
	}
	c.put("OK [UIDVALIDITY ", strconv.FormatUint(uint64(state.UIDValidity), 10), "] UIDs are valid")
	c.put("OK [UIDNEXT ", strconv.FormatUint(uint64(state.UIDNext), 10), "] Predicted next UID")
	c.putModSeq()
	if c.has("OBJECTID") {
		c.put("OK [MAILBOXID (", string(v.id), ")] Its name for ever") // RFC 8474 §4.2
	}
	if c.on&rev2 != 0 { // RFC 9051 §6.3.2
		c.putListed(listed{name: info.Name, attrs: c.attributes(info)})
	}
	return nil
}

// putModSeq tells the highest ModSeq (RFC 7162 §3.1.2.1). Every mailbox has one.
func (c *conn) putModSeq() {
	if c.has("CONDSTORE") {
		c.put("OK [HIGHESTMODSEQ ", strconv.FormatUint(uint64(c.sel.base.state.HighestModSeq), 10), "] Highest")
	}
}

// unseen is the first message without \Seen, 0 if there is none.
func (v *view) unseen() (first uint32) {
	v.base.each(1, v.base.n, func(seq uint32, m *mailbox.Meta) bool {
		if m.Flags.Sys&mailbox.Seen == 0 {
			first = seq
		}
		return first == 0
	})
	return first
}

// putResync tells what changed since the client was here last: what vanished,
// and the flags of what is new or changed (RFC 7162 §3.2.5.1).
func (c *conn) putResync(q resync) error {
	v := c.sel
	if q.validity != v.base.state.UIDValidity {
		return nil // all the client knows is void
	}
	gone, full, err := c.goneSince(q.since)
	if err != nil {
		return err
	}
	known := q.known
	if known == nil {
		known = mailbox.Set{{From: 1, To: mailbox.MaxUID}}
	}
	known = known.Intersect(below(v.base.state.UIDNext))
	if full {
		if gone = known.Without(v.base.uids()); len(q.uids) > 0 {
			gone = gone.Without(v.agreed(q))
		}
	}
	c.putVanished(known.Intersect(gone), "VANISHED (EARLIER) ")
	v.base.each(1, v.base.n, func(seq uint32, m *mailbox.Meta) bool {
		if m.ModSeq > q.since && known.Contains(m.UID) {
			c.putFlags(seq, m, true, false)
		}
		return c.unsent == nil
	})
	return c.unsent
}

// below are the UIDs that may have been given out.
func below(next mailbox.UID) mailbox.Set {
	return mailbox.Set{{From: 1, To: next - 1}} // 0 - 1 is MaxUID: all are used up
}

// goneSince asks what was expunged; full if that is not known any more.
func (c *conn) goneSince(since mailbox.ModSeq) (gone mailbox.Set, full bool, err error) {
	if since == 0 {
		return nil, true, nil
	}
	d, err := c.sel.mb.Changes(c.ctx, since)
	return d.Vanished.Without(c.sel.base.uids()), d.Full, err
}

// agreed are UIDs up to which client and server number messages alike, so that
// nothing before can have vanished (RFC 7162 §3.2.5.2).
func (v *view) agreed(q resync) mailbox.Set {
	var top mailbox.UID
	next, stop := iter.Pull(q.uids.Numbers())
	defer stop()
	for seq := range q.seqs.Numbers() {
		uid, ok := next()
		if !ok || seq > v.base.n || v.base.at(seq).UID != mailbox.UID(uid) {
			break
		}
		top = mailbox.UID(uid)
	}
	if top == 0 {
		return nil
	}
	return mailbox.Set{{From: 1, To: top}}
}

// selecting takes the parameters of SELECT (RFC 4466 §2.1).
func (p *parser) selecting() (s selecting) {
	if !p.Take(' ') {
		return s
	}
	p.List(func() {
		switch p.Word() {
		case "CONDSTORE":
			s.condstore = true
		case "QRESYNC":
			p.SP()
			s.condstore, s.qresync = true, p.resync()
		default:
			p.Fail("CONDSTORE or QRESYNC")
		}
	})
	return s
}

func (p *parser) resync() *resync {
	q := &resync{}
	p.Want('(')
	q.validity = p.NZNumber()
	p.SP()
	q.since = mailbox.ModSeq(p.Number64())
	if p.Take(' ') && p.Peek() != '(' {
		q.known = uidSet(p.known())
		if !p.Take(' ') {
			p.Want(')')
			return q
		}
	}
	if p.Take('(') {
		if p.c.on&uidonly != 0 { // RFC 9586: message sequence match data
			p.refused = uidRequired
		}
		q.seqs = p.known()
		p.SP()
		q.uids = p.known()
		p.Want(')')
		if q.seqs.Len() != q.uids.Len() {
			p.Fail("as many UIDs as message numbers")
		}
	}
	p.Want(')')
	return q
}

// known takes a set without "*" (RFC 7162 §7: known-uids).
func (p *parser) known() wire.Set {
	s := p.Set()
	for _, r := range s {
		if r.From == 0 || r.To == 0 {
			p.Fail("set without *")
		}
	}
	return s.Resolve(0)
}

// uidSet is a resolved set as stores have it.
func uidSet(s wire.Set) mailbox.Set {
	out := make(mailbox.Set, 0, len(s))
	for _, r := range s {
		out = append(out, mailbox.Range{From: mailbox.UID(r.From), To: mailbox.UID(r.To)})
	}
	return out
}

// UNSELECT leaves the mailbox and expunges nothing (RFC 9051 §6.4.2).
func (c *conn) UNSELECT(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.deselect()
	return ok("UNSELECT completed")
}

// CLOSE expunges what is \Deleted, without telling, and leaves the mailbox
// (RFC 9051 §6.4.1).
func (c *conn) CLOSE(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	var err error
	if v := c.sel; !v.readOnly() {
		if uids := v.deleted(nil); len(uids) > 0 {
			err = v.mb.Expunge(c.ctx, uids)
			v.sh.bell.Add(1)
		}
	}
	c.deselect()
	if err != nil && codeOf(err) != "NOPERM" {
		return c.failure(err)
	}
	return ok("CLOSE completed")
}

// deleted are the messages with \Deleted; with among only those in it.
func (v *view) deleted(among mailbox.Set) (uids mailbox.Set) {
	v.base.each(1, v.base.n, func(_ uint32, m *mailbox.Meta) bool {
		if m.Flags.Sys&mailbox.Deleted != 0 && (among == nil || among.Contains(m.UID)) {
			uids.Add(m.UID)
		}
		return true
	})
	return uids
}

// attributes are what LIST says of a mailbox by itself.
func (c *conn) attributes(info mailbox.Info) []string {
	var out []string
	for _, use := range info.Use {
		if strings.HasPrefix(use, `\`) {
			out = append(out, use)
		}
	}
	return out
}
