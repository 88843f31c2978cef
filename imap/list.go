package imap

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// listing is a LIST command (RFC 9051 §6.3.9).
type listing struct {
	reference string
	patterns  []string
	extended  bool // it has options, or several patterns
	lsub      bool

	subscribed bool // only subscribed names
	recursive  bool // and names above them
	special    bool // only those with a special use

	tellSubscribed bool
	status         []statusItem
	rights         bool            // RETURN (MYRIGHTS), RFC 8440
	metadata       *metadataOption // RETURN (METADATA …), RFC 9590
}

// listed is one LIST response.
type listed struct {
	name     string
	attrs    []string
	children bool   // CHILDINFO: subscribed names are below (RFC 5258 §3.5)
	oldName  string // OLDNAME: what it was called before (RFC 5465 §5.4)
	info     mailbox.Info
}

// LIST tells which mailboxes there are.
func (c *conn) LIST(p *parser) reply {
	l := p.listing()
	if r := p.done(); r.status != "" {
		return r
	}
	if !l.extended && len(l.patterns) == 1 && l.patterns[0] == "" {
		c.put(`LIST (\Noselect) "/" ""`) // what separates levels
		return ok("LIST completed")
	}
	return c.list(l)
}

// LSUB tells which names are subscribed (RFC 3501 §6.3.9).
func (c *conn) LSUB(p *parser) reply {
	l := &listing{lsub: true, subscribed: true}
	p.SP()
	l.reference = p.AString()
	p.SP()
	l.patterns = []string{p.ListMailbox()}
	if r := p.done(); r.status != "" {
		return r
	}
	return c.list(l)
}

func (c *conn) list(l *listing) reply {
	all, err := c.store.Mailboxes(c.ctx)
	if err != nil {
		return c.failure(err)
	}
	for _, e := range l.match(c.tree(all), c.patterns(l)) {
		c.putListed(e)
		if e.info.ID == "" {
			continue
		}
		if err := c.putReturned(l, e); err != nil {
			return c.failure(err)
		}
		if c.unsent != nil {
			break
		}
	}
	return ok(c.verb + " completed")
}

// putReturned tells what RETURN asks of one mailbox.
func (c *conn) putReturned(l *listing, e listed) error {
	if l.status != nil {
		if err := c.putStatus(e.info, l.status); err != nil && codeOf(err) != "NONEXISTENT" {
			return err // RFC 5819 §2: one that just vanished is passed over
		}
	}
	if l.rights {
		if err := c.putRights(e.info); err != nil {
			return err
		}
	}
	if l.metadata != nil {
		return c.putMetadataOf(e.info, l.metadata)
	}
	return nil
}

// patterns are those of the command behind its reference. One that cannot be a
// name matches nothing.
func (c *conn) patterns(l *listing) (out []pattern) {
	for _, s := range l.patterns {
		s = l.reference + s
		if !c.utf8() {
			var err error
			if s, err = wire.DecodeUTF7(s); err != nil {
				continue
			}
		}
		out = append(out, newPattern(norm.NFC.String(s)))
	}
	return out
}

// node is a name in the hierarchy: a mailbox, a subscribed name, or a level
// above such.
type node struct {
	mailbox.Info
	inferiors  bool // mailboxes are below
	subscribed bool // subscribed names are below
}

// tree is all names with those above them, in order.
func (c *conn) tree(all []mailbox.Info) []node {
	at := make(map[string]int, len(all))
	nodes := make([]node, 0, len(all))
	get := func(name string) *node {
		i, known := at[name]
		if !known {
			i = len(nodes)
			at[name] = i
			nodes = append(nodes, node{Info: mailbox.Info{Name: name}})
		}
		return &nodes[i]
	}
	for _, info := range all {
		get(info.Name).Info = info
		for name := info.Name; ; {
			i := strings.LastIndex(name, mailbox.Separator)
			if i < 0 {
				break
			}
			name = name[:i]
			n := get(name)
			n.inferiors = n.inferiors || info.ID != ""
			n.subscribed = n.subscribed || info.Subscribed
		}
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(listKey(a.Name), listKey(b.Name)) })
	return nodes
}

// listKey orders a level before what is below it, and INBOX before all.
func listKey(name string) string {
	key := strings.ReplaceAll(name, mailbox.Separator, "\x01")
	if name == mailbox.Inbox || strings.HasPrefix(name, mailbox.Inbox+mailbox.Separator) {
		return "\x00" + key
	}
	return key
}

// match chooses from the names.
func (l *listing) match(nodes []node, patterns []pattern) (out []listed) {
	for i := range nodes {
		n := &nodes[i]
		matches, levels := false, false
		for _, p := range patterns {
			if p.match(n.Name) {
				matches = true
				levels = levels || p.levels()
			}
		}
		if !matches {
			continue
		}
		if e, chosen := l.choose(n, levels); chosen {
			out = append(out, e)
		}
	}
	return out
}

// choose decides about one name that matches. levels says that names which are
// no mailboxes are wanted as well, if mailboxes are below.
func (l *listing) choose(n *node, levels bool) (e listed, chosen bool) {
	e = listed{name: n.Name, info: n.Info}
	switch {
	case l.lsub:
		if !n.Subscribed && (!levels || !n.subscribed) {
			return e, false
		}
		if !n.Subscribed || n.ID == "" { // RFC 3501 §6.3.9
			e.attrs = append(e.attrs, `\Noselect`)
		}
		return e, true
	case l.subscribed:
		e.children = l.recursive && n.subscribed
		chosen = n.Subscribed || e.children
	case l.special:
		chosen = len(n.Use) > 0
	default:
		chosen = n.ID != "" || levels && n.inferiors
	}
	if l.special && len(n.Use) == 0 {
		chosen = false
	}
	e.attrs = l.attributes(n)
	return e, chosen
}

func (l *listing) attributes(n *node) (attrs []string) {
	if n.ID == "" {
		if l.extended {
			attrs = append(attrs, `\NonExistent`)
		} else {
			attrs = append(attrs, `\Noselect`)
		}
	}
	if (l.tellSubscribed || l.subscribed) && n.Subscribed {
		attrs = append(attrs, `\Subscribed`)
	}
	if n.inferiors { // RFC 3348
		attrs = append(attrs, `\HasChildren`)
	} else {
		attrs = append(attrs, `\HasNoChildren`)
	}
	return append(attrs, n.Use...)
}

// putListed tells one name.
func (c *conn) putListed(e listed) {
	word := "LIST ("
	if c.verb == "LSUB" {
		word = "LSUB ("
	}
	c.begin()
	c.out = append(c.out, "* "...)
	c.out = append(c.out, word...)
	c.out = append(c.out, strings.Join(e.attrs, " ")...)
	c.out = append(c.out, `) "/" `...)
	c.out = c.appendMailbox(c.out, e.name)
	if e.children {
		c.out = append(c.out, ` ("CHILDINFO" ("SUBSCRIBED"))`...)
	}
	if e.oldName != "" {
		c.out = append(c.out, ` ("OLDNAME" (`...)
		c.out = append(c.appendMailbox(c.out, e.oldName), "))"...)
	}
	c.end()
}

// NAMESPACE: all mailboxes are the user's own (RFC 9051 §6.3.10).
func (c *conn) NAMESPACE(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.put(`NAMESPACE (("" "/")) NIL NIL`)
	return ok("NAMESPACE completed")
}
