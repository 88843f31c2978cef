package imap

import (
	"math"
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// quotaUnit is what STORAGE is counted in (RFC 9208 §5.1).
const quotaUnit = 1024

// GETQUOTA tells the limits of one root (RFC 9208 §4.1.1).
func (c *conn) GETQUOTA(p *parser) reply {
	p.SP()
	name := p.AString()
	if r := p.done(); r.status != "" {
		return r
	}
	return c.quota(name)
}

// quota tells one root, which must be there.
func (c *conn) quota(name string) reply {
	roots, err := mailbox.Quotas(c.ctx, c.store, "")
	if err != nil {
		return c.failure(err)
	}
	for _, root := range roots {
		if root.Name == name {
			c.putQuota(root)
			return ok(c.verb + " completed")
		}
	}
	return no("NONEXISTENT", "No such quota root")
}

// GETQUOTAROOT tells which limits hold for a mailbox (RFC 9208 §4.1.3).
func (c *conn) GETQUOTAROOT(p *parser) reply {
	p.SP()
	name := p.mailbox()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := mailbox.Find(c.ctx, c.store, name)
	if err != nil {
		return c.failure(err)
	}
	roots, err := mailbox.Quotas(c.ctx, c.store, info.ID)
	if err != nil {
		return c.failure(err)
	}
	c.begin()
	c.out = append(c.out, "* QUOTAROOT "...)
	c.out = c.appendMailbox(c.out, name)
	for _, root := range roots {
		c.out = append(c.out, ' ')
		c.out = wire.AppendAString(c.out, root.Name, c.utf8())
	}
	c.end()
	for _, root := range roots {
		c.putQuota(root)
	}
	return ok("GETQUOTAROOT completed")
}

// putQuota tells use and limits (RFC 9208 §4.2.1).
func (c *conn) putQuota(root mailbox.QuotaRoot) {
	c.begin()
	c.out = append(c.out, "* QUOTA "...)
	c.out = wire.AppendAString(c.out, root.Name, c.utf8())
	c.out = append(c.out, " ("...)
	for i, r := range root.Resources {
		if i > 0 {
			c.out = append(c.out, ' ')
		}
		used, most := r.Used, r.Limit
		if r.Name == mailbox.Storage { // in use is rounded up, allowed down
			used, most = (used+quotaUnit-1)/quotaUnit, most/quotaUnit
		}
		c.out = append(append(c.out, r.Name...), ' ')
		c.out = strconv.AppendInt(c.out, used, 10)
		c.out = append(c.out, ' ')
		c.out = strconv.AppendInt(c.out, most, 10)
	}
	c.out = append(c.out, ')')
	c.end()
}

// SETQUOTA changes the limits of a root (RFC 9208 §4.1.2).
func (c *conn) SETQUOTA(p *parser) reply {
	p.SP()
	name := p.AString()
	p.SP()
	var limits []mailbox.Resource
	p.List(func() {
		r := mailbox.Resource{Name: mailbox.ResourceName(p.Word())}
		p.SP()
		n := p.Number64()
		switch r.Name {
		case mailbox.Storage:
			if n > math.MaxInt64/quotaUnit {
				p.Fail("smaller limit")
			}
			n *= quotaUnit
		case mailbox.Messages, mailbox.Mailboxes:
		default:
			p.refuse("CANNOT", "No such resource")
		}
		r.Limit = int64(n)
		limits = append(limits, r)
	})
	if r := p.done(); r.status != "" {
		return r
	}
	if err := mailbox.SetQuota(c.ctx, c.store, name, limits); err != nil {
		return c.failure(err)
	}
	return c.quota(name)
}
