package spooltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

var raceCases = []testCase{
	{"race/workers", "with any number of workers and writers at once, each recipient is settled once, each follow-up comes once, and nobody waits beside work", workers},
	{"race/same ID", "of many Commits with one ID at once, one puts the item and all succeed", sameIDAtOnce},
	{"race/settle", "of many calls to Settle with one lease, one succeeds and the others are ErrLost", settleAtOnce},
}

// Of workers: writers times each items of two recipients, every one of which
// gives rise to a follow-up.
const (
	writers = 4
	each    = 25
)

// tally is what workers have delivered, by recipient.
type tally struct {
	mu    sync.Mutex // guards all
	count map[smtp.Path]int
	err   error
}

// add counts a claim that was settled, and says whether all is done.
func (t *tally) add(c spool.Claim) (complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range c.Envelope().To {
		t.count[r.Path]++
	}
	return len(t.count) >= writers*each*4
}

func (t *tally) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = errors.Join(t.err, err)
}

func workers(h *harness) error {
	t := &tally{count: map[smtp.Path]int{}}
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				it := item(fmt.Sprintf("w%d-%d@one.example", w, i), fmt.Sprintf("w%d-%d@two.example", w, i))
				if err := h.put(text(1000), it); err != nil {
					t.fail(err)
					stop()
					return
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			defer stop()
			if err := h.work(ctx, t, stop); err != nil {
				t.fail(err)
			}
		})
	}
	wg.Wait()
	if t.err != nil {
		return t.err
	}
	for p, n := range t.count {
		if n != 1 {
			return fmt.Errorf("%v was settled %d times", p, n)
		}
	}
	if n := len(t.count); n != writers*each*4 {
		return fmt.Errorf("%d recipients, want %d", n, writers*each*4)
	}
	return h.empty()
}

// work claims and settles until ctx ends; when there is nothing it waits.
func (h *harness) work(ctx context.Context, t *tally, complete func()) error {
	q := h.query(3)
	q.Lease = time.Hour
	for ctx.Err() == nil {
		got, err := h.store.Claim(h.ctx, q)
		if err != nil {
			return err
		}
		for _, c := range got {
			if err := h.deliver(t, c, complete); err != nil {
				return err
			}
		}
		if len(got) > 0 {
			continue
		}
		if err := h.store.Wait(ctx, q); err != nil && ctx.Err() == nil {
			return fmt.Errorf("calling Wait: %w", err)
		}
	}
	return h.ctx.Err()
}

// deliver settles one claim, with a follow-up unless it is one.
func (h *harness) deliver(t *tally, c spool.Claim, complete func()) error {
	if err := sound(c); err != nil {
		return err
	}
	var next []spool.Followup
	if from := c.Item.Envelope.From; !from.IsNull() {
		for _, r := range c.Envelope().To {
			f := bounce("")
			f.Items[0].Envelope.To = item(r.Path.Local() + "@back." + r.Path.Domain()).Envelope.To
			next = append(next, f)
		}
	}
	if err := h.settle(c, done(c), next...); err != nil {
		return err
	}
	if t.add(c) {
		complete()
	}
	return nil
}

// atOnce calls f from several goroutines together, and gives their errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func sameIDAtOnce(h *harness) error {
	id := spool.DerivedID("the same")
	errs := atOnce(8, func(int) error {
		it := item("a@one.example")
		it.ID = id
		return h.put("x", it)
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := h.one()
	return err
}

func settleAtOnce(h *harness) error {
	if err := h.putEach("a@one.example"); err != nil {
		return err
	}
	c, err := h.one()
	if err != nil {
		return err
	}
	won := 0
	for _, err := range atOnce(8, func(int) error { return h.store.Settle(h.ctx, c.Lease, done(c), bounce("")) }) {
		if err == nil {
			won++
		} else if err := wantErr("Settle", err, spool.ErrLost); err != nil {
			return err
		}
	}
	if won != 1 {
		return fmt.Errorf("%d calls succeeded", won)
	}
	c, err = h.one()
	if err != nil {
		return err
	}
	if err := h.settle(c, done(c)); err != nil {
		return err
	}
	return h.empty()
}
