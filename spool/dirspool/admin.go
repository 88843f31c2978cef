package dirspool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// List gives the items that match; see [spool.Admin]. Each is read from its file
// when its turn comes.
func (s *Store) List(ctx context.Context, f spool.Filter) iter.Seq2[spool.Info, error] {
	return func(yield func(spool.Info, error) bool) {
		if err := s.take(ctx); err != nil {
			yield(spool.Info{}, err)
			return
		}
		// The IDs alone: the items are as many as the disk holds.
		ids := slices.Sorted(maps.Keys(s.items))
		s.mu.Unlock()
		for _, id := range ids {
			info, ok, err := s.info(ctx, id, f)
			if err != nil {
				yield(spool.Info{}, err)
				return
			}
			if ok && !yield(info, nil) {
				return
			}
		}
	}
}

// info is one item with all its recipients, if one of them matches. It is read
// from the disk without the lock, so it may be gone by then.
func (s *Store) info(ctx context.Context, id spool.ID, f spool.Filter) (info spool.Info, ok bool, err error) {
	if err := s.take(ctx); err != nil {
		return info, false, err
	}
	s.ops.Add(1)
	defer s.ops.Done()
	e, now := s.items[id], schedule.Nanos(s.opt.now())
	var last []uint32
	if e != nil {
		for g, i := range e.all() {
			p := g.progress(i, now)
			ok = ok || e.matches(f, g, p)
			info.Rcpts = append(info.Rcpts, p)
		}
		slices.SortFunc(info.Rcpts, func(a, b spool.Progress) int { return a.Rcpt - b.Rcpt })
		for _, p := range info.Rcpts {
			last = append(last, e.rcpts[p.Rcpt].last)
		}
	}
	s.mu.Unlock()
	if !ok {
		return info, false, nil
	}
	err = s.read1(e, &info, last)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return info, false, nil // gone meanwhile
	case errors.Is(err, spool.ErrCorrupt):
		s.quarantine(e.file, err)
		return info, false, nil
	}
	return info, err == nil, err
}

// read1 reads what List shows of one item.
func (s *Store) read1(e *entry, info *spool.Info, last []uint32) (err error) {
	h, err := s.fsys.OpenFile(e.file.path(), os.O_RDONLY, 0)
	if err != nil {
		return full(err)
	}
	defer h.Close()
	info.Size = e.file.records - headerLen
	if info.Item, err = readItem(h, e); err != nil {
		return err
	}
	return readLast(h, e.file, info.Rcpts, last)
}

// all is every recipient that is not done, by destination.
func (e *entry) all() iter.Seq2[*group, uint32] {
	return func(yield func(*group, uint32) bool) {
		for j := range e.groups {
			for _, i := range e.groups[j].rcpts {
				if !yield(&e.groups[j], i) {
					return
				}
			}
		}
	}
}

// matches is [spool.Filter].Match without the item.
func (e *entry) matches(f spool.Filter, g *group, p spool.Progress) bool {
	return (f.ID == "" || f.ID == e.id) &&
		(f.Dest == "" || f.Dest == g.dest.Value()) &&
		(f.Class == nil || *f.Class == e.class.Value()) &&
		(f.State == "" || f.State == p.State)
}

// applyWorkers is how many items Apply changes at the same time, since each
// waits for the disk.
const applyWorkers = 16

// Apply changes what matches; see [spool.Admin]. After an error some items may
// have changed, which the count says.
func (s *Store) Apply(ctx context.Context, f spool.Filter, a spool.Action) (int, error) {
	switch a {
	case spool.Hold, spool.Release, spool.Flush, spool.Requeue, spool.Delete:
	default:
		return 0, fmt.Errorf("%w: unknown action %q", spool.ErrInvalid, a)
	}
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.ops.Done()
	s.mu.Lock()
	var todo []*entry
	if f.ID == "" {
		todo = slices.Collect(maps.Values(s.items))
	} else if e := s.items[f.ID]; e != nil {
		todo = []*entry{e}
	}
	s.mu.Unlock()
	var mu sync.Mutex // guards the three below
	count, next := 0, 0
	var failed error
	var wg sync.WaitGroup
	for range min(applyWorkers, len(todo)) {
		wg.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for next < len(todo) && failed == nil {
				e := todo[next]
				next++
				mu.Unlock()
				n, err := s.applyTo(ctx, e, f, a)
				mu.Lock()
				count += n
				failed = errors.Join(failed, err)
			}
		})
	}
	wg.Wait()
	return count, failed
}

// applyTo changes one item.
func (s *Store) applyTo(ctx context.Context, e *entry, f spool.Filter, a spool.Action) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	for {
		// Planned anew after each wait: a Settle may have changed everything.
		var st state
		if s.items[e.id] == e {
			st = s.plan(e, f, a)
		}
		if len(st.rcpts) == 0 {
			s.mu.Unlock()
			return 0, nil
		}
		waited, err := s.seize(ctx, e)
		if err != nil {
			return 0, err
		}
		if !waited {
			s.mu.Unlock()
			return len(st.rcpts), s.change(e, st, &publication{s: s}, func() {})
		}
	}
}

// plan is what a makes of the recipients of e that match.
func (s *Store) plan(e *entry, f spool.Filter, a spool.Action) state {
	st, now := state{item: int(e.number)}, schedule.Nanos(s.opt.now())
	for g, i := range e.all() {
		p := g.progress(i, now)
		if r := e.rcpts[i]; e.matches(f, g, p) && r.apply(p.State, a, now) {
			st.rcpts = append(st.rcpts, rcptState{rcpt: r, index: int(i)})
		}
	}
	return st
}

// apply does a to one recipient, and reports whether there was something to do.
func (r *rcpt) apply(state spool.State, a spool.Action, now int64) bool {
	switch {
	case a == spool.Hold:
		r.held = true
	case a == spool.Release && r.held:
		r.held = false
	case state == spool.StateClaimed:
		return false // its worker will say what becomes of it
	case a == spool.Flush:
		r.due = now
	case a == spool.Requeue:
		r.due, r.attempts = now, 0
	case a == spool.Delete:
		*r = rcpt{done: true} // nobody is told: no follow-up
	default:
		return false
	}
	return true
}
