package dirspool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/postilion-mail/postilion/spool"
)

// Settle records outcomes and queues follow-ups; see [spool.Store].
//
// Follow-ups come first, in files of their own that name this one as their
// parent. They count from the moment in which the parent's file names them or is
// gone; until then a crash takes them back. So there is one bounce, whatever
// happens.
func (s *Store) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.ops.Done()
	// A worker that came too late is told before its follow-ups are read.
	if err := s.checkSettle(l, out); err != nil {
		return err
	}
	batches, err := s.read(ctx, next)
	defer func() {
		for _, b := range batches {
			b.w.Abort()
		}
	}()
	if err != nil {
		return err
	}
	// Reading took time: the lease is looked at again, and from here on it cannot
	// be lost.
	g, err := s.seizeLease(ctx, l, out)
	if err != nil {
		return err
	}
	p := &publication{s: s, parent: g.entry.file}
	if err := p.publish(ctx, batches...); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.letGo(g.entry)
		return err
	}
	return s.change(g.entry, g.outcome(out), p, func() { s.endLease(g) })
}

func (s *Store) checkSettle(l spool.Lease, out []spool.Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.settling(l, out)
	return err
}

// settling is leased, with a look at the outcomes.
func (s *Store) settling(l spool.Lease, out []spool.Outcome) (*group, error) {
	g, err := s.leased(l)
	if err != nil {
		return nil, err
	}
	seen := make(map[int]bool, len(out))
	for _, o := range out {
		if !g.has(o.Rcpt) {
			return nil, fmt.Errorf("%w: an outcome for recipient %d, who is not in the claim", spool.ErrInvalid, o.Rcpt)
		}
		if seen[o.Rcpt] {
			return nil, fmt.Errorf("%w: two outcomes for recipient %d", spool.ErrInvalid, o.Rcpt)
		}
		seen[o.Rcpt] = true
	}
	return g, nil
}

// seizeLease is settling when the entry is ours alone.
func (s *Store) seizeLease(ctx context.Context, l spool.Lease, out []spool.Outcome) (*group, error) {
	s.mu.Lock()
	for {
		g, err := s.settling(l, out)
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		waited, err := s.seize(ctx, g.entry)
		if err != nil {
			return nil, err
		}
		if !waited {
			s.mu.Unlock()
			return g, nil
		}
	}
}

// read takes in the follow-ups, as far as it gets.
func (s *Store) read(ctx context.Context, next []spool.Followup) ([]batch, error) {
	var out []batch
	for _, f := range next {
		if f.Body == nil {
			return out, fmt.Errorf("%w: a follow-up without a body", spool.ErrInvalid)
		}
		w, err := s.newWriter(0, true)
		if err != nil {
			return out, err
		}
		out = append(out, batch{w, f.Items})
		if _, err := io.Copy(w, f.Body); err != nil {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// outcome is where the recipients of the lease stand after it.
func (g *group) outcome(out []spool.Outcome) state {
	st := state{item: int(g.entry.number)}
	told := map[int]bool{}
	for _, o := range out {
		told[o.Rcpt] = true
		st.rcpts = append(st.rcpts, g.entry.rcpts[o.Rcpt].after(o))
	}
	for _, i := range g.lease.rcpts {
		if r := g.entry.rcpts[i]; !told[int(i)] {
			r.attempts = max(r.attempts, 1) - 1 // a Requeue may have begun anew
			st.rcpts = append(st.rcpts, rcptState{rcpt: r, index: int(i)})
		}
	}
	return st
}

// change writes down that an entry, which is busy, changed, and then shows it,
// with what was published for it. During applied the lock is held.
func (s *Store) change(e *entry, st state, p *publication, applied func()) error {
	at, unlinked, err := s.decide(e, st, p)
	if errors.Is(err, ErrBroken) {
		// What is on the disk decides, when the store is opened the next time.
		p.unreserve()
		return err
	}
	if err != nil {
		p.retract()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.letGo(e)
		return err
	}
	s.mu.Lock()
	p.releaseLocked()
	applied()
	gone := s.apply(e, st, at)
	s.letGo(e)
	s.mu.Unlock()
	if gone && !unlinked {
		s.remove(e.file)
	}
	return nil
}

// decide is the step that makes a change so: a record in the file or, when
// nothing is left to do with it, that the file goes. at is where the record is.
func (s *Store) decide(e *entry, st state, p *publication) (at uint32, unlinked bool, err error) {
	s.mu.Lock()
	last := s.isLast(e, st)
	s.mu.Unlock()
	// Then no record has to say what the follow-ups are: their parent being gone
	// says it too, and many ends of files share one sync.
	if last {
		return 0, true, s.unlink(e.file)
	}
	for _, pt := range p.parts {
		if pt.file != nil {
			st.children = append(st.children, pt.file.name)
		}
	}
	err = s.append(e.file, kindState, func(b []byte) []byte {
		at = e.file.tail
		return st.append(b)
	}, true)
	return at, false, err
}

// isLast reports that with st nothing is left to do in the whole file. The entry
// is busy, so it stays true; the lock is held.
func (s *Store) isLast(e *entry, st state) bool {
	n := uint32(0)
	for _, r := range st.rcpts {
		if r.done {
			n++
		}
	}
	return n == e.open && e.file.live == 1
}

// unlink removes a file, and returns when that is on the disk; many share the
// sync. Whether it is gone must be known, since its follow-ups depend on it.
func (s *Store) unlink(f *file) error {
	if err := s.fsys.Remove(f.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fail(err)
	}
	if err := s.dirs.Sync(f.dir()); err != nil {
		return s.fail(err)
	}
	return nil
}

// remove removes a file of which a record says already that it is done: if it
// comes back after a crash it is removed again.
func (s *Store) remove(f *file) {
	if err := s.fsys.Remove(f.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.opt.log().Warn("spool file is done and stays", "file", f.name.String(), "err", err)
	}
}

// apply makes a change in the index that was written down in a record at at; it
// reports that the file is not needed any more. The lock is held.
func (s *Store) apply(e *entry, st state, at uint32) (gone bool) {
	for _, r := range st.rcpts {
		old := &e.rcpts[r.index]
		last := old.last
		if r.result != nil {
			last = at
		}
		if r.done && !old.done {
			e.open--
		}
		*old = r.rcpt
		old.last = last
	}
	for i := range e.groups {
		s.compact(&e.groups[i])
	}
	if e.open > 0 {
		return false
	}
	s.forget(e)
	e.file.live--
	return e.file.live == 0
}
