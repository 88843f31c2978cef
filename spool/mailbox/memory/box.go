package memory

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// box is a mailbox. All but store and id is guarded by Store.mu.
type box struct {
	store    *Store
	id       mailbox.ID
	name     string
	use      []string
	validity uint32
	deleted  bool

	next      mailbox.UID // 0 after MaxUID
	seq       mailbox.ModSeq
	unclaimed mailbox.UID // the first that no session was told of
	locked    bool        // by a POP3 session

	// metas and bodies belong together, in ascending order of UID.
	metas  []mailbox.Meta
	bodies []*message
	sum    mailbox.Counts // without State

	changed  mailbox.History // new messages and flags; what it forgot is looked for in metas
	gone     mailbox.History // expunges; for what it forgot Changes is Full
	spelling mailbox.Spelling
	grants   []mailbox.Grant
	watchers mailbox.Watchers[struct{}]
}

// state is what Changes says of the owner's mailbox.
func (b *box) state() mailbox.State {
	return mailbox.State{
		UIDValidity: b.validity, UIDNext: b.next, HighestModSeq: b.seq,
		NoNewKeywords: b.room() <= 0,
	}
}

// room is how many keywords can be added.
func (b *box) room() int {
	return int(limit(int64(b.store.MaxKeywords), defaultMaxKeywords)) - b.spelling.Len()
}

// counts costs nothing: the sums are kept with each change.
func (b *box) counts() mailbox.Counts {
	c := b.sum
	c.State = b.state()
	return c
}

// index finds a message.
func (b *box) index(uid mailbox.UID) (int, bool) {
	return slices.BinarySearchFunc(b.metas, uid, func(m mailbox.Meta, uid mailbox.UID) int {
		return int(int64(m.UID) - int64(uid))
	})
}

// each calls f with the indexes of all messages of uids that exist. It costs
// what is there, not what uids names.
func (b *box) each(uids mailbox.Set, f func(i int)) {
	for _, r := range uids {
		for i, _ := b.index(r.From); i < len(b.metas) && b.metas[i].UID <= r.To; i++ {
			f(i)
		}
	}
}

// count adds a message to the sums, or takes it away.
func (b *box) count(m *mailbox.Meta, n int32) {
	b.sum.Messages += uint32(n)
	b.sum.Size += int64(n) * m.Size
	if m.Flags.Sys&mailbox.Seen == 0 {
		b.sum.Unseen += uint32(n)
	}
	if m.Flags.Sys&mailbox.Deleted != 0 {
		b.sum.Deleted += uint32(n)
	}
}

// put adds a message at the end. There is room for it.
func (b *box) put(m mailbox.Meta, body *message) mailbox.UID {
	m.UID = b.next
	b.next++ // to 0 after MaxUID
	b.metas = append(b.metas, m)
	b.bodies = append(b.bodies, body)
	b.count(&m, 1)
	return m.UID
}

// drop removes messages and returns those that were there.
func (b *box) drop(uids mailbox.Set) mailbox.Set {
	var gone mailbox.Set
	var bytes int64
	b.each(uids, func(i int) {
		gone.Add(b.metas[i].UID)
		b.count(&b.metas[i], -1)
		bytes += b.metas[i].Size
		b.bodies[i] = nil
	})
	if len(gone) == 0 {
		return nil
	}
	b.metas = slices.DeleteFunc(b.metas, func(m mailbox.Meta) bool { return gone.Contains(m.UID) })
	b.bodies = slices.DeleteFunc(b.bodies, func(m *message) bool { return m == nil })
	b.store.bytes -= bytes
	b.store.messages -= gone.Len()
	return gone
}

// clear empties a mailbox that is about to be deleted.
func (b *box) clear() { b.drop(mailbox.Set{{From: 1, To: mailbox.MaxUID}}) }

// handle is an open mailbox.
type handle struct {
	box    *box
	who    string // "" is the owner
	closed atomic.Bool
}

var (
	_ mailbox.Mailbox  = (*handle)(nil)
	_ mailbox.Copier   = (*handle)(nil)
	_ mailbox.Mover    = (*handle)(nil)
	_ mailbox.Cacher   = (*handle)(nil)
	_ mailbox.Headers  = (*handle)(nil)
	_ mailbox.Recent   = (*handle)(nil)
	_ mailbox.EmailIDs = (*handle)(nil)
	_ mailbox.Locker   = (*handle)(nil)
)

// lock takes the mutex of the Store, if the user may do what needs these rights.
func (h *handle) lock(ctx context.Context, need mailbox.Rights) error {
	if err := h.box.store.lock(ctx); err != nil {
		return err
	}
	err := h.check(need)
	if err != nil {
		h.box.store.mu.Unlock()
	}
	return err
}

// rlock takes the mutex to read, if the user may do what needs these rights.
func (h *handle) rlock(ctx context.Context, need mailbox.Rights) error {
	if err := h.box.store.rlock(ctx); err != nil {
		return err
	}
	err := h.check(need)
	if err != nil {
		h.box.store.mu.RUnlock()
	}
	return err
}

// state is that of the mailbox, for this user.
func (h *handle) state() mailbox.State {
	s := h.box.state()
	if r := h.box.rights(h.who); h.who != "" && !r.Has(mailboxInsert) && !r.Has(mailboxExpunge) {
		s.ReadOnly = h.mayChange() == mailbox.Flags{}
	}
	return s
}

// Close ends the session; the mailbox stays.
func (h *handle) Close() error {
	h.closed.Store(true)
	return nil
}

// find returns what is known of a message; the mutex is held.
func (h *handle) find(uid mailbox.UID) (*mailbox.Meta, *message, error) {
	i, ok := h.box.index(uid)
	if !ok {
		return nil, nil, mailbox.ErrNotExist
	}
	return &h.box.metas[i], h.box.bodies[i], nil
}

// body finds a message by itself.
func (h *handle) body(ctx context.Context, uid mailbox.UID) (*message, error) {
	if err := h.rlock(ctx, mailboxRead); err != nil {
		return nil, err
	}
	defer h.box.store.mu.RUnlock()
	_, body, err := h.find(uid)
	return body, err
}

// Message opens a message. The Blob has the bytes themselves: they stay when the
// message is expunged.
func (h *handle) Message(ctx context.Context, uid mailbox.UID) (mailbox.Blob, error) {
	body, err := h.body(ctx, uid)
	if err != nil {
		return nil, err
	}
	return newBlob(ctx, body.b), nil
}

// Header is a part of the message, not a copy; see [mailbox.Headers].
func (h *handle) Header(ctx context.Context, uid mailbox.UID) ([]byte, error) {
	body, err := h.body(ctx, uid)
	if err != nil {
		return nil, err
	}
	return body.header(), nil
}

// EmailID is that of the bytes: copies have the same; see [mailbox.EmailIDs].
func (h *handle) EmailID(ctx context.Context, uid mailbox.UID) (string, error) {
	body, err := h.body(ctx, uid)
	if err != nil {
		return "", err
	}
	return body.id, nil
}

// Cached returns what PutCached kept, for any copy of the message; see
// [mailbox.Cacher].
func (h *handle) Cached(uid mailbox.UID) ([]byte, bool) {
	body, err := h.body(context.Background(), uid)
	if err != nil {
		return nil, false
	}
	c := body.cache.Load()
	if c == nil {
		return nil, false
	}
	return *c, true
}

// PutCached keeps up to 256 KiB; see [mailbox.Cacher].
func (h *handle) PutCached(uid mailbox.UID, b []byte) {
	if body, err := h.body(context.Background(), uid); err == nil && len(b) <= maxCached {
		body.cache.Store(&b)
	}
}

// Recent hands out what was not claimed; see [mailbox.Recent].
func (h *handle) Recent(ctx context.Context, claim bool) (first, next mailbox.UID, err error) {
	if err := h.lock(ctx, mailboxRead); err != nil {
		return 0, 0, err
	}
	defer h.box.store.mu.Unlock()
	first, next = h.box.unclaimed, h.box.next
	if claim {
		h.box.unclaimed = next
	}
	return first, next, nil
}

// Lock is for one POP3 session; see [mailbox.Locker].
func (h *handle) Lock(ctx context.Context) (release func(), err error) {
	if err := h.lock(ctx, mailboxRead); err != nil {
		return nil, err
	}
	defer h.box.store.mu.Unlock()
	if h.box.locked {
		return nil, mailbox.ErrInUse
	}
	h.box.locked = true
	var once atomic.Bool
	return func() {
		if once.CompareAndSwap(false, true) {
			h.box.store.mu.Lock()
			h.box.locked = false
			h.box.store.mu.Unlock()
		}
	}, nil
}
