package dirspool

import (
	"math"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

// What is in memory of a queue is these few words for each file, item and
// recipient; all else is read when it is claimed.

// file is one file in q/.
type file struct {
	name    fileName
	shard   uint8  // number of the directory
	checked bool   // the body was found sound; guarded by Store.mu
	bad     bool   // it is on its way to corrupt/; guarded by Store.mu
	live    uint32 // items that are not done; guarded by Store.mu
	records int64  // where the records begin
	seed    uint32 // of their sums

	mu     sync.Mutex // guards all below; held while a record is appended
	tail   uint32     // where the next record goes, from records
	synced uint32     // up to where all is on the disk
}

// entry is one item.
type entry struct {
	id     spool.ID
	file   *file
	class  unique.Handle[string]
	at     uint32 // of its record, from file.records
	number uint32 // in the file
	open   uint32 // recipients not done
	busy   bool   // a change of it is being written down; nobody else begins one
	rcpts  []rcpt
	groups []group // one for each destination
}

// rcpt is where one recipient stands.
type rcpt struct {
	due      int64  // in nanoseconds since 1970
	last     uint32 // of the record with the last result, from file.records; 0 if there is none
	attempts uint16
	done     bool
	held     bool
	warned   bool
}

// group is the recipients of an entry with one destination.
type group struct {
	entry *entry
	dest  unique.Handle[string]
	place schedule.Place
	rcpts []uint32 // indexes of those not done
	lease *lease   // nil if there is none
}

// lease is a claim that may still be settled. It is over when group.lease is
// another one.
type lease struct {
	token uint64
	until int64
	rcpts []uint32 // in order
}

// newRcpts is how the recipients of an item begin.
func newRcpts(it *spool.Item) []rcpt {
	due := it.NotBefore
	if due.IsZero() {
		due = it.Created
	}
	rcpts := make([]rcpt, len(it.Envelope.To))
	for i := range rcpts {
		rcpts[i].due = schedule.Nanos(due)
	}
	return rcpts
}

// newEntry makes the entry for an item in a file, and counts it there.
func newEntry(it *spool.Item, rcpts []rcpt, f *file, number int, at uint32) *entry {
	e := &entry{id: it.ID, file: f, class: unique.Make(it.Class), at: at, number: uint32(number), rcpts: rcpts}
	byDest := make(map[string][]uint32, 1)
	var order []string
	for i, r := range rcpts {
		if r.done {
			continue
		}
		dest := it.DestOf(i)
		if byDest[dest] == nil {
			order = append(order, dest)
		}
		byDest[dest] = append(byDest[dest], uint32(i))
		e.open++
	}
	e.groups = make([]group, len(order))
	for i, dest := range order {
		e.groups[i] = group{entry: e, dest: unique.Make(dest), rcpts: slices.Clip(byDest[dest])}
	}
	if e.open > 0 {
		f.live++
	}
	return e
}

// Place is for the schedule, as are ID, Key and Next.
func (g *group) Place() *schedule.Place { return &g.place }

func (g *group) ID() spool.ID { return g.entry.id }

func (g *group) Key() schedule.Key {
	return schedule.Key{Class: g.entry.class.Value(), Dest: g.dest.Value()}
}

func (g *group) Next() (int64, bool) {
	if g.entry.busy {
		return 0, false
	}
	if g.lease != nil {
		return g.lease.until, true
	}
	first, found := int64(math.MaxInt64), false
	for _, i := range g.rcpts {
		if r := &g.entry.rcpts[i]; !r.held {
			first, found = min(first, r.due), true
		}
	}
	return first, found
}

// due is who of the group can be claimed; nobody if a lease has just run out and
// left only recipients that are held or wait.
func (g *group) due(now int64) []uint32 {
	var out []uint32
	for _, i := range g.rcpts {
		if r := &g.entry.rcpts[i]; !r.held && r.due <= now {
			out = append(out, i)
		}
	}
	return out
}

// has reports whether recipient i is in the lease.
func (g *group) has(i int) bool {
	if g.lease == nil || i < 0 || i > maxIndex {
		return false
	}
	_, ok := slices.BinarySearch(g.lease.rcpts, uint32(i))
	return ok
}

// progress is what is said of recipient i, without the last result.
func (g *group) progress(i uint32, now int64) spool.Progress {
	r := &g.entry.rcpts[i]
	p := spool.Progress{Rcpt: int(i), State: spool.StateQueued, Attempts: int(r.attempts), Due: time.Unix(0, r.due).UTC(), Warned: r.warned}
	switch {
	case g.lease != nil && now < g.lease.until && g.has(int(i)):
		p.State = spool.StateClaimed
	case r.held:
		p.State = spool.StateHeld
	}
	return p
}

// after is where a recipient stands after an attempt.
func (r rcpt) after(o spool.Outcome) rcptState {
	s := rcptState{rcpt: r, index: o.Rcpt}
	s.warned = r.warned || o.Warned
	if o.Next.IsZero() {
		s.done = true
		return s
	}
	// The cause stays with the worker.
	s.due, s.result = schedule.Nanos(o.Next), &smtp.Result{Status: o.Result.Status, Reply: o.Result.Reply, Host: o.Result.Host, DSN: o.Result.DSN}
	return s
}
