package spool

import "context"

// againKey is the key of what [Again] looks for.
type againKey struct{}

// Again reports, for the ctx of a [Runner]'s Deliver, that the message may have
// been delivered before: it was tried before, or it was in the queue before this
// Runner began, and a crash may have come between the delivery and its Settle. An
// agent that can tell, such as local.Agent, looks whether the message is there.
// It is false for any other ctx.
func Again(ctx context.Context) bool {
	again, _ := ctx.Value(againKey{}).(bool)
	return again
}

// mayBeDone reports what Again tells. The attempts alone would not do: a store
// need not keep them through a power cut.
func (j *job) mayBeDone() bool {
	if j.claim.Item.Created.Before(j.began) {
		return true
	}
	for _, p := range j.claim.Due {
		if p.Attempts > 1 {
			return true
		}
	}
	return false
}
