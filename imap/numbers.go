package imap

import (
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// resolve turns what a client names into ranges of sequence numbers of the
// selected mailbox. UIDs that do not exist are left out (RFC 9051 §6.4.9);
// sequence numbers must exist (RFC 9051 §9: seq-number).
func (c *conn) resolve(a numbersArg, uid bool) (wire.Set, reply) {
	base := c.sel.base
	switch {
	case a.saved:
		return base.seqs(c.saved), reply{}
	case uid:
		return base.seqs(uidSet(a.set.Resolve(uint32(base.last())))), reply{}
	}
	s := a.set.Resolve(base.n)
	if len(s) == 0 || s.Max() > base.n {
		return nil, bad("No such message number")
	}
	return s, reply{}
}

// seqs are the sequence numbers of those UIDs that exist. It takes time for the
// ranges, not for what is in them.
func (x *index) seqs(uids mailbox.Set) (s wire.Set) {
	for _, r := range uids {
		from, to := x.from(r.From), x.n
		if r.To < mailbox.MaxUID {
			to = x.from(r.To+1) - 1
		}
		if from <= to && from <= x.n {
			s.AddRange(from, to)
		}
	}
	return s
}

// uidsOf are the UIDs of messages by their sequence numbers.
func (x *index) uidsOf(ranges wire.Set) (uids mailbox.Set) {
	for _, r := range ranges {
		x.each(r.From, r.To, func(_ uint32, m *mailbox.Meta) bool {
			uids.Add(m.UID)
			return true
		})
	}
	return uids
}

// limit cuts what one command handles to the last messages of it, and says so
// in the reply (RFC 9738).
func (c *conn) limit(ranges wire.Set) (wire.Set, reply) {
	most := uint64(c.srv.limits.Messages)
	if most == 0 || ranges.Len() <= most {
		return ranges, reply{}
	}
	var out wire.Set
	for i := len(ranges) - 1; most > 0; i-- {
		r := ranges[i]
		n := min(uint64(r.To-r.From)+1, most)
		out.AddRange(r.To-uint32(n)+1, r.To)
		most -= n
	}
	uid := c.sel.base.at(out.Min()).UID
	return out, okCode("MESSAGELIMIT "+strconv.Itoa(c.srv.limits.Messages)+" "+strconv.FormatUint(uint64(uid), 10), "Only the last of them were processed")
}

// partialRange is the window of PARTIAL (RFC 9394 §3.1): results by their
// number, counted from the first or, with last, from the last.
type partialRange struct {
	from, to uint32
	last     bool
	text     string // as the client wrote it
}

func (p *parser) partialRange() *partialRange {
	r := &partialRange{}
	start := p.Rest()
	r.last = p.Take('-')
	r.from = p.NZNumber()
	p.Want(':')
	if r.last {
		p.Want('-')
	}
	r.to = p.NZNumber()
	if !p.OK() {
		return r
	}
	r.text = string(start[:len(start)-len(p.Rest())])
	if r.from > r.to {
		r.from, r.to = r.to, r.from // RFC 9394 §4
	}
	return r
}

// bounds are the numbers of the first and last result in the window, counted
// from 1; first is greater than last if there are none.
func (r *partialRange) bounds(n uint64) (first, last uint64) {
	from, to := uint64(r.from), uint64(r.to)
	if !r.last {
		return from, min(to, n)
	}
	if from > n {
		return 1, 0
	}
	return n - min(to, n) + 1, n - from + 1
}

// of leaves the window of a set of numbers.
func (r *partialRange) of(s wire.Set) (out wire.Set) {
	first, last := r.bounds(s.Len())
	seen := uint64(0) // how many numbers stand before the range
	for _, x := range s {
		n := uint64(x.To-x.From) + 1
		lo, hi := max(first, seen+1), min(last, seen+n)
		if lo <= hi {
			out.AddRange(x.From+uint32(lo-seen-1), x.From+uint32(hi-seen-1))
		}
		seen += n
	}
	return out
}
