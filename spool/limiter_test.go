package spool_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

var (
	unreached = smtp.Result{}
	enough    = smtp.Result{Reply: smtp.Reply{Code: 421}}
	deferring = smtp.Result{Reply: smtp.Reply{Code: 451}}
	accepted  = smtp.Result{Status: smtp.Accepted}
	refused   = smtp.Result{Status: smtp.Permanent}
	noHost    = smtp.Result{Reply: smtp.Reply{Code: 451, Enhanced: "4.4.1"}}
	cut       = smtp.Result{Err: fmt.Errorf("stopped: %w", context.Canceled)}
)

// clocked is a Window with a clock to move.
type clocked struct {
	spool.Window
	t time.Time
}

func newWindow() *clocked {
	c := &clocked{t: day}
	c.Now = func() time.Time { return c.t }
	return c
}

// width is how many places there are; they stay taken.
func width(t testing.TB, w *spool.Window, dest string) int {
	n := 0
	for {
		if release, _ := w.Acquire(dest); release == nil {
			break
		}
		n++
		require.Less(t, n, 1000)
	}
	require.Contains(t, w.Full(), dest)
	return n
}

// end runs n deliveries one after the other, and returns how many could begin.
func end(w *clocked, n int, r smtp.Result) (begun int) {
	for range n {
		if release, _ := w.Acquire("d"); release != nil {
			begun++
			release(r)
		}
	}
	return begun
}

func TestWindowWidth(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(w *clocked)
		want int
	}{
		{"at first", func(*clocked) {}, 5},
		{"own", func(w *clocked) { w.Initial = 2 }, 2},
		{"never over Max", func(w *clocked) { w.Max = 3 }, 3},
		{"negative is one", func(w *clocked) { w.Initial = -1 }, 1},
		{"a window of answers", func(w *clocked) { end(w, 6, accepted) }, 6},
		{"refusals are answers", func(w *clocked) { end(w, 3, refused); end(w, 3, deferring) }, 6},
		{"up to Max", func(w *clocked) { end(w, 5000, accepted) }, 20},
		{"a 421 halves", func(w *clocked) { end(w, 1000, accepted); end(w, 1, enough) }, 10},
		{"what says 4.4.1 was not reached", func(w *clocked) { end(w, 4, noHost) }, 4},
		{"what we cut short is no news", func(w *clocked) { end(w, 50, cut) }, 5},
		{"failures narrow", func(w *clocked) { end(w, 4, unreached) }, 4},
		{"release counts once", func(w *clocked) {
			release, _ := w.Acquire("d")
			for range 100 {
				release(accepted)
			}
		}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWindow()
			tt.do(w)
			assert.Equal(t, tt.want, width(t, &w.Window, "d"))
		})
	}
}

// TestWindowDead: a host that is down costs one connection now and then.
func TestWindowDead(t *testing.T) {
	w := newWindow()
	assert.Empty(t, w.Full())
	begun := end(w, 100, unreached)
	assert.LessOrEqual(t, begun, 5, "a window of failures is enough")
	_, dead := w.Acquire("d")
	assert.Equal(t, w.t.Add(5*time.Minute), dead)
	release, _ := w.Acquire("other")
	assert.NotNil(t, release, "others go on")
	for _, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
		w.t = w.t.Add(pause*time.Minute - 1)
		require.Zero(t, end(w, 3, unreached), "still within %d minutes", pause)
		w.t = w.t.Add(1)
		require.Empty(t, w.Full(), "what waits for the dead is claimed and put off")
		require.Equal(t, 1, end(w, 100, unreached), "one probe after %d minutes", pause)
	}
	w.t = w.t.Add(time.Hour)
	probe, _ := w.Acquire("d")
	require.NotNil(t, probe)
	second, dead := w.Acquire("d")
	require.Nil(t, second, "one probe at a time")
	require.Zero(t, dead)
	require.Equal(t, []string{"d"}, w.Full())
	probe(deferring)
	assert.Equal(t, 5, width(t, &w.Window, "d"), "any answer is life")
}

// TestWindowSuccessBetween: failures count only in a row.
func TestWindowSuccessBetween(t *testing.T) {
	w := newWindow()
	for range 200 {
		require.Equal(t, 2, end(w, 2, unreached))
		require.Equal(t, 2, end(w, 2, accepted))
	}
}

// TestWindowLateFailures: deliveries that began before the host was dead do not
// make its pause longer.
func TestWindowLateFailures(t *testing.T) {
	w := newWindow()
	w.Initial = 10
	var all []func(smtp.Result)
	for range 10 {
		release, _ := w.Acquire("d")
		require.NotNil(t, release)
		all = append(all, release)
	}
	for _, release := range all {
		release(unreached)
	}
	w.t = w.t.Add(5 * time.Minute)
	assert.Equal(t, 1, end(w, 1, unreached), "the first pause is five minutes")
}

func TestWindowConcurrent(t *testing.T) {
	w := &spool.Window{Initial: 4, Max: 4}
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				release, _ := w.Acquire("d")
				if release == nil {
					w.Full()
					continue
				}
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				running.Add(-1)
				release(accepted)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, most.Load(), int64(4))
	assert.Empty(t, w.Full())
}

func ExampleWindow() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := spool.Window{Now: func() time.Time { return now }}
	for {
		release, dead := w.Acquire("hamburger.edu")
		if release == nil {
			fmt.Println("dead until", dead.Format(time.TimeOnly))
			return
		}
		release(smtp.Result{Status: smtp.Temporary}) // nobody answers
	}
	// Output: dead until 03:09:05
}
