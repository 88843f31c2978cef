// Package schedule finds what a queue can claim next: due, fair between classes
// and between the destinations of each, and not what a query does not want. The
// stores of spool share it.
package schedule

import (
	"container/heap"
	"container/list"
	"math"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

// Group is what is claimed at a time: the recipients of an item with one
// destination. It is a pointer.
type Group interface {
	Place() *Place       // its own
	ID() spool.ID        // of its item
	Key() Key            // never changes
	Next() (int64, bool) // when it can be claimed, see [Nanos]; false if never as things are
}

// Key says which groups wait together.
type Key struct{ Class, Dest string }

// Place is where a group stands in a [Schedule]. The zero value is nowhere.
type Place struct {
	ready int64 // when it can be claimed next
	index int32 // in the heap of its bucket, from 1
}

// Nanos is t in nanoseconds since 1970. Times that do not fit are as far away as
// can be.
func Nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Schedule finds what can be claimed. A bucket is either in waiting, or in the
// queue of its class when something in it is due, as far as was looked. So a
// claim costs the logarithm of what is queued, plus what it has to skip. The zero
// value is empty; one goroutine at a time may use it.
type Schedule[G Group] struct {
	buckets map[Key]*bucket[G]
	waiting bucketHeap[G]
	classes []*class // in turn; only those with a bucket that may be due
	turn    int      // index of the class to serve next
}

// class is a queue of buckets, the one to serve next in front.
type class struct {
	name  string
	queue *list.List // of *bucket[G]
}

// bucket is all groups of one class and destination, the first in time on top.
type bucket[G Group] struct {
	key    Key
	groups groupHeap[G]
	index  int           // in Schedule.waiting; -1 if not there
	queued *list.Element // in the queue of its class; nil if not there
}

func (b *bucket[G]) ready() int64 { return b.groups[0].Place().ready }

// Update puts g where it belongs after it changed.
func (s *Schedule[G]) Update(g G) {
	next, ok := g.Next()
	if !ok {
		s.Remove(g)
		return
	}
	p, b := g.Place(), s.bucket(g.Key())
	p.ready = next
	if p.index > 0 {
		heap.Fix(&b.groups, int(p.index-1))
	} else {
		heap.Push(&b.groups, g)
	}
	s.moved(b)
}

// Remove takes g out; it may come back by Update.
func (s *Schedule[G]) Remove(g G) {
	p := g.Place()
	if p.index == 0 {
		return
	}
	b := s.buckets[g.Key()]
	heap.Remove(&b.groups, int(p.index-1))
	if len(b.groups) > 0 {
		s.moved(b)
		return
	}
	delete(s.buckets, b.key)
	if b.index >= 0 {
		heap.Remove(&s.waiting, b.index)
	}
	if b.queued != nil {
		s.dequeue(b)
	}
}

// IsEmpty reports that nothing can ever be claimed as things are.
func (s *Schedule[G]) IsEmpty() bool {
	return len(s.buckets) == 0 && len(s.waiting) == 0 && len(s.classes) == 0
}

func (s *Schedule[G]) bucket(k Key) *bucket[G] {
	b := s.buckets[k]
	if b == nil {
		if s.buckets == nil {
			s.buckets = map[Key]*bucket[G]{}
		}
		b = &bucket[G]{key: k, index: -1}
		s.buckets[k] = b
	}
	return b
}

// moved puts b into waiting, or to its new place there. A bucket in a queue
// stays: whoever comes to it there sees that nothing is due.
func (s *Schedule[G]) moved(b *bucket[G]) {
	switch {
	case b.queued != nil:
	case b.index >= 0:
		heap.Fix(&s.waiting, b.index)
	default:
		heap.Push(&s.waiting, b)
	}
}

// promote queues the buckets that have become due.
func (s *Schedule[G]) promote(now int64) {
	for len(s.waiting) > 0 && s.waiting[0].ready() <= now {
		b := heap.Pop(&s.waiting).(*bucket[G])
		b.queued = s.class(b.key.Class).queue.PushBack(b)
	}
}

func (s *Schedule[G]) class(name string) *class {
	i := slices.IndexFunc(s.classes, func(c *class) bool { return c.name == name })
	if i >= 0 {
		return s.classes[i]
	}
	c := &class{name, list.New()}
	// The newest class is served last.
	s.classes = slices.Insert(s.classes, s.turn, c)
	s.turn++
	return c
}

// dequeue takes b out of its queue, and its class out of the round if it was
// the last.
func (s *Schedule[G]) dequeue(b *bucket[G]) {
	i := slices.IndexFunc(s.classes, func(c *class) bool { return c.name == b.key.Class })
	s.classes[i].queue.Remove(b.queued)
	b.queued = nil
	if s.classes[i].queue.Len() > 0 {
		return
	}
	s.classes = slices.Delete(s.classes, i, i+1)
	if i < s.turn {
		s.turn--
	}
}

// Pick finds the group to claim next, without the destinations that skip is
// true for, and ends the turn of its destination and class. It is false if there
// is none.
func (s *Schedule[G]) Pick(now int64, skip func(dest string) bool) (g G, ok bool) {
	s.promote(now)
	for range len(s.classes) {
		if len(s.classes) == 0 {
			break
		}
		s.turn %= len(s.classes)
		c := s.classes[s.turn]
		if b := s.first(c, now, skip); b != nil {
			c.queue.MoveToBack(b.queued)
			s.turn++
			return b.groups[0], true
		}
		// first may have taken the class out of the round.
		if s.turn < len(s.classes) && s.classes[s.turn] == c {
			s.turn++
		}
	}
	return g, false
}

// Any reports whether Pick would find a group, and ends nobody's turn.
func (s *Schedule[G]) Any(now int64, skip func(dest string) bool) bool {
	s.promote(now)
	for _, c := range slices.Clone(s.classes) {
		if s.first(c, now, skip) != nil {
			return true
		}
	}
	return false
}

// first is the first bucket in the queue with something to claim.
func (s *Schedule[G]) first(c *class, now int64, skip func(string) bool) *bucket[G] {
	var next *list.Element
	for el := c.queue.Front(); el != nil; el = next {
		next = el.Next()
		b := el.Value.(*bucket[G])
		switch {
		case b.ready() > now:
			s.dequeue(b)
			s.moved(b)
		case !skip(b.key.Dest):
			return b
		}
	}
	return nil
}

// Next is when something may become due that is not now; false if never.
func (s *Schedule[G]) Next() (int64, bool) {
	if len(s.waiting) == 0 {
		return 0, false
	}
	return s.waiting[0].ready(), true
}

// Unwanted tells the destinations that q skips.
func Unwanted(q spool.Query) func(dest string) bool {
	if len(q.Skip) < 8 { // where a loop is faster than a map
		return func(dest string) bool { return slices.Contains(q.Skip, dest) }
	}
	set := make(map[string]bool, len(q.Skip))
	for _, d := range q.Skip {
		set[d] = true
	}
	return func(dest string) bool { return set[dest] }
}
