package wire

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// Bounds end what a client does on its connection when a context ends. One
// goroutine at a time uses them.
type Bounds struct {
	Until   time.Time   // the deadline of the context at hand; zero: none
	stopped atomic.Bool // a context has ended: nothing more is to be written
}

// Begin makes what follows on nc and r end with ctx. The func it returns lifts
// that; it sets cut when the end of ctx may have cut anything.
func (b *Bounds) Begin(ctx context.Context, nc net.Conn, r *Reader, cut *bool) func() {
	b.Until, _ = ctx.Deadline()
	if ctx.Done() == nil {
		return func() { b.Until = time.Time{} }
	}
	stop := context.AfterFunc(ctx, func() {
		r.Interrupt()
		b.Stop()
		_ = nc.SetDeadline(past)
	})
	return func() {
		if !stop() && ctx.Err() != nil {
			*cut = true
		}
		b.Until = time.Time{}
	}
}

// Within is when something ends that may take wait, or 0 for as long as the
// context lets it; the zero time is never.
func (b *Bounds) Within(wait time.Duration) time.Time {
	if wait == 0 {
		return b.Until
	}
	t := time.Now().Add(wait)
	if !b.Until.IsZero() && b.Until.Before(t) {
		return b.Until
	}
	return t
}

// Stop forbids to write, for good. Any goroutine may call it.
func (b *Bounds) Stop() { b.stopped.Store(true) }

// Stopped reports whether writing is forbidden.
func (b *Bounds) Stopped() bool { return b.stopped.Load() }

// Cause tells why something under ctx failed: the cause of ctx rather than the
// deadline that its end set.
func Cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	// The connection's deadline may have gone off before the context's own.
	if d, ok := ctx.Deadline(); ok && IsTimeout(err) && !time.Now().Before(d) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}
