package spool

import "github.com/postilion-mail/postilion/smtp"

// Observer looks on while a [Runner] works, for counters and for logs of one's
// own. Each func may be nil, is called after the outcome is safe in the store,
// by several goroutines at once, and must be quick. env has only the recipients
// that r tells of, in the same order; neither may be changed.
type Observer struct {
	Sent     func(env smtp.Envelope, r smtp.Results) // accepted by whoever is next
	Failed   func(env smtp.Envelope, r smtp.Results) // given up; if env.From is null nobody hears of it
	Deferred func(env smtp.Envelope, r smtp.Results) // to be tried again
}

// settled sorts the outcomes of a claim and tells each func its own.
func (o Observer) settled(c Claim, out []Outcome) {
	o.pick(o.Sent, c, out, func(x Outcome) bool { return x.Result.Status == smtp.Accepted })
	o.pick(o.Failed, c, out, func(x Outcome) bool { return x.Result.Status != smtp.Accepted && x.Next.IsZero() })
	o.pick(o.Deferred, c, out, func(x Outcome) bool { return x.Result.Status != smtp.Accepted && !x.Next.IsZero() })
}

func (o Observer) pick(tell func(smtp.Envelope, smtp.Results), c Claim, out []Outcome, want func(Outcome) bool) {
	if tell == nil {
		return
	}
	var to []smtp.Recipient
	var r smtp.Results
	for _, x := range out {
		if want(x) {
			to, r = append(to, c.Item.Envelope.To[x.Rcpt]), append(r, x.Result)
		}
	}
	if len(to) == 0 {
		return
	}
	env := c.Item.Envelope.With(to...)
	if env.ID == "" {
		env.ID = string(c.Item.ID)
	}
	tell(env, r)
}
