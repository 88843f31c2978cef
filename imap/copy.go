package imap

import (
	"context"
	"strconv"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func modSeqText(m mailbox.ModSeq) string { return strconv.FormatUint(uint64(m), 10) }

// COPY copies messages to the end of another mailbox, or of the same (RFC 9051
// §6.4.7).
func (c *conn) COPY(p *parser) reply { return c.transfer(p, mailbox.Copy, false) }

// MOVE takes messages to another mailbox (RFC 9051 §6.4.8).
func (c *conn) MOVE(p *parser) reply { return c.transfer(p, mailbox.Move, true) }

// transfer is what both do.
func (c *conn) transfer(p *parser, do func(context.Context, mailbox.Mailbox, mailbox.Set, mailbox.Mailbox) (from, to mailbox.Set, err error), move bool) reply {
	p.SP()
	numbers := p.set()
	p.SP()
	name := p.mailbox()
	if r := p.done(); r.status != "" {
		return r
	}
	ranges, r := c.resolve(numbers, p.uid)
	if r.status != "" {
		return r
	}
	if move && c.sel.readOnly() {
		return no("READ-ONLY", "Mailbox is open read-only")
	}
	ranges, limited := c.limit(ranges)
	if limited.code != "" && !move { // all or none
		return no("MESSAGELIMIT "+strconv.Itoa(c.srv.limits.Messages), "Too many messages")
	}
	uids := c.sel.base.uidsOf(ranges)
	id, dst, err := c.openTarget(name)
	if err != nil {
		return c.tryCreate(err)
	}
	defer dst.Close()
	if len(uids) == 0 {
		return ok(c.verb + " completed; there was nothing to do") // RFC 4315 §3
	}
	from, to, err := do(c.ctx, c.sel.mb, uids, dst)
	c.sel.sh.bell.Add(1)
	if err != nil && len(to) == 0 {
		return c.failure(err)
	}
	return c.copied(id, dst, from, to, err, limited, move)
}

// openTarget opens the mailbox that messages go to.
func (c *conn) openTarget(name string) (mailbox.ID, mailbox.Mailbox, error) {
	info, err := mailbox.Find(c.ctx, c.store, name)
	if err != nil {
		return "", nil, err
	}
	m, err := c.store.Open(c.ctx, info.ID)
	return info.ID, m, err
}

// copied tells which message became which (RFC 4315 §3).
func (c *conn) copied(id mailbox.ID, dst mailbox.Mailbox, from, to mailbox.Set, failed error, limited reply, move bool) reply {
	code := ""
	if len(to) > 0 && c.has("UIDPLUS") {
		if validity, err := c.validity(id, dst); err == nil {
			code = "COPYUID " + strconv.FormatUint(uint64(validity), 10) + " " + from.String() + " " + to.String()
		}
	}
	switch {
	case failed != nil: // MOVE has copied and could not expunge
		c.put("OK [", code, "] Copied")
		return c.failure(failed)
	case move:
		if code != "" { // RFC 6851 §4.3: before the EXPUNGE responses
			c.put("OK [", code, "] Moved")
		}
		if limited.code != "" {
			return limited
		}
		return c.withModSeq(ok(c.verb+" completed"), true)
	}
	return okCode(code, c.verb+" completed")
}

// target is the mailbox that messages were put into last, so that the state it
// is in can be asked for without all of its messages.
type target struct {
	id    mailbox.ID
	state mailbox.State
}

// validity asks the mailbox that messages were put into for its UIDVALIDITY.
func (c *conn) validity(id mailbox.ID, m mailbox.Mailbox) (uint32, error) {
	if c.target.id != id {
		c.target = target{id: id}
	}
	d, err := m.Changes(c.ctx, c.target.state.HighestModSeq)
	if err == nil {
		c.target.state = d.State
	}
	return d.State.UIDValidity, err
}
