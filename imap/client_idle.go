package imap

import (
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
// ctx ends. It ends in good order in both cases, and the connection stays usable:
// the error is nil if more has ended it, and the cause of ctx if that has. IDLE
// is said anew before servers lose patience; one that cannot do it is asked
// once a minute.
func (c *Conn) Idle(ctx context.Context, more func() bool) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	if more == nil {
		more = func() bool { return true }
	}
	if !c.caps.Has("IDLE") && !c.caps.Has("IMAP4REV2") {
		return c.poll(ctx, more)
	}
	for ctx.Err() == nil {
		over, err := c.idle(ctx, more)
		if err != nil || over {
			return err
		}
	}
	return context.Cause(ctx)
}

// idle is one IDLE; over says that more has ended it.
func (c *Conn) idle(ctx context.Context, more func() bool) (over bool, err error) {
	if err := c.ready(); err != nil {
		return false, err
	}
	x := &call{verb: "IDLE"}
	if err := c.start(x); err != nil {
		return false, err
	}
	if err := c.awaitContinuation(x); err != nil {
		return false, err
	}
	nc := c.nc
	c.r.Nudgeable, c.again = true, time.Now().Add(idleFor)
	stop := context.AfterFunc(ctx, func() {
		c.r.Nudge()
		_ = nc.SetReadDeadline(time.Unix(1, 0))
	})
	over, err = c.listen(x, more)
	stop()
	c.r.Nudgeable, c.again = false, time.Time{}
	if err != nil {
		return false, err
	}
	c.out = append(c.out, "DONE\r\n"...)
	_, err = c.finish(x)
	return over, err
}

// listen reads until there is a reason to say DONE.
func (c *Conn) listen(x *call, more func() bool) (over bool, err error) {
	for {
		r, err := c.response()
		switch {
		case errors.Is(err, errNews):
			return false, nil
		case err != nil:
			return false, err
		case r.tag == x.tag: // the server has had enough
			return false, c.broken("IDLE ended by the server")
		case r.tag == "*":
			if err := c.note(r); err != nil {
				return false, err
			}
			if c.over {
				return false, r.refusal("IDLE")
			}
			if !more() {
				return true, nil
			}
		}
	}
}

// waited turns the end of a wait of IDLE into errNews: nothing of a response
// has come yet, so the connection is in step.
func (c *Conn) waited(err error) error {
	if len(c.buf) > 0 || c.again.IsZero() {
		return err
	}
	if errors.Is(err, corewire.ErrNudged) || isTimeout(err) {
		return errNews
	}
	return err
}

// poll stands in for IDLE.
func (c *Conn) poll(ctx context.Context, more func() bool) error {
	t := time.NewTicker(timeout(c.client.Timeouts.Poll, time.Minute))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		if err := c.Noop(ctx); err != nil {
			return err
		}
		if !more() {
			return nil
		}
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
