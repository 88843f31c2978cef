package smtp

import (
	"context"
	"errors"
	"sync"
	"time"
)

// watchAfter is how long a func of the handler may take before the connection
// is watched for the peer to go away. Most are done sooner, and pay nothing.
const watchAfter = 10 * time.Millisecond

var (
	errGone    = errors.New("smtp: the peer is gone")
	errHandler = errors.New("smtp: Timeouts.Handler has passed")
)

// hook looks after a func of the handler while it runs: it ends its context
// when the peer goes away or the time is up. One timer serves all calls of a
// connection: it ticks while calls follow each other, and looks whether the one
// it sees is the one it saw last, so that a call that is quickly done costs two
// locks and no look at the clock.
type hook struct {
	mu     sync.Mutex // guards all below
	timer  *time.Timer
	ticks  bool // the timer is running
	conn   *conn
	cancel context.CancelCauseFunc // of the running call; nil: none runs
	call   uint64                  // counts calls
	saw    uint64                  // the call at the last tick
	until  time.Time               // when its time is up; zero: never
	peer   time.Time               // how long the call may wait for the peer's next block
	endure bool                    // it may wait for the peer without end
	body   bool                    // it reads the body, so nobody else may read
	seen   bool                    // the connection is watched
}

// call runs f, which gets a context of its own.
func (c *conn) call(parent context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(context.Canceled)
	return c.callIn(ctx, cancel, false, f)
}

// callIn runs f under ctx. body says that f reads the message, during which the
// connection is not watched; see [hook.bodyDone].
func (c *conn) callIn(ctx context.Context, cancel context.CancelCauseFunc, body bool, f func(context.Context) error) error {
	c.hook.begin(c, cancel, body)
	defer c.r.Unwatch()
	defer c.hook.end()
	return f(ctx)
}

// callTx runs f under the transaction's context. One func whose time was up
// does not take that of the next ones along.
func (c *conn) callTx(t *transaction, body bool, f func(context.Context) error) error {
	err := c.callIn(t.ctx, t.cancel, body, f)
	if context.Cause(t.ctx) == errHandler {
		t.ctx, t.cancel = context.WithCancelCause(c.context())
	}
	return err
}

func (h *hook) begin(c *conn, cancel context.CancelCauseFunc, body bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn, h.cancel, h.body, h.seen = c, cancel, body, false
	h.peer, h.endure = time.Time{}, false
	h.call++
	if h.timer == nil {
		h.timer = time.AfterFunc(watchAfter, h.tick)
	} else if !h.ticks {
		h.timer.Reset(watchAfter)
	}
	h.ticks = true
}

// extend gives the call its time from now on.
func (h *hook) extend(now time.Time) {
	h.until = time.Time{}
	if d := h.conn.srv.waits.Handler; d > 0 && !h.endure {
		h.until = now.Add(d)
	}
}

// progress gives a func that reads the body new time with each block: it is not
// to blame for the wait until then, nor for one without end (zero).
func (h *hook) progress(then time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peer, h.endure = then, then.IsZero()
	if h.cancel != nil && h.saw == h.call {
		h.extend(then)
	}
}

// bodyDone says that the body was read to its end: nothing more is expected
// from the peer, which can now be watched. What follows counts as a new call.
func (h *hook) bodyDone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel == nil {
		return
	}
	h.body = false
	h.peer, h.endure = time.Time{}, false
	h.call++
	h.timer.Reset(watchAfter)
	h.ticks = true
}

// tick looks at the call that runs: the first time it only notes it, the second
// time the connection is watched, and at last the call's time is up.
func (h *hook) tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, wait := time.Now(), watchAfter
	switch {
	case h.cancel == nil:
		h.ticks = false
		return
	case h.saw != h.call:
		h.saw = h.call
		since := now.Add(-watchAfter)
		if h.peer.After(since) {
			since = h.peer
		}
		h.extend(since)
	case !h.until.IsZero() && !now.Before(h.until):
		h.cancel(errHandler)
		h.ticks = false
		return
	default:
		h.watch()
		if h.ticks = !h.until.IsZero(); !h.ticks {
			return
		}
		wait = h.until.Sub(now)
	}
	h.timer.Reset(wait)
}

// watch waits for the peer to go away, unless the call reads from it.
func (h *hook) watch() {
	if !h.body && !h.seen {
		h.seen = true
		cancel := h.conn.cancel
		h.conn.r.Watch(func() { cancel(errGone) })
	}
}

func (h *hook) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel = nil
}

func (h *hook) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
}
