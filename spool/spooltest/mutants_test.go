package spooltest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// mutant is a good store of which one method was replaced by a broken one.
type mutant struct {
	*memspool.Store
	begin  func(ctx context.Context, size int64) (spool.Writer, error)
	claim  func(ctx context.Context, q spool.Query) ([]spool.Claim, error)
	extend func(ctx context.Context, l spool.Lease, d time.Duration) error
	settle func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error
	open   func(ctx context.Context, id spool.ID) (spool.Blob, error)
	wait   func(ctx context.Context, q spool.Query) error
}

func (m *mutant) Begin(ctx context.Context, size int64) (spool.Writer, error) {
	if m.begin != nil {
		return m.begin(ctx, size)
	}
	return m.Store.Begin(ctx, size)
}

func (m *mutant) Claim(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
	if m.claim != nil {
		return m.claim(ctx, q)
	}
	return m.Store.Claim(ctx, q)
}

func (m *mutant) Extend(ctx context.Context, l spool.Lease, d time.Duration) error {
	if m.extend != nil {
		return m.extend(ctx, l, d)
	}
	return m.Store.Extend(ctx, l, d)
}

func (m *mutant) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	if m.settle != nil {
		return m.settle(ctx, l, out, next...)
	}
	return m.Store.Settle(ctx, l, out, next...)
}

func (m *mutant) Open(ctx context.Context, id spool.ID) (spool.Blob, error) {
	if m.open != nil {
		return m.open(ctx, id)
	}
	return m.Store.Open(ctx, id)
}

func (m *mutant) Wait(ctx context.Context, q spool.Query) error {
	if m.wait != nil {
		return m.wait(ctx, q)
	}
	return m.Store.Wait(ctx, q)
}

// badWriter is a Writer with another end.
type badWriter struct {
	spool.Writer
	commit func(w spool.Writer, ctx context.Context, items ...*spool.Item) error
	abort  func(w spool.Writer) error
}

func (w *badWriter) Commit(ctx context.Context, items ...*spool.Item) error {
	if w.commit != nil {
		return w.commit(w.Writer, ctx, items...)
	}
	return w.Writer.Commit(ctx, items...)
}

func (w *badWriter) Abort() error {
	if w.abort != nil {
		return w.abort(w.Writer)
	}
	return w.Writer.Abort()
}

// writing makes begin hand out w.
func (m *mutant) writing(w badWriter) {
	m.begin = func(ctx context.Context, size int64) (spool.Writer, error) {
		good, err := m.Store.Begin(ctx, size)
		w := w
		w.Writer = good
		return &w, err
	}
}

// short is a body that lost its last byte.
type short struct{ spool.Blob }

func (s short) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Blob.ReadAt(p, off)
	if off+int64(n) == s.Size() && n > 0 {
		p[n-1] ^= 1
	}
	return n, err
}

// mutants are wrong in one thing each; want names cases that must notice.
var mutants = []struct {
	name  string
	wrong func(m *mutant)
	want  []string
}{
	{"settles without looking at the lease", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			if err := m.Store.Settle(ctx, l, out, next...); !errors.Is(err, spool.ErrLost) {
				return err
			}
			return nil
		}
	}, []string{"lease/fenced", "settle/once", "race/settle", "lease/token belongs to item"}},
	{"extends without looking at the lease", func(m *mutant) {
		m.extend = func(ctx context.Context, l spool.Lease, d time.Duration) error {
			if err := m.Store.Extend(ctx, l, d); !errors.Is(err, spool.ErrLost) {
				return err
			}
			return nil
		}
	}, []string{"lease/fenced"}},
	{"extends nothing", func(m *mutant) {
		m.extend = func(context.Context, spool.Lease, time.Duration) error { return nil }
	}, []string{"lease/extend"}},
	{"lets leases run for ever", func(m *mutant) {
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			q.Lease = 1 << 60
			return m.Store.Claim(ctx, q)
		}
	}, []string{"lease/runs out", "wait/time"}},
	{"lets leases run out at once", func(m *mutant) {
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			q.Lease = -1
			return m.Store.Claim(ctx, q)
		}
	}, []string{"claim/once", "race/workers"}},
	{"loses follow-ups", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, _ ...spool.Followup) error {
			return m.Store.Settle(ctx, l, out)
		}
	}, []string{"settle/follow-up", "settle/follow-up fails", "race/workers"}},
	{"queues follow-ups before it settles", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			for _, f := range next {
				if err := spool.PutItems(ctx, m.Store, f.Body, f.Items...); err != nil {
					return err
				}
			}
			return m.Store.Settle(ctx, l, out)
		}
	}, []string{"settle/follow-up of a lost lease", "settle/follow-up fails", "settle/bad outcome", "settle/once"}},
	{"queues follow-ups after it settled", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			if err := m.Store.Settle(ctx, l, out); err != nil {
				return err
			}
			for _, f := range next {
				if err := spool.PutItems(ctx, m.Store, f.Body, f.Items...); err != nil {
					return err
				}
			}
			return nil
		}
	}, []string{"settle/follow-up fails"}},
	{"retries at once", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			out = slices.Clone(out)
			for i := range out {
				if !out[i].Next.IsZero() {
					out[i].Next = time.Unix(0, 0)
				}
			}
			return m.Store.Settle(ctx, l, out, next...)
		}
	}, []string{"settle/retry"}},
	{"forgets who was warned", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			out = slices.Clone(out)
			for i := range out {
				out[i].Warned = false
			}
			return m.Store.Settle(ctx, l, out, next...)
		}
	}, []string{"settle/warned"}},
	{"settles all when told of some", func(m *mutant) {
		m.settle = func(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
			for i := len(out); i > 0 && i < 3; i++ {
				if err := m.Store.Settle(ctx, l, append(slices.Clone(out), spool.Outcome{Rcpt: 2}), next...); err == nil {
					return nil
				}
			}
			return m.Store.Settle(ctx, l, out, next...)
		}
	}, []string{"settle/part"}},
	{"keeps aborted bodies", func(m *mutant) {
		m.writing(badWriter{abort: func(w spool.Writer) error {
			w.Commit(context.Background(), item("bob@example.net"))
			return nil
		}})
	}, []string{"put/body fails", "put/abort"}},
	{"queues a known ID again", func(m *mutant) {
		var mu sync.Mutex
		seen := map[spool.ID]bool{}
		m.writing(badWriter{commit: func(w spool.Writer, ctx context.Context, items ...*spool.Item) error {
			mu.Lock()
			for _, it := range items {
				if seen[it.ID] {
					it.ID = ""
				}
				seen[it.ID] = true
			}
			mu.Unlock()
			return w.Commit(ctx, items...)
		}})
	}, []string{"put/same ID again", "put/same ID twice", "race/same ID"}},
	{"commits items one by one", func(m *mutant) {
		m.writing(badWriter{commit: func(w spool.Writer, ctx context.Context, items ...*spool.Item) error {
			if len(items) < 2 {
				return w.Commit(ctx, items...)
			}
			for _, it := range items {
				if err := spool.PutItems(ctx, m.Store, strings.NewReader("?"), it); err != nil {
					return err
				}
			}
			return w.Abort()
		}})
	}, []string{"put/shared body", "put/no recipients", "put/same ID twice"}},
	{"commits for a context that ended", func(m *mutant) {
		m.writing(badWriter{commit: func(w spool.Writer, _ context.Context, items ...*spool.Item) error {
			return w.Commit(context.Background(), items...)
		}})
	}, []string{"put/context ended"}},
	{"serves the newest first", func(m *mutant) {
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			out, err := m.Store.Claim(ctx, q)
			slices.Reverse(out)
			return out, err
		}
	}, []string{"claim/oldest first"}},
	{"knows no classes", func(m *mutant) {
		m.writing(badWriter{commit: func(w spool.Writer, ctx context.Context, items ...*spool.Item) error {
			for _, it := range items {
				it.Class = ""
			}
			return w.Commit(ctx, items...)
		}})
	}, []string{"claim/classes take turns", "put/round trip"}},
	{"knows no destinations", func(m *mutant) {
		m.writing(badWriter{commit: func(w spool.Writer, ctx context.Context, items ...*spool.Item) error {
			for _, it := range items {
				it.Dest = slices.Repeat([]string{"all"}, len(it.Envelope.To))
			}
			return w.Commit(ctx, items...)
		}})
	}, []string{"claim/one destination each", "claim/destinations take turns", "claim/named destinations", "claim/skip"}},
	{"offers what is skipped", func(m *mutant) {
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			q.Skip = nil
			return m.Store.Claim(ctx, q)
		}
	}, []string{"claim/skip"}},
	{"gives more than asked", func(m *mutant) {
		m.claim = func(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
			q.Max, q.PerDest = q.Max+1, 0
			return m.Store.Claim(ctx, q)
		}
	}, []string{"claim/max"}},
	{"damages bodies", func(m *mutant) {
		m.open = func(ctx context.Context, id spool.ID) (spool.Blob, error) {
			b, err := m.Store.Open(ctx, id)
			return short{b}, err
		}
	}, []string{"put/round trip", "put/shared body", "settle/follow-up"}},
	{"never wakes up", func(m *mutant) {
		m.wait = func(ctx context.Context, _ spool.Query) error {
			<-ctx.Done()
			return ctx.Err()
		}
	}, []string{"wait/work is there", "wait/put"}},
	{"always wakes up", func(m *mutant) {
		m.wait = func(ctx context.Context, _ spool.Query) error { return ctx.Err() }
	}, []string{"wait/nothing"}},
}

func find(t *testing.T, name string) testCase {
	i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
	require.GreaterOrEqual(t, i, 0, "no case %q", name)
	return cases[i]
}

// TestMutants shows that the cases can fail: each store is wrong in one thing,
// and the cases that are about it must say so.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range m.want {
				_, err := find(t, name).run(t, func(tb testing.TB) spool.Store {
					s := &mutant{Store: &memspool.Store{Now: Clock(tb)}}
					m.wrong(s)
					return s
				}, 4*time.Second)
				assert.Error(t, err, "%s did not notice", name)
			}
		})
	}
}

// TestOwnClock runs the cases that move time against a store whose clock they
// cannot move.
func TestOwnClock(t *testing.T) {
	for _, name := range []string{"lease/runs out", "lease/extend", "settle/retry", "claim/not before", "wait/time"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := find(t, name).run(t, func(testing.TB) spool.Store { return &memspool.Store{} }, patience)
			assert.NoError(t, err)
		})
	}
}

// TestRules: a case without a rule says nothing, two of one name hide each other.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		assert.NotEmpty(t, c.rule, c.name)
		assert.False(t, seen[c.name], c.name)
		seen[c.name] = true
	}
}

// bare is a store without Admin.
type bare struct{ spool.Store }

func TestAdminIsOptional(t *testing.T) {
	skip, err := find(t, "admin/list").run(t, func(testing.TB) spool.Store { return bare{&memspool.Store{}} }, patience)
	assert.NoError(t, err)
	assert.Contains(t, skip, "spool.Admin")
}

func TestText(t *testing.T) {
	b, err := io.ReadAll(strings.NewReader(text(1000)))
	require.NoError(t, err)
	assert.Len(t, b, 1000)
	assert.NotEqual(t, b[:500], b[500:])
}
