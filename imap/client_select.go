package imap

import (
	"context"
	"errors"
	"strconv"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Selected is the mailbox that is open. Messages, Flags and HighestModSeq follow
// what the server says.
type Selected struct {
	Name      string
	State     mailbox.State // UIDNext and HighestModSeq are 0 where the server does not tell
	Messages  uint32        // how many there are
	Flags     []string      // that messages have or may get
	Permanent []string      // that stay; `\*` says that new keywords may be made
	MailboxID string        // RFC 8474; "" the server has none
}

// Selected is the mailbox that is open, nil if none is. It changes with the
// calls of Conn.
func (c *Conn) Selected() *Selected { return c.selected }

// Select opens a mailbox to read and change it (RFC 9051 §6.3.2).
func (c *Conn) Select(ctx context.Context, name string) (*Selected, error) {
	return c.open(ctx, "SELECT", name, "")
}

// Examine opens a mailbox to read it and nothing else (RFC 9051 §6.3.3).
func (c *Conn) Examine(ctx context.Context, name string) (*Selected, error) {
	return c.open(ctx, "EXAMINE", name, "")
}

func (c *Conn) open(ctx context.Context, verb, name, params string) (*Selected, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	if params == "" && c.caps.Has("CONDSTORE") {
		params = "(CONDSTORE)" // RFC 7162 §3.1.8
	}
	x := (&call{verb: verb}).mailbox(c, name)
	if params != "" {
		x.word(params)
	}
	s := &Selected{Name: name}
	s.State.ReadOnly = verb == "EXAMINE"
	x.data = func(r *response) (bool, error) {
		if r.code == "CLOSED" || c.selected != s {
			// The responses belong to the new mailbox, those before CLOSED or the
			// first other one to the old.
			c.selected = s
		}
		s.note(r, c)
		return false, nil
	}
	c.selected = nil
	if err := c.do(ctx, x); err != nil {
		c.selected = nil // RFC 9051 §6.3.2: none, whatever was selected before
		return nil, err
	}
	c.selected = s
	return s, nil
}

// note takes in what SELECT tells of the mailbox.
func (s *Selected) note(r *response, c *Conn) {
	n := value{s: r.carg}.num()
	switch r.code {
	case "UIDVALIDITY":
		s.State.UIDValidity = uint32(n)
	case "UIDNEXT":
		s.State.UIDNext = mailbox.UID(n)
	case "HIGHESTMODSEQ":
		s.State.HighestModSeq = mailbox.ModSeq(n)
	case "NOMODSEQ":
		s.State.HighestModSeq = 0
	case "READ-ONLY":
		s.State.ReadOnly = true
	case "READ-WRITE":
		s.State.ReadOnly = false
	case "PERMANENTFLAGS":
		s.Permanent = flagList(c.values([]byte(r.carg)))
		s.State.NoNewKeywords = !hasFold(s.Permanent, `\*`)
	case "MAILBOXID":
		v := c.values([]byte(r.carg))
		s.MailboxID = v.next().at(0).text()
	}
}

// Unselect closes the mailbox and changes nothing (RFC 9051 §6.4.2). A server
// that cannot do it is shown another, empty way.
func (c *Conn) Unselect(ctx context.Context) error {
	if !c.caps.Has("UNSELECT") && !c.caps.Has("IMAP4REV2") {
		_, err := c.open(ctx, "EXAMINE", "\x7fnone", "")
		if _, refused := errors.AsType[*Error](err); refused {
			return nil
		}
		return err
	}
	return c.leave(ctx, "UNSELECT")
}

// CloseMailbox expunges what is \Deleted, without a word of it, and closes the
// mailbox (RFC 9051 §6.4.1).
func (c *Conn) CloseMailbox(ctx context.Context) error { return c.leave(ctx, "CLOSE") }

func (c *Conn) leave(ctx context.Context, verb string) error {
	err := c.do(ctx, &call{verb: verb})
	if err == nil {
		c.selected = nil
	}
	return err
}

// SyncState is what a client remembers of a mailbox from one visit to the next.
// The zero value has seen nothing.
type SyncState struct {
	UIDValidity uint32
	ModSeq      mailbox.ModSeq // up to which everything is known; 0 nothing is
	UIDs        mailbox.Set    // messages that are known
}

// Changes are what happened to a mailbox since a [SyncState].
type Changes struct {
	State    SyncState   // to remember for the next time
	Full     bool        // what was known is void: Messages are all there are
	Messages []*Message  // new or changed, with UID and Flags, in no order
	Vanished mailbox.Set // known messages that are gone
}

// Sync opens a mailbox and tells what changed since last: by QRESYNC in one
// round trip where the server has it (RFC 7162 §3.2.5), else by CONDSTORE and a
// search, else by the flags of all messages.
func (c *Conn) Sync(ctx context.Context, name string, last SyncState) (*Changes, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	ch := &Changes{}
	if c.caps.Has("QRESYNC") {
		if err := c.quickSync(ctx, name, last, ch); err != nil {
			return nil, err
		}
	} else if _, err := c.Select(ctx, name); err != nil {
		return nil, err
	}
	s := c.selected
	known := last.UIDs
	if s.State.UIDValidity != last.UIDValidity || last.ModSeq == 0 {
		ch.Full, known, ch.Messages, ch.Vanished = true, nil, nil, nil
	}
	var err error
	switch {
	case ch.Full:
		err = c.collect(ctx, ch, 0)
	case c.caps.Has("QRESYNC"):
	case s.State.HighestModSeq != 0:
		err = c.slowSync(ctx, ch, known, last.ModSeq)
	default:
		ch.Full, known = true, nil
		err = c.collect(ctx, ch, 0)
	}
	if err != nil {
		return nil, err
	}
	c.settle(ch, known)
	return ch, nil
}

// settle works out what is known now.
func (c *Conn) settle(ch *Changes, known mailbox.Set) {
	ch.State = SyncState{UIDValidity: c.selected.State.UIDValidity, ModSeq: c.selected.State.HighestModSeq, UIDs: known.Without(ch.Vanished)}
	if ch.State.ModSeq == 0 {
		ch.State.ModSeq = 1 // known, if not by number
	}
	ch.Vanished = ch.Vanished.Intersect(known)
	for _, m := range ch.Messages {
		ch.State.UIDs.Add(m.UID)
	}
}

// quickSync is SELECT with QRESYNC.
func (c *Conn) quickSync(ctx context.Context, name string, last SyncState, ch *Changes) error {
	if _, err := c.Enable(ctx, "QRESYNC"); err != nil {
		return err
	}
	events := c.Events
	defer func() { c.Events = events }()
	c.Events.Vanished = func(uids mailbox.Set) { ch.Vanished = ch.Vanished.Union(uids) }
	c.Events.Message = func(m *Message) { ch.Messages = append(ch.Messages, m) }
	params := ""
	if last.ModSeq != 0 && last.UIDValidity != 0 {
		// Without the known UIDs, which would keep new messages out of the answer
		// (RFC 7162 §3.2.5.1).
		params = "(QRESYNC (" + strconv.FormatUint(uint64(last.UIDValidity), 10) + " " + strconv.FormatUint(uint64(last.ModSeq), 10) + "))"
	}
	_, err := c.open(ctx, "SELECT", name, params)
	return err
}

// slowSync asks for what changed, and which messages are left.
func (c *Conn) slowSync(ctx context.Context, ch *Changes, known mailbox.Set, since mailbox.ModSeq) error {
	if err := c.collect(ctx, ch, since); err != nil {
		return err
	}
	found, err := c.Search(ctx, UIDs(known))
	if err != nil {
		return err
	}
	ch.Vanished = known.Without(found)
	return nil
}

// collect fetches the flags of what changed since.
func (c *Conn) collect(ctx context.Context, ch *Changes, since mailbox.ModSeq) error {
	for m, err := range c.Fetch(ctx, allUIDs, Items{Flags: true, ChangedSince: since}) {
		if err != nil {
			return err
		}
		ch.Messages = append(ch.Messages, m)
	}
	return nil
}
