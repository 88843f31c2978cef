package imap

import (
	"context"
	"errors"

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
	fresh := Selected{Name: name}
	fresh.State.ReadOnly = verb == "EXAMINE"
	s := new(Selected)
	*s = fresh
	x.data = func(r *response) (bool, error) {
		if r.code == "CLOSED" { // RFC 7162 §3.2.11: what came before was of the old mailbox
			*s = fresh
		} else if c.selected != s {
			c.selected = s
		}
		s.note(r, c)
		if r.word == "FETCH" || r.word == "UIDFETCH" { // of QRESYNC, and kept
			return false, c.gather(r)
		}
		return false, nil
	}
	if err := c.ready(); err != nil {
		return nil, err
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

// noMailbox is a name that no mailbox has: RFC 3691 §2 shows the way to close one
// by opening another that does not exist.
const noMailbox = "no such mailbox, to close the other"

// Unselect closes the mailbox and changes nothing (RFC 9051 §6.4.2). A server
// that cannot do it is asked for a mailbox that is not there.
func (c *Conn) Unselect(ctx context.Context) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	if !c.caps.Has("UNSELECT") && !c.caps.Has("IMAP4REV2") {
		_, err := c.open(ctx, "EXAMINE", noMailbox, "")
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
