package mailboxtest

import (
	"errors"
	"fmt"
	"io"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var expungeCases = []testCase{
	{"expunge/exact", "Expunge removes exactly the messages it is told, whatever their flags, and Changes names them.", expungeExact},
	{"expunge/missing", "Expunging what is not there changes nothing.", expungeMissing},
	{"expunge/open blob", "A Blob that is open stays readable when its message is expunged.", expungeOpen},
	{"expunge/gone", "A message that is gone is ErrNotExist, and stays gone for a session that comes later.", expungeGone},
}

func expungeExact(h *harness) error {
	m, err := h.filled(6)
	if err != nil {
		return err
	}
	if err := m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Deleted`); err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(2, 3, 6)); err != nil {
		return fmt.Errorf("calling Expunge: %w", err)
	}
	d, err := m.changes(before.State.HighestModSeq)
	if err != nil {
		return err
	}
	left, err := m.all()
	return first(err,
		wantAll("what is left", left, []mailbox.UID{1, 4, 5}),
		want("what vanished", d.Vanished.Intersect(mailbox.Set{{From: 1, To: 6}}).String(), "2:3,6"),
		want("number of changed messages", len(d.Messages), 0))
}

func expungeMissing(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		return first(m.Expunge(h.ctx, mailbox.Set{{From: 2, To: mailbox.MaxUID}}), m.Expunge(h.ctx, nil))
	})
}

func expungeOpen(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	body := text(100_000)
	uid, err := m.add(body)
	if err != nil {
		return err
	}
	b, err := m.Message(h.ctx, uid)
	if err != nil {
		return err
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(uid)); err != nil {
		return err
	}
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return fmt.Errorf("reading after Expunge: %w", err)
	}
	if string(got) != body {
		return errors.New("the Blob has other bytes after Expunge")
	}
	return b.Close()
}

func expungeGone(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(1)); err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	for _, x := range []*mbox{m, other} {
		_, err := x.Message(h.ctx, 1)
		_, never := x.Message(h.ctx, 77)
		all, listing := x.all()
		err = first(listing,
			wantErr("Message of an expunged message", err, mailbox.ErrNotExist),
			wantErr("Message of a UID to come", never, mailbox.ErrNotExist),
			wantAll("what is left", all, []mailbox.UID{2}))
		if err != nil {
			return err
		}
	}
	return nil
}
