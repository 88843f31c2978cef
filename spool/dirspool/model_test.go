package dirspool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// twins are a Store and one in memory, which get the same calls and must give
// the same answers.
type twins struct {
	t      *testing.T
	disk   *safeio.Disk
	dir    *Store
	mem    *memspool.Store
	rnd    *rand.Rand
	now    time.Time
	n      int
	claims [][2]spool.Claim // of dir and of mem; live or lost
}

func (w *twins) clock() time.Time { return w.now }

func newTwins(t *testing.T, seed uint64) *twins {
	w := &twins{t: t, disk: safeio.NewDisk(), rnd: rand.New(rand.NewPCG(seed, 1)), now: day}
	w.mem = &memspool.Store{Now: w.clock}
	w.reopen()
	return w
}

func (w *twins) reopen() {
	if w.dir != nil {
		require.NoError(w.t, w.dir.Close())
	}
	var err error
	w.dir, err = open(w.disk, Options{Now: w.clock, perShard: 20})
	require.NoError(w.t, err)
	w.claims = nil
}

// items makes the same items twice, with IDs that may have been there before.
func (w *twins) items() (a, b []*spool.Item) {
	for range 1 + w.rnd.IntN(3) {
		var to []string
		for range 1 + w.rnd.IntN(4) {
			to = append(to, fmt.Sprintf("u%d@d%d.example", w.rnd.IntN(100), w.rnd.IntN(5)))
		}
		w.n++
		it := message(fmt.Sprint(w.n-w.rnd.IntN(2)*w.rnd.IntN(5)), "x", to...)
		it.Class = []string{"", "a", "b"}[w.rnd.IntN(3)]
		it.Meta = nil
		if w.rnd.IntN(2) == 0 {
			it.NotBefore = w.now.Add(time.Duration(w.rnd.IntN(10)) * time.Minute)
		}
		if slices.ContainsFunc(a, func(o *spool.Item) bool { return o.ID == it.ID }) {
			continue
		}
		a, b = append(a, it), append(b, it.Clone())
	}
	return a, b
}

func (w *twins) put() {
	a, b := w.items()
	require.NoError(w.t, spool.PutItems(w.t.Context(), w.dir, strings.NewReader("x"), a...))
	require.NoError(w.t, spool.PutItems(w.t.Context(), w.mem, strings.NewReader("x"), b...))
}

func (w *twins) claim() {
	// Of those who are due at the same time either may come first, so all are
	// taken but for some destinations, and compared as a set.
	q := spool.Query{Max: 1000, Lease: time.Duration(1+w.rnd.IntN(5)) * time.Minute}
	for range w.rnd.IntN(5) {
		q.Skip = append(q.Skip, fmt.Sprintf("d%d.example", w.rnd.IntN(5)))
	}
	a, err := w.dir.Claim(w.t.Context(), q)
	require.NoError(w.t, err)
	b, err := w.mem.Claim(w.t.Context(), q)
	require.NoError(w.t, err)
	require.Len(w.t, a, len(b))
	order := func(x, y spool.Claim) int {
		return strings.Compare(string(x.Item.ID)+x.Dest(), string(y.Item.ID)+y.Dest())
	}
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	for i := range a {
		require.Equal(w.t, b[i].Item.ID, a[i].Item.ID)
		require.Equal(w.t, b[i].Item.Envelope, a[i].Item.Envelope)
		require.Equal(w.t, b[i].Due, a[i].Due)
		w.claims = append(w.claims, [2]spool.Claim{a[i], b[i]})
	}
}

func (w *twins) settle() {
	if len(w.claims) == 0 {
		return
	}
	i := w.rnd.IntN(len(w.claims))
	c := w.claims[i]
	w.claims = slices.Delete(w.claims, i, i+1)
	var out []spool.Outcome
	for _, p := range c[0].Due {
		switch w.rnd.IntN(3) {
		case 0:
			out = append(out, spool.Outcome{Rcpt: p.Rcpt})
		case 1:
			res := smtp.Result{Reply: smtp.Reply{Code: 450 + w.rnd.IntN(5), Text: "later"}}
			out = append(out, spool.Outcome{Rcpt: p.Rcpt, Result: res, Next: w.now.Add(time.Duration(w.rnd.IntN(9)) * time.Minute), Warned: w.rnd.IntN(2) == 0})
		}
	}
	bounce := func() []spool.Followup {
		it := message(fmt.Sprint("bounce", w.n), "x", "ann@d4.example")
		it.Meta = nil
		return []spool.Followup{{Items: []*spool.Item{it}, Body: strings.NewReader("x")}}
	}
	var a, b []spool.Followup
	if w.n++; w.rnd.IntN(3) == 0 {
		a, b = bounce(), bounce()
	}
	require.Equal(w.t, w.mem.Settle(w.t.Context(), c[1].Lease, out, b...), w.dir.Settle(w.t.Context(), c[0].Lease, out, a...))
}

func (w *twins) extend() {
	if len(w.claims) > 0 {
		c, d := w.claims[w.rnd.IntN(len(w.claims))], time.Duration(w.rnd.IntN(9)-1)*time.Minute
		require.Equal(w.t, w.mem.Extend(w.t.Context(), c[1].Lease, d), w.dir.Extend(w.t.Context(), c[0].Lease, d))
	}
}

func (w *twins) admin() {
	f := spool.Filter{Dest: fmt.Sprintf("d%d.example", w.rnd.IntN(5))}
	a := []spool.Action{spool.Hold, spool.Release, spool.Release, spool.Flush, spool.Requeue, spool.Delete}[w.rnd.IntN(6)]
	n, err := w.dir.Apply(w.t.Context(), f, a)
	require.NoError(w.t, err)
	m, err := w.mem.Apply(w.t.Context(), f, a)
	require.NoError(w.t, err)
	require.Equal(w.t, m, n, a)
}

// same compares everything; after a restart the claims of before are over, in
// memory they run on.
func (w *twins) same() {
	var a, b []spool.Info
	for i, err := range w.dir.List(w.t.Context(), spool.Filter{}) {
		require.NoError(w.t, err)
		a = append(a, i)
	}
	for i, err := range w.mem.List(w.t.Context(), spool.Filter{}) {
		require.NoError(w.t, err)
		b = append(b, i)
	}
	require.Len(w.t, a, len(b))
	for i := range a {
		require.Equal(w.t, b[i].Item.ID, a[i].Item.ID)
		require.Equal(w.t, b[i].Rcpts, a[i].Rcpts)
	}
	q := spool.Query{Max: 1}
	found, _, _, err := w.dir.look(w.t.Context(), q)
	require.NoError(w.t, err)
	live := 0
	for _, i := range a {
		for _, p := range i.Rcpts {
			if p.State == spool.StateQueued && !p.Due.After(w.now) {
				live++
			}
		}
	}
	if found && live == 0 {
		// A lease has run out and left nobody who is due: a Claim finds that out.
		c, err := w.dir.Claim(w.t.Context(), q)
		require.NoError(w.t, err)
		require.Empty(w.t, c)
		found, _, _, err = w.dir.look(w.t.Context(), q)
		require.NoError(w.t, err)
		require.False(w.t, found, "Wait would return over and over")
	}
}

// restart lets all leases run out, so that both are the same, and opens the
// directory again.
func (w *twins) restart() {
	w.now = w.now.Add(time.Hour)
	w.reopen()
}

// TestModel makes the same random calls of both stores, with restarts of the one
// that can.
func TestModel(t *testing.T) {
	seeds := uint64(6)
	if long() {
		seeds = 100
	}
	for seed := range seeds {
		w := newTwins(t, seed)
		for range 300 {
			switch n := w.rnd.IntN(100); {
			case n < 30:
				w.put()
			case n < 55:
				w.claim()
			case n < 78:
				w.settle()
			case n < 85:
				w.admin()
			case n < 88:
				w.extend()
			case n < 90:
				w.restart()
			default:
				w.now = w.now.Add(time.Duration(w.rnd.IntN(180)) * time.Second)
			}
			if w.rnd.IntN(10) == 0 {
				w.same()
			}
		}
		w.drain()
	}
}

// drain deletes everything, and looks for what stayed.
func (w *twins) drain() {
	w.now = w.now.Add(time.Hour)
	_, err := w.dir.Apply(w.t.Context(), spool.Filter{}, spool.Delete)
	require.NoError(w.t, err)
	s := w.dir
	require.Empty(w.t, s.items)
	require.Empty(w.t, s.leases)
	require.Empty(w.t, s.coming)
	require.Empty(w.t, s.idle)
	require.True(w.t, s.sched.IsEmpty())
	for i := range 256 {
		list, _ := w.disk.ReadDir(shardPath(uint8(i)))
		require.Empty(w.t, list, "no file is left")
	}
}
