package memspool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// world is a Store under random calls, with a clock.
type world struct {
	t      *testing.T
	s      *Store
	rnd    *rand.Rand
	now    time.Time
	claims []spool.Claim // live or lost
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.s = &Store{Now: func() time.Time { return w.now }}
	return w
}

func (w *world) put() {
	var to []string
	for range 1 + w.rnd.IntN(4) {
		to = append(to, fmt.Sprintf("u%d@d%d.example", w.rnd.IntN(100), w.rnd.IntN(5)))
	}
	env, err := smtp.NewEnvelope("ann@example.org", to...)
	require.NoError(w.t, err)
	it := &spool.Item{Envelope: env, Class: []string{"", "a", "b"}[w.rnd.IntN(3)]}
	if w.rnd.IntN(2) == 0 {
		it.NotBefore = w.now.Add(time.Duration(w.rnd.IntN(10)) * time.Minute)
	}
	require.NoError(w.t, spool.PutItems(w.t.Context(), w.s, strings.NewReader("x"), it))
}

// due looks at every recipient and says how many can be claimed: those of a
// group whose lease runs cannot.
func (w *world) due() (n int) {
	for _, e := range w.s.items {
		for _, g := range e.groups {
			if g.leased != nil && w.now.Before(g.until) {
				continue
			}
			for _, i := range g.rcpts {
				if r := e.rcpts[i]; !r.done && !r.held && !r.due.After(w.now) {
					n++
				}
			}
		}
	}
	return n
}

// claim takes something, or all, and compares with due.
func (w *world) claim() {
	limit := []int{1, 3, 10_000}[w.rnd.IntN(3)]
	want, got := w.due(), 0
	claims, err := w.s.Claim(w.t.Context(), spool.Query{Max: limit, Lease: time.Duration(1+w.rnd.IntN(5)) * time.Minute})
	require.NoError(w.t, err)
	for _, c := range claims {
		got += len(c.Due)
	}
	w.claims = append(w.claims, claims...)
	require.Equal(w.t, want-got, w.due(), "what was claimed is due no more")
	if len(claims) < limit {
		require.Equal(w.t, want, got, "all that is due is claimed")
	}
}

// settle ends a claim that may be lost.
func (w *world) settle() {
	if len(w.claims) == 0 {
		return
	}
	i := w.rnd.IntN(len(w.claims))
	c := w.claims[i]
	w.claims = append(w.claims[:i], w.claims[i+1:]...)
	var out []spool.Outcome
	for _, p := range c.Due {
		switch w.rnd.IntN(3) {
		case 0:
			out = append(out, spool.Outcome{Rcpt: p.Rcpt})
		case 1:
			out = append(out, spool.Outcome{Rcpt: p.Rcpt, Next: w.now.Add(time.Duration(w.rnd.IntN(9)) * time.Minute)})
		}
	}
	before := w.s.leases[c.Lease.Token] != nil
	err := w.s.Settle(w.t.Context(), c.Lease, out)
	if !before {
		require.ErrorIs(w.t, err, spool.ErrLost)
	}
}

func (w *world) admin() {
	actions := []spool.Action{spool.Hold, spool.Release, spool.Release, spool.Flush, spool.Requeue, spool.Delete}
	f := spool.Filter{Dest: fmt.Sprintf("d%d.example", w.rnd.IntN(5))}
	_, err := w.s.Apply(w.t.Context(), f, actions[w.rnd.IntN(len(actions))])
	require.NoError(w.t, err)
}

// check wants Wait to agree with due.
func (w *world) check() {
	found, _, pause, err := w.s.look(w.t.Context(), spool.Query{})
	require.NoError(w.t, err)
	if w.due() > 0 {
		require.True(w.t, found, "there is something to claim")
	}
	if !found {
		require.Positive(w.t, pause)
	}
}

// TestModel compares the heaps and queues with a look at everything, through
// random calls; in the end nothing is left behind.
func TestModel(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		for range 400 {
			switch n := w.rnd.IntN(100); {
			case n < 30:
				w.put()
			case n < 55:
				w.claim()
			case n < 80:
				w.settle()
			case n < 85:
				w.admin()
			case n < 88 && len(w.claims) > 0:
				w.s.Extend(t.Context(), w.claims[w.rnd.IntN(len(w.claims))].Lease, time.Duration(w.rnd.IntN(9)-1)*time.Minute)
			default:
				w.now = w.now.Add(time.Duration(w.rnd.IntN(180)) * time.Second)
			}
			w.check()
		}
		w.drain()
	}
}

// drain deletes everything, and looks for what stayed.
func (w *world) drain() {
	w.now = w.now.Add(time.Hour)
	_, err := w.s.Apply(context.Background(), spool.Filter{}, spool.Delete)
	require.NoError(w.t, err)
	require.Empty(w.t, w.s.items)
	require.Zero(w.t, w.s.bytes)
	require.Empty(w.t, w.s.leases)
	require.True(w.t, w.s.sched.IsEmpty())
}
