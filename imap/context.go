package imap

import (
	"slices"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// searchContext is a search whose results are kept up to date (RFC 5267 §4.3).
type searchContext struct {
	tag   string
	uid   bool
	key   *key
	found mailbox.Set
}

// maxContexts is how many a connection may have: each costs a look at every
// message that changes.
const maxContexts = 8

// followed begins to keep the results of a search up to date.
func (c *conn) followed(s *searching, found []uint32) {
	if !s.update {
		return
	}
	if len(c.contexts) >= maxContexts { // RFC 5267 §4.3.1
		c.begin()
		c.out = append(c.out, "* NO [NOUPDATE "...)
		c.out = wire.AppendString(c.out, c.tag, false)
		c.out = append(c.out, "] Too many contexts"...)
		c.end()
		return
	}
	ctx := &searchContext{tag: c.tag, uid: s.uid, key: s.key}
	for _, seq := range found {
		ctx.found.Add(c.sel.base.at(seq).UID)
	}
	c.contexts = append(c.contexts, ctx)
}

// leaveContexts tells which results are gone, while they still have their
// numbers.
func (c *conn) leaveContexts(gone []position) {
	if len(gone) == 0 {
		return
	}
	var uids mailbox.Set
	for _, p := range gone {
		uids.Add(p.uid)
	}
	for _, ctx := range c.contexts {
		if out := ctx.found.Intersect(uids); len(out) > 0 {
			ctx.found = ctx.found.Without(out)
			c.putUpdate(ctx, "REMOVEFROM", out)
		}
	}
}

// updateContexts looks anew at what changed and at what is new.
func (c *conn) updateContexts(old *index, changed []mailbox.UID) error {
	v := c.sel
	if len(c.contexts) == 0 {
		return nil
	}
	uids := mailbox.SetOf(changed...)
	if v.base.last() > old.last() {
		uids.AddRange(old.last()+1, v.base.last())
	}
	among := v.base.seqs(uids)
	if len(among) == 0 {
		return nil
	}
	for _, ctx := range c.contexts {
		found, _, err := c.evaluateAmong(ctx.key, among, v.base, v.mb, v.sh.key)
		if err != nil {
			return err
		}
		var now mailbox.Set
		for _, seq := range found {
			now.Add(v.base.at(seq).UID)
		}
		out := ctx.found.Intersect(uids).Without(now)
		in := now.Without(ctx.found)
		ctx.found = ctx.found.Without(out).Union(in)
		c.putUpdate(ctx, "REMOVEFROM", out)
		c.putUpdate(ctx, "ADDTO", in)
	}
	return nil
}

// putUpdate tells of results that came or went. The position of a search result
// is 0: that of the message (RFC 5267 §4.3.3).
func (c *conn) putUpdate(ctx *searchContext, word string, uids mailbox.Set) {
	if len(uids) == 0 {
		return
	}
	c.begin()
	c.out = append(c.out, "* ESEARCH (TAG "...)
	c.out = wire.AppendString(c.out, ctx.tag, false)
	c.out = append(c.out, ") "...)
	if ctx.uid {
		c.out = append(c.out, "UID "...)
	}
	c.out = append(append(c.out, word...), " (0 "...)
	if ctx.uid {
		c.out = uids.AppendTo(c.out)
	} else {
		c.out = c.sel.base.seqs(uids).Append(c.out)
	}
	c.out = append(c.out, ')')
	c.end()
}

// CANCELUPDATE ends contexts (RFC 5267 §4.3.5).
func (c *conn) CANCELUPDATE(p *parser) reply {
	var tags []string
	for p.OK() && p.Take(' ') {
		tags = append(tags, p.String())
	}
	if len(tags) == 0 {
		p.Fail("tag")
	}
	if r := p.done(); r.status != "" {
		return r
	}
	for _, tag := range tags {
		i := slices.IndexFunc(c.contexts, func(ctx *searchContext) bool { return ctx.tag == tag })
		if i < 0 {
			return bad("No such context")
		}
		c.contexts = slices.Delete(c.contexts, i, i+1)
	}
	return ok("CANCELUPDATE completed")
}
