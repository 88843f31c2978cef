package imap

import (
	"slices"
	"strconv"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// item is one thing that FETCH can tell (RFC 9051 §6.4.5).
type item uint8

const (
	itemUID item = iota
	itemFlags
	itemModSeq
	itemInternalDate
	itemSize
	itemSaveDate
	itemEmailID
	itemThreadID
	itemEnvelope
	itemBody
	itemBodyStructure
	itemPreview
	itemSection
	itemBinary
	itemBinarySize
)

// items are those with a name alone.
var items = map[string]item{
	"UID":           itemUID,
	"FLAGS":         itemFlags,
	"MODSEQ":        itemModSeq, // RFC 7162 §3.1.4.2
	"INTERNALDATE":  itemInternalDate,
	"RFC822.SIZE":   itemSize,
	"SAVEDATE":      itemSaveDate, // RFC 8514 §4.1
	"EMAILID":       itemEmailID,  // RFC 8474 §5.1
	"THREADID":      itemThreadID, // RFC 8474 §5.2
	"ENVELOPE":      itemEnvelope,
	"BODY":          itemBody,
	"BODYSTRUCTURE": itemBodyStructure,
	"PREVIEW":       itemPreview, // RFC 8970 §3
}

// macros stand for several (RFC 9051 §6.4.5).
var macros = map[string][]item{
	"ALL":  {itemFlags, itemInternalDate, itemSize, itemEnvelope},
	"FAST": {itemFlags, itemInternalDate, itemSize},
	"FULL": {itemFlags, itemInternalDate, itemSize, itemEnvelope, itemBody},
}

// fetchItem is one item of a command.
type fetchItem struct {
	item
	section *section // of BODY[…], its elder names, and BINARY
}

// fetching is a FETCH command.
type fetching struct {
	numbers      numbersArg
	items        []fetchItem
	seen         bool // it sets \Seen
	flags        bool // FLAGS are among the items
	modseq       bool // MODSEQ is
	changedSince mailbox.ModSeq
	since        bool // CHANGEDSINCE was given
	vanished     bool
	partial      *partialRange
}

// FETCH tells what is asked of messages (RFC 9051 §6.4.5).
func (c *conn) FETCH(p *parser) reply {
	f := p.fetching()
	if r := p.done(); r.status != "" {
		return r
	}
	return c.fetch(p, f)
}

func (c *conn) fetch(p *parser, f *fetching) reply {
	ranges, r := c.resolve(f.numbers, p.uid)
	if r.status != "" {
		return r
	}
	if f.vanished && (!p.uid || c.on&qresync == 0) {
		return bad("VANISHED wants UID FETCH, QRESYNC and CHANGEDSINCE") // RFC 7162 §3.2.6
	}
	if f.partial != nil {
		ranges = f.partial.of(ranges)
	}
	ranges, limited := c.limit(ranges)
	if f.vanished {
		if err := c.putVanishedOf(f, p.uid); err != nil {
			return c.failure(err)
		}
	}
	gone, err := c.fetchAll(f, ranges, p.uid)
	switch {
	case err != nil:
		return c.failure(err)
	case c.unsent != nil:
		c.err = c.unsent
		return reply{}
	case gone:
		return no("EXPUNGEISSUED", texts["EXPUNGEISSUED"]) // RFC 2180
	case limited.code != "":
		return limited
	}
	return ok(c.verb + " completed")
}

// fetchBatch is how many messages get \Seen in one go, before they are sent.
const fetchBatch = 100

// fetchAll tells of all messages, and whether some of them are gone.
func (c *conn) fetchAll(f *fetching, ranges wire.Set, uid bool) (gone bool, err error) {
	v := c.sel
	m := &message{c: c, mb: v.mb, box: v.sh.key, st: &v.base.state}
	defer m.close()
	for _, r := range ranges {
		for from := r.From; from <= r.To && from != 0; from += fetchBatch {
			to := r.To
			if f.seen {
				to = min(to, from+fetchBatch-1)
			}
			marked, err := c.markSeen(f, from, to, uid)
			if err != nil {
				return gone, err
			}
			v.base.each(from, to, func(seq uint32, meta *mailbox.Meta) bool {
				if f.since && meta.ModSeq <= f.changedSince {
					return true
				}
				m.reset(meta)
				if err = c.fetchOne(f, m, seq, uid, marked.Contains(meta.UID)); codeOf(err) == "NONEXISTENT" {
					gone, err = true, nil
				}
				return err == nil && c.unsent == nil
			})
			if err != nil || c.unsent != nil {
				return gone, err
			}
			if !f.seen {
				break
			}
		}
	}
	return gone, nil
}

// markSeen sets \Seen before messages are told, so that their flags are told as
// they then are.
func (c *conn) markSeen(f *fetching, from, to uint32, uid bool) (marked mailbox.Set, err error) {
	v := c.sel
	if !f.seen || v.readOnly() {
		return nil, nil
	}
	t := telling{uid: uid, silent: true, expect: map[mailbox.UID]expected{}}
	v.base.each(from, to, func(_ uint32, m *mailbox.Meta) bool {
		if m.Flags.Sys&mailbox.Seen == 0 && (!f.since || m.ModSeq > f.changedSince) && !v.ghosts.Contains(m.UID) {
			t.own.Add(m.UID)
			t.expect[m.UID] = mailbox.AddFlags.Apply(m.Flags, mailbox.Flags{Sys: mailbox.Seen})
		}
		return true
	})
	if len(t.own) == 0 {
		return nil, nil
	}
	if _, err := v.mb.SetFlags(c.ctx, t.own, mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0); err != nil {
		if codeOf(err) == "NOPERM" { // RFC 4314 §4: without the right "s" nothing is marked
			return nil, nil
		}
		return nil, err
	}
	v.sh.bell.Add(1)
	t.marking = true
	return t.own, c.tell(t)
}

// fetchOne tells of one message. What can fail is made to fail before the
// response begins.
func (c *conn) fetchOne(f *fetching, m *message, seq uint32, uid, marked bool) error {
	for i := range f.items {
		if err := c.prepare(&f.items[i], m); err != nil {
			return err
		}
	}
	c.begin()
	c.out = c.appendFetch(c.out, seq, m.meta)
	start := len(c.out)
	uid = uid || c.on&qresync != 0 // RFC 7162 §3.2.4
	if uid && c.on&uidonly == 0 {
		c.out = append(c.out, "UID "...)
		c.out = strconv.AppendUint(c.out, uint64(m.meta.UID), 10)
	}
	// UIDFETCH says the UID at its beginning, but holds one item at least (RFC
	// 9586, RFC 9051 §9: msg-att).
	alone := c.on&uidonly != 0 && !f.since && f.only(itemUID)
	for i := range f.items {
		it := &f.items[i]
		if it.item == itemUID && (uid || c.on&uidonly != 0) && !alone {
			continue
		}
		if len(c.out) > start {
			c.out = append(c.out, ' ')
		}
		start = 0
		if err := c.appendItem(it, m); err != nil {
			return err
		}
	}
	if marked && !f.flags {
		c.out = append(c.out, " FLAGS "...)
		c.out = c.appendFlags(c.out, m.meta)
	}
	if !f.modseq && (f.since || (marked || f.flags) && c.on&condstore != 0) { // RFC 7162 §3.1
		if len(c.out) > start {
			c.out = append(c.out, ' ')
		}
		c.out = appendModSeq(c.out, m.meta.ModSeq) // RFC 7162 §3.1.4.1
	}
	c.out = append(c.out, ')')
	c.end()
	return c.unsent
}

func (f *fetching) has(i item) bool {
	for _, it := range f.items {
		if it.item == i {
			return true
		}
	}
	return false
}

func (f *fetching) only(i item) bool {
	return !slices.ContainsFunc(f.items, func(it fetchItem) bool { return it.item != i })
}

// prepare reads what an item needs.
func (c *conn) prepare(it *fetchItem, m *message) error {
	switch it.item {
	case itemEnvelope, itemBody, itemBodyStructure:
		_, err := m.forms(false)
		return err
	case itemPreview:
		if it.section != nil { // LAZY: only if it costs nothing
			return nil
		}
		_, err := m.forms(true)
		return err
	case itemSection:
		return c.prepareSection(it.section, m)
	case itemBinary, itemBinarySize:
		return c.prepareBinary(it, m)
	case itemEmailID, itemThreadID:
		return c.prepareID(m)
	}
	return nil
}

// appendItem appends the name of an item and its value.
func (c *conn) appendItem(it *fetchItem, m *message) error {
	switch it.item {
	case itemUID:
		c.out = append(c.out, "UID "...)
		c.out = strconv.AppendUint(c.out, uint64(m.meta.UID), 10)
	case itemFlags:
		c.out = append(c.out, "FLAGS "...)
		c.out = c.appendFlags(c.out, m.meta)
	case itemModSeq:
		c.out = appendModSeq(c.out, m.meta.ModSeq)
	case itemInternalDate:
		c.out = append(c.out, "INTERNALDATE "...)
		c.out = wire.AppendDateTime(c.out, c.local(m.meta.Received))
	case itemSize:
		c.out = append(c.out, "RFC822.SIZE "...)
		c.out = strconv.AppendInt(c.out, m.meta.Size, 10)
	case itemSaveDate:
		c.out = append(c.out, "SAVEDATE "...)
		if m.meta.Saved == 0 {
			c.out = append(c.out, "NIL"...)
		} else {
			c.out = wire.AppendDateTime(c.out, c.local(m.meta.Saved))
		}
	case itemEmailID, itemThreadID:
		return c.appendID(it.item, m)
	case itemEnvelope:
		c.appendForm("ENVELOPE ", m, formEnvelope)
	case itemBody:
		c.appendForm("BODY ", m, formBody)
	case itemBodyStructure:
		c.appendForm("BODYSTRUCTURE ", m, formStructure)
	case itemPreview:
		c.appendPreview(it, m)
	case itemSection:
		return c.appendSection(it.section, m)
	case itemBinary, itemBinarySize:
		return c.appendBinary(it, m)
	}
	return nil
}

func (c *conn) appendForm(name string, m *message, form int) {
	c.out = append(c.out, name...)
	b, _ := m.f.field(form)
	c.out = append(c.out, b...)
}

// appendPreview: NIL says that it is not at hand, "" that there is nothing to
// show (RFC 8970 §3.2).
func (c *conn) appendPreview(it *fetchItem, m *message) {
	c.out = append(c.out, "PREVIEW "...)
	f := m.f
	if it.section != nil {
		f, _ = m.forms(false)
	}
	text, has := "", false
	if f != nil {
		text, has = f.preview()
	}
	c.out = wire.AppendNString(c.out, text, has, c.utf8())
}

// local is a time as this server tells it.
func (c *conn) local(unix int64) time.Time { return time.Unix(unix, 0).In(c.srv.now().Location()) }

// putVanishedOf tells which messages of the set are gone since (RFC 7162
// §3.2.6).
func (c *conn) putVanishedOf(f *fetching, uid bool) error {
	gone, full, err := c.goneSince(f.changedSince)
	if err != nil {
		return err
	}
	asked := uidSet(f.numbers.set.Resolve(uint32(c.sel.base.last())))
	if f.numbers.saved {
		asked = c.saved
	}
	asked = asked.Intersect(below(c.sel.base.state.UIDNext))
	if full {
		gone = asked.Without(c.sel.base.uids())
	}
	c.putVanished(asked.Intersect(gone), "VANISHED (EARLIER) ")
	return nil
}
