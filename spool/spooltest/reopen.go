package spooltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// RunReopen checks what is left of a queue when a process dies. open prepares an
// empty queue and returns a func that opens it; called again, without a Close of
// what it gave before, it opens the queue as the next process would. The TB of
// open is good for [Clock].
//
// A store that keeps nothing beyond its process, such as memspool, does without.
// A process that dies is less than a power cut: what has not reached the disk is
// for the store's own tests.
func RunReopen(t *testing.T, open func(testing.TB) (again func() spool.Store)) {
	t.Helper()
	for _, c := range reopenCases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t, open, patience); err != nil {
				t.Errorf("%v\nrule: %s", err, c.rule)
			}
		})
	}
}

// reopenCase is a rule for a store that is opened again in the middle.
type reopenCase struct {
	name  string
	rule  string
	check func(r *reopener) error
}

var reopenCases = []reopenCase{
	{"reopen/committed", "when Commit has returned, the next process has all its items, each once, and their body", reopenCommitted},
	{"reopen/not committed", "a body that was aborted, that failed, or that nobody committed is nowhere", reopenUncommitted},
	{"reopen/leased", "what a worker had claimed when its process died is offered again, at the latest when the lease runs out", reopenLeased},
	{"reopen/old lease", "a lease of the process before is lost once somebody else has claimed: it settles nothing and queues nothing", reopenOldLease},
	{"reopen/settled", "a recipient that is settled does not come back, and with the last one the item is gone", reopenSettled},
	{"reopen/retry", "an outcome with Next is kept: when, the attempts, the result, the warning", reopenRetry},
	{"reopen/follow-up", "when Settle has returned, the outcome and its follow-ups are there, each once", reopenFollowUp},
	{"reopen/half a settle", "of a Settle that was cut short neither the outcome nor a follow-up is there, and a second one does both", reopenHalfSettle},
	{"reopen/same ID", "an item whose ID was put before is not queued again by the next process", reopenSameID},
	{"reopen/held", "what is held stays held, and what is deleted stays away", reopenHeld},
}

// reopener opens the queue again and again.
type reopener struct {
	*harness
	again func() spool.Store
}

func (c reopenCase) run(tb testing.TB, open func(testing.TB) func() spool.Store, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ct := &clockTB{TB: tb, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	r := &reopener{&harness{ctx: ctx, clock: ct, unit: time.Minute}, open(ct)}
	r.die()
	defer func() { r.store.Close() }() // the last one
	if !ct.used {
		r.clock, r.unit = nil, 300*time.Millisecond
	}
	return c.check(r)
}

// die leaves the store as it is, and opens the queue anew.
func (r *reopener) die() { r.store = r.again() }

func reopenCommitted(r *reopener) error {
	body := text(100_000)
	a, b := item("bob@example.net", "eve@example.com"), item("c@example.net")
	a.Class, a.Meta = "bulk", map[string]string{"k": "v"}
	a.Envelope.Params.EnvID, a.Envelope.Prefix = "QQ314159", []byte("X-A: b\r\n")
	if err := r.put(body, a, b); err != nil {
		return err
	}
	r.die()
	all, err := r.claim(3)
	if err != nil {
		return err
	}
	for _, c := range all {
		want := b
		if c.Item.ID == a.ID {
			want = a
		}
		is, _ := c.Item.AppendBinary(nil)
		was, _ := want.AppendBinary(nil)
		if string(is) != string(was) {
			return fmt.Errorf("item %s is not what was put", c.Item.ID)
		}
		if err := r.body(c.Item.ID, body); err != nil {
			return err
		}
	}
	return nil
}

func reopenUncommitted(r *reopener) error {
	broken := io.MultiReader(strings.NewReader(text(50_000)), iotest.ErrReader(errBody))
	if err := wantErr("a body that fails", spool.PutItems(r.ctx, r.store, broken, item("a@one.example")), errBody); err != nil {
		return err
	}
	for i := range 2 {
		w, err := r.store.Begin(r.ctx, 0)
		if err == nil {
			_, err = io.WriteString(w, text(50_000))
		}
		if err == nil && i == 0 {
			err = w.Abort()
		}
		if err != nil {
			return err
		}
	}
	r.die()
	return r.empty()
}

// errBody is why a body ends.
var errBody = errors.New("the body fails")

func reopenLeased(r *reopener) error {
	if err := r.put("x", item("a@one.example")); err != nil {
		return err
	}
	was, err := r.one()
	if err != nil {
		return err
	}
	r.die()
	r.pass(2)
	is, err := r.one()
	if err != nil {
		return fmt.Errorf("after the worker died: %w", err)
	}
	if is.Item.ID != was.Item.ID {
		return fmt.Errorf("item %s is offered, want %s", is.Item.ID, was.Item.ID)
	}
	return r.settle(is, done(is))
}

func reopenOldLease(r *reopener) error {
	if err := r.put("x", item("a@one.example")); err != nil {
		return err
	}
	old, err := r.one()
	if err != nil {
		return err
	}
	r.die()
	r.pass(2)
	c, err := r.one()
	if err != nil {
		return err
	}
	err = r.store.Settle(r.ctx, old.Lease, done(old), bounce(spool.DerivedID("late")))
	if err := wantErr("the old lease", err, spool.ErrLost); err != nil {
		return err
	}
	if err := r.settle(c, done(c)); err != nil {
		return err
	}
	return r.empty()
}

func reopenSettled(r *reopener) error {
	if err := r.put("x", item("a@one.example", "b@one.example"), item("c@two.example")); err != nil {
		return err
	}
	all, err := r.claim(2)
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := r.settle(c, done(c)[:1]); err != nil { // b is given back
			return err
		}
	}
	r.die()
	r.pass(2)
	c, err := r.one()
	if err != nil {
		return err
	}
	if len(c.Due) != 1 || c.Due[0].Rcpt != 1 {
		return fmt.Errorf("offered are %v, want b@one.example alone", c.Due)
	}
	if err := r.settle(c, done(c)); err != nil {
		return err
	}
	r.die()
	return r.empty()
}

func reopenRetry(r *reopener) error {
	if err := r.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := r.one()
	if err != nil {
		return err
	}
	later := smtp.Result{Status: smtp.Temporary, Reply: smtp.Reply{Code: 451, Enhanced: "4.3.2", Text: "later"}, Host: "mx.one.example"}
	if err := r.settle(c, []spool.Outcome{{Rcpt: 0, Result: later, Next: r.now().Add(4 * r.unit), Warned: true}}); err != nil {
		return err
	}
	r.die()
	if _, err := r.claim(0); err != nil {
		return fmt.Errorf("before its time: %w", err)
	}
	r.pass(5)
	if c, err = r.one(); err != nil {
		return err
	}
	p := c.Due[0]
	if p.Attempts != 2 || !p.Warned || p.Last.Reply != later.Reply || p.Last.Host != later.Host {
		return fmt.Errorf("of the attempt before is left: %+v", p)
	}
	return nil
}

func reopenFollowUp(r *reopener) error {
	if err := r.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := r.one()
	if err != nil {
		return err
	}
	if err := r.settle(c, done(c), bounce(spool.DerivedID("the bounce"))); err != nil {
		return err
	}
	r.die()
	return r.bounced()
}

// bounced wants the bounce to be there, once, and nothing else.
func (r *reopener) bounced() error {
	c, err := r.one()
	if err != nil {
		return err
	}
	if want := spool.DerivedID("the bounce"); c.Item.ID != want {
		return fmt.Errorf("offered is %s, want the follow-up %s", c.Item.ID, want)
	}
	if err := r.body(c.Item.ID, "it failed"); err != nil {
		return err
	}
	if err := r.settle(c, done(c)); err != nil {
		return err
	}
	r.die()
	return r.empty()
}

func reopenHalfSettle(r *reopener) error {
	if err := r.put("x", item("a@one.example")); err != nil {
		return err
	}
	c, err := r.one()
	if err != nil {
		return err
	}
	// The process dies while the store reads the second follow-up.
	body, end := io.Pipe()
	ended := make(chan error, 1)
	go func(s spool.Store) {
		second := bounce(spool.DerivedID("another"))
		second.Body = body
		ended <- s.Settle(r.ctx, c.Lease, done(c), bounce(spool.DerivedID("the bounce")), second)
	}(r.store)
	reading := make(chan error, 1)
	go func() {
		_, err := end.Write([]byte("it "))
		reading <- err
	}()
	defer body.Close()
	select {
	case err := <-ended:
		return fmt.Errorf("call of Settle ended before its follow-ups did, with %v", err)
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-reading:
	}
	r.die()
	end.CloseWithError(errBody) // for the goroutine; its process is no more
	<-ended
	r.pass(2)
	if c, err = r.one(); err != nil {
		return fmt.Errorf("after half a Settle: %w", err)
	}
	if len(c.Item.Envelope.To) != 1 || c.Item.Envelope.To[0].Path.Local() != "a" {
		return fmt.Errorf("a follow-up to %v is there without its outcome", c.Item.Envelope.To)
	}
	if err := r.settle(c, done(c), bounce(spool.DerivedID("the bounce"))); err != nil {
		return err
	}
	r.die()
	return r.bounced()
}

func reopenSameID(r *reopener) error {
	first := item("a@one.example")
	first.ID = spool.DerivedID("order", "1")
	if err := r.put("first", first); err != nil {
		return err
	}
	r.die()
	other := item("changed@one.example")
	other.ID = first.ID
	if err := r.put("again", other, item("new@one.example")); err != nil {
		return err
	}
	r.die()
	all, err := r.claim(2)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Item.ID != first.ID {
			continue
		}
		if got := c.Item.Envelope.To[0].Path; got != first.Envelope.To[0].Path {
			return fmt.Errorf("the item goes to %v, want %v", got, first.Envelope.To[0].Path)
		}
		return r.body(first.ID, "first")
	}
	return errors.New("the first item is not there")
}

func reopenHeld(r *reopener) error {
	if r.admin() == nil {
		return nil
	}
	held, gone := item("held@one.example"), item("gone@two.example")
	if err := r.put("x", held, gone); err != nil {
		return err
	}
	if err := r.apply(spool.Filter{ID: held.ID}, spool.Hold, 1); err != nil {
		return err
	}
	if err := r.apply(spool.Filter{ID: gone.ID}, spool.Delete, 1); err != nil {
		return err
	}
	r.die()
	if err := r.empty(); err != nil {
		return err
	}
	if err := r.apply(spool.Filter{State: spool.StateHeld}, spool.Release, 1); err != nil {
		return err
	}
	r.die()
	_, err := r.one()
	return err
}
