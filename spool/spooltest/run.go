package spooltest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

// Run checks the stores that open makes, each case as a subtest with a store of
// its own. open is called with the TB of the subtest; it must return an empty
// store, fails the test if it cannot, and may register cleanups. A store that is
// also a [spool.Admin] is checked as one.
func Run(t *testing.T, open func(testing.TB) spool.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if skip, err := c.run(t, open, patience); err != nil {
				t.Errorf("%v\nrule: %s", err, c.rule)
			} else if skip != "" {
				t.Skip(skip)
			}
		})
	}
}

// Clock is the clock that the case moves, to be given to the store that open
// makes; tb must be the one that open was called with, or the result is
// time.Now. It is safe for concurrent use.
func Clock(tb testing.TB) func() time.Time {
	c, ok := tb.(*clockTB)
	if !ok {
		return time.Now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = true
	return c.now
}

// clockTB carries the clock to Clock.
type clockTB struct {
	testing.TB
	mu   sync.Mutex // guards used and at
	used bool
	at   time.Time
}

func (c *clockTB) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// How long a case may take, and how long it waits for what must not come.
const (
	patience = 30 * time.Second
	moment   = 20 * time.Millisecond
)

// testCase is one rule and how to find out whether a store keeps it.
type testCase struct {
	name  string
	rule  string
	check func(h *harness) error
}

// run opens a store and checks it; skip says why it could not be.
func (c testCase) run(tb testing.TB, open func(testing.TB) spool.Store, limit time.Duration) (skip string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ct := &clockTB{TB: tb, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	h := &harness{ctx: ctx, store: open(ct), clock: ct, unit: time.Minute}
	defer h.store.Close()
	if !ct.used {
		h.clock, h.unit = nil, 300*time.Millisecond
	}
	err = c.check(h)
	return h.skip, err
}

// harness is what a case works with.
type harness struct {
	ctx   context.Context
	store spool.Store
	clock *clockTB // nil if the store has a clock of its own
	unit  time.Duration
	skip  string
}

// now is the time of the store, or near to it.
func (h *harness) now() time.Time {
	if h.clock != nil {
		return h.clock.now()
	}
	return time.Now()
}

// pass lets n units of time go by.
func (h *harness) pass(n int) {
	d := time.Duration(n) * h.unit
	if h.clock == nil {
		time.Sleep(d)
		return
	}
	h.clock.mu.Lock()
	defer h.clock.mu.Unlock()
	h.clock.at = h.clock.at.Add(d)
}
