package spooltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing/iotest"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// cases is read only.
var cases = slices.Concat(putCases, claimCases, leaseCases, settleCases, waitCases, adminCases, raceCases)

var putCases = []testCase{
	{"put/round trip", "what was put comes back in a claim as it was, the body byte for byte", roundTrip},
	{"put/shared body", "all items of a Commit become visible, each with its own envelope over one body", sharedBody},
	{"put/body fails", "a body that ends in anything but io.EOF leaves nothing behind, and its error is returned", bodyFails},
	{"put/abort", "nothing of an aborted body is kept; Abort after Commit does nothing", abort},
	{"put/invisible before commit", "nothing is visible before Commit", invisible},
	{"put/same ID again", "an item whose ID the store has is left as it is there, without an error", sameID},
	{"put/same ID twice", "two items of one Commit must not have one ID; nothing is kept then", twiceInOne},
	{"put/no recipients", "an item without recipients, or no item, is ErrInvalid, and nothing is kept", noRecipients},
	{"put/context ended", "a call whose context has ended does nothing and says so", contextEnded},
	{"put/ids differ", "Commit chooses an ID for each item without one, never the same twice", idsDiffer},
	{"open/unknown", "Open of an item that is not there is ErrNotExist", openUnknown},
	{"open/outlives item", "an open body stays readable when its last item is settled", openOutlives},
	{"close", "after Close everything returns ErrClosed, and a second Close does nothing", closed},
}

func roundTrip(h *harness) error {
	it := item("bob@example.net", "c@example.net")
	it.Envelope.Prefix = []byte("Received: x\r\n")
	it.Envelope.Params = smtp.MailParams{UTF8: true, EnvID: "e"}
	it.Envelope.To[1].ORcpt = "rfc822;x@y"
	it.Class, it.Meta = "bulk", map[string]string{"k": "v"}
	want := it.Clone()
	body := text(300_000)
	if err := h.put(body, it); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	got := c.Item.Clone()
	if got.ID == "" || got.ID != it.ID || got.Created.IsZero() {
		return fmt.Errorf("ID %q and Created %v were not filled in", it.ID, got.Created)
	}
	want.ID, want.Created = got.ID, got.Created
	a, err := want.MarshalBinary()
	if err != nil {
		return err
	}
	b, err := got.MarshalBinary()
	if err != nil {
		return err
	}
	if string(a) != string(b) {
		return fmt.Errorf("put %+v\ngot %+v", want, got)
	}
	if c.Due[0].Attempts != 1 {
		return fmt.Errorf("the first attempt has number %d", c.Due[0].Attempts)
	}
	return h.body(got.ID, body)
}

func sharedBody(h *harness) error {
	var items []*spool.Item
	for i := range 20 {
		it := item(fmt.Sprintf("u%d@example.net", i))
		it.Envelope.Prefix = fmt.Appendf(nil, "X-Copy: %d\r\n", i)
		items = append(items, it)
	}
	body := text(5000)
	if err := h.put(body, items...); err != nil {
		return err
	}
	all, err := h.claim(len(items))
	if err != nil {
		return err
	}
	for _, c := range all {
		var n int
		if _, err := fmt.Sscanf(string(c.Item.Envelope.Prefix), "X-Copy: %d", &n); err != nil {
			return fmt.Errorf("a copy lost its prefix: %q", c.Item.Envelope.Prefix)
		}
		if want := items[n].Envelope.To[0]; c.Item.Envelope.To[0].Path != want.Path {
			return fmt.Errorf("copy %d goes to %v", n, c.Item.Envelope.To[0].Path)
		}
		if err := h.body(c.Item.ID, body); err != nil {
			return err
		}
		// The others keep the body when one of them goes.
		if err := h.settle(c, done(c)); err != nil {
			return err
		}
	}
	_, err = h.store.Open(h.ctx, all[0].Item.ID)
	return wantErr("Open of a settled item", err, spool.ErrNotExist)
}

func bodyFails(h *harness) error {
	broken := errors.New("broken")
	for _, end := range []error{broken, io.ErrUnexpectedEOF, fmt.Errorf("wrapped: %w", io.EOF), smtp.Reject(550, "5.7.1", "no")} {
		for _, n := range []int{0, 10, 100_000} {
			body := io.MultiReader(strings.NewReader(text(n)), iotest.ErrReader(end))
			err := spool.PutItems(h.ctx, h.store, body, item("bob@example.net"))
			if err := wantErr("Put with a failing body", err, end); err != nil {
				return err
			}
		}
	}
	return h.empty()
}

func abort(h *harness) error {
	w, err := h.store.Begin(h.ctx, 0)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "x"); err != nil {
		return err
	}
	if err := w.Abort(); err != nil {
		return err
	}
	if w.Commit(h.ctx, item("bob@example.net")) == nil {
		return errors.New("no error from Commit after Abort")
	}
	if err := h.empty(); err != nil {
		return err
	}
	if w, err = h.store.Begin(h.ctx, 0); err != nil {
		return err
	}
	if err := w.Commit(h.ctx, item("bob@example.net")); err != nil {
		return err
	}
	if err := w.Abort(); err != nil {
		return fmt.Errorf("calling Abort after Commit: %w", err)
	}
	_, err = h.one()
	return err
}

func invisible(h *harness) error {
	w, err := h.store.Begin(h.ctx, 1<<20)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, text(100_000)); err != nil {
		return err
	}
	if _, err := h.claim(0); err != nil {
		return err
	}
	if err := w.Commit(h.ctx, item("bob@example.net")); err != nil {
		return err
	}
	_, err = h.one()
	return err
}

func sameID(h *harness) error {
	first, other := item("bob@example.net"), item("c@example.net")
	first.ID = spool.DerivedID("order", "1")
	if err := h.put("first", first); err != nil {
		return err
	}
	for range 2 {
		again := item("changed@example.net")
		again.ID = first.ID
		if err := h.put("again", again); err != nil {
			return err
		}
	}
	again := first.Clone()
	if err := h.put("second", again, other); err != nil {
		return err
	}
	all, err := h.claim(2)
	if err != nil {
		return err
	}
	for _, c := range all {
		want, body := first.Envelope.To[0].Path, "first"
		if c.Item.ID != first.ID {
			want, body = other.Envelope.To[0].Path, "second"
		}
		if c.Item.Envelope.To[0].Path != want {
			return fmt.Errorf("item %s goes to %v, want %v", c.Item.ID, c.Item.Envelope.To[0].Path, want)
		}
		if err := h.body(c.Item.ID, body); err != nil {
			return err
		}
	}
	return nil
}

func twiceInOne(h *harness) error {
	a, b := item("bob@example.net"), item("c@example.net")
	a.ID = spool.DerivedID("x")
	b.ID = a.ID
	w, err := h.store.Begin(h.ctx, 0)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := wantErr("Commit", w.Commit(h.ctx, a, b), spool.ErrInvalid); err != nil {
		return err
	}
	return h.empty()
}

func noRecipients(h *harness) error {
	bad := item("bob@example.net")
	bad.ID = "../../etc/passwd"
	for _, items := range [][]*spool.Item{nil, {item("bob@example.net"), {}}, {bad}} {
		w, err := h.store.Begin(h.ctx, 0)
		if err != nil {
			return err
		}
		err = w.Commit(h.ctx, items...)
		w.Abort()
		if err := wantErr("Commit", err, spool.ErrInvalid); err != nil {
			return err
		}
	}
	return h.empty()
}

func contextEnded(h *harness) error {
	w, err := h.store.Begin(h.ctx, 0)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := h.put("x", item("bob@example.net")); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	if err := wantErr("Commit", w.Commit(ctx, item("c@example.net")), context.Canceled); err != nil {
		return err
	}
	if err := wantErr("Put", spool.PutItems(ctx, h.store, strings.NewReader("x"), item("d@example.net")), context.Canceled); err != nil {
		return err
	}
	_, err = h.store.Claim(ctx, h.query(9))
	if err := wantErr("Claim", err, context.Canceled); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	if err := wantErr("Settle", h.store.Settle(ctx, c.Lease, done(c)), context.Canceled); err != nil {
		return err
	}
	return h.settle(c, done(c))
}

func idsDiffer(h *harness) error {
	seen := map[spool.ID]bool{}
	for range 20 {
		a, b := item("bob@example.net"), item("c@example.net")
		if err := h.put("x", a, b); err != nil {
			return err
		}
		for _, it := range []*spool.Item{a, b} {
			if _, err := spool.ParseID(string(it.ID)); err != nil || seen[it.ID] {
				return fmt.Errorf("ID %q is malformed or was there before", it.ID)
			}
			seen[it.ID] = true
		}
	}
	return nil
}

func openUnknown(h *harness) error {
	_, err := h.store.Open(h.ctx, spool.DerivedID("nobody"))
	return wantErr("Open", err, spool.ErrNotExist)
}

func openOutlives(h *harness) error {
	body := text(200_000)
	if err := h.put(body, item("bob@example.net")); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	b, err := h.store.Open(h.ctx, c.Item.ID)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	p := make([]byte, 1000)
	if n, err := b.ReadAt(p, 150_000); err != nil || string(p[:n]) != body[150_000:151_000] {
		return fmt.Errorf("%d bytes, %v", n, err)
	}
	return nil
}

func closed(h *harness) error {
	w, err := h.store.Begin(h.ctx, 0)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := h.store.Close(); err != nil {
		return err
	}
	if err := h.store.Close(); err != nil {
		return fmt.Errorf("second Close: %w", err)
	}
	_, begin := h.store.Begin(h.ctx, 0)
	_, claim := h.store.Claim(h.ctx, h.query(1))
	_, open := h.store.Open(h.ctx, spool.DerivedID("x"))
	for what, err := range map[string]error{
		"Begin": begin, "Claim": claim, "Open": open,
		"Commit": w.Commit(h.ctx, item("bob@example.net")),
		"Wait":   h.store.Wait(h.ctx, h.query(1)),
		"Extend": h.store.Extend(h.ctx, spool.Lease{}, h.unit),
		"Settle": h.store.Settle(h.ctx, spool.Lease{}, nil),
	} {
		if err := wantErr(what, err, spool.ErrClosed); err != nil {
			return err
		}
	}
	return nil
}
