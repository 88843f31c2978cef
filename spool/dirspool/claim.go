package dirspool

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// Claim takes due work; see [spool.Store]. Each claim leaves a mark in its file,
// so that nothing is delivered of which the outcome could not be written down,
// and so that a message which kills its process is known by it.
func (s *Store) Claim(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	s.ops.Add(1)
	defer s.ops.Done()
	picked := s.pick(q)
	s.mu.Unlock()
	var out []spool.Claim
	var failed error
	for _, p := range picked {
		if failed == nil {
			failed = ctx.Err()
		}
		var c spool.Claim
		var err error
		if failed == nil {
			c, err = s.load(p)
		}
		switch {
		case failed != nil: // none of the rest is begun
			s.giveBack(p, 0)
		case err == nil:
			out = append(out, c)
		case errors.Is(err, spool.ErrCorrupt), errors.Is(err, fs.ErrNotExist):
			// Not an error of this call: the next item is as good.
			s.quarantine(p.group.entry.file, err)
		default:
			s.giveBack(p, postponed)
			failed = err
		}
	}
	// What was taken is handed out all the same; the rest fails the next call.
	if len(out) > 0 {
		return out, nil
	}
	return nil, failed
}

// postponed is after how long a file that could not be read, or written to, is
// looked at again: it must not keep others waiting.
const postponed = time.Minute

// picked is a claim about to be made.
type picked struct {
	group *group
	lease *lease
	due   []spool.Progress
	last  []uint32 // where the last result of each is
	tried []tried
}

// pick takes groups for q; the lock is held.
func (s *Store) pick(q spool.Query) (out []picked) {
	at := s.opt.now()
	now, until := schedule.Nanos(at), schedule.Nanos(at.Add(cmp.Or(q.Lease, spool.DefaultLease)))
	taken := map[string]int{}
	unwanted := schedule.Unwanted(q)
	skip := func(dest string) bool {
		return unwanted(dest) || q.PerDest > 0 && taken[dest] >= q.PerDest
	}
	for len(out) < max(q.Max, 1) {
		g, ok := s.sched.Pick(now, skip)
		if !ok {
			break
		}
		if due := g.due(now); len(due) > 0 {
			out = append(out, s.takeGroup(g, due, until))
			taken[g.dest.Value()]++
		} else {
			s.endLease(g)
		}
		s.sched.Update(g)
	}
	return out
}

// takeGroup begins a lease; the one before is lost.
func (s *Store) takeGroup(g *group, due []uint32, until int64) picked {
	s.endLease(g)
	s.token++
	g.lease = &lease{s.token, until, due}
	s.leases[s.token] = g
	p := picked{group: g, lease: g.lease}
	for _, i := range due {
		r := &g.entry.rcpts[i]
		if r.attempts++; r.attempts == 0 {
			r.attempts-- // as many as can be counted
		}
		pr := g.progress(i, 0)
		pr.State = spool.StateClaimed
		p.due = append(p.due, pr)
		p.last = append(p.last, r.last)
		p.tried = append(p.tried, tried{int(i), r.attempts})
	}
	return p
}

func (s *Store) endLease(g *group) {
	if g.lease != nil {
		delete(s.leases, g.lease.token)
		g.lease = nil
	}
}

// compact forgets those who are done, and a lease of nobody else.
func (s *Store) compact(g *group) {
	done := func(i uint32) bool { return g.entry.rcpts[i].done }
	g.rcpts = slices.DeleteFunc(g.rcpts, done)
	if g.lease == nil {
		return
	}
	if g.lease.rcpts = slices.DeleteFunc(g.lease.rcpts, done); len(g.lease.rcpts) == 0 {
		s.endLease(g)
	}
}

// giveBack undoes a claim that was not handed out. It becomes due after d.
func (s *Store) giveBack(p picked, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := p.group
	if g.lease != p.lease {
		return // it ran out, and somebody else has claimed meanwhile
	}
	for _, i := range g.lease.rcpts {
		r := &g.entry.rcpts[i]
		r.attempts = max(r.attempts, 1) - 1
		if d > 0 {
			r.due = schedule.Nanos(s.opt.now().Add(d))
		}
	}
	s.endLease(g)
	if !g.entry.busy && s.items[g.entry.id] == g.entry {
		s.sched.Update(g)
	}
	s.wake()
}

// load marks the attempt and reads the item and where its recipients stand.
func (s *Store) load(p picked) (c spool.Claim, err error) {
	e := p.group.entry
	f := e.file
	h, err := s.fsys.OpenFile(f.path(), os.O_RDWR, 0)
	if err != nil {
		return c, full(err)
	}
	defer h.Close()
	// The mark comes before all else: when it cannot be written, neither could the
	// outcome. It is not synced, since a crash of the process alone keeps it, and a
	// power cut is not the message's fault.
	f.mu.Lock()
	err = s.writeTo(h, f, kindAttempt, attempt{s.run, int(e.number), p.tried}.append, false)
	f.mu.Unlock()
	if err != nil {
		return c, err
	}
	item, err := readItem(h, e)
	if err != nil {
		return c, err
	}
	if err := readLast(h, f, p.due, p.last); err != nil {
		return c, err
	}
	l := spool.Lease{ID: e.id, Token: p.lease.token, Until: time.Unix(0, p.lease.until).UTC()}
	return spool.Claim{Lease: l, Item: item, Due: p.due}, nil
}

// readRecord reads the record of a file that begins at an offset from the first
// one.
func readRecord(r io.ReaderAt, f *file, at uint32) (record, error) {
	b := make([]byte, 1024)
	for {
		n, err := r.ReadAt(b, f.records+int64(at))
		if err != nil && err != io.EOF {
			return record{}, full(err)
		}
		if rec, ok := parseRecord(b[:n], f.seed); ok {
			return rec, nil
		}
		// The length may be what is wrong; the file bounds it.
		if err == io.EOF {
			return record{}, errData
		}
		b = make([]byte, 4*len(b))
	}
}

// readItem reads the item of an entry, and sees that it is the one.
func readItem(r io.ReaderAt, e *entry) (*spool.Item, error) {
	rec, err := readRecord(r, e.file, e.at)
	if err != nil {
		return nil, err
	}
	it := new(spool.Item)
	if rec.kind != kindItem {
		return nil, errData
	}
	if err := it.UnmarshalBinary(rec.data); err != nil {
		return nil, err
	}
	if it.ID != e.id || len(it.Envelope.To) != len(e.rcpts) {
		return nil, errData
	}
	return it, nil
}

// readLast fills in the last results; at says where each is, 0 nowhere. Many
// recipients have theirs in one record.
func readLast(r io.ReaderAt, f *file, ps []spool.Progress, at []uint32) error {
	read := map[uint32]map[int]*smtp.Result{}
	for i := range ps {
		if at[i] == 0 {
			continue
		}
		if read[at[i]] == nil {
			rec, err := readRecord(r, f, at[i])
			if err != nil {
				return err
			}
			st, err := parseState(rec.data)
			if err != nil {
				return err
			}
			results := map[int]*smtp.Result{}
			for _, s := range st.rcpts {
				results[s.index] = s.result
			}
			read[at[i]] = results
		}
		if res := read[at[i]][ps[i].Rcpt]; res != nil {
			ps[i].Last = *res
		}
	}
	return nil
}

// Extend moves the end of a lease; see [spool.Store].
func (s *Store) Extend(ctx context.Context, l spool.Lease, d time.Duration) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	g, err := s.leased(l)
	if err != nil {
		return err
	}
	g.lease.until = schedule.Nanos(s.opt.now().Add(d))
	if !g.entry.busy {
		s.sched.Update(g)
	}
	s.wake() // it may run out earlier now
	return nil
}

// leased is the group that l is the lease of. A lease that ran out is as good
// as any until a Claim replaces it.
func (s *Store) leased(l spool.Lease) (*group, error) {
	g := s.leases[l.Token]
	if g == nil || g.lease == nil || g.lease.token != l.Token || g.entry.id != l.ID {
		return nil, spool.ErrLost
	}
	return g, nil
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
	if err := s.take(ctx); err != nil {
		return false, nil, 0, err
	}
	defer s.mu.Unlock()
	now := schedule.Nanos(s.opt.now())
	if s.sched.Any(now, schedule.Unwanted(q)) {
		return true, nil, 0, nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	pause = maxWait
	if next, ok := s.sched.Next(); ok && next < now+int64(maxWait) {
		pause = time.Duration(max(next-now, 0))
	}
	return false, s.changed, pause, nil
}
