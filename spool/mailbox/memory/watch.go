package memory

import "github.com/postilion-mail/postilion/spool/mailbox"

// notify tells of a change in a mailbox; no mutex is held.
func (b *box) notify() {
	b.watchers.Call(struct{}{})
	b.store.changed(b.id)
}

// changed tells of a change in a mailbox, or of the list with "".
func (s *Store) changed(id mailbox.ID) { s.watchers.Call(id) }

// Watch calls fn after changes; see [mailbox.Mailbox].
func (h *handle) Watch(fn func()) (stop func()) {
	stop, _ = h.box.watchers.Add(func(struct{}) { fn() })
	return stop
}

// WatchAll calls fn after changes in any mailbox; see [mailbox.StoreWatcher].
func (s *Store) WatchAll(fn func(mailbox.ID)) (stop func()) {
	stop, _ = s.watchers.Add(fn)
	return stop
}
