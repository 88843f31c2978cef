package spool

import (
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// expired reports that the item was to be returned by now, and no more attempts
// are to be made (RFC 2852 §4.1.3).
func (j *job) expired() bool {
	by := j.claim.Item.Envelope.Params.DeliverBy
	return by.Return && !by.Time.IsZero() && !j.r.now().Before(by.Time)
}

// late is the result of what was not delivered in time. Nobody said so, so there
// is no code of a reply.
var late = smtp.Result{Status: smtp.Permanent, Reply: smtp.Reply{Enhanced: "5.4.7", Text: "Delivery time expired"}}

// inTime holds a verdict against the time by which the sender wanted the message
// delivered. It says no later than that whether it was. warn says that the sender
// is to hear of a delay, which he does at that time and no other.
func (v *verdict) inTime(by smtp.DeliverBy, now time.Time) (warn bool) {
	passed := !now.Before(by.Time)
	switch {
	case v.Next.IsZero(): // delivered, or given up for a reason of its own
	case passed && by.Return:
		why := v.Result.Err
		v.Result, v.Next = late, time.Time{}
		v.Result.Err = why
	case passed:
		v.status = "4.4.7" // RFC 2852 §4.1.3, for a "delayed"
		return true
	case v.Next.After(by.Time):
		v.Next = by.Time
	}
	return false
}

// tellsRelay reports that a sender who gave a time hears that the message went on
// to another host, whether he wants to hear of success or not (RFC 2852 §4.1.4):
// always with a trace, else where that host knows nothing of the time.
func tellsRelay(by smtp.DeliverBy, rcpt smtp.Recipient, r smtp.Result) bool {
	if by.Time.IsZero() || r.Host == "" || reportOnly(rcpt) || rcpt.Notify.Has(smtp.NotifyNever) {
		return false
	}
	return by.Trace || !r.By
}
