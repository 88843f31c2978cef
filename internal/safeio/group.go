package safeio

import "sync"

// Group joins calls that want the same done, such as one directory synced. A
// call must not share what was begun before it, since that may have missed what
// the caller did; but all that came while one run was under way share the next.
// There is no timer: a call that finds nothing under way begins at once, so
// groups grow with the load alone.
//
// Do must be set and must not change; Sync may be called concurrently.
type Group[K comparable] struct {
	Do func(K) error

	mu    sync.Mutex // guards slots and their fields
	slots map[K]*slot
}

// slot is the runs for one key.
type slot struct {
	now  *run // under way or over; nil before the first
	next *run // waited for by those who came meanwhile; nil if nobody did
}

// run is one call of Do. err is set before done is closed.
type run struct {
	done chan struct{}
	err  error
}

// Sync returns the result of a Do(k) that was begun after Sync was called.
func (g *Group[K]) Sync(k K) error {
	g.mu.Lock()
	s := g.slot(k)
	first := s.next == nil
	if first {
		s.next = &run{done: make(chan struct{})}
	}
	r, before := s.next, s.now
	g.mu.Unlock()
	if !first {
		<-r.done
		return r.err
	}
	// The first of a group runs for all, when the group before is through.
	if before != nil {
		<-before.done
	}
	g.mu.Lock()
	s.now, s.next = r, nil
	g.mu.Unlock()
	r.err = g.Do(k)
	g.mu.Lock()
	if s.next == nil {
		delete(g.slots, k)
	}
	g.mu.Unlock()
	close(r.done)
	return r.err
}

func (g *Group[K]) slot(k K) *slot {
	s := g.slots[k]
	if s == nil {
		if g.slots == nil {
			g.slots = map[K]*slot{}
		}
		s = &slot{}
		g.slots[k] = s
	}
	return s
}
