package imap

import (
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// returns are what RETURN asks for (RFC 4731 §3.1).
type returns struct {
	given            bool // RETURN was
	min, max         bool
	all, count, save bool
	update           bool // RFC 5267 §4.3
	partial          *partialRange
}

// searching is a SEARCH, SORT or THREAD command.
type searching struct {
	returns
	key *key
	uid bool
	// sort is the order of SORT; nil: that of the mailbox.
	sort []sortKey
}

// SEARCH finds messages (RFC 9051 §6.4.4).
func (c *conn) SEARCH(p *parser) reply {
	s := p.searching()
	if r := p.done(); r.status != "" {
		return r
	}
	return c.search(s)
}

// search runs the search and tells the results.
func (c *conn) search(s *searching) reply {
	found, modseq, err := c.evaluate(s.key, c.sel.base, c.sel.mb, c.sel.sh.key)
	if err != nil {
		return c.failure(err)
	}
	if s.save {
		c.saved = c.toSave(s, found)
	}
	c.followed(s, found)
	res := c.results(s, found)
	res.modseq = modseq
	switch {
	case s.onlySaves(): // RFC 5182 §2.1
	case s.given || c.on&rev2 != 0: // RFC 9051 §7.3.4
		c.putESearch(s, res, "")
	default:
		c.putSearch("SEARCH", res)
	}
	return ok(c.verb + " completed")
}

// results are what was found, by the numbers that the client wants.
type results struct {
	numbers []uint32 // in the order of the results
	modseq  mailbox.ModSeq
}

func (c *conn) results(s *searching, found []uint32) results {
	if s.uid {
		for i, seq := range found {
			found[i] = uint32(c.sel.base.at(seq).UID)
		}
	}
	return results{numbers: found}
}

// evaluate returns the sequence numbers that match, in order, and the highest
// ModSeq among them if the key asks for it.
func (c *conn) evaluate(k *key, x *index, mb mailbox.Mailbox, box viewKey) (found []uint32, modseq mailbox.ModSeq, err error) {
	among, err := c.candidates(k, x, mb)
	if err != nil {
		return nil, 0, err
	}
	defer k.settle(false)
	return c.evaluateAmong(k, among, x, mb, box)
}

// evaluateAmong is evaluate for some of the messages.
func (c *conn) evaluateAmong(k *key, among wire.Set, x *index, mb mailbox.Mailbox, box viewKey) (found []uint32, modseq mailbox.ModSeq, err error) {
	k.order()
	m := &message{c: c, mb: mb, box: box, st: &x.state}
	defer m.close()
	e := &evaluation{c: c, x: x, m: m}
	withModSeq := k.has(keyModSeq)
	done := uint32(0)
	for _, r := range among {
		x.each(r.From, r.To, func(seq uint32, meta *mailbox.Meta) bool {
			m.reset(meta)
			e.seq = seq
			var matches bool
			if matches, err = e.match(k); codeOf(err) == "NONEXISTENT" {
				matches, err = false, nil // expunged meanwhile
			}
			if matches {
				found = append(found, seq)
				if withModSeq {
					modseq = max(modseq, meta.ModSeq)
				}
			}
			done++
			c.progress(done, uint32(among.Len()))
			return err == nil && c.unsent == nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return found, modseq, c.unsent
}

// candidates are the messages that a store with an index of texts proposes, or
// all of them.
func (c *conn) candidates(k *key, x *index, mb mailbox.Mailbox) (wire.Set, error) {
	if x.n == 0 {
		return nil, nil
	}
	all := wire.Set{{From: 1, To: x.n}}
	if _, is := mb.(mailbox.Searcher); !is {
		return all, nil
	}
	terms := k.terms()
	if len(terms) == 0 {
		return all, nil
	}
	uids, exact, err := mailbox.Search(c.ctx, mb, mailbox.Query{Terms: terms})
	if err != nil {
		return nil, err
	}
	if exact {
		k.settle(true)
	}
	return x.seqs(uids), nil
}

// progress says that a long command goes on (RFC 9585).
func (c *conn) progress(done, all uint32) {
	every := c.srv.waits.Progress
	if done%64 != 0 || every == 0 {
		return
	}
	now := time.Now()
	if c.told.Before(c.began) {
		c.told = c.began
	}
	if now.Sub(c.told) < every || !c.has("INPROGRESS") {
		return
	}
	c.told = now
	tag := `"` + c.tag + `"`
	if strings.ContainsAny(c.tag, `]"\`) {
		tag = "NIL" // a tag with "]" would end the response code
	}
	c.put("OK [INPROGRESS (", tag, " ", strconv.FormatUint(uint64(done), 10), " ", strconv.FormatUint(uint64(all), 10), ")] Still looking")
	_ = c.flush()
}

// toSave is what "$" stands for from now on (RFC 5182 §2.1, RFC 9394 §3.2).
func (c *conn) toSave(s *searching, found []uint32) (uids mailbox.Set) {
	numbers := found
	if len(found) > 0 && !s.all && !s.count && (s.min || s.max || s.partial != nil) {
		numbers = nil
		if s.min {
			numbers = append(numbers, found[0])
		}
		if s.max {
			numbers = append(numbers, found[len(found)-1])
		}
		if s.partial != nil {
			numbers = append(numbers, window(s.partial, found)...)
		}
	}
	for _, seq := range numbers {
		uids.Add(c.sel.base.at(seq).UID)
	}
	return uids
}

// window are the results of PARTIAL.
func window(p *partialRange, numbers []uint32) []uint32 {
	first, last := p.bounds(uint64(len(numbers)))
	if first > last {
		return nil
	}
	return numbers[first-1 : last]
}

// putSearch tells results in the form of old (RFC 3501 §7.2.5).
func (c *conn) putSearch(word string, r results) {
	c.begin()
	c.out = append(c.out, "* "...)
	c.out = append(c.out, word...)
	for _, n := range r.numbers {
		c.out = append(c.out, ' ')
		c.out = strconv.AppendUint(c.out, uint64(n), 10)
		c.relieveInside()
	}
	if r.modseq > 0 { // RFC 7162 §3.1.5
		c.out = append(c.out, " (MODSEQ "...)
		c.out = strconv.AppendUint(c.out, uint64(r.modseq), 10)
		c.out = append(c.out, ')')
	}
	c.end()
}

// relieveInside sends what there is in the middle of a response.
func (c *conn) relieveInside() {
	if len(c.out) > outFull {
		_ = c.flush()
		c.begin()
	}
}

// putESearch tells results as they were asked for (RFC 4731 §3.1). where is what
// MULTISEARCH says of the mailbox.
func (c *conn) putESearch(s *searching, r results, where string) {
	c.begin()
	c.out = append(c.out, `* ESEARCH (TAG `...)
	c.out = wire.AppendString(c.out, c.tag, false)
	c.out = append(append(c.out, where...), ')')
	if s.uid {
		c.out = append(c.out, " UID"...)
	}
	n := r.numbers
	if len(n) > 0 {
		lo, hi := n[0], n[len(n)-1]
		if s.min {
			c.appendNumber(" MIN ", lo)
		}
		if s.max {
			c.appendNumber(" MAX ", hi)
		}
		if s.all || !s.given || s.nothing() {
			c.out = append(c.out, " ALL "...)
			c.appendOrdered(n)
		}
	}
	if s.count {
		c.appendNumber(" COUNT ", uint32(len(n)))
	}
	if s.partial != nil {
		c.out = append(append(append(c.out, " PARTIAL ("...), s.partial.text...), ' ')
		if w := window(s.partial, n); len(w) > 0 {
			c.appendOrdered(w)
		} else {
			c.out = append(c.out, "NIL"...) // RFC 9394 §3.1
		}
		c.out = append(c.out, ')')
	}
	if r.modseq > 0 { // RFC 7162 §3.1.5
		c.out = append(c.out, " MODSEQ "...)
		c.out = strconv.AppendUint(c.out, uint64(r.modseq), 10)
	}
	c.end()
}

// nothing reports RETURN (), which asks for ALL (RFC 4731 §3.1).
func (r *returns) nothing() bool {
	return !r.min && !r.max && !r.all && !r.count && !r.save && r.partial == nil && !r.update
}

// onlySaves reports RETURN (SAVE), which has nothing to tell.
func (r *returns) onlySaves() bool {
	return r.save && !r.min && !r.max && !r.all && !r.count && r.partial == nil
}

func (c *conn) appendNumber(word string, n uint32) {
	c.out = append(c.out, word...)
	c.out = strconv.AppendUint(c.out, uint64(n), 10)
}

// appendOrdered appends numbers as a set that keeps their order, which that of
// SORT needs (RFC 5267 §3).
func (c *conn) appendOrdered(n []uint32) {
	for i := 0; i < len(n); {
		j := i + 1
		for j < len(n) && n[j] == n[j-1]+1 {
			j++
		}
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = strconv.AppendUint(c.out, uint64(n[i]), 10)
		if j > i+1 {
			c.out = append(c.out, ':')
			c.out = strconv.AppendUint(c.out, uint64(n[j-1]), 10)
		}
		i = j
		c.relieveInside()
	}
}
