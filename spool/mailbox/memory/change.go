package memory

import (
	"context"
	"slices"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Changes tells what happened; see [mailbox.Mailbox]. It costs what changed, not
// what is there, for all but the oldest changes.
func (h *handle) Changes(ctx context.Context, since mailbox.ModSeq) (mailbox.Delta, error) {
	if err := h.rlock(ctx, mailboxRead); err != nil {
		return mailbox.Delta{}, err
	}
	defer h.box.store.mu.RUnlock()
	b := h.box
	d := mailbox.Delta{State: h.state()}
	gone, ok := b.gone.Since(since)
	switch {
	case since == b.seq:
	case since == 0 || since > b.seq || !ok:
		d.Full = true
		d.Messages = slices.Clone(b.metas)
	default:
		d.Messages, d.Vanished = b.since(since), gone
	}
	return d, nil
}

// since collects the messages that changed after a ModSeq.
func (b *box) since(since mailbox.ModSeq) (changed []mailbox.Meta) {
	uids, ok := b.changed.Since(since)
	if ok {
		b.each(uids, func(i int) { changed = append(changed, b.metas[i]) })
		return changed
	}
	for _, m := range b.metas {
		if m.ModSeq > since {
			changed = append(changed, m)
		}
	}
	return changed
}

// Expunge removes messages; see [mailbox.Mailbox].
func (h *handle) Expunge(ctx context.Context, uids mailbox.Set) error {
	if err := h.lock(ctx, mailboxExpunge); err != nil {
		return err
	}
	defer h.box.notify()
	defer h.box.store.mu.Unlock()
	h.box.expunge(uids)
	return nil
}

// expunge removes messages as of the next ModSeq, which is taken only if there
// were any.
func (b *box) expunge(uids mailbox.Set) {
	if gone := b.drop(uids); len(gone) > 0 {
		b.seq++
		b.gone.Add(b.seq, gone)
	}
}

// SetFlags changes flags; see [mailbox.Mailbox].
func (h *handle) SetFlags(ctx context.Context, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, unchangedSince mailbox.ModSeq) (skipped mailbox.Set, err error) {
	if err := h.lock(ctx, ""); err != nil {
		return nil, err
	}
	b := h.box
	defer b.notify()
	defer b.store.mu.Unlock()
	may := h.mayChange()
	if may == (mailbox.Flags{}) {
		return nil, mailbox.ErrReadOnly
	}
	if op != mailbox.RemoveFlags && b.spelling.Unknown(f) > max(b.room(), 0) {
		return nil, mailbox.ErrLimit
	}
	f = b.spelling.Fix(f, op != mailbox.RemoveFlags)
	var changed mailbox.Set
	b.each(uids, func(i int) {
		m := &b.metas[i]
		if unchangedSince != 0 && m.ModSeq > unchangedSince {
			skipped.Add(m.UID)
			return
		}
		if b.flag(m, limited(m.Flags, op.Apply(m.Flags, f), may)) {
			changed.Add(m.UID)
		}
	})
	if len(changed) > 0 {
		b.seq++
		b.changed.Add(b.seq, changed)
	}
	return skipped, nil
}

// flag gives a message its flags, as of the next ModSeq, and reports whether
// that is a change.
func (b *box) flag(m *mailbox.Meta, f mailbox.Flags) bool {
	f = b.spelling.Fix(f, true)
	if f == m.Flags {
		return false
	}
	b.count(m, -1)
	m.Flags, m.ModSeq = f, b.seq+1
	b.count(m, 1)
	return true
}

// limited is the flags that become of old if only some may be changed.
func limited(old, wanted, may mailbox.Flags) mailbox.Flags {
	wanted.Sys = old.Sys&^may.Sys | wanted.Sys&may.Sys
	if may.Keywords == "" {
		wanted.Keywords = old.Keywords
	}
	return wanted
}
