package memspool

import (
	"math"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// entry is one item and where its recipients stand.
type entry struct {
	item   *spool.Item
	body   *body
	cost   int64
	rcpts  []rcpt   // for each of Envelope.To
	groups []*group // one for each destination
	open   int      // recipients not settled
}

// rcpt is what the Store knows of one recipient.
type rcpt struct {
	due      time.Time
	last     smtp.Result
	attempts int
	done     bool
	held     bool
	warned   bool
}

// group is the recipients of an entry with one destination.
type group struct {
	entry *entry
	dest  string
	rcpts []int // indexes of those not settled
	place schedule.Place

	// The lease; leased is nil if there is none.
	leased []int
	token  uint64
	until  time.Time
}

// cost estimates the bytes that an item takes besides its body.
func cost(it *spool.Item) int64 {
	n := 256 + len(it.Envelope.Prefix) + len(it.Class)
	for i, r := range it.Envelope.To {
		n += 192 + len(r.Path.Local()) + len(r.Path.Domain()) + len(r.ORcpt) + len(it.DestOf(i))
		for _, p := range r.Other {
			n += 32 + len(p.Name) + len(p.Value)
		}
	}
	for k, v := range it.Meta {
		n += 64 + len(k) + len(v)
	}
	return int64(n)
}

func newEntry(it *spool.Item, b *body, now time.Time) *entry {
	e := &entry{item: it, body: b, cost: cost(it), rcpts: make([]rcpt, len(it.Envelope.To)), open: len(it.Envelope.To)}
	due := it.NotBefore
	if due.IsZero() {
		due = now
	}
	byDest := map[string]*group{}
	for i := range e.rcpts {
		e.rcpts[i].due = due
		dest := it.DestOf(i)
		g := byDest[dest]
		if g == nil {
			g = &group{entry: e, dest: dest}
			byDest[dest] = g
			e.groups = append(e.groups, g)
		}
		g.rcpts = append(g.rcpts, i)
	}
	return e
}

// Place is for the schedule, as are ID, Key and Next.
func (g *group) Place() *schedule.Place { return &g.place }

func (g *group) ID() spool.ID { return g.entry.item.ID }

func (g *group) Key() schedule.Key {
	return schedule.Key{Class: g.entry.item.Class, Dest: g.dest}
}

func (g *group) Next() (int64, bool) {
	if g.leased != nil {
		return schedule.Nanos(g.until), true
	}
	first, found := int64(math.MaxInt64), false
	for _, i := range g.rcpts {
		if r := &g.entry.rcpts[i]; !r.held {
			first, found = min(first, schedule.Nanos(r.due)), true
		}
	}
	return first, found
}

// take begins a lease for what is due, which is nothing if a lease has just run
// out and left only recipients that are held or wait.
func (g *group) take(now int64) []spool.Progress {
	g.leased = nil
	var out []spool.Progress
	for _, i := range g.rcpts {
		r := &g.entry.rcpts[i]
		if r.held || schedule.Nanos(r.due) > now {
			continue
		}
		r.attempts++
		g.leased = append(g.leased, i)
		out = append(out, g.entry.progress(i, spool.StateClaimed))
	}
	return out
}

func (e *entry) progress(i int, state spool.State) spool.Progress {
	r := &e.rcpts[i]
	return spool.Progress{Rcpt: i, State: state, Attempts: r.attempts, Due: r.due, Warned: r.warned, Last: r.last}
}

// state is that of recipient i, who is not settled.
func (g *group) state(i int, now time.Time) spool.State {
	switch {
	case now.Before(g.until) && g.has(i):
		return spool.StateClaimed
	case g.entry.rcpts[i].held:
		return spool.StateHeld
	}
	return spool.StateQueued
}

// has reports whether recipient i is in the lease, which is in order.
func (g *group) has(i int) bool {
	_, ok := slices.BinarySearch(g.leased, i)
	return ok
}

// settle ends the lease. An outcome is known to be for somebody in it.
func (g *group) settle(out []spool.Outcome) {
	told := map[int]bool{}
	for _, o := range out {
		told[o.Rcpt] = true
		r := &g.entry.rcpts[o.Rcpt]
		// The cause stays with the worker, as on an engine that writes it down.
		r.last, r.due = o.Result, o.Next
		r.last.Err = nil
		r.warned = r.warned || o.Warned
		if o.Next.IsZero() {
			g.drop(o.Rcpt)
		}
	}
	for _, i := range g.leased {
		if r := &g.entry.rcpts[i]; !told[i] {
			r.attempts = max(0, r.attempts-1) // a Requeue may have begun anew
		}
	}
	g.leased = nil
	g.compact()
}

// drop is the end of one recipient; compact follows.
func (g *group) drop(i int) {
	g.entry.rcpts[i].done = true
	g.entry.open--
}

// compact forgets those who are dropped.
func (g *group) compact() {
	done := func(i int) bool { return g.entry.rcpts[i].done }
	g.rcpts = slices.DeleteFunc(g.rcpts, done)
	if g.leased = slices.DeleteFunc(g.leased, done); len(g.leased) == 0 {
		g.leased = nil
	}
}
