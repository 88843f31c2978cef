package imap

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

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
// search, else by the flags of all messages. All is void, and told anew, where
// UIDVALIDITY is another one or the server knows less than it did. What changes
// while Sync runs may be told again the next time.
func (c *Conn) Sync(ctx context.Context, name string, last SyncState) (*Changes, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	y := &syncing{c: c, last: last, ch: &Changes{}}
	quick, err := c.enableQuick(ctx)
	if err != nil {
		return nil, err
	}
	if quick {
		err = y.quick(ctx, name)
	} else {
		_, err = c.Select(ctx, name)
	}
	if err == nil {
		err = y.rest(ctx, quick)
	}
	if err != nil {
		return nil, err
	}
	y.settle()
	return y.ch, nil
}

// enableQuick switches QRESYNC on where the server has it. That must come before
// a mailbox is opened (RFC 5161 §3.1); a server that refuses is synchronised
// without.
func (c *Conn) enableQuick(ctx context.Context) (on bool, err error) {
	if c.enabled["QRESYNC"] || !c.caps.Has("QRESYNC") {
		return c.enabled["QRESYNC"], nil
	}
	if c.selected != nil {
		if err := c.Unselect(ctx); err != nil {
			return false, err
		}
	}
	_, err = c.Enable(ctx, "QRESYNC")
	if _, refused := errors.AsType[*Error](err); refused && !c.botched {
		err = nil
	}
	return c.enabled["QRESYNC"], err
}

// syncing is one run of [Conn.Sync].
type syncing struct {
	c    *Conn
	last SyncState
	ch   *Changes
}

// quick is SELECT with QRESYNC.
func (y *syncing) quick(ctx context.Context, name string) error {
	c := y.c
	params := ""
	if y.last.ModSeq != 0 && y.last.UIDValidity != 0 {
		// Without the known UIDs, which would keep new messages out of the answer
		// (RFC 7162 §3.2.5.1).
		params = "(QRESYNC (" + strconv.FormatUint(uint64(y.last.UIDValidity), 10) + " " + strconv.FormatUint(uint64(y.last.ModSeq), 10) + "))"
	}
	events := c.Events
	defer func() { c.Events = events }()
	c.Events.Vanished = func(uids mailbox.Set) { y.ch.Vanished = y.ch.Vanished.Union(uids.Intersect(y.last.UIDs)) }
	c.Events.Message = y.add
	c.closed = func() { y.ch.Vanished, y.ch.Messages = nil, nil } // they were of the mailbox before
	defer func() { c.closed = nil }()
	_, err := c.open(ctx, "SELECT", name, params)
	return err
}

// add takes in a message, if the server says which it is.
func (y *syncing) add(m *Message) {
	if m.UID != 0 {
		y.ch.Messages = append(y.ch.Messages, m)
	}
}

// rest asks for what the answer to SELECT did not tell.
func (y *syncing) rest(ctx context.Context, quick bool) error {
	s, ch, last := y.c.selected.State, y.ch, y.last
	switch {
	case s.UIDValidity != last.UIDValidity, last.ModSeq == 0:
		ch.Full = true
	case s.HighestModSeq == 0: // NOMODSEQ: RFC 7162 §3.1.2.2
		ch.Full = true
	case s.HighestModSeq < last.ModSeq: // the server has lost what we have seen
		ch.Full = true
	case quick:
		return nil
	default:
		return y.slow(ctx)
	}
	ch.Messages, ch.Vanished, y.last.UIDs = nil, nil, nil
	return y.collect(ctx, 0)
}

// slow asks for what changed, and which messages are left.
func (y *syncing) slow(ctx context.Context) error {
	if err := y.collect(ctx, y.last.ModSeq); err != nil {
		return err
	}
	found, err := y.c.Search(ctx)
	if err != nil {
		return err
	}
	y.ch.Vanished = y.last.UIDs.Without(found)
	return nil
}

// collect fetches the flags of what changed since.
func (y *syncing) collect(ctx context.Context, since mailbox.ModSeq) error {
	limit := y.c.maxResponse() / 32 // the least octets that tell of one
	for m, err := range y.c.Fetch(ctx, allUIDs, Items{Flags: true, ChangedSince: since}) {
		if err != nil {
			return err
		}
		if int64(len(y.ch.Messages)) >= limit {
			return errLarge
		}
		y.add(m)
	}
	return nil
}

// settle works out what is known now.
func (y *syncing) settle() {
	s, ch := y.c.selected.State, y.ch
	ch.State = SyncState{UIDValidity: s.UIDValidity, ModSeq: max(s.HighestModSeq, 1)} // 1: known, if not by number
	ch.State.UIDs = y.last.UIDs.Without(ch.Vanished)
	uids := make([]mailbox.UID, 0, len(ch.Messages))
	for _, m := range ch.Messages {
		uids = append(uids, m.UID)
	}
	slices.Sort(uids)
	ch.State.UIDs = ch.State.UIDs.Union(mailbox.SetOf(uids...))
}
