package dirspool

import (
	"container/heap"
	"container/list"
	"slices"
	"unique"
)

// schedule finds what can be claimed. A bucket is either in waiting, or in the
// queue of its class when something in it is due, as far as was looked. So a
// claim costs the logarithm of what is queued, plus what it has to skip.
type schedule struct {
	buckets map[key]*bucket
	waiting bucketHeap
	classes []*class // in turn; only those with a bucket that may be due
	turn    int      // index of the class to serve next
}

type key struct{ class, dest unique.Handle[string] }

// class is a queue of buckets, the one to serve next in front.
type class struct {
	name  unique.Handle[string]
	queue *list.List // of *bucket
}

// bucket is all groups of one class and destination, the first in time on top.
type bucket struct {
	key    key
	groups groupHeap
	index  int           // in schedule.waiting; -1 if not there
	queued *list.Element // in the queue of its class; nil if not there
}

func (b *bucket) ready() int64 { return b.groups[0].ready }

// update puts g where it belongs after it changed.
func (s *schedule) update(g *group) {
	next, ok := g.next()
	if !ok {
		s.unlink(g)
		return
	}
	g.ready = next
	if g.index >= 0 {
		heap.Fix(&g.bucket.groups, int(g.index))
	} else {
		g.bucket = s.bucket(key{g.entry.class, g.dest})
		heap.Push(&g.bucket.groups, g)
	}
	s.moved(g.bucket)
}

// unlink takes g out; it may come back by update.
func (s *schedule) unlink(g *group) {
	if g.index < 0 {
		return
	}
	b := g.bucket
	heap.Remove(&b.groups, int(g.index))
	g.bucket = nil
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

func (s *schedule) bucket(k key) *bucket {
	b := s.buckets[k]
	if b == nil {
		if s.buckets == nil {
			s.buckets = map[key]*bucket{}
		}
		b = &bucket{key: k, index: -1}
		s.buckets[k] = b
	}
	return b
}

// moved puts b into waiting, or to its new place there. A bucket in a queue
// stays: whoever comes to it there sees that nothing is due.
func (s *schedule) moved(b *bucket) {
	switch {
	case b.queued != nil:
	case b.index >= 0:
		heap.Fix(&s.waiting, b.index)
	default:
		heap.Push(&s.waiting, b)
	}
}

// promote queues the buckets that have become due.
func (s *schedule) promote(now int64) {
	for len(s.waiting) > 0 && s.waiting[0].ready() <= now {
		b := heap.Pop(&s.waiting).(*bucket)
		b.queued = s.class(b.key.class).queue.PushBack(b)
	}
}

func (s *schedule) class(name unique.Handle[string]) *class {
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
func (s *schedule) dequeue(b *bucket) {
	i := slices.IndexFunc(s.classes, func(c *class) bool { return c.name == b.key.class })
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

// pick finds the group to claim next, without the destinations that skip is
// true for, and ends the turn of its destination and class. It returns nil if
// there is none.
func (s *schedule) pick(now int64, skip func(dest string) bool) *group {
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
			return b.groups[0]
		}
		// first may have taken the class out of the round.
		if s.turn < len(s.classes) && s.classes[s.turn] == c {
			s.turn++
		}
	}
	return nil
}

// any reports whether pick would find a group, and ends nobody's turn.
func (s *schedule) any(now int64, skip func(dest string) bool) bool {
	s.promote(now)
	for _, c := range slices.Clone(s.classes) {
		if s.first(c, now, skip) != nil {
			return true
		}
	}
	return false
}

// first is the first bucket in the queue with something to claim.
func (s *schedule) first(c *class, now int64, skip func(string) bool) *bucket {
	var next *list.Element
	for el := c.queue.Front(); el != nil; el = next {
		next = el.Next()
		b := el.Value.(*bucket)
		switch {
		case b.ready() > now:
			s.dequeue(b)
			s.moved(b)
		case !skip(b.key.dest.Value()):
			return b
		}
	}
	return nil
}

// next is when something may become due that is not now; false if never.
func (s *schedule) next() (int64, bool) {
	if len(s.waiting) == 0 {
		return 0, false
	}
	return s.waiting[0].ready(), true
}

// groupHeap is ordered by time, then by ID.
type groupHeap []*group

func (h groupHeap) Len() int { return len(h) }
func (h groupHeap) Less(i, j int) bool {
	if h[i].ready != h[j].ready {
		return h[i].ready < h[j].ready
	}
	return h[i].entry.id < h[j].entry.id
}
func (h groupHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}
func (h *groupHeap) Push(x any) {
	g := x.(*group)
	g.index = int32(len(*h))
	*h = append(*h, g)
}
func (h *groupHeap) Pop() any {
	n := len(*h) - 1
	g := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	g.index = -1
	return g
}

// bucketHeap is ordered by when the first group is due.
type bucketHeap []*bucket

func (h bucketHeap) Len() int           { return len(h) }
func (h bucketHeap) Less(i, j int) bool { return h[i].ready() < h[j].ready() }
func (h bucketHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *bucketHeap) Push(x any) {
	b := x.(*bucket)
	b.index = len(*h)
	*h = append(*h, b)
}
func (h *bucketHeap) Pop() any {
	n := len(*h) - 1
	b := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	b.index = -1
	return b
}
