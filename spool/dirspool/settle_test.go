package dirspool

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

// TestBounceAfterOutcome: a follow-up is on the disk before the outcome is, and
// nobody sees it before that.
func TestBounceAfterOutcome(t *testing.T) {
	for name, to := range map[string][]string{"a record": {"fail@a.example", "later@b.example"}, "the end of the file": {"fail@a.example"}} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Options{})
			require.NoError(t, spool.PutItems(t.Context(), h.s, strings.NewReader("x"), message("p", "x", to...)))
			parent := h.s.items[spool.DerivedID("p")].file.path()
			c, err := h.s.Claim(t.Context(), spool.Query{Skip: []string{"b.example"}})
			require.NoError(t, err)
			var order []string
			h.fault = func(c safeio.Call) safeio.Fault {
				switch {
				case c.Op == safeio.OpRename || c.Op == safeio.OpSyncDir:
					order = append(order, string(c.Op))
				case c.Name == parent && (c.Op == safeio.OpWrite || c.Op == safeio.OpRemove):
					order = append(order, "outcome")
				}
				return safeio.Fault{}
			}
			require.NoError(t, h.s.Settle(t.Context(), c[0].Lease, []spool.Outcome{{}}, h.bounce(c[0].Item, 0)))
			want := []string{"rename", "syncdir", "outcome"}
			if len(to) == 1 {
				want = append(want, "syncdir")
			}
			assert.Equal(t, want, order)
			c, err = h.s.Claim(t.Context(), spool.Query{Skip: []string{"b.example"}})
			require.NoError(t, err)
			require.Len(t, c, 1)
			assert.Equal(t, "it failed", c[0].Item.Meta["body"])
		})
	}
}

// TestBounceTakenBack: a Settle that fails leaves nothing of its follow-ups.
func TestBounceTakenBack(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, spool.PutItems(t.Context(), h.s, strings.NewReader("x"), message("p", "x", "fail@a.example", "later@b.example")))
	c, err := h.s.Claim(t.Context(), spool.Query{Skip: []string{"b.example"}})
	require.NoError(t, err)
	files := func() int {
		list, err := h.disk.ReadDir(shardPath(0))
		require.NoError(t, err)
		return len(list)
	}
	out := []spool.Outcome{{}}
	for _, fault := range []func(safeio.Call) safeio.Fault{
		failing(syscall.EIO, queueDir, safeio.OpCreate),
		failing(syscall.EIO, queueDir, safeio.OpRename),
		failing(syscall.ENOSPC, h.s.items[spool.DerivedID("p")].file.path(), safeio.OpWrite),
	} {
		h.fault = fault
		assert.Error(t, h.s.Settle(t.Context(), c[0].Lease, out, h.bounce(c[0].Item, 0), h.bounce(c[0].Item, 0)))
		h.fault = nil
		require.NoError(t, h.s.Err())
		assert.Equal(t, 1, files())
		assert.Len(t, h.s.items, 1)
		assert.Empty(t, h.s.coming)
	}
	require.NoError(t, h.s.Settle(t.Context(), c[0].Lease, out, h.bounce(c[0].Item, 0)))
	assert.Equal(t, 2, files())
}

// TestBusyEntry: while an outcome is being written nobody claims from the item,
// settles it a second time or changes it; what comes meanwhile waits.
func TestBusyEntry(t *testing.T) {
	disk := safeio.NewDisk()
	syncing, goOn := make(chan bool, 100), make(chan bool)
	slow := &slowFS{Disk: disk, syncing: syncing, goOn: goOn}
	s, err := open(slow, Options{})
	require.NoError(t, err)
	putIn(t, s, "x", message("a", "x", "ok@a.example", "ok@b.example"))
	c, err := s.Claim(t.Context(), spool.Query{Skip: []string{"b.example"}})
	require.NoError(t, err)
	slow.on.Store(true)
	settled := make(chan error, 1)
	p := &process{mark: func(any) {}}
	go func() {
		settled <- s.Settle(context.Background(), c[0].Lease, []spool.Outcome{{Rcpt: c[0].Due[0].Rcpt}}, p.bounce(c[0].Item, 0))
	}()
	<-syncing
	got, err := s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	assert.Empty(t, got, "the other recipient too")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, s.Settle(ctx, c[0].Lease, nil), context.DeadlineExceeded)
	assert.NoError(t, s.Extend(t.Context(), c[0].Lease, time.Hour))
	again, applied := make(chan error, 1), make(chan int, 1)
	go func() { again <- s.Settle(context.Background(), c[0].Lease, nil) }()
	go func() {
		n, err := s.Apply(context.Background(), spool.Filter{ID: spool.DerivedID("a")}, spool.Hold)
		assert.NoError(t, err)
		applied <- n
	}()
	slow.on.Store(false)
	close(goOn)
	require.NoError(t, <-settled)
	assert.ErrorIs(t, <-again, spool.ErrLost)
	assert.LessOrEqual(t, <-applied, 2)
	got, err = s.Claim(t.Context(), spool.Query{Max: 9})
	require.NoError(t, err)
	assert.Len(t, got, 1, "the bounce; the other is held")
}

// slowBody lets something happen while a follow-up is read.
type slowBody struct {
	io.Reader
	meanwhile func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.meanwhile != nil {
		b.meanwhile()
		b.meanwhile = nil
	}
	return b.Reader.Read(p)
}

// TestLeaseLostWhileReading: the lease is looked at again when the follow-ups
// were read; with it lost nothing happened.
func TestLeaseLostWhileReading(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, h.mail("fail@a.example"))
	c, err := h.s.Claim(t.Context(), spool.Query{Lease: time.Minute})
	require.NoError(t, err)
	f := h.bounce(c[0].Item, 0)
	var other []spool.Claim
	f.Body = &slowBody{strings.NewReader("it failed"), func() {
		h.pass(time.Hour)
		other, err = h.s.Claim(t.Context(), spool.Query{})
		require.NoError(t, err)
	}}
	assert.ErrorIs(t, h.s.Settle(t.Context(), c[0].Lease, []spool.Outcome{{}}, f), spool.ErrLost)
	require.Len(t, other, 1)
	assert.Len(t, h.s.items, 1)
	require.NoError(t, h.s.Settle(t.Context(), other[0].Lease, []spool.Outcome{{}}, h.bounce(c[0].Item, 0)))
	assert.Len(t, h.s.items, 1, "the bounce")
}

// TestSettleTogether: workers that end many items of one file at once, over one
// body, lose none and leave no file.
func TestSettleTogether(t *testing.T) {
	dir := t.TempDir()
	s, _ := inDir(t, dir)
	var items []*spool.Item
	for i := range 100 {
		items = append(items, message(fmt.Sprint(i), "x", fmt.Sprintf("u%d@d%d.example", i, i%7), "later@z.example"))
	}
	putIn(t, s, "x", items...)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				c, err := s.Claim(context.Background(), spool.Query{Max: 2})
				if !assert.NoError(t, err) || len(c) == 0 && func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.items) == 0 }() {
					return
				}
				for _, c := range c {
					assert.NoError(t, s.Settle(context.Background(), c.Lease, []spool.Outcome{{Rcpt: c.Due[0].Rcpt}}))
				}
			}
		})
	}
	wg.Wait()
	assert.Empty(t, queued(t, dir))
	assert.Empty(t, s.leases)
}

// TestApplyToMany: an operator flushes, holds or deletes a large queue, and what
// fails says how far it came.
func TestApplyToMany(t *testing.T) {
	h := newHarness(t, Options{})
	for i := range 50 {
		require.NoError(t, h.mail(fmt.Sprintf("ok%d@a.example", i)))
	}
	n, err := h.s.Apply(t.Context(), spool.Filter{}, spool.Hold)
	require.NoError(t, err)
	assert.Equal(t, 50, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.s.Apply(ctx, spool.Filter{}, spool.Release)
	assert.ErrorIs(t, err, context.Canceled)
	h.fault = failing(syscall.ENOSPC, queueDir, safeio.OpWrite)
	_, err = h.s.Apply(t.Context(), spool.Filter{}, spool.Release)
	assert.ErrorIs(t, err, spool.ErrFull)
	h.fault = nil
	require.NoError(t, h.s.Err())
	n, err = h.s.Apply(t.Context(), spool.Filter{State: spool.StateHeld}, spool.Delete)
	require.NoError(t, err)
	assert.Equal(t, 50, n)
	list, err := h.disk.ReadDir(shardPath(0))
	require.NoError(t, err)
	assert.Empty(t, list)
}
