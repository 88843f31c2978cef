package memory

import (
	"context"
	"errors"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Copy copies within the account; bodies are shared. See [mailbox.Copier].
func (h *handle) Copy(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return h.transfer(ctx, uids, dst, false)
}

// Move moves within the account in one step; see [mailbox.Mover].
func (h *handle) Move(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return h.transfer(ctx, uids, dst, true)
}

// transfer copies or moves under one lock: nobody sees a message in both
// mailboxes or in none.
func (h *handle) transfer(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox, move bool) (from, to mailbox.Set, err error) {
	d, ok := dst.(*handle)
	if !ok || d.box.store != h.box.store {
		return nil, nil, errors.ErrUnsupported
	}
	right := mailboxRead
	if move {
		right += mailboxExpunge
	}
	if err := h.lock(ctx, right); err != nil {
		return nil, nil, err
	}
	defer d.box.notify()
	defer h.box.notify()
	defer h.box.store.mu.Unlock()
	if err := d.check(mailboxInsert); err != nil {
		return nil, nil, err
	}
	var in []incoming
	var bytes int64
	now := h.box.store.now().Unix()
	h.box.each(uids, func(i int) {
		m := h.box.metas[i]
		from.Add(m.UID)
		bytes += m.Size
		m.Saved = now
		in = append(in, incoming{m, h.box.bodies[i]})
	})
	if len(in) == 0 {
		return nil, nil, nil
	}
	if !move && !h.box.store.fits(bytes, int64(len(in))) {
		return nil, nil, mailbox.ErrOverQuota
	}
	added, err := d.box.add(in)
	if err != nil {
		return nil, nil, err
	}
	h.box.store.bytes += bytes
	h.box.store.messages += int64(len(in))
	if move {
		h.box.expunge(from)
	}
	return from, mailbox.SetOf(added...), nil
}
