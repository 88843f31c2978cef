package memspool

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

// List gives the items that match; see [spool.Admin].
func (s *Store) List(ctx context.Context, f spool.Filter) iter.Seq2[spool.Info, error] {
	return func(yield func(spool.Info, error) bool) {
		if err := s.lock(ctx); err != nil {
			yield(spool.Info{}, err)
			return
		}
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

func (s *Store) info(ctx context.Context, id spool.ID, f spool.Filter) (spool.Info, bool, error) {
	if err := s.lock(ctx); err != nil {
		return spool.Info{}, false, err
	}
	defer s.mu.Unlock()
	e := s.items[id]
	if e == nil {
		return spool.Info{}, false, nil
	}
	info := spool.Info{Item: e.item, Size: e.body.size}
	match := false
	for p := range e.all(s.now()) {
		info.Rcpts = append(info.Rcpts, p)
		match = match || f.Match(e.item, p)
	}
	slices.SortFunc(info.Rcpts, func(a, b spool.Progress) int { return a.Rcpt - b.Rcpt })
	return info, match, nil
}

// all is every recipient that is not settled, by destination.
func (e *entry) all(now time.Time) iter.Seq[spool.Progress] {
	return func(yield func(spool.Progress) bool) {
		for _, g := range e.groups {
			for _, i := range g.rcpts {
				if !yield(e.progress(i, g.state(i, now))) {
					return
				}
			}
		}
	}
}

// Apply changes what matches; see [spool.Admin].
func (s *Store) Apply(ctx context.Context, f spool.Filter, a spool.Action) (int, error) {
	switch a {
	case spool.Hold, spool.Release, spool.Flush, spool.Requeue, spool.Delete:
	default:
		return 0, fmt.Errorf("%w: unknown action %q", spool.ErrInvalid, a)
	}
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	now := s.now()
	defer s.wake()
	if f.ID != "" {
		if e := s.items[f.ID]; e != nil {
			return s.applyTo(e, f, a, now), nil
		}
		return 0, nil
	}
	n := 0
	for _, e := range s.items {
		n += s.applyTo(e, f, a, now)
	}
	return n, nil
}

func (s *Store) applyTo(e *entry, f spool.Filter, a spool.Action, now time.Time) (n int) {
	for _, g := range e.groups {
		for _, i := range g.rcpts {
			p := e.progress(i, g.state(i, now))
			if f.Match(e.item, p) && g.apply(i, p.State, a, now) {
				n++
			}
		}
		g.compact() // with it a lease that ran out and has nobody left
		s.sched.Update(g)
	}
	if e.open == 0 {
		s.remove(e)
	}
	return n
}

// apply does a to one recipient, and reports whether there was something to do.
func (g *group) apply(i int, state spool.State, a spool.Action, now time.Time) bool {
	r := &g.entry.rcpts[i]
	switch {
	case a == spool.Hold:
		r.held = true
	case a == spool.Release && r.held:
		r.held = false
	case state == spool.StateClaimed:
		return false
	case a == spool.Flush:
		r.due = now
	case a == spool.Requeue:
		r.due, r.attempts = now, 0
	case a == spool.Delete:
		g.drop(i)
	default:
		return false
	}
	return true
}
