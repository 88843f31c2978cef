package spooltest

import (
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/spool"
)

var adminCases = []testCase{
	{"admin/list", "List gives the items with a recipient that matches, in the order of their IDs, and where each recipient stands", adminList},
	{"admin/hold", "what is held is not offered until released", adminHold},
	{"admin/hold a claim", "Hold leaves a running claim alone, and takes effect after it", adminHoldClaimed},
	{"admin/flush", "Flush makes due at once, Requeue forgets the attempts too", adminFlush},
	{"admin/delete", "Delete drops what matches and nobody has claimed", adminDelete},
	{"admin/unknown", "an unknown action is ErrInvalid and changes nothing", adminUnknown},
}

// admin is the store as an Admin, or nil with a reason to skip.
func (h *harness) admin() spool.Admin {
	a, ok := h.store.(spool.Admin)
	if !ok {
		h.skip = "the store is no spool.Admin"
		return nil
	}
	return a
}

// apply wants an action to reach n recipients.
func (h *harness) apply(f spool.Filter, a spool.Action, n int) error {
	got, err := h.admin().Apply(h.ctx, f, a)
	if err != nil || got != n {
		return fmt.Errorf("%s reached %d recipients, want %d; error %v", a, got, n, err)
	}
	return nil
}

func adminList(h *harness) error {
	a := h.admin()
	if a == nil {
		return nil
	}
	if err := h.put("12345", item("a@one.example", "b@two.example"), item("c@one.example"), item("d@three.example")); err != nil {
		return err
	}
	q := h.query(9)
	q.Skip = []string{"one.example"}
	if got, err := h.store.Claim(h.ctx, q); err != nil || len(got) != 2 {
		return fmt.Errorf("%d claims, %v", len(got), err)
	}
	bulk := "bulk"
	for _, tt := range []struct {
		f           spool.Filter
		items, rcpt int
	}{
		{spool.Filter{}, 3, 4},
		{spool.Filter{Dest: "one.example"}, 2, 3},
		{spool.Filter{State: spool.StateClaimed}, 2, 3},
		{spool.Filter{State: spool.StateClaimed, Dest: "one.example"}, 0, 0},
		{spool.Filter{State: spool.StateHeld}, 0, 0},
		{spool.Filter{Class: &bulk}, 0, 0},
	} {
		items, rcpts := 0, 0
		var last spool.ID
		for info, err := range a.List(h.ctx, tt.f) {
			if err != nil {
				return err
			}
			if info.Item.ID <= last {
				return errors.New("not in the order of IDs")
			}
			if info.Size != 5 {
				return fmt.Errorf("size %d", info.Size)
			}
			last = info.Item.ID
			items++
			rcpts += len(info.Rcpts)
		}
		if items != tt.items || rcpts != tt.rcpt {
			return fmt.Errorf("%+v: %d items with %d recipients, want %d with %d", tt.f, items, rcpts, tt.items, tt.rcpt)
		}
	}
	return nil
}

func adminHold(h *harness) error {
	if h.admin() == nil {
		return nil
	}
	if err := h.putEach("a@one.example", "b@two.example"); err != nil {
		return err
	}
	if err := h.apply(spool.Filter{Dest: "one.example"}, spool.Hold, 1); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if c.Dest() != "two.example" {
		return errors.New("held work was handed out")
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	if err := h.apply(spool.Filter{}, spool.Flush, 1); err != nil {
		return err
	}
	if err := h.empty(); err != nil {
		return fmt.Errorf("held: %w", err)
	}
	err = h.waits(func() error { return h.apply(spool.Filter{State: spool.StateHeld}, spool.Release, 1) })
	if err != nil {
		return err
	}
	_, err = h.one()
	return err
}

func adminHoldClaimed(h *harness) error {
	if h.admin() == nil {
		return nil
	}
	if err := h.put("x", item("a@one.example", "b@one.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := h.apply(spool.Filter{}, spool.Hold, 2); err != nil {
		return err
	}
	if err := h.settle(c, done(c)[:1]); err != nil {
		return err
	}
	if err := h.empty(); err != nil {
		return fmt.Errorf("the rest is held: %w", err)
	}
	if err := h.apply(spool.Filter{}, spool.Release, 1); err != nil {
		return err
	}
	_, err = h.one()
	return err
}

func adminFlush(h *harness) error {
	if h.admin() == nil {
		return nil
	}
	late := item("a@one.example")
	late.NotBefore = h.now().Add(1000 * h.unit)
	if err := h.put("x", late); err != nil {
		return err
	}
	for i, a := range []spool.Action{spool.Flush, spool.Flush, spool.Requeue} {
		if _, err := h.claim(0); err != nil {
			return err
		}
		if err := h.apply(spool.Filter{ID: late.ID}, a, 1); err != nil {
			return err
		}
		c, err := h.one()
		if err != nil {
			return err
		}
		if want := []int{1, 2, 1}[i]; c.Due[0].Attempts != want {
			return fmt.Errorf("after %s attempt %d, want %d", a, c.Due[0].Attempts, want)
		}
		if err := h.settle(c, []spool.Outcome{{Next: h.now().Add(1000 * h.unit)}}); err != nil {
			return err
		}
	}
	return nil
}

func adminDelete(h *harness) error {
	if h.admin() == nil {
		return nil
	}
	if err := h.put("x", item("a@one.example", "b@two.example", "c@three.example")); err != nil {
		return err
	}
	q := h.query(1)
	q.Skip = []string{"one.example", "two.example"}
	got, err := h.store.Claim(h.ctx, q)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("%d claims, %v", len(got), err)
	}
	if err := h.apply(spool.Filter{Dest: "one.example"}, spool.Delete, 1); err != nil {
		return err
	}
	if err := h.apply(spool.Filter{}, spool.Delete, 1); err != nil {
		return err
	}
	if err := h.settle(got[0], done(got[0])); err != nil {
		return fmt.Errorf("what was claimed: %w", err)
	}
	_, err = h.store.Open(h.ctx, got[0].Item.ID)
	return wantErr("Open of what is gone", err, spool.ErrNotExist)
}

func adminUnknown(h *harness) error {
	if h.admin() == nil {
		return nil
	}
	if err := h.putEach("a@one.example"); err != nil {
		return err
	}
	_, err := h.admin().Apply(h.ctx, spool.Filter{}, "explode")
	if err := wantErr("Apply", err, spool.ErrInvalid); err != nil {
		return err
	}
	_, err = h.one()
	return err
}
