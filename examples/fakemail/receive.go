package main

import (
	"context"
	"io"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// receiver is the SMTP side of the world: it takes everything but what a fault
// forbids.
type receiver struct {
	world  *world
	always []fault             // of the flags
	cut    func(*smtp.Session) // closes a connection
}

// holdInMemory is how much of a message that is still coming is in memory.
const holdInMemory = 64 << 10

// errCut is the reply to a connection that is not there any more.
var errCut = smtp.Reject(421, "4.4.2", "Connection closed: the address asked for it")

func (r *receiver) handler() smtp.Handler {
	return smtp.Handler{
		Rcpt: func(ctx context.Context, t *smtp.Transaction, rcpt *smtp.Recipient) error {
			return r.trouble(ctx, t, false, rcpt.Path)
		},
		Message: r.message,
	}
}

// message holds the body before it is kept: it comes at the sender's pace, into a
// file where it is long, while others come and go.
func (r *receiver) message(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
	held, err := smtp.Hold(ctx, t.Reader(body), holdInMemory)
	if err != nil {
		return err
	}
	defer held.Close()
	paths := make([]smtp.Path, len(t.To))
	keepFirst := false
	for i, to := range t.To {
		paths[i] = to.Path
		keepFirst = keepFirst || faultOf(to.Path.Local()).keep
	}
	for _, f := range r.always {
		keepFirst = keepFirst || f.keep
	}
	if keepFirst {
		if err := r.world.add(ctx, t, held.SectionReader); err != nil {
			return err
		}
	}
	if err := r.trouble(ctx, t, true, paths...); err != nil || keepFirst {
		return err
	}
	return r.world.add(ctx, t, held.SectionReader)
}

// trouble does what the faults of a stage ask for, those of the flags first.
func (r *receiver) trouble(ctx context.Context, t *smtp.Transaction, data bool, rcpts ...smtp.Path) error {
	faults := r.always
	for _, p := range rcpts {
		faults = append(faults[:len(faults):len(faults)], faultOf(p.Local()))
	}
	for _, f := range faults {
		if f.data != data {
			continue
		}
		if err := pause(ctx, f.wait); err != nil {
			return err
		}
		if f.drop {
			r.cut(t.Session)
			return errCut
		}
		if f.err != nil {
			return f.err
		}
	}
	return nil
}

// pause waits, but not for longer than ctx lives.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
