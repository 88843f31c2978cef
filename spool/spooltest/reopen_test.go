package spooltest

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// immortal is a memspool whose process never dies: it keeps all the rules.
func immortal(tb testing.TB) func() spool.Store {
	s := &memspool.Store{Now: Clock(tb)}
	return func() spool.Store { return s }
}

func TestReopenMemory(t *testing.T) { RunReopen(t, immortal) }

// forgetful changes something whenever the next process opens the queue.
func forgetful(change func(m *mutant)) func(testing.TB) func() spool.Store {
	return func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		first := true
		return func() spool.Store {
			if !first {
				change(m)
			}
			first = false
			return m
		}
	}
}

// apply does something to all that is in a queue.
func apply(m *mutant, f spool.Filter, a spool.Action) { m.Apply(context.Background(), f, a) }

// resurrect wraps Settle so that what it drops is put again by the next process.
func resurrect(tb testing.TB) func() spool.Store {
	m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
	back := false
	m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
		back = true
		return m.Store.Settle(ctx, l, out, next...)
	}
	return func() spool.Store {
		if back {
			spool.PutItems(context.Background(), m.Store, strings.NewReader("x"), item("back@one.example"))
		}
		return m
	}
}

// replaces is a store that does not know IDs of the process before.
func replaces(m *mutant) {
	m.writing(badWriter{commit: func(w spool.Writer, ctx context.Context, items ...*spool.Item) error {
		for _, it := range items {
			if it.ID != "" {
				apply(m, spool.Filter{ID: it.ID}, spool.Delete)
			}
		}
		return w.Commit(ctx, items...)
	}})
}

// forgetfulStores are broken, each with the cases that must find it out.
var forgetfulStores = []struct {
	name string
	open func(testing.TB) func() spool.Store
	want []string
}{
	{"loses all", func(tb testing.TB) func() spool.Store {
		now := Clock(tb)
		return func() spool.Store { return &memspool.Store{Now: now} }
	}, []string{"reopen/committed", "reopen/leased", "reopen/settled", "reopen/retry", "reopen/follow-up", "reopen/half a settle", "reopen/same ID"}},
	{"commits what was left open", func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		var open []spool.Writer
		m.begin = func(ctx context.Context, size int64) (spool.Writer, error) {
			w, err := m.Store.Begin(ctx, size)
			open = append(open, w)
			return w, err
		}
		return func() spool.Store {
			for _, w := range open {
				w.Commit(context.Background(), item("half@one.example"))
			}
			open = nil
			return m
		}
	}, []string{"reopen/not committed"}},
	{"keeps leases for ever", func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			q.Lease = 1 << 60
			return m.Store.Claim(ctx, q)
		}
		return func() spool.Store { return m }
	}, []string{"reopen/leased", "reopen/old lease", "reopen/half a settle"}},
	{"takes any lease", func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			_ = m.Store.Settle(ctx, l, out, next...)
			return nil
		}
		return func() spool.Store { return m }
	}, []string{"reopen/old lease"}},
	{"brings back what was settled", resurrect, []string{"reopen/settled", "reopen/follow-up"}},
	{"forgets when", forgetful(func(m *mutant) { apply(m, spool.Filter{}, spool.Flush) }), []string{"reopen/retry"}},
	{"forgets attempts", forgetful(func(m *mutant) { apply(m, spool.Filter{}, spool.Requeue) }), []string{"reopen/retry"}},
	{"holds all", forgetful(func(m *mutant) { apply(m, spool.Filter{}, spool.Hold) }), []string{"reopen/committed", "reopen/held"}},
	{"releases all", forgetful(func(m *mutant) { apply(m, spool.Filter{}, spool.Release) }), []string{"reopen/held"}},
	{"queues follow-ups first", func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			for _, f := range next {
				if err := spool.PutItems(ctx, m.Store, f.Body, f.Items...); err != nil {
					return err
				}
			}
			return m.Store.Settle(ctx, l, out)
		}
		return func() spool.Store { return m }
	}, []string{"reopen/half a settle", "reopen/old lease"}},
	{"loses follow-ups", func(tb testing.TB) func() spool.Store {
		m := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			for _, f := range next {
				io.Copy(io.Discard, f.Body)
			}
			return m.Store.Settle(ctx, l, out)
		}
		return func() spool.Store { return m }
	}, []string{"reopen/follow-up", "reopen/half a settle"}},
	{"does not know old IDs", forgetful(replaces), []string{"reopen/same ID"}},
}

// TestForgetfulStores shows that each case of RunReopen can fail.
func TestForgetfulStores(t *testing.T) {
	noticed := map[string]bool{}
	for _, m := range forgetfulStores {
		for _, name := range m.want {
			noticed[name] = true
			t.Run(m.name+"/"+name, func(t *testing.T) {
				i := slices.IndexFunc(reopenCases, func(c reopenCase) bool { return c.name == name })
				require.GreaterOrEqual(t, i, 0)
				assert.Error(t, reopenCases[i].run(t, m.open, 4*time.Second))
			})
		}
	}
	for _, c := range reopenCases {
		assert.NotEmpty(t, c.rule)
		assert.True(t, noticed[c.name], "nothing shows that %s can fail", c.name)
	}
}
