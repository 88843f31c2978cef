package spool

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/postilion-mail/postilion/smtp"
)

// Next is [Put] for an agent that makes mail of the mail it is given, such as a
// list: what it gives is queued in the step that settles the delivery to the
// recipient to, so that a crash leaves both or neither. Put would have a gap
// there, and after it everything would be sent a second time.
//
// ctx is that of a [Runner]'s Deliver, or made of it; for any other, and after
// Deliver has returned, Next does nothing and reports false: then Put is the way.
// On true the agent must let the recipient be Accepted. If it does not, or the
// store will not have what was given, nothing is queued and the recipient is
// tried again.
//
// body may be called several times and gives the whole body each time. It may
// read the body that Deliver was given, and runs after Deliver has returned,
// but before the Runner goes on with another claim in the place of this one.
// Several calls for one recipient add up. Next may be called concurrently.
func Next(ctx context.Context, to smtp.Path, body func() (io.Reader, error), envs ...smtp.Envelope) bool {
	items := make([]*Item, len(envs))
	for i, e := range envs {
		items[i] = &Item{Envelope: e, NotBefore: e.Params.HoldUntil}
	}
	return NextItems(ctx, to, body, items...)
}

// NextItems is [Next] for those who say more than an envelope does. It reports
// false too for items that Commit would find invalid.
func NextItems(ctx context.Context, to smtp.Path, body func() (io.Reader, error), items ...*Item) bool {
	b, _ := ctx.Value(nextKey{}).(*basket)
	if b == nil || body == nil || validate(items) != nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.given = append(b.given, given{to, body, slices.Clone(items)})
	return true
}

// nextKey is the key of the basket in the ctx of a Deliver.
type nextKey struct{}

// basket is what came of one call of Deliver.
type basket struct {
	mu     sync.Mutex // guards all below
	given  []given
	closed bool
}

// given is what one call of Next brought.
type given struct {
	to    smtp.Path
	body  func() (io.Reader, error)
	items []*Item
}

// close ends the time in which something may be given.
func (b *basket) close() []given {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.given
}

// followup makes it part of a Settle. Each try has items of its own, since the
// store keeps those of a try that it may have taken.
func (g given) followup(bool) (Followup, error) {
	r, err := g.body()
	if err != nil {
		return Followup{}, err
	}
	items := make([]*Item, len(g.items))
	for i, it := range g.items {
		items[i] = it.Clone()
	}
	return Followup{Items: items, Body: r}, nil
}

// accepted reports whether the recipient g belongs to is among those verdicts.
func (j *job) accepted(g given) bool {
	return slices.ContainsFunc(j.verdict, func(v verdict) bool {
		return v.Result.Status == smtp.Accepted && j.claim.Item.Envelope.To[v.Rcpt].Path == g.to
	})
}

// settleNext settles with what the agent gave, and reports whether that is the
// end of it. If it is not, nothing was recorded, and those for whom something was
// given are to be tried again: their mail was not sent.
func (j *job) settleNext(ctx context.Context) bool {
	j.given = slices.DeleteFunc(j.given, func(g given) bool { return !j.accepted(g) })
	if len(j.given) == 0 {
		return false
	}
	next := j.report(ctx)
	for _, g := range j.given {
		next = append(next, g.followup)
	}
	err := j.settleOnce(j.outcomes(), true, next)
	switch {
	case err == nil:
		j.tell()
		return true
	case errors.Is(err, ErrLost):
		j.logger().Warn("spool: lease lost, what was delivered may come twice", "err", err)
		return true
	}
	j.logger().Error("spool: cannot queue what came of a message, it is tried again", "err", err)
	j.takeBack(err)
	return false
}

// takeBack judges anew those for whom something was given. Whatever the store
// says of the mail, the recipient was no mistake: the failure is temporary.
func (j *job) takeBack(err error) {
	failed := smtp.Failed(1, err)[0]
	failed.Status = smtp.Temporary
	if failed.Reply.Code/100 == 5 {
		failed.Reply = smtp.Reply{Code: 451, Enhanced: "4.3.0", Text: "Try again later"}
	}
	for i, v := range j.verdict {
		for _, p := range j.claim.Due {
			if p.Rcpt == v.Rcpt && slices.ContainsFunc(j.given, func(g given) bool { return g.to == j.rcpt(p).Path }) {
				j.verdict[i] = j.decide(p, failed)
			}
		}
	}
}
