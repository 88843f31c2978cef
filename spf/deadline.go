package spf

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is a context with a deadline whose clock starts when somebody looks at
// it. Only a resolver that waits does; a check that is answered from memory takes
// no time worth measuring, and is spared the clock and the timer.
type deadline struct {
	context.Context // of the caller
	total           time.Duration
	timed           atomic.Pointer[timed] // nil until somebody looks
}

type timed struct {
	ctx  context.Context
	stop context.CancelFunc
}

// withDeadline is context.WithTimeout for a check.
func withDeadline(ctx context.Context, total time.Duration) *deadline {
	return &deadline{Context: ctx, total: total}
}

// start starts the clock, once.
func (d *deadline) start() context.Context {
	if t := d.timed.Load(); t != nil {
		return t.ctx
	}
	ctx, stop := context.WithTimeout(d.Context, d.total)
	if !d.timed.CompareAndSwap(nil, &timed{ctx, stop}) {
		stop() // another goroutine was faster
	}
	return d.timed.Load().ctx
}

// Deadline starts the clock, and says when it ends.
func (d *deadline) Deadline() (time.Time, bool) { return d.start().Deadline() }

// Done starts the clock.
func (d *deadline) Done() <-chan struct{} { return d.start().Done() }

// Err does not: who asks for it alone is not going to wait.
func (d *deadline) Err() error {
	if t := d.timed.Load(); t != nil {
		return t.ctx.Err()
	}
	return d.Context.Err()
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
