package mailboxtest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// text is a message that is not the same everywhere.
func text(n int) string {
	var b strings.Builder
	b.WriteString("Subject: test\r\n\r\n")
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	return b.String()[:n]
}

// mbox is an open mailbox whose calls must work.
type mbox struct {
	mailbox.Mailbox
	h *harness
}

// inbox opens INBOX once more.
func (h *harness) inbox() (*mbox, error) { return h.mailbox(mailbox.Inbox) }

func (h *harness) mailbox(name string) (*mbox, error) {
	m, err := mailbox.OpenName(h.ctx, h.store, name)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", name, err)
	}
	h.open = append(h.open, m)
	return &mbox{m, h}, nil
}

// create makes a mailbox and opens it.
func (h *harness) create(name string) (*mbox, mailbox.ID, error) {
	id, err := h.store.Create(h.ctx, name)
	if err != nil {
		return nil, "", fmt.Errorf("creating %q: %w", name, err)
	}
	m, err := h.mailbox(name)
	return m, id, err
}

// filled is INBOX with so many small messages.
func (h *harness) filled(n int) (*mbox, error) {
	m, err := h.inbox()
	if err != nil {
		return nil, err
	}
	for i := range n {
		if _, err := m.add(fmt.Sprintf("Subject: %d\r\n\r\nmessage %d\r\n", i+1, i+1)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add appends one message.
func (m *mbox) add(body string) (mailbox.UID, error) {
	return m.put(&mailbox.Incoming{Body: strings.NewReader(body)})
}

func (m *mbox) put(in *mailbox.Incoming) (mailbox.UID, error) {
	uids, err := m.Append(m.h.ctx, mailbox.One(in))
	if err != nil {
		return 0, fmt.Errorf("appending: %w", err)
	}
	if len(uids) != 1 || uids[0] == 0 {
		return 0, fmt.Errorf("one message was appended, Append returned the UIDs %v", uids)
	}
	return uids[0], nil
}

// changes wants Changes to work and to be sound.
func (m *mbox) changes(since mailbox.ModSeq) (mailbox.Delta, error) {
	d, err := m.Changes(m.h.ctx, since)
	if err != nil {
		return d, fmt.Errorf("calling Changes(%d): %w", since, err)
	}
	return d, sound(d, since)
}

// all is what is there, as UIDs.
func (m *mbox) all() ([]mailbox.UID, error) {
	d, err := m.changes(0)
	return uidsOf(d), err
}

func uidsOf(d mailbox.Delta) []mailbox.UID {
	var out []mailbox.UID
	for _, m := range d.Messages {
		out = append(out, m.UID)
	}
	return out
}

// sound looks for what no Delta may be.
func sound(d mailbox.Delta, since mailbox.ModSeq) error {
	var last mailbox.UID
	for _, m := range d.Messages {
		switch {
		case m.UID <= last:
			return fmt.Errorf("UID %d comes after %d: not in ascending order", m.UID, last)
		case m.UID >= d.State.UIDNext && d.State.UIDNext != 0:
			return fmt.Errorf("a message has UID %d, UIDNext is %d", m.UID, d.State.UIDNext)
		case m.ModSeq == 0 || m.ModSeq > d.State.HighestModSeq:
			return fmt.Errorf("a message has ModSeq %d, the highest is %d", m.ModSeq, d.State.HighestModSeq)
		case !d.Full && m.ModSeq <= since:
			return fmt.Errorf("a message of ModSeq %d among the changes since %d", m.ModSeq, since)
		case d.Vanished.Contains(m.UID):
			return fmt.Errorf("UID %d is there and vanished", m.UID)
		}
		last = m.UID
	}
	switch {
	case d.State.UIDValidity == 0:
		return errors.New("UIDValidity is 0")
	case d.State.HighestModSeq == 0:
		return errors.New("HighestModSeq is 0")
	case d.Full && len(d.Vanished) > 0:
		return errors.New("a full Delta has Vanished")
	case since == 0 && !d.Full:
		return errors.New("the Delta since 0 is not Full")
	case slices.ContainsFunc(d.Vanished, func(r mailbox.Range) bool { return r.From == 0 || r.From > r.To }):
		return fmt.Errorf("%v in Vanished is no set", d.Vanished)
	}
	return nil
}

// meta is what is known of one message.
func (m *mbox) meta(uid mailbox.UID) (mailbox.Meta, error) {
	d, err := m.changes(0)
	if err != nil {
		return mailbox.Meta{}, err
	}
	for _, x := range d.Messages {
		if x.UID == uid {
			return x, nil
		}
	}
	return mailbox.Meta{}, fmt.Errorf("message %d is not there", uid)
}

// content wants a message to be so.
func (m *mbox) content(uid mailbox.UID, want string) error {
	got, err := m.read(uid)
	if err == nil && got != want {
		err = fmt.Errorf("message %d is not what was appended: %s", uid, difference(got, want))
	}
	return err
}

func (m *mbox) read(uid mailbox.UID) (string, error) {
	b, err := m.Message(m.h.ctx, uid)
	if err != nil {
		return "", fmt.Errorf("opening message %d: %w", uid, err)
	}
	defer b.Close()
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()+1))
	if err != nil {
		return "", fmt.Errorf("reading message %d: %w", uid, err)
	}
	return string(got), nil
}

// difference says where two texts part.
func difference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	part := func(s string) string { return s[max(0, i-10):min(len(s), i+20)] }
	return fmt.Sprintf("%d bytes instead of %d, from byte %d on %q instead of %q", len(got), len(want), i, part(got), part(want))
}

// flag wants SetFlags to work for all.
func (m *mbox) flag(uids mailbox.Set, op mailbox.FlagOp, names ...string) error {
	f, err := mailbox.ParseFlags(names...)
	if err != nil {
		return err
	}
	skipped, err := m.SetFlags(m.h.ctx, uids, op, f, 0)
	if err != nil {
		return fmt.Errorf("calling SetFlags: %w", err)
	}
	if len(skipped) > 0 {
		return fmt.Errorf("%v was skipped by SetFlags without unchangedSince", skipped)
	}
	return nil
}

// want compares.
func want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func wantAll[T comparable](what string, got, want []T) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

// wantErr wants err to be one of a kind.
func wantErr(what string, err, kind error) error {
	if !errors.Is(err, kind) {
		return fmt.Errorf("%s: error %v, want %v", what, err, kind)
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// within waits for something that must happen soon.
func (h *harness) within(what string, done <-chan error, limit time.Duration) error {
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
	case <-h.ctx.Done():
	}
	return fmt.Errorf("%s: waited for in vain", what)
}

// everything is all UIDs there can be.
func everything() mailbox.Set { return mailbox.Set{{From: 1, To: mailbox.MaxUID}} }
