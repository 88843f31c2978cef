package mailboxtest

import (
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var changeCases = []testCase{
	{"changes/empty", "An empty mailbox has a UIDVALIDITY, a HighestModSeq of at least 1, and UIDNext 1 or more.", changesEmpty},
	{"changes/since", "Changes since N are exactly what happened after N, each message as it is now.", changesSince},
	{"changes/nothing new", "Nothing is new since the HighestModSeq.", changesNothing},
	{"changes/unknown", "Since a ModSeq that was never given out the Delta is Full.", changesUnknown},
	{"changes/others", "What one session does another sees at its next Changes.", changesOthers},
	{"changes/counts", "Counts agree with what is there.", changesCounts},
	{"watch/change", "Watch calls after each change by anybody, until stopped.", watchChange},
}

func changesEmpty(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	if d.State.UIDNext == 0 || d.State.ReadOnly || d.State.NoNewKeywords {
		return fmt.Errorf("the State of an empty mailbox is %+v", d.State)
	}
	return want("number of messages", len(d.Messages), 0)
}

func changesSince(h *harness) error {
	m, err := h.filled(5)
	if err != nil {
		return err
	}
	start, err := m.changes(0)
	if err != nil {
		return err
	}
	err = first(
		m.flag(mailbox.SetOf(5), mailbox.AddFlags, `\Draft`),
		m.flag(mailbox.SetOf(4), mailbox.AddFlags, `\Seen`),
		m.flag(mailbox.SetOf(2, 4), mailbox.AddFlags, `\Flagged`),
		m.Expunge(h.ctx, mailbox.SetOf(1, 2)))
	if err != nil {
		return err
	}
	if _, err := m.add("new"); err != nil {
		return err
	}
	d, err := m.changes(start.State.HighestModSeq)
	if err != nil {
		return err
	}
	if d.Full {
		return nil // allowed, though nobody should need it so soon
	}
	err = first(
		wantAll("what changed", uidsOf(d), []mailbox.UID{4, 5, 6}),
		want("what vanished", d.Vanished.Intersect(mailbox.Set{{From: 1, To: 6}}).String(), "1:2"))
	if err != nil {
		return err
	}
	return want("flags of 4", d.Messages[0].Flags.String(), `\Seen \Flagged`)
}

func changesNothing(h *harness) error {
	m, err := h.filled(3)
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	again, err := m.changes(d.State.HighestModSeq)
	return first(err,
		want("State", again.State, d.State),
		want("number of changed messages", len(again.Messages), 0),
		want("Full", again.Full, false),
		want("what vanished of what is there", again.Vanished.Intersect(mailbox.Set{{From: 1, To: 3}}).Len(), 0))
}

func changesUnknown(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	d, err := m.changes(1 << 62)
	return first(err, want("Full", d.Full, true), want("number of messages", len(d.Messages), 2))
}

func changesOthers(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	d, err := other.changes(0)
	if err != nil {
		return err
	}
	for i, do := range []func() error{
		func() error { _, err := m.add("x"); return err },
		func() error { return m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`) },
		func() error { return m.Expunge(h.ctx, mailbox.SetOf(2)) },
	} {
		if err := do(); err != nil {
			return err
		}
		next, err := other.changes(d.State.HighestModSeq)
		if err != nil {
			return err
		}
		if next.State.HighestModSeq <= d.State.HighestModSeq {
			return fmt.Errorf("change %d is not seen: HighestModSeq is %d as before", i+1, next.State.HighestModSeq)
		}
		d = next
	}
	uids, err := other.all()
	return first(err, wantAll("messages", uids, []mailbox.UID{1, 3}))
}

func changesCounts(h *harness) error {
	m, err := h.filled(4)
	if err != nil {
		return err
	}
	err = first(m.flag(mailbox.SetOf(1, 2), mailbox.AddFlags, `\Seen`),
		m.flag(mailbox.SetOf(2, 3), mailbox.AddFlags, `\Deleted`), m.Expunge(h.ctx, mailbox.SetOf(4)))
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	i, err := mailbox.Find(h.ctx, h.store, mailbox.Inbox)
	if err != nil {
		return err
	}
	c, err := mailbox.CountsOf(h.ctx, h.store, i)
	if err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	i.Counts = nil
	slow, err := mailbox.CountsOf(h.ctx, h.store, i)
	return first(err,
		want("Counts", c, mailbox.Count(d)), want("Counts without those of the list", slow, c),
		want("Unseen", c.Unseen, 1), want("Deleted", c.Deleted, 2))
}

func watchChange(h *harness) error {
	m, err := h.filled(1)
	if err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	bell := make(chan error, 1)
	ring := func() {
		select {
		case bell <- nil:
		default:
		}
	}
	stop := other.Watch(ring)
	if stop == nil {
		h.skip = "the store cannot watch"
		return nil
	}
	for _, do := range []func() error{
		func() error { _, err := m.add("x"); return err },
		func() error { return m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`) },
		func() error { return m.Expunge(h.ctx, mailbox.SetOf(1)) },
		func() error { _, err := other.add("by the same"); return err },
	} {
		if err := do(); err != nil {
			return err
		}
		if err := h.within("the call of Watch", bell, patience/6); err != nil {
			return err
		}
		h.drain(bell)
	}
	stop()
	h.drain(bell)
	if _, err := m.add("y"); err != nil {
		return err
	}
	if h.within("", bell, moment) == nil {
		return errors.New("called after stop")
	}
	return nil
}

// drain waits until the bell is silent.
func (h *harness) drain(bell chan error) {
	for h.within("", bell, moment) == nil {
	}
}
