package memspool

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// What the zero Store holds at most.
const (
	defaultMaxBytes = 64 << 20
	defaultMaxItems = 100_000
)

// Store is a queue in memory. The zero value is empty and ready; its fields must
// not change after the first call, and it must not be copied. All its methods
// may be called concurrently.
type Store struct {
	MaxBytes int64            // of bodies and envelopes; 0 means 64 MiB, negative no limit
	MaxItems int              // 0 means 100,000, negative no limit
	Now      func() time.Time // nil means time.Now
	Rand     io.Reader        // for IDs, read by one goroutine at a time; nil means crypto/rand

	mu      sync.Mutex // guards all below
	closed  bool
	changed chan struct{} // closed when a waiting Claim may find something; nil if nobody waits
	items   map[spool.ID]*entry
	bytes   int64
	token   uint64            // of the newest lease
	leases  map[uint64]*group // by token
	sched   schedule.Schedule[*group]
}

var (
	_ spool.Store = (*Store)(nil)
	_ spool.Admin = (*Store)(nil)
)

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// lock takes the mutex if there is still something to do.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return spool.ErrClosed
	}
	return nil
}

// wake lets those who wait look again.
func (s *Store) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Close ends waiting calls. The items go with the Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake()
	return nil
}

// reserve is the part of the limits that only follow-ups may use, in eighths
// of what others may.
const reserve = 8

// fits reports whether so much more is within the limits.
func (s *Store) fits(bytes int64, items int, followup bool) bool {
	maxBytes, maxItems := cmp.Or(s.MaxBytes, defaultMaxBytes), cmp.Or(s.MaxItems, defaultMaxItems)
	if followup {
		maxBytes += maxBytes / reserve
		maxItems += max(1, maxItems/reserve)
	}
	return (maxBytes < 0 || s.bytes+bytes <= maxBytes) && (maxItems < 0 || len(s.items)+items <= maxItems)
}

// unref lets go of a body.
func (s *Store) unref(b *body) {
	if b.refs--; b.refs == 0 {
		s.bytes -= b.taken
	}
}

// Begin opens a body; see [spool.Store].
func (s *Store) Begin(ctx context.Context, size int64) (spool.Writer, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if !s.fits(max(size, 0), 1, false) {
		return nil, spool.ErrFull
	}
	return &writer{store: s, body: &body{refs: 1}}, nil
}

// writer is a body on its way in. It holds one reference to it.
type writer struct {
	store    *Store
	body     *body // nil after Commit and Abort
	followup bool
	failed   error
}

func (w *writer) Write(p []byte) (int, error) {
	if w.body == nil {
		return 0, fmt.Errorf("%w: the writer is used up", spool.ErrInvalid)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	room := w.body.room(len(p))
	w.store.mu.Lock()
	switch {
	case w.store.closed:
		w.failed = spool.ErrClosed
	case !w.store.fits(room, 1, w.followup):
		w.failed = spool.ErrFull
	default:
		w.store.bytes += room
	}
	w.store.mu.Unlock()
	if w.failed != nil {
		return 0, w.failed
	}
	w.body.write(p)
	return len(p), nil
}

func (w *writer) Commit(ctx context.Context, items ...*spool.Item) error {
	if w.body == nil || w.failed != nil {
		return fmt.Errorf("%w: the writer is used up", spool.ErrInvalid)
	}
	s := w.store
	if err := s.lock(ctx); err != nil {
		w.failed = err
		return err
	}
	defer s.mu.Unlock()
	if err := s.add(s.now(), batch{w, items}); err != nil {
		w.failed = err
		return err
	}
	s.wake()
	return nil
}

// Abort gives back what was written.
func (w *writer) Abort() error {
	if w.body != nil {
		w.store.mu.Lock()
		w.store.unref(w.body)
		w.store.mu.Unlock()
		w.body = nil
	}
	return nil
}

// batch is a body with its items, about to be added.
type batch struct {
	w     *writer
	items []*spool.Item
}

// add makes all batches visible, or none.
func (s *Store) add(now time.Time, batches ...batch) error {
	var bytes int64
	var fresh int
	seen := map[spool.ID]bool{} // several follow-ups may name one ID
	for _, b := range batches {
		if err := spool.Prepare(now, s.Rand, b.items...); err != nil {
			return err
		}
		for _, it := range b.items {
			if s.items[it.ID] == nil && !seen[it.ID] {
				seen[it.ID] = true
				bytes += cost(it)
				fresh++
			}
		}
	}
	followup := len(batches) > 0 && batches[0].w.followup
	if !s.fits(bytes, fresh, followup) {
		return spool.ErrFull
	}
	for _, b := range batches {
		for _, it := range b.items {
			s.insert(it, b.w.body, now)
		}
		s.unref(b.w.body)
		b.w.body = nil
	}
	return nil
}

// insert adds one item, unless it is there already.
func (s *Store) insert(it *spool.Item, b *body, now time.Time) {
	if s.items[it.ID] != nil {
		return
	}
	if s.items == nil {
		s.items = map[spool.ID]*entry{}
	}
	e := newEntry(it, b, now)
	s.items[it.ID] = e
	b.refs++
	s.bytes += e.cost
	for _, g := range e.groups {
		s.sched.Update(g)
	}
}

// remove drops an item of which nothing is left.
func (s *Store) remove(e *entry) {
	delete(s.items, e.item.ID)
	for _, g := range e.groups {
		delete(s.leases, g.token)
	}
	s.bytes -= e.cost
	s.unref(e.body)
}

// Open gives the body of an item; see [spool.Store].
func (s *Store) Open(ctx context.Context, id spool.ID) (spool.Blob, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	e := s.items[id]
	if e == nil {
		return nil, fmt.Errorf("%w: %s", spool.ErrNotExist, id)
	}
	e.body.refs++
	return &blob{store: s, done: ctx.Done(), why: ctx.Err, body: e.body}, nil
}
