package spooltest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

var waitCases = []testCase{
	{"wait/work is there", "Wait returns at once when a Claim would find something", waitThere},
	{"wait/nothing", "Wait does not return while there is nothing to claim, and ends with its context", waitNothing},
	{"wait/put", "Wait returns when an item comes", waitPut},
	{"wait/retry", "Wait returns when a Settle leaves something due", waitRetry},
	{"wait/time", "Wait returns when an item becomes due and when a lease runs out", waitTime},
	{"wait/close", "Close ends Wait with ErrClosed", waitClose},
}

// soon is how long a Wait may take to notice what happened.
const soon = 3 * time.Second

// waits runs Wait beside do and wants it to return soon after.
func (h *harness) waits(do func() error) error {
	ctx, cancel := context.WithTimeout(h.ctx, soon)
	defer cancel()
	got := make(chan error, 1)
	go func() { got <- h.store.Wait(ctx, h.query(1)) }()
	select {
	case err := <-got:
		// Too early is allowed, and means nothing.
		if err != nil {
			return fmt.Errorf("calling Wait: %w", err)
		}
		return do()
	case <-time.After(moment):
	}
	if err := do(); err != nil {
		return err
	}
	if err := <-got; err != nil {
		return fmt.Errorf("no return from Wait: %w", err)
	}
	return nil
}

func waitThere(h *harness) error {
	if err := h.putEach("a@one.example"); err != nil {
		return err
	}
	return h.waits(func() error { return nil })
}

func waitNothing(h *harness) error {
	if err := h.putEach("a@one.example", "b@two.example"); err != nil {
		return err
	}
	q := h.query(1)
	q.Skip = []string{"one.example", "two.example"}
	ctx, cancel := context.WithTimeout(h.ctx, 10*moment)
	defer cancel()
	early := 0
	for ctx.Err() == nil {
		err := h.store.Wait(ctx, q)
		if err == nil {
			early++
		} else if !errors.Is(err, context.DeadlineExceeded) {
			return wantErr("Wait", err, context.DeadlineExceeded)
		}
	}
	// A store that polls may err now and then, but not all the time: workers
	// would spin.
	if early > 20 {
		return fmt.Errorf("early returns from Wait: %d times with nothing to claim", early)
	}
	return nil
}

func waitPut(h *harness) error {
	return h.waits(func() error { return h.putEach("a@one.example") })
}

func waitRetry(h *harness) error {
	if err := h.putEach("a@one.example"); err != nil {
		return err
	}
	q := h.query(1)
	q.Lease = time.Hour
	got, err := h.store.Claim(h.ctx, q)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("%d claims, %v", len(got), err)
	}
	return h.waits(func() error { return h.settle(got[0], nil) })
}

func waitTime(h *harness) error {
	late := item("a@one.example")
	late.NotBefore = h.now().Add(2 * h.unit)
	if err := h.put("x", late); err != nil {
		return err
	}
	for range 2 { // due, then its lease
		if err := h.waits(func() error { h.pass(2); return nil }); err != nil {
			return err
		}
		if _, err := h.one(); err != nil {
			return err
		}
	}
	return nil
}

func waitClose(h *harness) error {
	got := make(chan error, 1)
	go func() { got <- h.store.Wait(h.ctx, h.query(1)) }()
	select {
	case err := <-got:
		if err != nil {
			return fmt.Errorf("calling Wait: %w", err)
		}
		return nil // too early is allowed
	case <-time.After(moment):
	}
	if err := h.store.Close(); err != nil {
		return err
	}
	select {
	case err := <-got:
		return wantErr("Wait", err, spool.ErrClosed)
	case <-time.After(soon):
		return errors.New("no return from Wait after Close")
	}
}
