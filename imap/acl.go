package imap

import (
	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// acl is the store, which the capability ACL says is one with access lists.
func (c *conn) acl() mailbox.ACL { a, _ := c.store.(mailbox.ACL); return a }

// found takes the name of a mailbox and finds it, when the command is read.
func (c *conn) found(name string) (mailbox.Info, error) {
	return mailbox.Find(c.ctx, c.store, name)
}

// GETACL tells who may do what in a mailbox (RFC 4314 §3.3).
func (c *conn) GETACL(p *parser) reply {
	p.SP()
	name := p.mailbox()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := c.found(name)
	if err != nil {
		return c.failure(err)
	}
	grants, err := c.acl().Grants(c.ctx, info.ID)
	if err != nil {
		return c.failure(err)
	}
	c.begin()
	c.out = append(c.out, "* ACL "...)
	c.out = c.appendMailbox(c.out, name)
	for _, g := range grants {
		c.out = append(c.out, ' ')
		c.out = wire.AppendAString(c.out, g.Who, c.utf8())
		c.out = append(c.out, ' ')
		c.out = appendRights(c.out, g.Rights)
	}
	c.end()
	return ok("GETACL completed")
}

// appendRights appends rights as clients of RFC 2086 read them too: c and d
// stand beside what they have become (RFC 4314 §2.1.1).
func appendRights(dst []byte, r mailbox.Rights) []byte {
	s := string(r)
	if r.Has("k") || r.Has("x") {
		s += "c"
	}
	if r.Has("t") || r.Has("e") {
		s += "d"
	}
	return wire.AppendAString(dst, s, false)
}

// SETACL changes what somebody may do (RFC 4314 §3.1).
func (c *conn) SETACL(p *parser) reply {
	p.SP()
	name := p.mailbox()
	p.SP()
	who := p.AString()
	p.SP()
	text := p.AString()
	op := mailbox.ReplaceFlags
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if op = mailbox.AddFlags; text[0] == '-' {
			op = mailbox.RemoveFlags
		}
		text = text[1:]
	}
	if r := p.done(); r.status != "" {
		return r
	}
	rights, err := mailbox.ParseRights(text)
	if err != nil {
		return bad("No such right") // RFC 4314 §3.1
	}
	return c.grant(name, who, op, rights)
}

// DELETEACL takes all rights from somebody (RFC 4314 §3.2).
func (c *conn) DELETEACL(p *parser) reply {
	p.SP()
	name := p.mailbox()
	p.SP()
	who := p.AString()
	if r := p.done(); r.status != "" {
		return r
	}
	return c.grant(name, who, mailbox.ReplaceFlags, "")
}

func (c *conn) grant(name, who string, op mailbox.FlagOp, rights mailbox.Rights) reply {
	info, err := c.found(name)
	if err == nil {
		err = c.acl().Grant(c.ctx, info.ID, who, op, rights)
	}
	if err != nil {
		return c.failure(err)
	}
	return ok(c.verb + " completed")
}

// LISTRIGHTS tells what can be granted to somebody (RFC 4314 §3.4).
func (c *conn) LISTRIGHTS(p *parser) reply {
	p.SP()
	name := p.mailbox()
	p.SP()
	who := p.AString()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := c.found(name)
	if err != nil {
		return c.failure(err)
	}
	always, optional, err := c.acl().Possible(c.ctx, info.ID, who)
	if err != nil {
		return c.failure(err)
	}
	c.begin()
	c.out = append(c.out, "* LISTRIGHTS "...)
	c.out = c.appendMailbox(c.out, name)
	c.out = append(c.out, ' ')
	c.out = wire.AppendAString(c.out, who, c.utf8())
	c.out = append(c.out, ' ')
	c.out = wire.AppendAString(c.out, string(always), false)
	for _, group := range optional {
		c.out = append(c.out, ' ')
		c.out = wire.AppendAString(c.out, string(group), false)
	}
	c.end()
	return ok("LISTRIGHTS completed")
}

// MYRIGHTS tells what this user may do (RFC 4314 §3.5).
func (c *conn) MYRIGHTS(p *parser) reply {
	p.SP()
	name := p.mailbox()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := c.found(name)
	if err == nil {
		err = c.putRights(info)
	}
	if err != nil {
		return c.failure(err)
	}
	return ok("MYRIGHTS completed")
}

func (c *conn) putRights(info mailbox.Info) error {
	rights, err := mailbox.MyRights(c.ctx, c.store, info.ID)
	if err != nil {
		return err
	}
	c.begin()
	c.out = append(c.out, "* MYRIGHTS "...)
	c.out = c.appendMailbox(c.out, info.Name)
	c.out = append(c.out, ' ')
	c.out = appendRights(c.out, rights)
	c.end()
	return nil
}
