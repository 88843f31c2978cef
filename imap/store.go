package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// storing is a STORE command.
type storing struct {
	numbers numbersArg
	op      mailbox.FlagOp
	silent  bool
	flags   mailbox.Flags

	unchangedSince mailbox.ModSeq
	conditional    bool // UNCHANGEDSINCE was given
}

// STORE changes flags (RFC 9051 §6.4.6).
func (c *conn) STORE(p *parser) reply {
	s := p.storing()
	if r := p.done(); r.status != "" {
		return r
	}
	ranges, r := c.resolve(s.numbers, p.uid)
	if r.status != "" {
		return r
	}
	if c.sel.readOnly() {
		return no("READ-ONLY", "Mailbox is open read-only")
	}
	ranges, limited := c.limit(ranges)
	modified, err := c.storeFlags(s, c.sel.base.uidsOf(ranges), p.uid)
	switch {
	case err != nil:
		return c.failure(err)
	case len(modified) > 0:
		return c.modified(modified, p.uid)
	case limited.code != "":
		return limited
	}
	return ok(c.verb + " completed")
}

// storeFlags changes flags and tells them. It returns the messages that were
// left alone, since somebody else had changed them.
func (c *conn) storeFlags(s *storing, uids mailbox.Set, uid bool) (modified mailbox.Set, err error) {
	v := c.sel
	uids = uids.Without(v.ghosts)
	if s.conditional && s.unchangedSince == 0 {
		return uids, nil // RFC 7162 §3.1.3: no message has a mod-sequence of 0
	}
	if len(uids) == 0 {
		return nil, nil
	}
	t := telling{uid: uid, silent: s.silent}
	if s.silent {
		t.expect = v.expect(s, uids)
	}
	if modified, err = v.mb.SetFlags(c.ctx, uids, s.op, s.flags, s.unchangedSince); err != nil {
		return nil, err
	}
	v.sh.bell.Add(1)
	t.own = uids.Without(modified)
	return modified, c.tell(t)
}

// expect is what messages will have after a .SILENT STORE, unless somebody else
// changes them at the same time.
func (v *view) expect(s *storing, uids mailbox.Set) map[mailbox.UID]expected {
	out := make(map[mailbox.UID]expected)
	for _, r := range uids {
		v.base.each(v.base.from(r.From), v.base.n, func(_ uint32, m *mailbox.Meta) bool {
			if m.UID > r.To {
				return false
			}
			out[m.UID] = s.op.Apply(m.Flags, s.flags)
			return true
		})
	}
	return out
}

// modified answers a conditional STORE that left messages alone (RFC 7162
// §3.1.3).
func (c *conn) modified(uids mailbox.Set, uid bool) reply {
	text := uids.String()
	if !uid {
		text = c.sel.base.seqs(uids).String()
	}
	return okCode("MODIFIED "+text, "Conditional STORE left some messages alone")
}

// storing takes the arguments of STORE.
func (p *parser) storing() *storing {
	s := &storing{}
	p.SP()
	s.numbers = p.set()
	p.SP()
	if p.Peek() == '(' {
		p.List(func() {
			if p.Word() != "UNCHANGEDSINCE" {
				p.Fail("UNCHANGEDSINCE")
			}
			p.SP()
			s.conditional, s.unchangedSince = true, mailbox.ModSeq(p.Number64())
		})
		p.SP()
		p.c.condstoreAware(p)
	}
	switch {
	case p.Take('+'):
		s.op = mailbox.AddFlags
	case p.Take('-'):
		s.op = mailbox.RemoveFlags
	}
	name, silent := strings.CutSuffix(p.itemName(), ".SILENT")
	if name != "FLAGS" {
		p.Fail("FLAGS")
	}
	s.silent = silent
	p.SP()
	s.flags = p.flags()
	return s
}

// EXPUNGE removes what is \Deleted (RFC 9051 §6.4.3); as a UID command only
// those among the UIDs given (RFC 4315 §2.1).
func (c *conn) EXPUNGE(p *parser) reply {
	var arg numbersArg
	if p.uid {
		p.SP()
		arg = p.set()
	}
	if r := p.done(); r.status != "" {
		return r
	}
	v := c.sel
	if v.readOnly() {
		return no("READ-ONLY", "Mailbox is open read-only")
	}
	if err := c.tell(telling{expunge: true, uid: p.uid}); err != nil {
		c.err = c.lost(err)
		return reply{}
	}
	var among mailbox.Set
	limited := reply{}
	if p.uid {
		ranges, _ := c.resolve(arg, true)
		ranges, limited = c.limit(ranges)
		if among = v.base.uidsOf(ranges); among == nil {
			among = mailbox.Set{}
		}
	}
	uids := v.deleted(among)
	if len(uids) > 0 {
		if err := v.mb.Expunge(c.ctx, uids); err != nil {
			return c.failure(err)
		}
		v.sh.bell.Add(1)
	}
	if limited.code != "" {
		return limited
	}
	return c.withModSeq(ok(c.verb+" completed"), len(uids) > 0)
}

// withModSeq tells clients that follow mod-sequences the new highest one, which
// no FETCH will have told them (RFC 7162 §3.2.10).
func (c *conn) withModSeq(r reply, changed bool) reply {
	if c.on&qresync == 0 || !changed || c.sel == nil {
		return r
	}
	if err := c.news(true); err != nil {
		c.err = c.lost(err)
		return reply{}
	}
	r.code = "HIGHESTMODSEQ " + modSeqText(c.sel.base.state.HighestModSeq)
	return r
}
