package imap

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"
)

// errNews ends the wait of IDLE.
var errNews = errors.New("imap: IDLE is to end")

// idleFor is how long one IDLE lasts: servers may hang up after 30 minutes (RFC
// 2177 §3).
const idleFor = 25 * time.Minute

// Idle waits for the server to say something by itself, of which Events are
// told. After each response more is asked whether to go on; nil goes on until
// ctx ends. more must not call the Conn. Idle ends in good order in both cases,
// and the connection stays usable: the error is nil if more has ended it, and the
// cause of ctx if that has; a server that does not answer within 10 seconds then
// costs the connection. IDLE is said anew before servers lose patience; one
// that cannot do it, or ends it by itself, is asked once a minute.
func (c *Conn) Idle(ctx context.Context, more func() bool) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	w := &watch{c: c, more: more}
	can := c.caps.Has("IDLE") || c.caps.Has("IMAP4REV2")
	for can && !w.over && ctx.Err() == nil {
		var err error
		if can, err = w.idle(ctx); err != nil {
			return err
		}
	}
	switch {
	case w.over:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return w.poll(ctx)
}

// watch is one run of Idle.
type watch struct {
	c     *Conn
	more  func() bool
	fresh bool // something was said that more was not asked about
	over  bool // more has ended it
}

// call makes a command that takes note of what is said meanwhile: news may come
// before the "+" of an IDLE and behind its DONE as well.
func (w *watch) call(verb string) *call {
	return &call{verb: verb, data: func(r *response) (bool, error) {
		w.fresh = true
		return false, nil
	}}
}

// ask asks more, if there is news.
func (w *watch) ask() {
	if !w.fresh || w.over || w.more == nil {
		return
	}
	w.fresh = false
	w.c.busy = true // a command would go out in the middle of IDLE
	defer func() { w.c.busy = false }()
	w.over = !w.more()
}

// idle is one IDLE; can is false if the server has ended it.
func (w *watch) idle(ctx context.Context) (can bool, err error) {
	late, done := grace(ctx)
	defer done()
	end, err := w.c.begin(late)
	if err != nil {
		return false, err
	}
	defer end()
	can, err = w.exchange(ctx)
	return can, cause(late, err)
}

// exchange is IDLE, what comes then, and DONE.
func (w *watch) exchange(ctx context.Context) (can bool, err error) {
	c, x := w.c, w.call("IDLE")
	if err := c.start(x); err != nil {
		return false, err
	}
	if err := c.awaitContinuation(x); err != nil {
		return false, err
	}
	w.ask()
	if !w.over {
		ended, err := w.listen(ctx, x)
		if err != nil || ended {
			w.ask()
			return false, err
		}
	}
	c.out = append(c.out, "DONE\r\n"...)
	_, err = c.finish(x)
	w.ask()
	return true, err
}

// idleGrace is how long a server has to end an IDLE in good order when the
// context is over.
const idleGrace = 10 * time.Second

// grace is a context that ends so much later than ctx.
func grace(ctx context.Context) (late context.Context, done func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(idleGrace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(context.Cause(ctx))
		case <-late.Done():
		}
	})
	return late, func() { stop(); cancel(nil) }
}

// listen reads until there is a reason to say DONE.
func (w *watch) listen(ctx context.Context, x *call) (ended bool, err error) {
	c, nc := w.c, w.c.nc
	c.r.Nudgeable, c.again = true, time.Now().Add(idleFor)
	defer func() { c.r.Nudgeable, c.again = false, time.Time{} }()
	stop := context.AfterFunc(ctx, func() {
		c.r.Nudge()
		_ = nc.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	for !w.over {
		r, err := c.response()
		switch {
		case errors.Is(err, errNews):
			return false, nil
		case err != nil:
			return false, c.hungUp(x, err)
		case r.tag == x.tag:
			return true, c.ended(x, r)
		case r.tag != "*":
			return false, c.broken("tag of another command")
		}
		if err := c.untagged(x, r); err != nil {
			return false, err
		}
		if c.bye != nil {
			return false, c.hungUp(x, c.ready())
		}
		w.ask()
	}
	return false, nil
}

// ended takes in the end of an IDLE that the server has had enough of.
func (c *Conn) ended(x *call, r *response) error {
	if err := c.note(r); err != nil {
		return err
	}
	if r.word != "OK" {
		return r.refusal(x.verb)
	}
	return c.malformed("end of IDLE")
}

// waited turns the end of a wait of IDLE into errNews: nothing of a response
// has come yet, so the connection is in step.
func (c *Conn) waited(err error) error {
	if len(c.buf) > 0 || c.again.IsZero() {
		return err
	}
	if errors.Is(err, corewire.ErrNudged) || corewire.IsTimeout(err) {
		return errNews
	}
	return err
}

// poll stands in for IDLE.
func (w *watch) poll(ctx context.Context) error {
	t := time.NewTicker(cmp.Or(timeout(w.c.client.Timeouts.Poll, time.Minute), time.Minute))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		if err := w.c.do(ctx, w.call("NOOP")); err != nil {
			return err
		}
		if w.ask(); w.over {
			return nil
		}
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
