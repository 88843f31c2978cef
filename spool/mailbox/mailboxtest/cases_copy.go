package mailboxtest

import (
	"fmt"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var copyCases = []testCase{
	{"copy/other", "Copy adds messages with bytes, flags and Received as they are, in ascending order of UID.", copyOther},
	{"copy/self", "A mailbox is copied into itself as into any other.", copySelf},
	{"copy/missing", "UIDs that are not there are left out, and nothing to copy changes nothing.", copyMissing},
	{"move/other", "Move leaves each message in the other mailbox alone.", moveOther},
	{"move/self", "A move onto the mailbox itself gives messages new UIDs.", moveSelf},
}

// pair is INBOX with four messages, some with flags, and another mailbox with
// one.
func pair(h *harness) (src, dst *mbox, err error) {
	if src, err = h.filled(4); err != nil {
		return nil, nil, err
	}
	if err := src.flag(mailbox.SetOf(2), mailbox.AddFlags, `\Seen`, "k"); err != nil {
		return nil, nil, err
	}
	if dst, _, err = h.create("Other"); err != nil {
		return nil, nil, err
	}
	_, err = dst.add("already here")
	return src, dst, err
}

// same wants a message to have become another.
func same(from mailbox.Meta, dst *mbox, to mailbox.UID, body string) error {
	m, err := dst.meta(to)
	return first(err,
		want("flags", m.Flags.String(), from.Flags.String()),
		want("Received", m.Received, from.Received),
		want("Size", m.Size, from.Size),
		dst.content(to, body))
}

func number(i int) string { return fmt.Sprintf("Subject: %d\r\n\r\nmessage %d\r\n", i, i) }

func copyOther(h *harness) error {
	src, dst, err := pair(h)
	if err != nil {
		return err
	}
	d, err := src.changes(0)
	if err != nil {
		return err
	}
	from, to, err := mailbox.Copy(h.ctx, src.Mailbox, mailbox.SetOf(1, 2, 4), dst.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Copy: %w", err)
	}
	left, err := src.all()
	return first(err,
		want("from", from.String(), "1:2,4"), want("to", to.String(), "2:4"),
		wantAll("messages of the source", left, []mailbox.UID{1, 2, 3, 4}),
		same(d.Messages[0], dst, 2, number(1)),
		same(d.Messages[1], dst, 3, number(2)),
		same(d.Messages[3], dst, 4, number(4)))
}

func copySelf(h *harness) error {
	src, _, err := pair(h)
	if err != nil {
		return err
	}
	d, err := src.changes(0)
	if err != nil {
		return err
	}
	from, to, err := mailbox.Copy(h.ctx, src.Mailbox, mailbox.SetOf(2, 3), src.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Copy: %w", err)
	}
	return first(
		want("from", from.String(), "2:3"), want("to", to.String(), "5:6"),
		same(d.Messages[1], src, 5, number(2)), src.content(2, number(2)),
		src.Expunge(h.ctx, mailbox.SetOf(2)), src.content(5, number(2)))
}

func copyMissing(h *harness) error {
	src, dst, err := pair(h)
	if err != nil {
		return err
	}
	if err := src.Expunge(h.ctx, mailbox.SetOf(1)); err != nil {
		return err
	}
	from, to, err := mailbox.Copy(h.ctx, src.Mailbox, mailbox.Set{{From: 1, To: 2}, {From: 9, To: mailbox.MaxUID}}, dst.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Copy: %w", err)
	}
	if err := first(want("from", from.String(), "2"), want("to", to.String(), "2")); err != nil {
		return err
	}
	before, err := dst.changes(0)
	if err != nil {
		return err
	}
	from, to, err = mailbox.Copy(h.ctx, src.Mailbox, mailbox.SetOf(1, 9), dst.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Copy for nothing: %w", err)
	}
	after, err := dst.changes(0)
	return first(err, want("from", from.String(), ""), want("to", to.String(), ""), want("State", after.State, before.State))
}

func moveOther(h *harness) error {
	src, dst, err := pair(h)
	if err != nil {
		return err
	}
	d, err := src.changes(0)
	if err != nil {
		return err
	}
	from, to, err := mailbox.Move(h.ctx, src.Mailbox, mailbox.SetOf(2, 3, 7), dst.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Move: %w", err)
	}
	next, err := src.changes(d.State.HighestModSeq)
	if err != nil {
		return err
	}
	left, err := src.all()
	return first(err,
		want("from", from.String(), "2:3"), want("to", to.String(), "2:3"),
		wantAll("what is left", left, []mailbox.UID{1, 4}),
		want("what vanished", next.Vanished.Intersect(mailbox.Set{{From: 1, To: 4}}).String(), "2:3"),
		same(d.Messages[1], dst, 2, number(2)), same(d.Messages[2], dst, 3, number(3)))
}

func moveSelf(h *harness) error {
	src, _, err := pair(h)
	if err != nil {
		return err
	}
	from, to, err := mailbox.Move(h.ctx, src.Mailbox, mailbox.SetOf(2), src.Mailbox)
	if err != nil {
		return fmt.Errorf("calling Move: %w", err)
	}
	left, err := src.all()
	return first(err,
		want("from", from.String(), "2"), want("to", to.String(), "5"),
		wantAll("messages", left, []mailbox.UID{1, 3, 4, 5}), src.content(5, number(2)))
}
