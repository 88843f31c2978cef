package list

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// How bounces are weighed.
const (
	forgetBounces = 14 * day // without one all is forgotten
	probeTime     = 14 * day // within which a probe comes back, if it does
)

// owner sends a message on to the owners, as an alias does.
func (v *visit) owner() error {
	if len(v.list.Owners) == 0 {
		return smtp.Reject(550, "5.1.1", "The list has no owner")
	}
	return v.forward(v.env.From)
}

// forward posts the message to the owners; one that was here before is a loop.
func (v *visit) forward(from smtp.Path) error {
	at := v.list.at("-owner")
	for f := range v.msg.Header().All("Delivered-To") {
		if p, err := smtp.ParsePath(strings.TrimSpace(f.Value())); err == nil && key(p) == key(at) {
			return smtp.Reject(554, "5.4.6", "Mail loop: the owners have had the message before")
		}
	}
	env := smtp.Envelope{ID: v.env.ID, From: from, Params: v.env.Params}
	env.Params.EnvID, env.Params.Auth = "", ""
	for _, o := range v.list.Owners {
		env.To = append(env.To, smtp.Recipient{Path: o})
	}
	if len(env.To) == 0 {
		return nil
	}
	if err := env.AddField("Delivered-To", at.Address()); err != nil {
		return err
	}
	return v.Post(v.ctx, v.body, env)
}

// bounce takes what comes back to the sender of a copy. Only an address that we
// signed says whose copy it was; what a report says of itself anybody can write.
func (v *visit) bounce() error {
	if v.Rewriter == nil || !strings.Contains(v.to.Local(), "+") {
		return v.unknown()
	}
	who, err := v.holder(v.Rewriter, "-bounces")
	if errors.Is(err, errGone) {
		return nil // he has left, and there is nothing to weigh
	}
	if err != nil {
		return err
	}
	switch failed, ok := failure(v.msg); {
	case !ok:
		return v.unknown()
	case failed:
		return v.weigh(who)
	}
	return nil
}

// failure reports whether a message is a report, and says that somebody was not
// reached. A delay is no failure.
func failure(m *mime.Message) (failed, ok bool) {
	dsn, ok := mime.ParseDSN(m)
	if !ok {
		return false, false
	}
	for _, r := range dsn.Recipients {
		failed = failed || r.Action == "failed"
	}
	return failed, true
}

// unknown is what is no report: a person's, or one of a kind that we cannot read,
// goes to the owners (RFC 3461 §5.2.7.1 a); a vacation notice goes nowhere.
func (v *visit) unknown() error {
	h := v.msg.Header()
	if word := autoSubmitted(h); autoReplied(h) || word != "" && word != "no" {
		if _, isReport := mime.ParseDSN(v.msg); !isReport {
			return nil
		}
	}
	return v.forward(smtp.Path{})
}

// weigh counts the days with bounces, and sends a probe when they are many. A
// hundred bounces in a day count once: that is a full mailbox, or one bad night.
func (v *visit) weigh(who smtp.Path) error {
	now, probe := v.now(), false
	err := v.Members.Update(v.ctx, v.list.Address, who, func(x *Member) error {
		probe = false
		if x.State != Subscribed || !x.Probed.IsZero() && now.Sub(x.Probed) < probeTime {
			return errUnchanged // the probe decides
		}
		since := now.Sub(x.Bounced)
		switch {
		case since < day && x.Bounces > 0:
			return errUnchanged
		case since > forgetBounces: // and a probe that was sent then has not come back
			x.Bounces = 0
		}
		x.Bounces, x.Bounced, x.Probed = x.Bounces+1, now, time.Time{}
		probe = x.Bounces >= cmp.Or(v.list.MaxBounces, 5)
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil || !probe {
		return err
	}
	// The probe goes out before it is noted: what is lost between the two is a
	// second probe tomorrow.
	from, err := v.Rewriter.VERP(v.list.at("-probe"), who)
	if err != nil {
		return err
	}
	if err := v.tell(v.ctx, Notice{Kind: Probe, List: v.list, To: who}, from); err != nil {
		return err
	}
	err = v.Members.Update(v.ctx, v.list.Address, who, func(x *Member) error {
		if x.State != Subscribed {
			return errUnchanged
		}
		x.Probed = now
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// probeBounced ends it: the member gets no more, and the owners are told. A
// vacation notice is an answer, and so proves the contrary.
func (v *visit) probeBounced() error {
	if v.Rewriter == nil {
		return errToken
	}
	who, err := v.holder(v.Rewriter, "-probe")
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if failed, ok := failure(v.msg); !ok {
		return v.unknown()
	} else if !failed {
		return nil
	}
	err = v.Members.Update(v.ctx, v.list.Address, who, func(x *Member) error {
		if x.State != Subscribed || x.Probed.IsZero() {
			return errUnchanged
		}
		x.State = Disabled
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.tellOwners(v.ctx, Notice{Kind: Stopped, List: v.list, Member: who})
}
