package imap

import (
	"sync"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// event is something that NOTIFY tells of (RFC 5465 §5).
type event uint8

const (
	messageNew event = 1 << iota
	messageExpunge
	flagChange
	mailboxName
	subscriptionChange
	mailboxMetadata
	serverMetadata
)

var events = map[string]event{
	"MESSAGENEW": messageNew, "MESSAGEEXPUNGE": messageExpunge, "FLAGCHANGE": flagChange,
	"MAILBOXNAME": mailboxName, "SUBSCRIPTIONCHANGE": subscriptionChange,
	"MAILBOXMETADATACHANGE": mailboxMetadata, "SERVERMETADATACHANGE": serverMetadata,
}

// badEvent tells which events there are: those of annotations are where these
// are, and there they must be (RFC 5465 §5.6 and §5.7).
func (c *conn) badEvent() string {
	names := "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
	if c.has("METADATA") {
		names += " MailboxMetadataChange ServerMetadataChange"
	}
	return "BADEVENT (" + names + ")"
}

const (
	messageEvents  = messageNew | messageExpunge | flagChange
	metadataEvents = mailboxMetadata | serverMetadata
)

// watched is a filter and what is told of its mailboxes.
type watched struct {
	filter
	events event
	fetch  *fetching // what is told of new messages; nil nothing
}

// notify is what a client has asked to be told at any time.
type notify struct {
	selected  *watched // nil: nothing of the selected mailbox
	delayed   bool     // EXPUNGE waits for a command
	others    []watched
	stopWatch func()

	known map[mailbox.ID]mailbox.Info // as the client was told
	state map[mailbox.ID]mailbox.State

	metadata map[mailbox.ID]digests // as the client was told; those of the server under ""

	mu       sync.Mutex // guards all below
	changed  map[mailbox.ID]struct{}
	overflow bool
}

// maxChanged is how many mailboxes may wait to be told.
const maxChanged = 10_000

// wants reports whether news of the selected mailbox are told without being
// asked for.
func (c *conn) wants() bool { return c.notify == nil || c.notify.selected != nil }

// NOTIFY chooses what is told at any time (RFC 5465 §3.1).
func (c *conn) NOTIFY(p *parser) reply {
	p.SP()
	switch {
	case p.TakeWord("NONE"):
		if r := p.done(); r.status != "" {
			return r
		}
		c.setNotify(&notify{})
		return ok("NOTIFY completed")
	case !p.TakeWord("SET"):
		p.Fail("SET or NONE")
	}
	n := &notify{}
	p.SP()
	status := p.TakeWord("STATUS")
	if status {
		p.SP()
	}
	for p.OK() {
		p.eventGroup(n)
		if !p.Take(' ') {
			break
		}
	}
	if r := p.done(); r.status != "" {
		return r
	}
	return c.startNotify(n, status)
}

// startNotify begins to tell.
func (c *conn) startNotify(n *notify, status bool) reply {
	if n.watchesOthers() {
		all, err := c.store.Mailboxes(c.ctx)
		if err != nil {
			return c.failure(err)
		}
		n.known, n.state, n.changed = make(map[mailbox.ID]mailbox.Info), make(map[mailbox.ID]mailbox.State), make(map[mailbox.ID]struct{})
		n.stopWatch = mailbox.WatchAll(c.store, func(id mailbox.ID) {
			n.note(id)
			c.ring()
		})
		if n.stopWatch == nil {
			return no("NOTIFICATIONOVERFLOW", "This store tells of the selected mailbox alone")
		}
		for _, info := range all {
			n.remember(info)
		}
		if err := c.firstStatus(n, all, status); err != nil {
			n.stop()
			return c.failure(err)
		}
		if err := n.firstMetadata(c); err != nil {
			n.stop()
			return c.failure(err)
		}
	}
	c.setNotify(n)
	return ok("NOTIFY completed")
}

func (c *conn) setNotify(n *notify) {
	c.notify.stop()
	c.notify = n
	c.bell.on.Store(n.rings())
}

// rings reports whether news are to be told at any time.
func (n *notify) rings() bool { return n != nil && (n.selected != nil || n.stopWatch != nil) }

func (n *notify) watchesOthers() bool {
	for _, w := range n.others {
		if w.events != 0 {
			return true
		}
	}
	return false
}

// remember notes how a mailbox or a subscribed name is known to the client.
func (n *notify) remember(info mailbox.Info) {
	id := info.ID
	if id == "" {
		id = mailbox.ID("name " + info.Name) // no ID has a space
	}
	info.Counts = nil
	n.known[id] = info
}

// note is called by the store, on any goroutine.
func (n *notify) note(id mailbox.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.changed) >= maxChanged {
		n.overflow = true
		return
	}
	n.changed[id] = struct{}{}
}

func (n *notify) stop() {
	if n != nil && n.stopWatch != nil {
		n.stopWatch()
	}
}

// take empties what was noted.
func (n *notify) take() (ids map[mailbox.ID]struct{}, overflow bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.changed) == 0 && !n.overflow {
		return nil, false
	}
	ids, overflow = n.changed, n.overflow
	n.changed, n.overflow = make(map[mailbox.ID]struct{}), false
	return ids, overflow
}

// tell tells what happened in mailboxes other than the selected one.
func (n *notify) tell(c *conn) error {
	if n == nil || n.stopWatch == nil {
		return c.unsent
	}
	ids, overflow := n.take()
	if overflow {
		c.setNotify(&notify{})
		c.put("OK [NOTIFICATIONOVERFLOW] Too much has changed") // RFC 5465 §5.8
		return c.unsent
	}
	if _, list := ids[""]; list {
		if err := n.tellNames(c); err != nil {
			c.warn("changes of mailboxes cannot be told", err)
		}
		if err := n.tellMetadata(c); err != nil {
			c.warn("changes of annotations cannot be told", err)
		}
		delete(ids, "")
	}
	for id := range ids {
		info, known := n.known[id]
		if !known || c.sel != nil && c.sel.id == id {
			continue
		}
		if err := n.tellMessages(c, info); err != nil && codeOf(err) != "NONEXISTENT" {
			c.warn("changes of a mailbox cannot be told", err)
		}
	}
	return c.unsent
}

// eventsOf are what is told of a mailbox that is not selected.
func (n *notify) eventsOf(info mailbox.Info) (e event) {
	for i := range n.others {
		if n.others[i].covers(info) {
			e |= n.others[i].events
		}
	}
	return e
}

// firstStatus tells where the mailboxes stand before anything happens.
func (c *conn) firstStatus(n *notify, all []mailbox.Info, tell bool) error {
	for _, info := range all {
		e := n.eventsOf(info) & messageEvents
		if info.ID == "" || e == 0 {
			continue
		}
		counts, err := mailbox.CountsOf(c.ctx, c.store, info)
		if codeOf(err) == "NONEXISTENT" {
			continue
		}
		if err != nil {
			return err
		}
		n.state[info.ID] = counts.State
		if tell && (c.sel == nil || c.sel.id != info.ID) {
			info.Counts = &counts
			if err := c.putStatus(info, c.statusOf(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusOf is what a STATUS response has for the events (RFC 5465 §3.1).
func (c *conn) statusOf(e event) []statusItem {
	items := []statusItem{"MESSAGES", "UIDNEXT", "UIDVALIDITY"}
	if e&flagChange != 0 {
		items = append(items, "UNSEEN")
	}
	if c.on&condstore != 0 {
		items = append(items, "HIGHESTMODSEQ")
	}
	return items
}

// tellMessages tells that something changed in a mailbox.
func (n *notify) tellMessages(c *conn, info mailbox.Info) error {
	e := n.eventsOf(info) & messageEvents
	if e == 0 || info.ID == "" {
		return nil
	}
	counts, err := mailbox.CountsOf(c.ctx, c.store, info)
	if err != nil {
		return err
	}
	if counts.State == n.state[info.ID] {
		return nil // this client was told before, or nothing has happened
	}
	n.state[info.ID] = counts.State
	info.Counts = &counts
	return c.putStatus(info, c.statusOf(e))
}

// tellNames tells which mailboxes were created, deleted, renamed or subscribed
// (RFC 5465 §5.4 and §5.5).
func (n *notify) tellNames(c *conn) error {
	all, err := c.store.Mailboxes(c.ctx)
	if err != nil {
		return err
	}
	before := n.known
	n.known = make(map[mailbox.ID]mailbox.Info, len(all))
	verb := c.verb
	c.verb = "LIST"
	defer func() { c.verb = verb }()
	for _, node := range c.tree(all) {
		info := node.Info
		if info.ID == "" && !info.Subscribed {
			continue
		}
		n.remember(info)
		id := info.ID
		if id == "" {
			id = mailbox.ID("name " + info.Name)
		}
		old, known := before[id]
		delete(before, id)
		n.tellName(c, &node, old, known)
	}
	for _, old := range before {
		if old.ID != "" && n.eventsOf(old)&mailboxName != 0 {
			c.putListed(listed{name: old.Name, attrs: []string{`\NonExistent`}})
		}
		delete(n.state, old.ID)
	}
	return nil
}

func (n *notify) tellName(c *conn, node *node, old mailbox.Info, known bool) {
	e := n.eventsOf(node.Info) | n.eventsOf(old)
	created := !known && node.ID != ""
	renamed := known && old.Name != node.Name
	subscribed := known && old.Subscribed != node.Subscribed || !known && node.Subscribed
	if e&mailboxName == 0 || !created && !renamed {
		if e&subscriptionChange == 0 || !subscribed {
			return
		}
	}
	l := listing{extended: true, tellSubscribed: true}
	out := listed{name: node.Name, info: node.Info, attrs: l.attributes(node)}
	if renamed {
		out.oldName = old.Name
	}
	c.putListed(out)
}
