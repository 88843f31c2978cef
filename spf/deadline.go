package spf

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is a context with a deadline whose timer starts only when somebody
// waits for it. A check that is answered from memory never does, which saves it a
// good part of its time.
type deadline struct {
	context.Context // of the caller
	at              time.Time
	timed           atomic.Pointer[timed] // nil until somebody waits
}

type timed struct {
	ctx  context.Context
	stop context.CancelFunc
}

// withDeadline is context.WithTimeout for a check.
func withDeadline(ctx context.Context, d time.Duration) *deadline {
	at := time.Now().Add(d)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	return &deadline{Context: ctx, at: at}
}

// start starts the timer, once.
func (d *deadline) start() *timed {
	if t := d.timed.Load(); t != nil {
		return t
	}
	ctx, stop := context.WithDeadline(d.Context, d.at)
	t := &timed{ctx, stop}
	if !d.timed.CompareAndSwap(nil, t) {
		stop()
		return d.timed.Load()
	}
	return t
}

// Deadline gives the end of the check.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done starts the timer.
func (d *deadline) Done() <-chan struct{} { return d.start().ctx.Done() }

// Err looks at the clock as long as nobody waits.
func (d *deadline) Err() error {
	if t := d.timed.Load(); t != nil {
		return t.ctx.Err()
	}
	if err := d.Context.Err(); err != nil || time.Now().Before(d.at) {
		return err
	}
	return d.start().ctx.Err()
}

// release ends the check: the timer is freed, and who still waits is woken.
func (d *deadline) release() {
	if d.timed.CompareAndSwap(nil, &over) {
		return
	}
	d.timed.Load().stop()
}

// over is what a check without a timer ends with.
var over = func() timed {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	return timed{ctx, stop}
}()
