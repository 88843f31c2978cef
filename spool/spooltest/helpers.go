package spooltest

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// text is a body that is not the same everywhere.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	return b.String()[:n]
}

// item is a message for the recipients.
func item(to ...string) *spool.Item {
	env, err := smtp.NewEnvelope("ann@example.org", to...)
	if err != nil {
		panic(err) // the cases are wrong
	}
	return &spool.Item{Envelope: env}
}

// put queues items over one body, in a Commit of their own.
func (h *harness) put(body string, items ...*spool.Item) error {
	if err := spool.PutItems(h.ctx, h.store, strings.NewReader(body), items...); err != nil {
		return fmt.Errorf("putting %d items: %w", len(items), err)
	}
	return nil
}

// putEach queues one item for each address.
func (h *harness) putEach(to ...string) error {
	for _, a := range to {
		if err := h.put("x", item(a)); err != nil {
			return err
		}
	}
	return nil
}

// query asks for up to max claims, to be kept for one unit of time.
func (h *harness) query(max int) spool.Query {
	return spool.Query{Worker: "spooltest", Max: max, Lease: h.unit}
}

// claim wants exactly n claims, and no more to be there for the asking.
func (h *harness) claim(n int) ([]spool.Claim, error) {
	var all []spool.Claim
	for {
		got, err := h.store.Claim(h.ctx, h.query(n+1))
		if err != nil {
			return nil, fmt.Errorf("calling Claim: %w", err)
		}
		if all = append(all, got...); len(got) == 0 || len(all) > n {
			break
		}
	}
	if len(all) != n {
		return nil, fmt.Errorf("call of Claim gave %d claims, want %d", len(all), n)
	}
	for _, c := range all {
		if err := sound(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// one wants exactly one claim.
func (h *harness) one() (spool.Claim, error) {
	all, err := h.claim(1)
	if err != nil {
		return spool.Claim{}, err
	}
	return all[0], nil
}

// sound looks for what no claim may be.
func sound(c spool.Claim) error {
	switch {
	case c.Item == nil || c.Item.ID == "":
		return errors.New("a claim without item or ID")
	case c.Lease.ID != c.Item.ID:
		return fmt.Errorf("the lease is for %s, the item is %s", c.Lease.ID, c.Item.ID)
	case len(c.Due) == 0:
		return errors.New("a claim without recipients")
	}
	last := -1
	for _, p := range c.Due {
		switch {
		case p.Rcpt <= last || p.Rcpt >= len(c.Item.Envelope.To):
			return fmt.Errorf("recipients of a claim out of order or range: %v", c.Due)
		case c.Item.DestOf(p.Rcpt) != c.Dest():
			return fmt.Errorf("destinations %q and %q in one claim", c.Dest(), c.Item.DestOf(p.Rcpt))
		case p.State != spool.StateClaimed:
			return fmt.Errorf("a claimed recipient is in state %q", p.State)
		}
		last = p.Rcpt
	}
	return nil
}

// done is the outcome that settles everybody in c.
func done(c spool.Claim) []spool.Outcome {
	out := make([]spool.Outcome, len(c.Due))
	for i, p := range c.Due {
		out[i] = spool.Outcome{Rcpt: p.Rcpt, Result: smtp.Result{Status: smtp.Accepted}}
	}
	return out
}

// settle wants Settle to work.
func (h *harness) settle(c spool.Claim, out []spool.Outcome, next ...spool.Followup) error {
	if err := h.store.Settle(h.ctx, c.Lease, out, next...); err != nil {
		return fmt.Errorf("calling Settle with a good lease: %w", err)
	}
	return nil
}

// empty wants nothing to be due, now or later.
func (h *harness) empty() error {
	if _, err := h.claim(0); err != nil {
		return err
	}
	h.pass(3)
	if _, err := h.claim(0); err != nil {
		return fmt.Errorf("after leases ran out: %w", err)
	}
	return nil
}

// body wants the body of an item to be so.
func (h *harness) body(id spool.ID, want string) error {
	b, err := h.store.Open(h.ctx, id)
	if err != nil {
		return fmt.Errorf("calling Open: %w", err)
	}
	defer b.Close()
	if b.Size() != int64(len(want)) {
		return fmt.Errorf("the body has %d bytes, %d were written", b.Size(), len(want))
	}
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if string(got) != want {
		return errors.New("the body is not what was written")
	}
	return nil
}

// wantErr wants err to be one of a kind.
func wantErr(what string, err, kind error) error {
	if !errors.Is(err, kind) {
		return fmt.Errorf("%s: error %v, want %v", what, err, kind)
	}
	return nil
}
