package memory

import (
	"context"
	"iter"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// incoming is a message that has been read and is not visible yet.
type incoming struct {
	meta mailbox.Meta
	body *message
}

// Append adds messages; see [mailbox.Mailbox].
func (h *handle) Append(ctx context.Context, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
	if err := h.rlock(ctx, mailboxInsert); err != nil {
		return nil, err
	}
	h.box.store.mu.RUnlock()
	room := &reservation{store: h.box.store}
	defer room.release()
	in, err := room.readAll(ctx, msgs)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	if err := h.lock(ctx, mailboxInsert); err != nil {
		return nil, err
	}
	defer h.box.notify()
	defer h.box.store.mu.Unlock()
	uids, err := h.box.add(in)
	if err == nil {
		room.used()
	}
	return uids, err
}

// readAll takes in all messages, without a lock but for moments.
func (r *reservation) readAll(ctx context.Context, msgs iter.Seq2[*mailbox.Incoming, error]) ([]incoming, error) {
	var out []incoming
	for in, err := range msgs {
		if err != nil {
			return nil, err
		}
		body, err := r.read(ctx, in)
		if err != nil {
			return nil, err
		}
		out = append(out, incoming{meta(in, len(body.b), r.store.now()), body})
	}
	return out, nil
}

// fits looks whether messages can be added, before any is.
func (b *box) fits(in []incoming) error {
	if b.next == 0 || int64(len(in)) > int64(mailbox.MaxUID)-int64(b.next)+1 {
		return mailbox.ErrLimit
	}
	var all mailbox.Flags
	for _, m := range in {
		if m.meta.Flags.Keywords != "" {
			all = mailbox.AddFlags.Apply(all, m.meta.Flags)
		}
	}
	if b.spelling.Unknown(all) > max(b.room(), 0) {
		return mailbox.ErrLimit
	}
	return nil
}

// add makes messages visible, all with one ModSeq. Their room is taken already.
func (b *box) add(in []incoming) ([]mailbox.UID, error) {
	if err := b.fits(in); err != nil {
		return nil, err
	}
	b.seq++
	var added mailbox.Set
	uids := make([]mailbox.UID, len(in))
	for i, m := range in {
		m.meta.ModSeq = b.seq
		m.meta.Flags = b.spelling.Fix(m.meta.Flags, true)
		if m.body.id == "" {
			m.body.id = "e" + b.store.nextID()
		}
		uids[i] = b.put(m.meta, m.body)
		added.Add(uids[i])
	}
	b.changed.Add(b.seq, added)
	return uids, nil
}
