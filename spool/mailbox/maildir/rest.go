package maildir

import (
	"slices"
	"sync"
	"time"
)

// defaultRest is the Rest of a zero Tree.
const defaultRest = 5 * time.Second

// resting closes files and directories of accounts, and forgets indexes, when
// nobody used them for a while: a session that waits costs little. Whoever comes
// then opens them again. Locks stay, since nobody else may have them.
type resting struct {
	after time.Duration // between two looks

	mu      sync.Mutex // guards all below, and account.awake
	awake   []*account
	timer   *time.Timer // nil before the first; runs while somebody is awake
	stopped bool
}

// add has an account looked at from now on.
func (r *resting) add(a *account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.awake || r.stopped {
		return
	}
	a.awake = true
	r.awake = append(r.awake, a)
	if len(r.awake) > 1 {
		return
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(r.after, r.look)
	} else {
		r.timer.Reset(r.after)
	}
}

// look has those rest that nobody used since the last look.
func (r *resting) look() {
	for _, a := range r.idle() {
		if !a.rest() {
			r.add(a)
		}
	}
}

// idle takes out those that nobody used, and sets the timer for the others.
func (r *resting) idle() (idle []*account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awake = slices.DeleteFunc(r.awake, func(a *account) bool {
		if a.active.Swap(false) {
			return false
		}
		a.awake = false
		idle = append(idle, a)
		return true
	})
	if len(r.awake) > 0 {
		r.timer.Reset(r.after)
	} else {
		r.awake = nil
	}
	return idle
}

// stop ends it.
func (r *resting) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped, r.awake = true, nil
	if r.timer != nil {
		r.timer.Stop()
	}
}

// use notes that somebody needs the files.
func (a *account) use() {
	if a.resting != nil && !a.active.Load() {
		a.active.Store(true)
		a.resting.add(a)
	}
}

// rest closes what nobody uses; false says that somebody does.
func (a *account) rest() bool {
	select {
	case <-a.turn:
	default:
		return false
	}
	defer func() { a.turn <- struct{}{} }()
	a.mu.Lock()
	folders := slices.Clone(a.folders)
	a.mu.Unlock()
	for _, f := range folders {
		f.rest()
	}
	if r, ok := (*a.fsys.Load()).(interface{ Rest() }); ok {
		r.Rest()
	}
	return true
}

// rest forgets the index, unless it is all there is: one that is to be written
// anew has what the file has not. The lock is held, so no change is under way.
func (f *folder) rest() {
	f.flushCache()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.rewrite {
		f.unload()
	}
}

// unused reports whether no mailbox is open.
func (a *account) unused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.folders {
		if f.refs > 0 {
			return false
		}
	}
	return true
}
