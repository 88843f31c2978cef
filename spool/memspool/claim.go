package memspool

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// Claim takes due work; see [spool.Store].
func (s *Store) Claim(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	at := s.now()
	now, until := schedule.Nanos(at), at.Add(cmp.Or(q.Lease, spool.DefaultLease))
	taken := map[string]int{}
	unwanted := schedule.Unwanted(q)
	skip := func(dest string) bool {
		return unwanted(dest) || q.PerDest > 0 && taken[dest] >= q.PerDest
	}
	var out []spool.Claim
	for len(out) < max(q.Max, 1) {
		g, ok := s.sched.Pick(now, skip)
		if !ok {
			break
		}
		if due := g.take(now); len(due) > 0 {
			s.begin(g, until)
			taken[g.dest]++
			lease := spool.Lease{ID: g.entry.item.ID, Token: g.token, Until: until}
			out = append(out, spool.Claim{Lease: lease, Item: g.entry.item, Due: due})
		}
		s.sched.Update(g)
	}
	return out, nil
}

// begin makes the lease of g a new one; the one before is lost.
func (s *Store) begin(g *group, until time.Time) {
	if s.leases == nil {
		s.leases = map[uint64]*group{}
	}
	delete(s.leases, g.token)
	s.token++
	g.token, g.until = s.token, until
	s.leases[g.token] = g
}

// leased is the group that l is the lease of. A lease that ran out is as good
// as any until a Claim replaces it.
func (s *Store) leased(l spool.Lease) (*group, error) {
	g := s.leases[l.Token]
	if g == nil || g.leased == nil || g.entry.item.ID != l.ID {
		return nil, spool.ErrLost
	}
	return g, nil
}

// Extend moves the end of a lease; see [spool.Store].
func (s *Store) Extend(ctx context.Context, l spool.Lease, d time.Duration) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	g, err := s.leased(l)
	if err != nil {
		return err
	}
	g.until = s.now().Add(d)
	s.sched.Update(g)
	s.wake() // it may run out earlier now
	return nil
}

// Settle records outcomes and queues follow-ups; see [spool.Store].
func (s *Store) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	// A worker that came too late is told before its follow-ups are read.
	if err := s.checkSettle(ctx, l, out); err != nil {
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
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	g, err := s.settling(l, out)
	if err != nil {
		return err
	}
	if err := s.add(s.now(), batches...); err != nil {
		return err
	}
	g.settle(out)
	delete(s.leases, l.Token)
	s.sched.Update(g)
	if g.entry.open == 0 {
		s.remove(g.entry)
	}
	s.wake()
	return nil
}

func (s *Store) checkSettle(ctx context.Context, l spool.Lease, out []spool.Outcome) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
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

// read takes in the follow-ups, as far as it gets.
func (s *Store) read(ctx context.Context, next []spool.Followup) ([]batch, error) {
	var out []batch
	for _, f := range next {
		if f.Body == nil {
			return out, fmt.Errorf("%w: a follow-up without a body", spool.ErrInvalid)
		}
		w := &writer{store: s, body: &body{refs: 1}, followup: true}
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

// maxWait is after how long Wait looks at the clock again: the clock may jump,
// and an injected one need not go at the pace of the timers.
const maxWait = time.Second

// Wait waits for work; see [spool.Store].
func (s *Store) Wait(ctx context.Context, q spool.Query) error {
	for {
		found, changed, pause, err := s.look(ctx, q)
		if err != nil || found {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// look says whether there is something to claim, and else what to wait for.
func (s *Store) look(ctx context.Context, q spool.Query) (found bool, changed <-chan struct{}, pause time.Duration, err error) {
	if err := s.lock(ctx); err != nil {
		return false, nil, 0, err
	}
	defer s.mu.Unlock()
	now := schedule.Nanos(s.now())
	if s.sched.Any(now, schedule.Unwanted(q)) {
		return true, nil, 0, nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	pause = maxWait
	if next, ok := s.sched.Next(); ok && next < now+int64(maxWait) {
		pause = time.Duration(next - now)
	}
	return false, s.changed, pause, nil
}
