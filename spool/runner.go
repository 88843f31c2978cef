package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Runner empties a queue: it claims what is due, delivers it, and settles each
// claim with what became of it and with the report that the sender is owed.
//
// Store and Deliver must be set; all other fields have defaults. The fields must
// not change once Run has begun. Several Runners may work on one Store, in one
// process or in many.
type Runner struct {
	Store Store
	// Deliver is given the due recipients of one item that share a destination,
	// with env.ID for the log. Its ctx ends Grace after that of Run, and when the
	// lease is lost. A panic in it is a temporary failure.
	Deliver smtp.DeliverFunc
	// Expand finds out who gets a report: the sender of a message may be an alias
	// or a list too. It has the shape of alias.Expander.Envelopes. While it fails
	// temporarily the report waits; nil sends to the sender as he stands.
	Expand func(ctx context.Context, env smtp.Envelope) ([]smtp.Envelope, error)
	// Report makes the message that tells a sender; nil means [Report.Draft]. A
	// nil draft tells nothing. After an error the report is made as if it were nil.
	Report func(ctx context.Context, r Report) (*mime.Draft, error)

	Name        string        // this host, as reports name it; "" is "localhost"
	ReturnBytes int64         // of a message that is returned in full; 0 means 256 KiB
	Retry       Retry         // nil means &Schedule{}
	Limiter     Limiter       // nil means a Window for each Run
	Worker      string        // who claims; shown to people only
	Workers     int           // deliveries at the same time; 0 means 100
	Lease       time.Duration // of a claim, extended at each third of it; 0 means DefaultLease
	Grace       time.Duration // for deliveries that run when Run's ctx ends; 0 means 30 s, negative none

	Observe Observer
	Log     *slog.Logger     // nil is silent
	Now     func() time.Time // nil means time.Now
	Rand    io.Reader        // for reports, used concurrently; nil means crypto/rand
}

// Run works until ctx ends. Then it claims no more, gives the deliveries that
// run Grace to end, and returns when all of them have returned and are settled;
// what was not even tried is given back. It is nil after a clean stop. The error
// is [ErrInvalid] for a Runner without Store or Deliver, [ErrClosed] if the store
// was closed, and else says which outcomes could not be recorded.
//
// What a store refuses to record is tried again until it does, and nothing more
// is claimed meanwhile: each further delivery might be made twice.
func (r *Runner) Run(ctx context.Context) error {
	if r.Store == nil || r.Deliver == nil {
		return fmt.Errorf("%w: a Runner needs a Store and a Deliver", ErrInvalid)
	}
	base := context.WithoutCancel(ctx)
	hard, stop := context.WithCancel(base)
	defer stop()
	w := &work{r: r, base: base, hard: hard, began: r.now(), retry: r.Retry, limiter: r.Limiter,
		slots: make(chan struct{}, max(1, cmp.Or(r.Workers, 100))), freed: make(chan struct{}, 1)}
	if w.retry == nil {
		w.retry = &Schedule{Now: r.Now}
	}
	if w.limiter == nil {
		w.limiter = &Window{Now: r.Now}
	}
	err := w.loop(ctx)
	t := time.AfterFunc(max(0, cmp.Or(r.Grace, 30*time.Second)), stop)
	defer t.Stop()
	w.wg.Wait()
	return errors.Join(append(w.lost, err)...)
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Runner) lease() time.Duration { return cmp.Or(r.Lease, DefaultLease) }

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// work is one Run.
type work struct {
	r       *Runner
	base    context.Context // never ends: outcomes are recorded in it
	hard    context.Context // ends when the grace is over: deliveries run in it
	began   time.Time
	retry   Retry
	limiter Limiter

	slots chan struct{} // one for each job that runs
	freed chan struct{} // told when a job or a trouble has ended
	stuck atomic.Int64  // jobs whose outcome the store does not take
	wg    sync.WaitGroup

	mu   sync.Mutex // guards lost
	lost []error    // outcomes that were not recorded
}

// notify lets the loop look again. One word is enough for any number of events.
func (w *work) notify() {
	select {
	case w.freed <- struct{}{}:
	default:
	}
}

// How often the loop looks again where nothing tells it to.
const (
	pauseFull  = 10 * time.Second       // a Limiter may find room without a word
	pauseBusy  = 100 * time.Millisecond // after a Limiter that refused what it had not named
	pauseError = time.Second            // after an error of the store, twice as long each time
	maxPause   = time.Minute
)

// loop claims. It never takes more than can begin at once, so what a slow
// delivery holds up stays in the store, where others can claim it.
func (w *work) loop(ctx context.Context) error {
	failures := 0
	for {
		n := w.room(ctx)
		if n == 0 {
			return nil
		}
		// Of one destination no more than one at a time: its next place is asked
		// for when this one is taken.
		q := Query{Worker: w.r.Worker, Max: n, PerDest: 1, Lease: w.r.lease(), Skip: w.limiter.Full()}
		claims, err := w.r.Store.Claim(ctx, q)
		if err == nil && len(claims) == 0 {
			err = w.wait(ctx, q)
		}
		switch {
		case ctx.Err() != nil && len(claims) == 0:
			return nil
		case errors.Is(err, ErrClosed):
			return err
		case err != nil:
			w.r.log().Error("spool: cannot claim", "err", err)
			pause(ctx, backoff(failures))
			failures++
			continue
		}
		failures = 0
		if refused := w.begin(claims); refused {
			pause(ctx, pauseBusy)
		}
	}
}

// room waits until a job may begin, and says how many may; 0 when ctx ended.
func (w *work) room(ctx context.Context) int {
	for ctx.Err() == nil {
		if n := cap(w.slots) - len(w.slots); n > 0 && w.stuck.Load() == 0 {
			return n
		}
		select {
		case <-ctx.Done():
		case <-w.freed:
		}
	}
	return 0
}

// wait waits for work. Where destinations are skipped, a delivery that ends may
// make room for them, and the store does not know.
func (w *work) wait(ctx context.Context, q Query) error {
	if len(q.Skip) == 0 {
		return w.r.Store.Wait(ctx, q)
	}
	inner, cancel := context.WithTimeout(ctx, pauseFull)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-w.freed:
			cancel()
		case <-inner.Done():
		}
	})
	if err := w.r.Store.Wait(inner, q); err != nil && inner.Err() == nil {
		return err
	}
	return nil
}

// begin starts a job for each claim, and reports whether the Limiter had no
// place for one of them.
func (w *work) begin(claims []Claim) (refused bool) {
	for _, c := range claims {
		j := &job{work: w, claim: c, release: func(smtp.Result) {}}
		if !j.reportsOnly() {
			if release, dead := w.limiter.Acquire(c.Dest()); release != nil {
				j.release = release
			} else {
				j.dead, j.refused = dead, dead.IsZero()
			}
		}
		refused = refused || j.refused
		w.slots <- struct{}{} // there is room: only begin takes it
		w.wg.Go(func() {
			defer w.notify()
			defer func() { <-w.slots }()
			j.run()
		})
	}
	return refused
}

// backoff is the pause after n failures before this one.
func backoff(n int) time.Duration { return min(pauseError<<min(n, 10), maxPause) }

// pause reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
