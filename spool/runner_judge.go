package spool

import (
	"context"
	"errors"
	"log/slog"

	"github.com/postilion-mail/postilion/smtp"
)

// verdict is what becomes of one recipient, and what the sender hears of it.
type verdict struct {
	Outcome
	action string // of the report; "" none
	status string // of the report; "" is that of the result
}

// judge decides about each recipient of the claim. Who was not tried, because we
// are stopping or have lost the lease, is left out: the claim is given back for
// him as it was.
func (j *job) judge(ctx context.Context, results smtp.Results) {
	for i, p := range j.claim.Due {
		r := results[i]
		if ctx.Err() != nil && r.Status == smtp.Temporary {
			continue
		}
		j.verdict = append(j.verdict, j.decide(p, r))
	}
}

func (j *job) decide(p Progress, r smtp.Result) verdict {
	if !j.dead.IsZero() && r.Err == error(errDead) && (p.Last.Reply.Code != 0 || p.Last.Host != "") {
		r = p.Last // what was found when something was tried last
	}
	v := verdict{Outcome: Outcome{Rcpt: p.Rcpt, Result: r, Warned: p.Warned}}
	if r.Status != smtp.Accepted {
		v.Next = j.retry.Next(j.claim.Item, p, r)
	}
	if !v.Next.IsZero() && v.Next.After(j.dead) && !j.dead.IsZero() {
		v.Next = j.dead // to be tried as soon as it may be
	}
	warn := !v.Next.IsZero() && !p.Warned && j.retry.Warn(j.claim.Item, p)
	if by := j.claim.Item.Envelope.Params.DeliverBy; !by.Time.IsZero() {
		warn = v.inTime(by, j.r.now()) && !p.Warned
	}
	v.action = action(&j.claim.Item.Envelope, j.rcpt(p), v.Outcome, warn)
	if v.action == "delayed" {
		v.Warned = true
	}
	return v
}

// action is the word for the sender (RFC 3464 §2.3.3), "" if there is nothing to
// say to him, or no sender: a report never causes another one (RFC 5321 §4.5.5).
func action(env *smtp.Envelope, rcpt smtp.Recipient, o Outcome, warn bool) string {
	switch {
	case env.From.IsNull():
		return ""
	case o.Result.Status == smtp.Accepted && tellsRelay(env.Params.DeliverBy, rcpt, o.Result):
		return "relayed"
	case o.Result.Status == smtp.Accepted:
		if !rcpt.Notify.Has(smtp.NotifySuccess) {
			return ""
		}
		return success(rcpt, o.Result)
	case o.Next.IsZero() && rcpt.Notify.Has(smtp.NotifyFailure):
		return "failed"
	case warn && rcpt.Notify.Has(smtp.NotifyDelay):
		return "delayed"
	}
	return ""
}

// success is the word for what was accepted.
func success(rcpt smtp.Recipient, r smtp.Result) string {
	switch {
	case rcpt.Expanded:
		return "expanded" // RFC 3461 §5.2.7.3 (c)
	case rcpt.Delivered:
		return "delivered" // RFC 3461 §5.2.7.1
	case r.DSN:
		return "" // RFC 3461 §5.2.1: the next host answers for it
	case r.Host != "":
		return "relayed" // RFC 3461 §5.2.2 (b): to one that does not
	}
	return "delivered" // RFC 3461 §5.2.3: here
}

// conclude settles the claim and tells everybody.
func (j *job) conclude(ctx context.Context) {
	if j.settleNext(ctx) {
		return
	}
	if j.settle(j.outcomes(), j.report(ctx)...) {
		j.tell()
	}
}

func (j *job) outcomes() []Outcome {
	out := make([]Outcome, len(j.verdict))
	for i, v := range j.verdict {
		out[i] = v.Outcome
	}
	return out
}

// tell lets log and Observer know what is safe now.
func (j *job) tell() {
	for _, v := range j.verdict {
		j.logOutcome(v)
	}
	j.r.Observe.settled(j.claim, j.outcomes())
}

func (j *job) logger() *slog.Logger {
	return j.r.log().With("id", j.claim.Item.ID, "dest", j.claim.Dest())
}

func (j *job) logOutcome(v verdict) {
	level, msg := slog.LevelInfo, "spool: sent"
	switch from := j.claim.Item.Envelope.From; {
	case v.Result.Status == smtp.Accepted:
	case !v.Next.IsZero():
		msg = "spool: deferred"
	case from.IsNull():
		level, msg = slog.LevelWarn, "spool: double bounce, dropped"
	default:
		msg = "spool: failed"
	}
	j.logger().Log(j.base, level, msg, "to", j.claim.Item.Envelope.To[v.Rcpt].Path.String(), "host", v.Result.Host,
		"reply", v.Result.Reply.String(), "err", v.Result.Err, "next", v.Next, "report", v.action)
}

// followup makes a Followup for one try; original says whether the message may be
// part of it.
type followup func(original bool) (Followup, error)

// settle records outcomes, and reports whether it could. It goes on trying: what
// is not recorded is delivered again.
func (j *job) settle(out []Outcome, next ...followup) bool {
	for n := 0; ; n++ {
		// A message that cannot be read, or for which the store has no room, is not
		// to hold up its own report: each second try does without.
		err := j.settleOnce(out, n%2 == 0, next)
		switch {
		case err == nil:
			return true
		case errors.Is(err, ErrLost):
			j.logger().Warn("spool: lease lost, what was delivered may come twice", "err", err)
			return false
		case errors.Is(err, ErrInvalid) && len(next) > 0:
			j.logger().Error("spool: a report was refused by the store, and is dropped", "err", err)
			next = nil
			continue
		}
		if n == 0 {
			j.stuck.Add(1)
			defer j.notify()
			defer j.stuck.Add(-1)
		}
		j.logger().Error("spool: cannot record an outcome", "err", err, "tries", n+1)
		if errors.Is(err, ErrClosed) || errors.Is(err, ErrInvalid) || !pause(j.hard, backoff(n)) {
			if len(out) > 0 { // what was only to be given back is, when the lease runs out
				j.giveUp(err)
			}
			return false
		}
	}
}
