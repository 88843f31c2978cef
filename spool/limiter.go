package spool

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Limiter decides how many deliveries to one destination run at once. Its
// methods may be called concurrently; one that speaks for several machines may
// ask elsewhere.
type Limiter interface {
	// Acquire takes a place for one delivery to dest. release gives it back with
	// how the delivery ended, and must be called once; calls after the first do
	// nothing. For several recipients any result will do that came from the
	// destination; the zero Result says that nobody was reached, and one whose Err
	// is context.Canceled says nothing of the destination.
	//
	// A nil release is no place. dead is then the time until which nothing is to be
	// sent there, zero if it is enough to wait for other deliveries to end.
	Acquire(dest string) (release func(smtp.Result), dead time.Time)
	// Full names the destinations that take no more before a delivery ends, in
	// order: what goes into Query.Skip. Dead ones are not among them: their mail
	// is to be claimed and put off, so that it grows old and is given up in time.
	Full() []string
}

// Window is the [Limiter] of one process. Each destination has a window, the
// number of deliveries that may run at once. It grows by one after a whole
// window of answers, and shrinks by one after a whole window of failures; a 421,
// by which a host says that it has enough, halves it.
//
// A failure is a temporary result with no reply at all, with 421, or with an
// enhanced code that says the same (4.4.1 and 4.4.2, RFC 3463 §3.5). After as many
// failures in a row as the window has, the destination is dead: for Pause
// nothing goes there, then a single delivery finds out. If that fails too the
// pause doubles, up to MaxPause; if it is answered the window is as at first.
// So a host that is down costs one connection now and then, however much mail
// waits for it.
//
// The zero Window is ready. Its fields must not change once in use.
type Window struct {
	Initial  int              // width at first; 0 means 5
	Max      int              // width at most; 0 means 20
	Pause    time.Duration    // for a dead destination; 0 means 5 minutes
	MaxPause time.Duration    // 0 means 1 h
	Now      func() time.Time // nil means time.Now

	mu    sync.Mutex // guards all below
	dests map[string]*lane
	busy  map[string]*lane // those of dests that are full
	sweep int              // number of destinations at which to look for idle ones
}

var _ Limiter = (*Window)(nil)

// lane is one destination.
type lane struct {
	running  int
	width    float64       // at least 1
	failed   float64       // in windows: 1 is a whole window of failures in a row
	pause    time.Duration // the last one; 0 if alive
	deadTill time.Time
	used     time.Time
}

// How many destinations are remembered before idle ones are dropped, and what
// is idle.
const (
	minSweep  = 1024
	idleAfter = 2 * time.Hour // longer than a pause by default: the dead are not forgotten
)

func (w *Window) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

func (w *Window) initial() float64 { return float64(max(1, min(cmp.Or(w.Initial, 5), w.max()))) }
func (w *Window) max() int         { return max(1, cmp.Or(w.Max, 20)) }

// Acquire takes a place; see [Limiter].
func (w *Window) Acquire(dest string) (release func(smtp.Result), dead time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	l := w.dests[dest]
	if l == nil {
		l = w.add(dest, now)
	}
	if now.Before(l.deadTill) {
		return nil, l.deadTill
	}
	if l.full() {
		return nil, time.Time{}
	}
	l.running++
	l.used = now
	w.note(dest, l)
	var once sync.Once
	return func(r smtp.Result) { once.Do(func() { w.release(dest, l, r) }) }, time.Time{}
}

// add begins a destination. Who has not been used for long is forgotten then,
// so the memory is that of the destinations of the last hours.
func (w *Window) add(dest string, now time.Time) *lane {
	if w.dests == nil {
		w.dests = map[string]*lane{}
	}
	if len(w.dests) >= max(w.sweep, minSweep) {
		maps.DeleteFunc(w.dests, func(_ string, l *lane) bool {
			return l.running == 0 && now.Sub(l.used) > idleAfter && !now.Before(l.deadTill)
		})
		w.sweep = 2 * len(w.dests)
	}
	l := &lane{width: w.initial()}
	w.dests[dest] = l
	return l
}

// full reports that no further delivery may begin before another ends.
func (l *lane) full() bool { return l.running >= l.room() }

// room is how many may run. One that comes back from the dead has room for one.
func (l *lane) room() int {
	if l.pause > 0 {
		return 1
	}
	return int(l.width)
}

// note keeps busy true after a change.
func (w *Window) note(dest string, l *lane) {
	if !l.full() {
		delete(w.busy, dest)
		return
	}
	if w.busy == nil {
		w.busy = map[string]*lane{}
	}
	w.busy[dest] = l
}

func (w *Window) release(dest string, l *lane, r smtp.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.note(dest, l)
	l.running--
	l.used = w.now()
	switch {
	case errors.Is(r.Err, context.Canceled): // cut short by ourselves
	case unanswered(r):
		w.failure(l, r.Reply.Code == 421)
	case l.pause > 0:
		*l = lane{running: l.running, width: w.initial(), used: l.used}
	default:
		l.failed = 0
		l.width = min(l.width+1/l.width, float64(w.max()))
	}
}

// unanswered reports that a delivery failed for the host, not for the message.
// The enhanced codes are what agents say that got no answer themselves.
func unanswered(r smtp.Result) bool {
	if r.Status != smtp.Temporary {
		return false
	}
	switch r.Reply.Code {
	case 0, 421:
		return true
	}
	return r.Reply.Enhanced == "4.4.1" || r.Reply.Enhanced == "4.4.2"
}

func (w *Window) failure(l *lane, throttled bool) {
	now := w.now()
	if now.Before(l.deadTill) {
		return // begun before it was known to be dead: no news
	}
	step := 1 / float64(l.room())
	l.failed += step
	if throttled {
		l.width = max(1, l.width/2)
	} else {
		l.width = max(1, l.width-step)
	}
	if l.failed < 0.999 { // sums of fractions come out a little short of 1
		return
	}
	l.pause = min(max(2*l.pause, cmp.Or(w.Pause, 5*time.Minute)), cmp.Or(w.MaxPause, time.Hour))
	l.deadTill, l.failed = now.Add(l.pause), 0
}

// Full names who takes no more now; see [Limiter].
func (w *Window) Full() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var out []string
	for dest, l := range w.busy {
		if !now.Before(l.deadTill) {
			out = append(out, dest)
		}
	}
	slices.Sort(out)
	return out
}
