package spool_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// TestRunnerConcurrencyPerDestination: a slow host has as many deliveries as its
// window, and holds up nobody else.
func TestRunnerConcurrencyPerDestination(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		for i := range 40 {
			w.put(fmt.Sprintf("slow-%d@hamburger.edu", i))
		}
		w.put("bob@example.com")
		w.pass(time.Minute)
		assert.Equal(t, 5, w.most["hamburger.edu"])
		assert.Equal(t, []int{0}, w.times("bob"))
		w.pass(24 * time.Hour)
		assert.Greater(t, w.most["hamburger.edu"], 5, "the window grows with answers")
		assert.Empty(t, w.left())
	})
}

// TestRunnerBackPressure: no more is claimed than can begin; the rest is there for
// others.
func TestRunnerBackPressure(t *testing.T) {
	inWorld(t, func(w *world) { w.Workers = 3 }, func(w *world) {
		for i := range 10 {
			w.put(fmt.Sprintf("slow@host%d.example", i))
		}
		w.pass(time.Minute)
		assert.Len(t, w.got, 3)
		claims, err := w.Claim(w.t.Context(), spool.Query{Max: 100})
		require.NoError(t, err)
		assert.Len(t, claims, 7)
		for _, c := range claims {
			require.NoError(t, w.Settle(w.t.Context(), c.Lease, nil))
		}
		w.pass(10 * time.Hour)
		assert.Empty(t, w.left())
	})
}

// TestRunnerDeadDestination: a host that does not answer costs a connection now
// and then, and all mail for it still grows old, is warned of and given up.
func TestRunnerDeadDestination(t *testing.T) {
	const n = 50
	inWorld(t, func(w *world) { w.Retry = &spool.Schedule{Jitter: -1, Expire: 30 * time.Hour} }, func(w *world) {
		for i := range n {
			w.put(fmt.Sprintf("silent-%d@down.example", i))
		}
		w.pass(time.Hour)
		assert.LessOrEqual(t, len(w.deliveries("silent")), 15, "a window or two find out, then one after 5, 10, 20 minutes")
		w.put("bob@hamburger.edu")
		w.pass(time.Second)
		assert.Len(t, w.deliveries("bob"), 1)
		w.pass(28 * time.Hour)
		assert.Len(t, w.left(), n)
		assert.Len(t, w.reports(), n, "each sender hears of the delay, once")
		w.pass(3 * time.Hour)
		assert.Empty(t, w.left())
		assert.Len(t, w.reports(), 2*n)
		assert.Less(t, len(w.deliveries("silent")), n)
		w.put("later@down.example") // it answers again
		w.put("later@down.example")
		w.pass(time.Hour)
		w.pass(time.Hour)
		assert.NotEmpty(t, w.deliveries("later"))
	})
}

// A dead host's mail is tried as soon as the host is back, and a sender hears what
// the host said when it last said something.
func TestRunnerDeadThenAlive(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	inWorld(t, func(w *world) {
		w.Retry = &spool.Schedule{Steps: []time.Duration{10 * time.Hour}} // for those that were tried
		next := w.Deliver
		w.Deliver = func(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
			if down.Load() && env.To[0].Path.Domain() == "hamburger.edu" {
				return smtp.Failed(len(env.To), smtp.Reject(451, "4.4.1", "nobody there"))
			}
			return next(ctx, env, body)
		}
	}, func(w *world) {
		for i := range 20 {
			w.put(fmt.Sprintf("bob-%d@hamburger.edu", i))
		}
		w.pass(30 * time.Minute) // dead until 5, 15, 35
		down.Store(false)
		w.pass(6 * time.Minute)
		assert.GreaterOrEqual(t, len(w.deliveries("bob")), 10, "all that was only put off, as soon as it answers")
	})
}

// While nothing is tried, what the host said last is what the sender hears.
func TestRunnerDeadKeepsTheReason(t *testing.T) {
	inWorld(t, func(w *world) { w.Retry = &spool.Schedule{Jitter: -1, Expire: 2 * time.Hour, WarnAfter: -1} }, func(w *world) {
		w.put("later@hamburger.edu")
		w.pass(time.Second)
		for i := range 50 {
			w.put(fmt.Sprintf("silent-%d@hamburger.edu", i))
		}
		w.pass(3 * time.Hour)
		var got []string
		for _, d := range w.reports() {
			got = append(got, words(d)...)
		}
		assert.Len(t, got, 51)
		assert.Contains(t, got, "later failed 4.7.1")
		assert.Contains(t, strings.Join(got, ", "), "failed 4.4.1", "who was never tried hears why")
	})
}

// spy is a Limiter that notes what it is told.
type spy struct {
	spool.Window
	told []string
}

func (l *spy) Acquire(dest string) (func(smtp.Result), time.Time) {
	release, dead := l.Window.Acquire(dest)
	return func(r smtp.Result) {
		l.told = append(l.told, fmt.Sprint(r.Reply.Code))
		release(r)
	}, dead
}

// Of many recipients' results the Limiter hears the one that says most.
func TestRunnerTellsTheLimiter(t *testing.T) {
	enough, silent := smtp.Result{Reply: smtp.Reply{Code: 421}}, smtp.Result{}
	var next smtp.Results
	l := &spy{}
	inWorld(t, func(w *world) {
		w.Limiter = l
		w.Deliver = func(context.Context, smtp.Envelope, *io.SectionReader) smtp.Results { return next }
	}, func(w *world) {
		for _, next = range []smtp.Results{{silent, silent}, {silent, enough}, {enough, silent}, {silent, enough, greylist}, {here, silent}} {
			w.put("a@hamburger.edu", "b@hamburger.edu", "c@hamburger.edu")
			w.pass(0)
		}
		assert.Equal(t, []string{"0", "421", "421", "451", "250"}, l.told)
	})
}

// noPlace is a Limiter that changes its mind.
type noPlace struct {
	spool.Window
	mu      sync.Mutex
	refused int
}

func (l *noPlace) Acquire(dest string) (func(smtp.Result), time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused < 100 {
		l.refused++
		return nil, time.Time{}
	}
	return l.Window.Acquire(dest)
}

// A Limiter that refuses what it has not named makes nobody spin, and counts as no
// attempt.
func TestRunnerLimiterRefuses(t *testing.T) {
	l := &noPlace{}
	inWorld(t, func(w *world) { w.Limiter = l }, func(w *world) {
		w.put("twice@hamburger.edu")
		w.pass(5 * time.Second)
		assert.Empty(t, w.got)
		w.pass(10 * time.Minute)
		assert.Len(t, w.got, 2)
		assert.Equal(t, 5*time.Minute, w.got[1].at-w.got[0].at, "the first delay, so no attempt was counted")
	})
}

// full is a Limiter that finds room without a word, as one may that others share.
type full struct{ spool.Window }

func (l *full) Full() []string {
	if time.Since(epoch) < time.Hour {
		return []string{"hamburger.edu"}
	}
	return l.Window.Full()
}

func TestRunnerLooksAgainAtAFullLimiter(t *testing.T) {
	inWorld(t, func(w *world) { w.Limiter = &full{} }, func(w *world) {
		w.put("bob@hamburger.edu")
		w.pass(2 * time.Hour)
		require.Len(t, w.got, 1)
		assert.InDelta(t, time.Hour, w.got[0].at, float64(15*time.Second))
	})
}

// TestRunnerFairness: a large mailing in one class does not delay another.
func TestRunnerFairness(t *testing.T) {
	var order []string
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tries: map[string]int{}, running: map[string]int{}, most: map[string]int{}, ended: make(chan error, 1)}
		for i := range 300 {
			item := &spool.Item{Envelope: envelope(t, "shop@crepes.fr", fmt.Sprintf("bulk@host%d.example", i)), Class: "bulk"}
			require.NoError(t, spool.PutItems(w.t.Context(), &w.Store, strings.NewReader("x"), item))
		}
		for i := range 3 {
			w.put(fmt.Sprintf("bob@people%d.example", i))
		}
		w.Runner = spool.Runner{Store: &w.Store, Workers: 1, Deliver: func(_ context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
			order = append(order, env.To[0].Path.Local())
			return smtp.Results{here}
		}}
		w.start()
		w.pass(time.Minute)
		require.NoError(t, w.end())
	})
	require.Len(t, order, 303)
	assert.Equal(t, 3, strings.Count(strings.Join(order[:8], " "), "bob"), "%v", order[:8])
}
