package dns

import (
	"cmp"
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	// maxAnswer is how many octets of data an answer may hold to be kept: a
	// publisher of huge records pays for them himself.
	maxAnswer = 8 << 10

	// maxNegative caps the life of negative answers: RFC 2308 §5 suggests one to
	// three hours.
	maxNegative = 3 * time.Hour
)

// Cache keeps the answers of another resolver, positive and negative ones, for as
// long as their TTL allows (RFC 2308 §5), and asks once when several callers want
// the same answer at the same time. Errors are not kept.
//
// The TTL of an answer out of the cache is what is left of it; that of its records
// stays what it was.
type Cache struct {
	Next   Resolver         // nil means NetResolver, whose answers have no TTL unless it gives them one
	Max    int              // answers kept, the least recently used leaves first; 0 means 10,000
	MaxTTL time.Duration    // the longest time an answer is kept; 0 means a day
	Now    func() time.Time // nil means time.Now

	mu      sync.Mutex // guards what follows
	entries map[key]*list.Element
	recent  list.List // of *entry, the last used in front
	flights map[key]*flight
}

type key struct {
	name string // folded
	typ  Type
}

type entry struct {
	key
	answer  Answer
	expires time.Time
}

// flight is a query under way, and the callers who wait for it.
type flight struct {
	done    chan struct{} // closed when answer and err are there
	answer  Answer
	err     error
	waiters int // guarded by Cache.mu; the last to give up cancels the query
	cancel  context.CancelFunc
}

// Lookup answers from the cache, or asks. A caller whose ctx ends leaves alone; the
// query goes on as long as anyone waits for it.
func (c *Cache) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	k := key{Fold(name), t}
	now := c.now()
	c.mu.Lock()
	if a, ok := c.fresh(k, now); ok {
		c.mu.Unlock()
		return a, nil
	}
	if err := ctx.Err(); err != nil {
		c.mu.Unlock()
		return Answer{}, &Error{Name: name, Type: t, Err: err}
	}
	f := c.flights[k]
	if f == nil {
		f = c.start(ctx, k)
	}
	f.waiters++
	c.mu.Unlock()
	return c.wait(ctx, k, f)
}

// fresh finds an answer that still lives; c.mu is held.
func (c *Cache) fresh(k key, now time.Time) (Answer, bool) {
	el := c.entries[k]
	if el == nil {
		return Answer{}, false
	}
	e := el.Value.(*entry)
	left := e.expires.Sub(now)
	if left <= 0 {
		c.drop(el)
		return Answer{}, false
	}
	c.recent.MoveToFront(el)
	a := e.answer
	a.TTL = left
	return a, true
}

// start sends the query off; c.mu is held. It outlives the ctx of the caller who
// happened to be first, but keeps its values.
func (c *Cache) start(ctx context.Context, k key) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel}
	if c.flights == nil {
		c.flights = make(map[key]*flight)
	}
	c.flights[k] = f
	go c.fly(ctx, k, f)
	return f
}

// fly makes the query and hands its answer to all who wait. The answer is in the
// cache before the flight is over, so nobody asks again in between.
func (c *Cache) fly(ctx context.Context, k key, f *flight) {
	defer f.cancel()
	f.answer, f.err = or(c.Next).Lookup(ctx, k.name, k.typ)
	now := c.now()
	c.mu.Lock()
	if c.flights[k] == f {
		delete(c.flights, k)
	}
	if f.err == nil {
		c.keep(k, f.answer, now)
	}
	c.mu.Unlock()
	close(f.done)
}

// wait waits for the query, or for ctx.
func (c *Cache) wait(ctx context.Context, k key, f *flight) (Answer, error) {
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.cancel()
		if c.flights[k] == f {
			delete(c.flights, k) // who comes now must not join a cancelled query
		}
	}
	return Answer{}, &Error{Name: k.name, Type: k.typ, Err: ctx.Err()}
}

// keep puts an answer into the cache; c.mu is held.
func (c *Cache) keep(k key, a Answer, now time.Time) {
	ttl := min(a.TTL, cmp.Or(c.MaxTTL, 24*time.Hour))
	if len(a.RRs) == 0 {
		ttl = min(ttl, maxNegative)
	}
	if ttl <= 0 || a.size() > maxAnswer {
		return
	}
	if c.entries == nil {
		c.entries = make(map[key]*list.Element)
	}
	if el := c.entries[k]; el != nil {
		c.drop(el)
	}
	for len(c.entries) >= max(1, cmp.Or(c.Max, 10_000)) {
		c.drop(c.recent.Back())
	}
	c.entries[k] = c.recent.PushFront(&entry{key: k, answer: a, expires: now.Add(ttl)})
}

// drop removes an entry; c.mu is held.
func (c *Cache) drop(el *list.Element) {
	delete(c.entries, el.Value.(*entry).key)
	c.recent.Remove(el)
}

// now is the time that entries expire by.
func (c *Cache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// size is about how many octets an answer takes in memory.
func (a Answer) size() int {
	n := 0
	for i := range a.RRs {
		n += 96 + len(a.RRs[i].Name) + len(a.RRs[i].Data) + len(a.RRs[i].Raw)
	}
	for _, name := range a.CNAMEs {
		n += 16 + len(name)
	}
	return n
}
