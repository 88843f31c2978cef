package spooltest

import (
	"errors"
	"fmt"
	"strings"
	"testing/iotest"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

var leaseCases = []testCase{
	{"lease/runs out", "what a worker does not settle is offered again when the lease has run out, and counts as an attempt", runsOut},
	{"lease/extend", "Extend keeps a claim from others for longer", extend},
	{"lease/fenced", "once somebody else has claimed, the lease before is lost: Settle and Extend say ErrLost and change nothing", fenced},
	{"lease/late but first", "a lease that ran out can be settled until somebody else claims", lateButFirst},
	{"lease/token belongs to item", "a lease with the token of another item is lost", wrongItem},
}

var settleCases = []testCase{
	{"settle/once", "a lease is over when it is settled; a second Settle is ErrLost and queues nothing", settleOnce},
	{"settle/retry", "an outcome with Next is offered again at that time, not before, with its result and the attempt counted", settleRetry},
	{"settle/part", "recipients without an outcome are given back as they were before the claim", settlePart},
	{"settle/nothing", "Settle without outcomes gives all back, and counts no attempt", settleNothing},
	{"settle/warned", "what an Outcome says of a warning, Progress says from then on", settleWarned},
	{"settle/bad outcome", "an outcome for somebody who is not in the claim, or two for one, is ErrInvalid and changes nothing", badOutcome},
	{"settle/follow-up", "follow-ups are queued with the outcome, each once", followUp},
	{"settle/follow-up fails", "when a follow-up's body fails, neither outcome nor follow-up is there, and the lease runs on", followUpFails},
	{"settle/follow-up of a lost lease", "a lost lease queues no follow-up", followUpLost},
	{"settle/same follow-up", "a follow-up whose ID the store has is not queued again", followUpSame},
}

func runsOut(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	a, err := h.one()
	if err != nil {
		return err
	}
	h.pass(2)
	b, err := h.one()
	if err != nil {
		return fmt.Errorf("after the lease: %w", err)
	}
	if b.Due[0].Attempts != 2 {
		return fmt.Errorf("the second attempt has number %d", b.Due[0].Attempts)
	}
	if b.Lease.Token == a.Lease.Token {
		return errors.New("two leases with one token")
	}
	return h.settle(b, done(b))
}

func extend(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := h.store.Extend(h.ctx, c.Lease, 5*h.unit); err != nil {
		return fmt.Errorf("calling Extend: %w", err)
	}
	h.pass(2)
	if _, err := h.claim(0); err != nil {
		return fmt.Errorf("within the extended lease: %w", err)
	}
	h.pass(4)
	_, err = h.one()
	return err
}

// overtaken makes a claim that has lost its lease, and the one that has it.
func (h *harness) overtaken() (lost, good spool.Claim, err error) {
	if err = h.put("x", item("a@one.example")); err != nil {
		return
	}
	if lost, err = h.one(); err != nil {
		return
	}
	h.pass(2)
	good, err = h.one()
	return
}

func fenced(h *harness) error {
	lost, good, err := h.overtaken()
	if err != nil {
		return err
	}
	if err := wantErr("Extend", h.store.Extend(h.ctx, lost.Lease, h.unit), spool.ErrLost); err != nil {
		return err
	}
	if err := wantErr("Settle", h.store.Settle(h.ctx, lost.Lease, done(lost)), spool.ErrLost); err != nil {
		return err
	}
	return h.settle(good, done(good)) // it was not settled by the late one
}

func lateButFirst(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	h.pass(2)
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	return h.empty()
}

func wrongItem(h *harness) error {
	if err := h.putEach("a@one.example", "b@two.example"); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return err
	}
	mixed := spool.Lease{ID: all[0].Lease.ID, Token: all[1].Lease.Token + 1000, Until: all[0].Lease.Until}
	if err := wantErr("Settle", h.store.Settle(h.ctx, mixed, done(all[0])), spool.ErrLost); err != nil {
		return err
	}
	mixed.ID, mixed.Token = spool.DerivedID("nobody"), all[0].Lease.Token
	return wantErr("Settle", h.store.Settle(h.ctx, mixed, done(all[0])), spool.ErrLost)
}

func settleOnce(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	err = h.store.Settle(h.ctx, c.Lease, done(c), bounce(""))
	if err := wantErr("second Settle", err, spool.ErrLost); err != nil {
		return err
	}
	return h.empty()
}

func settleRetry(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	res := smtp.Result{Reply: smtp.Reply{Code: 451, Enhanced: "4.7.1", Text: "greylisted"}, Host: "mx.one.example"}
	if err := h.settle(c, []spool.Outcome{{Rcpt: 0, Result: res, Next: h.now().Add(3 * h.unit)}}); err != nil {
		return err
	}
	h.pass(1)
	if _, err := h.claim(0); err != nil {
		return fmt.Errorf("before Next: %w", err)
	}
	h.pass(2)
	if c, err = h.one(); err != nil {
		return fmt.Errorf("at Next: %w", err)
	}
	if p := c.Due[0]; p.Attempts != 2 || p.Last.Reply != res.Reply || p.Last.Host != res.Host || p.Last.Status != res.Status {
		return fmt.Errorf("second attempt: %+v", p)
	}
	return nil
}

func settlePart(h *harness) error {
	if err := h.put("x", item("a@one.example", "b@one.example", "c@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := h.settle(c, []spool.Outcome{{Rcpt: 1, Result: smtp.Result{Status: smtp.Accepted}}}); err != nil {
		return err
	}
	if c, err = h.one(); err != nil {
		return err
	}
	if len(c.Due) != 2 || c.Due[0].Rcpt != 0 || c.Due[1].Rcpt != 2 || c.Due[0].Attempts != 1 {
		return fmt.Errorf("given back: %+v", c.Due)
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	return h.empty()
}

func settleNothing(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	for range 3 {
		c, err := h.one()
		if err != nil {
			return err
		}
		if c.Due[0].Attempts != 1 {
			return fmt.Errorf("attempt %d", c.Due[0].Attempts)
		}
		if err := h.settle(c, nil); err != nil {
			return err
		}
	}
	return nil
}

func settleWarned(h *harness) error {
	if err := h.put("x", item("a@one.example", "b@one.example")); err != nil {
		return err
	}
	for i, want := range []bool{false, true, true} {
		c, err := h.one()
		if err != nil {
			return err
		}
		if c.Due[0].Warned != want || c.Due[1].Warned {
			return fmt.Errorf("attempt %d: %+v", i+1, c.Due)
		}
		next := h.now()
		if err := h.settle(c, []spool.Outcome{{Rcpt: 0, Next: next, Warned: i == 0}, {Rcpt: 1, Next: next}}); err != nil {
			return err
		}
	}
	return nil
}

func badOutcome(h *harness) error {
	if err := h.put("x", item("a@one.example", "b@two.example")); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return err
	}
	c, other := all[0], all[1].Due[0].Rcpt
	mine := c.Due[0].Rcpt
	for _, out := range [][]spool.Outcome{{{Rcpt: mine}, {Rcpt: other}}, {{Rcpt: mine}, {Rcpt: mine}}, {{Rcpt: 2}}, {{Rcpt: -1}}} {
		err := h.store.Settle(h.ctx, c.Lease, out, bounce(""))
		if err := wantErr("Settle", err, spool.ErrInvalid); err != nil {
			return err
		}
	}
	for _, c := range all {
		if err := h.settle(c, done(c)); err != nil {
			return err
		}
	}
	return h.empty()
}

// bounce is a follow-up; id may be "".
func bounce(id spool.ID) spool.Followup {
	it := item("ann@back.example")
	it.ID, it.Envelope.From = id, smtp.Path{}
	return spool.Followup{Items: []*spool.Item{it}, Body: strings.NewReader("it failed")}
}

func followUp(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := h.settle(c, done(c), bounce(""), bounce("")); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return fmt.Errorf("after two follow-ups: %w", err)
	}
	for _, c := range all {
		if !c.Item.Envelope.From.IsNull() {
			return fmt.Errorf("a follow-up from %v", c.Item.Envelope.From)
		}
		if err := h.body(c.Item.ID, "it failed"); err != nil {
			return err
		}
		if err := h.settle(c, done(c)); err != nil {
			return err
		}
	}
	return h.empty()
}

func followUpFails(h *harness) error {
	if err := h.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	broken := errors.New("broken")
	bad := bounce("")
	bad.Body = iotest.ErrReader(broken)
	err = h.store.Settle(h.ctx, c.Lease, done(c), bounce(""), bad)
	if err := wantErr("Settle", err, broken); err != nil {
		return err
	}
	if _, err := h.claim(0); err != nil {
		return err
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	return h.empty()
}

func followUpLost(h *harness) error {
	lost, good, err := h.overtaken()
	if err != nil {
		return err
	}
	if err := wantErr("Settle", h.store.Settle(h.ctx, lost.Lease, done(lost), bounce("")), spool.ErrLost); err != nil {
		return err
	}
	if err := h.settle(good, done(good)); err != nil {
		return err
	}
	return h.empty()
}

func followUpSame(h *harness) error {
	if err := h.putEach("a@one.example", "b@two.example"); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return err
	}
	id := spool.DerivedID("the bounce")
	for _, c := range all {
		if err := h.settle(c, done(c), bounce(id)); err != nil {
			return err
		}
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if c.Item.ID != id {
		return fmt.Errorf("the follow-up has ID %s, want %s", c.Item.ID, id)
	}
	return nil
}
