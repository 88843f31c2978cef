package imap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// telling says how news are told.
type telling struct {
	expunge bool // EXPUNGE may be sent: sequence numbers may change
	uid     bool // FETCH has UID: it answers a UID command

	own    mailbox.Set              // messages whose flags this session has just set
	silent bool                     // which its client does not want to be told (RFC 9051 §6.4.6)
	expect map[mailbox.UID]expected // what they must be, or somebody else changed them too

	marking bool // FETCH is about to tell them itself
}

// expected is what a .SILENT STORE left behind as far as its client knows.
type expected = mailbox.Flags

// news tells the client what changed in the selected mailbox.
func (c *conn) news(expunge bool) error {
	return c.tell(telling{expunge: expunge, uid: strings.HasPrefix(c.verb, "UID ")})
}

// tell asks the store, through what is shared, and tells the differences in the
// order in which a client can follow: what is gone, how many there are, which
// keywords exist, how flags have changed.
func (c *conn) tell(t telling) error {
	v := c.sel
	head, err := v.sh.pull(c.ctx, v.mb, v.stop != nil && len(t.own) == 0)
	if err != nil {
		return err
	}
	if head == v.base && len(v.ghosts) == 0 && len(t.own) == 0 {
		return nil
	}
	if head.state.UIDValidity != v.base.state.UIDValidity {
		return errValidity
	}
	d := diff(v.base, head)
	if d.disorder {
		return errDisorder
	}
	return c.tellDifference(t, head, d)
}

func (c *conn) tellDifference(t telling, head *index, d difference) error {
	v := c.sel
	old := v.base
	if t.expunge || len(d.gone) == 0 {
		c.leaveContexts(d.gone)
		c.putGone(d.gone)
		v.base, v.ghosts = head, nil
	} else {
		v.base, v.ghosts = haunt(head, old, d.gone)
	}
	if d.added > 0 {
		c.putExists(true)
	}
	c.putKeywords()
	changed := d.changed
	if len(t.own) > 0 && !t.silent {
		changed = slices.DeleteFunc(slices.Clone(changed), t.own.Contains)
	}
	if n := c.notify; n != nil && n.selected != nil && n.selected.events&flagChange == 0 {
		changed = slices.DeleteFunc(slices.Clone(changed), func(uid mailbox.UID) bool { return !t.own.Contains(uid) })
	}
	withUID := t.uid || c.notify != nil && c.notify.selected != nil // RFC 5465 §5.1
	for _, uid := range changed {
		m, seq := v.base.find(uid)
		if m == nil {
			continue
		}
		onlyModSeq := false
		if t.silent && t.own.Contains(uid) && m.Flags == t.expect[uid] {
			if c.on&condstore == 0 || t.marking {
				continue
			}
			onlyModSeq = true // RFC 7162 §3.1.3: told even by .SILENT
		}
		c.putFlags(seq, m, withUID, onlyModSeq)
	}
	if len(t.own) > 0 && !t.silent {
		c.putOwn(t)
	}
	if err := c.updateContexts(old, d.changed); err != nil {
		return err
	}
	return c.putNew(old)
}

// putNew tells of new messages what NOTIFY asks for (RFC 5465 §5.2).
func (c *conn) putNew(old *index) error {
	n := c.notify
	if n == nil || n.selected == nil || n.selected.fetch == nil || c.sel.base.last() <= old.last() {
		return c.unsent
	}
	from := c.sel.base.from(old.last() + 1)
	_, err := c.fetchAll(n.selected.fetch, wire.Set{{From: from, To: c.sel.base.n}}, false)
	return cmp.Or(err, c.unsent)
}

// putOwn tells the flags of all messages of a STORE, changed or not.
func (c *conn) putOwn(t telling) {
	for _, r := range t.own {
		c.sel.base.each(c.sel.base.from(r.From), c.sel.base.n, func(seq uint32, m *mailbox.Meta) bool {
			if m.UID > r.To {
				return false
			}
			c.putFlags(seq, m, t.uid, false)
			return true
		})
	}
}

// haunt keeps messages that are gone in the index, so that sequence numbers
// stay what the client takes them for.
func haunt(head, old *index, gone []position) (*index, mailbox.Set) {
	d := mailbox.Delta{State: head.state}
	var ghosts mailbox.Set
	for _, p := range gone {
		d.Messages = append(d.Messages, *old.at(p.seq))
		ghosts.Add(p.uid)
	}
	return head.apply(d), ghosts
}

// putGone tells what was expunged.
func (c *conn) putGone(gone []position) {
	if len(gone) == 0 {
		return
	}
	var uids mailbox.Set
	for _, p := range gone {
		uids.Add(p.uid)
	}
	c.sel.recent = c.sel.recent.Without(uids)
	c.saved = c.saved.Without(uids) // RFC 5182 §2.1
	if c.on&(qresync|uidonly) != 0 {
		c.putVanished(uids, "VANISHED ") // RFC 7162 §3.2.10
		return
	}
	for i, p := range gone {
		c.putNumber(p.seq-uint32(i), "EXPUNGE") // each renumbers those behind it
	}
}

func (c *conn) putVanished(uids mailbox.Set, word string) {
	if len(uids) == 0 {
		return
	}
	c.begin()
	c.out = append(c.out, "* "...)
	c.out = append(c.out, word...)
	c.out = uids.AppendTo(c.out)
	c.end()
}

// putExists tells how many messages there are, and how many of them are new to
// everybody. IMAP4rev2 has no \Recent.
func (c *conn) putExists(claim bool) {
	if claim && c.on&rev2 == 0 {
		if err := c.claim(c.sel); err != nil {
			c.warn("recent messages are not known", err)
		}
	}
	c.putNumber(c.sel.base.n, "EXISTS")
	if c.on&rev2 == 0 {
		c.putNumber(c.sel.recents(), "RECENT")
	}
}

// putKeywords announces the flags there are, before one of them is seen at a
// message (RFC 9051 §7.3.5).
func (c *conn) putKeywords() {
	v := c.sel
	if v.keywords == len(v.base.keywords) {
		return
	}
	c.putAnnouncement()
}

func (c *conn) putAnnouncement() {
	v := c.sel
	v.keywords = len(v.base.keywords)
	names := `(\Answered \Flagged \Deleted \Seen \Draft`
	if len(v.base.keywords) > 0 {
		names += " " + strings.Join(v.base.keywords, " ")
	}
	c.put("FLAGS ", names, ")")
	switch {
	case v.readOnly():
		c.put("OK [PERMANENTFLAGS ()] Nothing can be changed")
	case v.base.state.NoNewKeywords:
		c.put("OK [PERMANENTFLAGS ", names, ")] Flags that stay")
	default:
		c.put("OK [PERMANENTFLAGS ", names, ` \*)] Flags that stay`)
	}
}

// putFlags tells the flags of one message.
func (c *conn) putFlags(seq uint32, m *mailbox.Meta, uid, onlyModSeq bool) {
	c.begin()
	c.out = c.appendFetch(c.out, seq, m)
	if (uid || c.on&qresync != 0) && c.on&uidonly == 0 {
		c.out = append(c.out, "UID "...) // RFC 7162 §3.2.4 and RFC 9051 §6.4.9
		c.out = strconv.AppendUint(c.out, uint64(m.UID), 10)
		c.out = append(c.out, ' ')
	}
	if !onlyModSeq {
		c.out = append(c.out, "FLAGS "...)
		c.out = c.appendFlags(c.out, m)
	}
	if c.on&condstore != 0 {
		if !onlyModSeq {
			c.out = append(c.out, ' ')
		}
		c.out = appendModSeq(c.out, m.ModSeq)
	}
	c.out = append(c.out, ')')
	c.end()
}

// appendFetch begins the response about one message. In UIDONLY mode it is
// called by its UID, which then stands nowhere else (RFC 9586).
func (c *conn) appendFetch(dst []byte, seq uint32, m *mailbox.Meta) []byte {
	dst = append(dst, "* "...)
	if c.on&uidonly != 0 {
		dst = strconv.AppendUint(dst, uint64(m.UID), 10)
		return append(dst, " UIDFETCH ("...)
	}
	dst = strconv.AppendUint(dst, uint64(seq), 10)
	return append(dst, " FETCH ("...)
}

func appendModSeq(dst []byte, m mailbox.ModSeq) []byte {
	dst = append(dst, "MODSEQ ("...)
	dst = strconv.AppendUint(dst, uint64(m), 10)
	return append(dst, ')')
}

// flagNames are the system flags in the order of their bits, each with a space.
var flagNames = [...]string{`\Seen `, `\Answered `, `\Flagged `, `\Deleted `, `\Draft `}

func (c *conn) appendFlags(dst []byte, m *mailbox.Meta) []byte {
	dst = append(dst, '(')
	start := len(dst)
	for i, name := range flagNames {
		if m.Flags.Sys&(1<<i) != 0 {
			dst = append(dst, name...)
		}
	}
	if len(c.sel.recent) > 0 && c.on&rev2 == 0 && c.sel.recent.Contains(m.UID) {
		dst = append(dst, `\Recent `...)
	}
	if m.Flags.Keywords != "" {
		dst = append(dst, m.Flags.Keywords...)
	} else if len(dst) > start {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ')')
}

// appendMailbox appends the name of a mailbox as this client reads it.
func (c *conn) appendMailbox(dst []byte, name string) []byte {
	return wire.AppendMailbox(dst, name, c.utf8())
}
