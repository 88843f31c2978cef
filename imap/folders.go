package imap

import (
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// CREATE makes a mailbox (RFC 9051 §6.3.4), perhaps with a special use (RFC 6154
// §3).
func (c *conn) CREATE(p *parser) reply {
	p.SP()
	name := p.folder()
	var use []string
	if p.Take(' ') {
		p.List(func() {
			if p.Word() != "USE" {
				p.Fail("USE")
			}
			p.SP()
			p.List(func() { use = append(use, p.Flag()) })
		})
	}
	if r := p.done(); r.status != "" {
		return r
	}
	for i, u := range use {
		known := slices.IndexFunc(specialUses, func(s string) bool { return strings.EqualFold(s, u) })
		if known < 0 {
			return no("USEATTR", "No such special use here")
		}
		use[i] = specialUses[known]
	}
	id, err := c.store.Create(c.ctx, name, use...)
	if err != nil {
		return c.failure(err)
	}
	if !c.has("OBJECTID") {
		return ok("CREATE completed")
	}
	return okCode("MAILBOXID ("+string(id)+")", "CREATE completed") // RFC 8474 §4.1
}

// specialUses can be given to a mailbox (RFC 6154 §2, RFC 8457 §3).
var specialUses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`}

// DELETE removes a mailbox, and none below it (RFC 9051 §6.3.5).
func (c *conn) DELETE(p *parser) reply {
	p.SP()
	name := p.folder()
	if r := p.done(); r.status != "" {
		return r
	}
	info, err := mailbox.Find(c.ctx, c.store, name)
	if err != nil {
		return c.failure(err)
	}
	if err := c.store.Delete(c.ctx, info.ID); err != nil {
		return c.failure(err)
	}
	if c.sel != nil && c.sel.id == info.ID {
		c.close()
	}
	return ok("DELETE completed")
}

// RENAME gives a mailbox and those below it other names; INBOX is emptied into a
// new mailbox (RFC 9051 §6.3.6).
func (c *conn) RENAME(p *parser) reply {
	p.SP()
	from := p.folder()
	p.SP()
	to := p.folder()
	if r := p.done(); r.status != "" {
		return r
	}
	if strings.HasPrefix(to, from+mailbox.Separator) && from != mailbox.Inbox {
		return no("CANNOT", "A mailbox cannot be below itself")
	}
	all, err := c.store.Mailboxes(c.ctx)
	if err != nil {
		return c.failure(err)
	}
	if from == mailbox.Inbox {
		err = c.renameInbox(all, to)
	} else {
		err = c.renameAll(all, from, to)
	}
	if err != nil {
		return c.failure(err)
	}
	return ok("RENAME completed")
}

// renameAll renames from the top down. Nothing is begun if a name is taken.
func (c *conn) renameAll(all []mailbox.Info, from, to string) error {
	taken := make(map[string]bool)
	var moving []mailbox.Info
	for _, i := range all {
		switch {
		case i.ID == "":
		case i.Name == from || strings.HasPrefix(i.Name, from+mailbox.Separator):
			moving = append(moving, i)
		default:
			taken[i.Name] = true
		}
	}
	if len(moving) == 0 {
		return mailbox.ErrNotExist
	}
	if taken[to] || from == to {
		return mailbox.ErrExists
	}
	for _, i := range moving {
		name, err := mailbox.CheckName(to + i.Name[len(from):])
		if err != nil {
			return err
		}
		if taken[name] {
			return mailbox.ErrExists
		}
	}
	slices.SortFunc(moving, func(a, b mailbox.Info) int { return len(a.Name) - len(b.Name) })
	for _, i := range moving {
		if err := c.store.Rename(c.ctx, i.ID, to+i.Name[len(from):]); err != nil {
			return err
		}
	}
	return nil
}

// renameInbox moves the messages; mailboxes below INBOX stay.
func (c *conn) renameInbox(all []mailbox.Info, to string) error {
	i := slices.IndexFunc(all, func(i mailbox.Info) bool { return i.Name == mailbox.Inbox })
	if i < 0 {
		return mailbox.ErrNotExist
	}
	src, err := c.store.Open(c.ctx, all[i].ID)
	if err != nil {
		return err
	}
	defer src.Close()
	id, err := c.store.Create(c.ctx, to)
	if err != nil {
		return err
	}
	dst, err := c.store.Open(c.ctx, id)
	if err != nil {
		return err
	}
	defer dst.Close()
	d, err := src.Changes(c.ctx, 0)
	if err != nil {
		return err
	}
	var uids mailbox.Set
	for i := range d.Messages {
		uids.Add(d.Messages[i].UID)
	}
	if len(uids) > 0 {
		_, _, err = mailbox.Move(c.ctx, src, uids, dst)
	}
	if c.sel != nil && c.sel.id == all[i].ID {
		c.sel.sh.bell.Add(1)
	}
	return err
}

// SUBSCRIBE marks a name, which need not exist (RFC 9051 §6.3.7).
func (c *conn) SUBSCRIBE(p *parser) reply { return c.subscribe(p, true) }

// UNSUBSCRIBE takes the mark away (RFC 9051 §6.3.8).
func (c *conn) UNSUBSCRIBE(p *parser) reply { return c.subscribe(p, false) }

func (c *conn) subscribe(p *parser, on bool) reply {
	p.SP()
	name := p.folder()
	if r := p.done(); r.status != "" {
		return r
	}
	if err := c.store.Subscribe(c.ctx, name, on); err != nil {
		return c.failure(err)
	}
	return ok(c.verb + " completed")
}
