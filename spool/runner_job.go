package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// job is one claim on its way from Claim to Settle.
type job struct {
	*work
	claim   Claim
	release func(smtp.Result)
	dead    time.Time // nothing goes to the destination before; zero if it is alive
	refused bool      // the Limiter has no place after all
	body    *io.SectionReader
	verdict []verdict // in the order of claim.Due; without those given back
	given   []given   // what the agent wants queued with the outcome; see Next
}

// run does all of it.
func (j *job) run() {
	ctx, cancel := context.WithCancel(j.hard)
	defer cancel()
	defer j.keep(ctx, cancel)()
	if j.refused {
		j.settle(nil)
		return
	}
	blob, err := j.r.Store.Open(ctx, j.claim.Item.ID)
	if err != nil {
		j.logger().Error("spool: cannot read a message", "err", err)
	} else {
		defer blob.Close()
		j.body = j.claim.Item.Envelope.Section(io.NewSectionReader(blob, 0, blob.Size()))
	}
	if j.expand(ctx) {
		return
	}
	j.judge(ctx, j.attempt(ctx, err))
	j.conclude(ctx)
}

// keep extends the lease at each third of it until the returned func is called.
// When that fails the delivery is cut short: somebody else may begin it. A store
// that is only out of order has a second chance before the lease is over.
func (j *job) keep(ctx context.Context, lost func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	lease := j.r.lease()
	go func() {
		defer close(done)
		for failures := 0; pause(ctx, lease/3); {
			err := j.extend(ctx, lease)
			if err == nil {
				failures = 0
				continue
			}
			j.logger().Warn("spool: cannot extend a lease", "err", err)
			if failures++; failures > 1 || errors.Is(err, ErrLost) {
				lost()
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (j *job) extend(ctx context.Context, lease time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, lease/3)
	defer cancel()
	return j.r.Store.Extend(ctx, j.claim.Lease, lease)
}

// errDead is why nothing was tried.
var errDead = &smtp.Error{Reply: smtp.Reply{Code: 451, Enhanced: "4.4.1", Text: "The mail host has not answered for some time"}}

// errPanic is what the sender may hear of a panic: nothing.
var errPanic = errors.New("spool: the delivery agent panicked")

// errExpired is why nothing was tried.
var errExpired = errors.New("spool: delivery time expired")

// attempt gives a result for each of claim.Due, and the place back. Recipients
// that are only reported on were accepted before they came here.
func (j *job) attempt(ctx context.Context, unreadable error) smtp.Results {
	var to []smtp.Recipient
	for _, p := range j.claim.Due {
		if rcpt := j.rcpt(p); !reportOnly(rcpt) {
			to = append(to, rcpt)
		}
	}
	var got smtp.Results
	switch {
	case len(to) == 0:
	case j.expired():
		for range to {
			got = append(got, late)
		}
		unreadable = errExpired // nothing was tried: that says nothing of the destination
	case !j.dead.IsZero():
		got = smtp.Failed(len(to), errDead)
	case unreadable != nil:
		got = smtp.Failed(len(to), unreadable)
	default:
		env := j.claim.Envelope()
		env.To = to
		got = j.deliver(ctx, env)
	}
	j.release(j.representative(ctx, got, unreadable))
	out := make(smtp.Results, len(j.claim.Due))
	next := 0
	for i, p := range j.claim.Due {
		if reportOnly(j.rcpt(p)) {
			out[i] = smtp.Result{Status: smtp.Accepted, Reply: smtp.Reply{Code: 250, Enhanced: "2.0.0", Text: "OK"}}
		} else if next < len(got) {
			out[i] = got[next]
			next++
		}
	}
	return out
}

// deliver calls Deliver; whatever it does, there is a result for everybody.
func (j *job) deliver(ctx context.Context, env smtp.Envelope) (got smtp.Results) {
	defer func() {
		if p := recover(); p != nil {
			j.logger().Error("spool: panic in Deliver", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			got = smtp.Failed(len(env.To), errPanic)
		}
	}()
	got = make(smtp.Results, len(env.To))
	if j.mayBeDone() {
		ctx = context.WithValue(ctx, againKey{}, true)
	}
	next := &basket{}
	defer next.close() // also after a panic, which leaves nothing of it
	copy(got, j.r.Deliver(context.WithValue(ctx, nextKey{}, next), env, j.body))
	j.given = next.close()
	for i, r := range got {
		if r.Status > smtp.Unknown {
			got[i].Status = smtp.Temporary
		}
	}
	return got
}

// representative is the result that says most of the destination: that somebody
// answered, else that he had enough, else nothing.
func (j *job) representative(ctx context.Context, got smtp.Results, unreadable error) smtp.Result {
	if unreadable != nil || ctx.Err() != nil || len(got) == 0 {
		return smtp.Result{Err: context.Canceled}
	}
	best := got[0]
	for _, r := range got[1:] {
		if !unanswered(r) {
			return r
		}
		if r.Reply.Code == 421 {
			best = r
		}
	}
	return best
}

func (j *job) rcpt(p Progress) smtp.Recipient { return j.claim.Item.Envelope.To[p.Rcpt] }

// reportOnly reports that nothing is to be delivered to the recipient.
func reportOnly(r smtp.Recipient) bool { return r.Expanded || r.Delivered }

// reportsOnly reports that this is so for all of the claim.
func (j *job) reportsOnly() bool {
	for _, p := range j.claim.Due {
		if !reportOnly(j.rcpt(p)) {
			return false
		}
	}
	return true
}
