package dirspool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// Store is a queue in a directory. Make it with [Open]. All its methods may be
// called concurrently.
type Store struct {
	opt      Options
	fsys     safeio.FS
	lock     io.Closer
	run      [8]byte // this process, in the records of attempts
	recovery Recovery
	dirs     safeio.Group[string] // syncs of directories
	files    safeio.Group[*file]  // syncs of outcomes
	buffers  sync.Pool            // of *[]byte, for bodies on their way in
	shards   shards

	random sync.Mutex // held while Options.Rand is read

	mu      sync.Mutex // guards all below
	closed  bool
	broken  error          // why nothing is done any more
	ops     sync.WaitGroup // calls that use the disk; Add only while not closed
	changed chan struct{}  // closed when a waiting Claim may find something; nil if nobody waits
	items   map[spool.ID]*entry
	coming  map[spool.ID]chan struct{} // IDs that are being put; closed when that is decided
	idle    map[*entry]chan struct{}   // closed when an entry is not busy any more; only where somebody waits
	token   uint64                     // of the newest lease
	leases  map[uint64]*group
	sched   schedule.Schedule[*group]
	pace    time.Duration // how long it takes to get something onto the disk
}

var (
	_ spool.Store = (*Store)(nil)
	_ spool.Admin = (*Store)(nil)
)

// ErrLocked says that another process, or another Store, has the directory.
var ErrLocked = errors.New("dirspool: the directory is in use")

// ErrBroken says that the disk failed in a way that leaves it unknown what is on
// it, such as a failed sync. Nothing is accepted or handed out any more: what
// memory says may not be so. Close the Store and open it again; that reads from
// the disk what is there. To a peer it is 451.
var ErrBroken = errors.New("dirspool: the disk has failed, the store must be opened again")

// Err is nil as long as the Store works, and else [ErrBroken] with its cause,
// or [spool.ErrClosed]. It is for health checks.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err()
}

// err is Err under the lock.
func (s *Store) err() error {
	if s.closed {
		return spool.ErrClosed
	}
	return s.broken
}

// fail makes the Store broken.
func (s *Store) fail(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = fmt.Errorf("%w: %w", ErrBroken, cause)
		s.opt.log().Error("spool is broken", "err", cause)
		s.wake()
		for e, c := range s.idle {
			close(c)
			delete(s.idle, e)
		}
	}
	return s.broken
}

// take takes the lock if there is still something to do.
func (s *Store) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if err := s.err(); err != nil {
		s.mu.Unlock()
		return err
	}
	return nil
}

// begin is take for a call that uses the disk: Close waits for the ops.Done that
// the caller owes, and no lock is held.
func (s *Store) begin(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	s.ops.Add(1)
	s.mu.Unlock()
	return nil
}

// wake lets those who wait look again.
func (s *Store) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Close ends waiting calls, lets those that write finish, and gives the
// directory back.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.wake()
	s.mu.Unlock()
	s.ops.Wait()
	s.leave()
	return errors.Join(s.lock.Close(), s.fsys.Close())
}

// leave says in the files of running claims that this process did not die of
// them.
func (s *Store) leave() {
	if s.broken != nil {
		return
	}
	for _, g := range s.leases {
		if g.lease != nil {
			// It is a hint; the next process can do without.
			_ = s.append(g.entry.file, kindState, g.standing(g.lease.rcpts).append, false)
		}
	}
}

// standing is where some recipients of the group stand.
func (g *group) standing(rcpts []uint32) state {
	st := state{item: int(g.entry.number)}
	for _, i := range rcpts {
		st.rcpts = append(st.rcpts, rcptState{rcpt: g.entry.rcpts[i], index: int(i)})
	}
	return st
}

// seize makes e busy, when nobody else has it so. It is called with the lock
// held and returns with it held, after it may have been free: what was looked at
// before must be looked at again if waited. An error leaves it not held.
func (s *Store) seize(ctx context.Context, e *entry) (waited bool, err error) {
	if !e.busy {
		e.busy = true
		for i := range e.groups {
			s.sched.Remove(&e.groups[i])
		}
		return false, nil
	}
	c := s.idle[e]
	if c == nil {
		c = make(chan struct{})
		s.idle[e] = c
	}
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-c:
	}
	s.mu.Lock()
	if s.broken != nil {
		s.mu.Unlock()
		return true, s.broken
	}
	return true, nil
}

// letGo ends what seize began; the lock is held.
func (s *Store) letGo(e *entry) {
	e.busy = false
	if c := s.idle[e]; c != nil {
		close(c)
		delete(s.idle, e)
	}
	if s.items[e.id] == e {
		for i := range e.groups {
			s.sched.Update(&e.groups[i])
		}
	}
	s.wake()
}

// forget drops an entry from the index; the lock is held.
func (s *Store) forget(e *entry) {
	delete(s.items, e.id)
	for i := range e.groups {
		s.sched.Remove(&e.groups[i])
		s.endLease(&e.groups[i])
	}
}

// full makes of an error of the system one that says what to tell the peer.
func full(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", spool.ErrFull, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: %w", spool.ErrBusy, err)
	}
	return fmt.Errorf("dirspool: %w", err)
}
