package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// filter chooses mailboxes (RFC 5465 §6, RFC 7377 §4).
type filter struct {
	kind  string
	names []string
}

// covers reports whether a mailbox is chosen.
func (f *filter) covers(info mailbox.Info) bool {
	switch f.kind {
	case "PERSONAL", "INBOXES": // RFC 5465 §6.3: nobody knows where mail is delivered to
		return true
	case "SUBSCRIBED":
		return info.Subscribed
	}
	for _, name := range f.names {
		below := strings.HasPrefix(info.Name, name+mailbox.Separator)
		switch {
		case info.Name == name:
			return true
		case f.kind == "SUBTREE" && below:
			return true
		case f.kind == "SUBTREE-ONE" && below && !strings.Contains(info.Name[len(name)+1:], mailbox.Separator):
			return true
		}
	}
	return false
}

// filtered are the mailboxes that filters choose, each once.
func (c *conn) filtered(filters []filter) (out []mailbox.Info, err error) {
	all, err := c.store.Mailboxes(c.ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range all {
		if info.ID == "" {
			continue
		}
		for i := range filters {
			f := &filters[i]
			if f.kind == "SELECTED" && c.sel != nil && c.sel.id == info.ID || f.covers(info) {
				out = append(out, info)
				break
			}
		}
	}
	return out, nil
}

// eventGroup takes "(filter events)" (RFC 5465 §8).
func (p *parser) eventGroup(n *notify) {
	p.Want('(')
	w := watched{filter: p.filter()}
	p.SP()
	switch {
	case p.TakeWord("NONE"):
	case p.Peek() == '(':
		p.List(func() { p.event(&w) })
	default: // as in the example of RFC 5465 §3.1
		for p.event(&w); p.OK() && p.Take(' '); {
			p.event(&w)
		}
	}
	p.Want(')')
	both := messageNew | messageExpunge
	if m := w.events & messageEvents; m != 0 && m&both != both {
		p.Fail("MessageNew and MessageExpunge together") // RFC 5465 §5
	}
	switch {
	case !strings.HasPrefix(w.kind, "SELECTED"):
		n.others = append(n.others, w)
		if w.fetch != nil {
			p.Fail("items for the selected mailbox alone")
		}
	case n.selected != nil || w.events&^messageEvents != 0:
		p.Fail("one group of message events for the selected mailbox")
	default:
		n.delayed = w.kind == "SELECTED-DELAYED"
		if w.events != 0 {
			n.selected = &w
		}
	}
	if len(n.others) > maxPatterns {
		p.Fail("fewer groups")
	}
}

// event takes one, perhaps with what is to be fetched of new messages.
func (p *parser) event(w *watched) {
	name := p.Word()
	e, known := events[name]
	if !known || e&metadataEvents != 0 && !p.c.has("METADATA") {
		p.refuse(p.c.badEvent(), "No such event") // RFC 5465 §3.1
		return
	}
	w.events |= e
	if e == messageNew && len(p.Rest()) > 1 && string(p.Rest()[:2]) == " (" {
		p.SP()
		w.fetch = &fetching{}
		p.List(func() { p.fetchItem(w.fetch) })
		w.fetch.seen = false // nobody has seen what is told unasked
		w.fetch.flags, w.fetch.modseq = w.fetch.has(itemFlags), w.fetch.has(itemModSeq)
	}
}

// filter takes a choice of mailboxes.
func (p *parser) filter() filter {
	f := filter{kind: p.Word()}
	switch f.kind {
	case "SELECTED", "SELECTED-DELAYED", "INBOXES", "PERSONAL", "SUBSCRIBED":
	case "SUBTREE", "SUBTREE-ONE", "MAILBOXES":
		p.SP()
		if p.Peek() == '(' {
			p.List(func() { f.names = append(f.names, p.mailbox()) })
		} else {
			f.names = []string{p.mailbox()}
		}
		if len(f.names) > maxPatterns {
			p.Fail("fewer names")
		}
	default:
		p.Fail("known filter")
	}
	return f
}
