package memory

import (
	"sync"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// watchers are funcs to be called. The zero value is empty.
type watchers[T any] struct {
	mu   sync.Mutex // guards all below
	last uint64
	fns  map[uint64]func(T)
}

func (w *watchers[T]) add(fn func(T)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[uint64]func(T){}
	}
	w.last++
	n := w.last
	w.fns[n] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, n)
	}
}

// call calls them all, without a lock.
func (w *watchers[T]) call(arg T) {
	w.mu.Lock()
	fns := make([]func(T), 0, len(w.fns))
	for _, fn := range w.fns {
		fns = append(fns, fn)
	}
	w.mu.Unlock()
	for _, fn := range fns {
		fn(arg)
	}
}

// notify tells of a change in a mailbox; no mutex is held.
func (b *box) notify() {
	b.watchers.call(struct{}{})
	b.store.changed(b.id)
}

// changed tells of a change in a mailbox, or of the list with "".
func (s *Store) changed(id mailbox.ID) { s.watchers.call(id) }

// Watch calls fn after changes; see [mailbox.Mailbox].
func (h *handle) Watch(fn func()) (stop func()) {
	return h.box.watchers.add(func(struct{}) { fn() })
}

// WatchAll calls fn after changes in any mailbox; see [mailbox.StoreWatcher].
func (s *Store) WatchAll(fn func(mailbox.ID)) (stop func()) { return s.watchers.add(fn) }
