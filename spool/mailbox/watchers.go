package mailbox

import (
	"maps"
	"slices"
	"sync"
)

// Watchers are the funcs that a store was given by Watch or WatchAll. The zero
// value is empty; the methods may be called concurrently.
type Watchers[T any] struct {
	mu   sync.Mutex // guards all below
	last uint64
	fns  map[uint64]func(T)
}

// Add adds a func until stop is called, which may be twice. first says that
// there was none before.
func (w *Watchers[T]) Add(fn func(T)) (stop func(), first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[uint64]func(T){}
	}
	first = len(w.fns) == 0
	w.last++
	n := w.last
	w.fns[n] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, n)
	}, first
}

// Len is how many there are.
func (w *Watchers[T]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.fns)
}

// Call calls them all, without a lock.
func (w *Watchers[T]) Call(arg T) {
	w.mu.Lock()
	fns := slices.Collect(maps.Values(w.fns))
	w.mu.Unlock()
	for _, fn := range fns {
		fn(arg)
	}
}
