package spooltest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

var claimCases = []testCase{
	{"claim/one destination each", "a claim has the due recipients of one item that share a destination", byDest},
	{"claim/named destinations", "Item.Dest, where given, stands in for the domains", namedDest},
	{"claim/once", "no recipient is in two leases that both run", claimOnce},
	{"claim/max", "Max and PerDest bound the claims, and Max 0 means 1", claimMax},
	{"claim/skip", "destinations in Skip are not offered", claimSkip},
	{"claim/not before", "nothing is offered before its NotBefore", notBefore},
	{"claim/oldest first", "within class and destination what is due first comes first", oldestFirst},
	{"claim/destinations take turns", "no destination is served again before the others of its class that have work", destTurns},
	{"claim/classes take turns", "no class is served again before the others that have work", classTurns},
}

func byDest(h *harness) error {
	if err := h.put("x", item("a@one.example", "b@two.example", "c@one.example")); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	for _, c := range all {
		sizes[c.Dest()] = len(c.Due)
		if len(c.Envelope().To) != len(c.Due) {
			return fmt.Errorf("%d due, the envelope has %d", len(c.Due), len(c.Envelope().To))
		}
	}
	if sizes["one.example"] != 2 || sizes["two.example"] != 1 {
		return fmt.Errorf("recipients by destination: %v", sizes)
	}
	// Both leases of the item are good, each by itself.
	for _, c := range all {
		if err := h.settle(c, done(c)); err != nil {
			return err
		}
	}
	return h.empty()
}

func namedDest(h *harness) error {
	it := item("a@one.example", "b@two.example")
	it.Dest = []string{"smarthost", "smarthost"}
	if err := h.put("x", it); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if c.Dest() != "smarthost" || len(c.Due) != 2 {
		return fmt.Errorf("%d recipients for %q", len(c.Due), c.Dest())
	}
	return nil
}

func claimOnce(h *harness) error {
	if err := h.putEach("a@one.example", "b@one.example"); err != nil {
		return err
	}
	if _, err := h.claim(2); err != nil {
		return err
	}
	again, err := h.store.Claim(h.ctx, h.query(9))
	if err != nil {
		return err
	}
	if len(again) != 0 {
		return errors.New("work under a lease was handed out again")
	}
	return nil
}

func claimMax(h *harness) error {
	if err := h.putEach("a@one.example", "b@one.example", "c@one.example", "d@two.example", "e@two.example"); err != nil {
		return err
	}
	q := h.query(0)
	got, err := h.store.Claim(h.ctx, q)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("with Max 0: %d claims, %v", len(got), err)
	}
	q.Max, q.PerDest = 9, 1
	if got, err = h.store.Claim(h.ctx, q); err != nil || len(got) != 2 || got[0].Dest() == got[1].Dest() {
		return fmt.Errorf("with PerDest 1 with two destinations: %d claims, %v", len(got), err)
	}
	q.Max, q.PerDest = 1, 0
	if got, err = h.store.Claim(h.ctx, q); err != nil || len(got) != 1 {
		return fmt.Errorf("with Max 1: %d claims, %v", len(got), err)
	}
	return nil
}

func claimSkip(h *harness) error {
	if err := h.putEach("a@one.example", "b@two.example", "c@three.example"); err != nil {
		return err
	}
	q := h.query(9)
	q.Skip = []string{"one.example", "three.example"}
	got, err := h.store.Claim(h.ctx, q)
	if err != nil {
		return err
	}
	if len(got) != 1 || got[0].Dest() != "two.example" {
		return fmt.Errorf("%d claims", len(got))
	}
	_, err = h.claim(2) // the others are there for those who want them
	return err
}

func notBefore(h *harness) error {
	late := item("a@one.example")
	late.NotBefore = h.now().Add(2 * h.unit)
	if err := h.put("x", late, item("b@two.example")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if c.Dest() != "two.example" {
		return errors.New("offered before its NotBefore")
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	h.pass(2)
	_, err = h.one()
	return err
}

func oldestFirst(h *harness) error {
	now := h.now()
	order := []int{3, 1, 4, 0, 2}
	for _, n := range order {
		it := item(fmt.Sprintf("u%d@one.example", n))
		it.NotBefore = now.Add(time.Duration(n-9) * h.unit)
		if err := h.put("x", it); err != nil {
			return err
		}
	}
	var got []string
	for len(got) < 2 { // one by one, then many at once
		c, err := h.store.Claim(h.ctx, h.query(1))
		if err != nil || len(c) != 1 {
			return fmt.Errorf("%d claims, %v", len(c), err)
		}
		got = append(got, c[0].Item.Envelope.To[0].Path.Local())
	}
	all, err := h.store.Claim(h.ctx, h.query(9))
	if err != nil {
		return err
	}
	for _, c := range all {
		got = append(got, c.Item.Envelope.To[0].Path.Local())
	}
	if want := []string{"u0", "u1", "u2", "u3", "u4"}; !slices.Equal(got, want) {
		return fmt.Errorf("order %v, want %v", got, want)
	}
	return nil
}

// rounds takes claims one by one and wants each round of n to have n names.
func (h *harness) rounds(rounds, n int, name func(spool.Claim) string) error {
	for r := range rounds {
		seen := map[string]bool{}
		for range n {
			c, err := h.store.Claim(h.ctx, h.query(1))
			if err != nil || len(c) != 1 {
				return fmt.Errorf("round %d: %d claims, %v", r, len(c), err)
			}
			if seen[name(c[0])] {
				return fmt.Errorf("round %d: %q was served twice while others waited", r, name(c[0]))
			}
			seen[name(c[0])] = true
		}
	}
	return nil
}

func destTurns(h *harness) error {
	for _, dest := range []string{"big.example", "b.example", "c.example"} {
		for i := range 3 {
			if err := h.putEach(fmt.Sprintf("u%d@%s", i, dest)); err != nil {
				return err
			}
		}
	}
	if err := h.rounds(2, 3, spool.Claim.Dest); err != nil {
		return err
	}
	_, err := h.claim(3)
	return err
}

func classTurns(h *harness) error {
	for _, class := range []string{"bulk", "", "personal"} {
		var items []*spool.Item
		for i := range 6 {
			it := item(fmt.Sprintf("u@d%d.example", i%3))
			it.Class = class
			items = append(items, it)
		}
		if err := h.put("x", items...); err != nil {
			return err
		}
	}
	return h.rounds(4, 3, func(c spool.Claim) string { return c.Item.Class })
}
