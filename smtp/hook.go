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
// connection.
type hook struct {
	mu     sync.Mutex // guards all below
	timer  *time.Timer
	conn   *conn
	cancel context.CancelCauseFunc // of the running call; nil: none runs
	until  time.Time               // when its time is up; zero: never
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
		t.ctx, t.cancel = context.WithCancelCause(c.ctx)
	}
	return err
}

func (h *hook) begin(c *conn, cancel context.CancelCauseFunc, body bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn, h.cancel, h.body, h.seen = c, cancel, body, false
	h.extend(time.Now())
	wait := watchAfter
	if body {
		wait = max(c.srv.waits.Handler, watchAfter)
	}
	if h.timer == nil {
		h.timer = time.AfterFunc(wait, h.fire)
	} else {
		h.timer.Reset(wait)
	}
}

func (h *hook) extend(now time.Time) {
	h.until = time.Time{}
	if d := h.conn.srv.waits.Handler; d > 0 {
		h.until = now.Add(d)
	}
}

// progress gives a func that reads the body new time with each block: it is not
// to blame for the wait until then.
func (h *hook) progress(then time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel != nil {
		h.extend(then)
	}
}

// bodyDone says that the body was read to its end: nothing more is expected
// from the peer, which can now be watched.
func (h *hook) bodyDone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel != nil {
		h.body = false
		h.extend(time.Now())
		h.timer.Reset(watchAfter)
	}
}

// fire is the timer's: it begins the watch, or ends the call.
func (h *hook) fire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel == nil {
		return
	}
	left := time.Until(h.until)
	if !h.until.IsZero() && left <= 0 {
		h.cancel(errHandler)
		return
	}
	if !h.body && !h.seen {
		h.seen = true
		cancel := h.conn.cancel
		h.conn.r.Watch(func() { cancel(errGone) })
	}
	if !h.until.IsZero() {
		h.timer.Reset(left)
	}
}

func (h *hook) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel = nil
	h.timer.Stop()
}

func (h *hook) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
}
