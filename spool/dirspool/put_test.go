package dirspool

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// TestBodySizes: bodies around the sizes of buffers, in pieces of all kinds,
// come back byte for byte, also for the next process.
func TestBodySizes(t *testing.T) {
	h := newHarness(t, Options{})
	first := bufferSize - headerLen
	sizes := []int{0, 1, first - 1, first, first + 1, first + bufferSize, 3*bufferSize + 7}
	for i, n := range sizes {
		body := strings.Repeat("0123456789\r\n", n/12+1)[:n]
		for j, r := range []io.Reader{strings.NewReader(body), iotest.HalfReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body))} {
			it := message(fmt.Sprint(i, j), body, "ok@a.example")
			require.NoError(t, spool.PutItems(t.Context(), h.s, r, it))
		}
	}
	require.NoError(t, h.s.Close())
	var err error
	h.s, err = open(h.disk, Options{Now: h.clock})
	require.NoError(t, err)
	assert.Equal(t, 3*len(sizes), h.s.Recovery().Items)
	require.NoError(t, h.drain())
	assert.Empty(t, h.bad)
}

// TestShortWrites: a system that writes less than it was given, without an error,
// is one that is full.
func TestShortWrites(t *testing.T) {
	h := newHarness(t, Options{})
	h.fault = func(c safeio.Call) safeio.Fault {
		if c.Op == safeio.OpWrite {
			return safeio.Fault{Err: syscall.ENOSPC, Bytes: 10}
		}
		return safeio.Fault{}
	}
	for _, n := range []int{10, 100_000} {
		body := strings.Repeat("x", n)
		err := spool.PutItems(t.Context(), h.s, strings.NewReader(body), message("a", body, "ok@a.example"))
		assert.ErrorIs(t, err, spool.ErrFull)
	}
	h.fault = nil
	assert.Empty(t, h.s.items)
	require.NoError(t, h.mail("ok@a.example"))
}

// TestMaxItems: the queue has an end for mail, a bit later one for bounces.
func TestMaxItems(t *testing.T) {
	h := newHarness(t, Options{MaxItems: 8})
	for i := range 8 {
		require.NoError(t, h.mail(fmt.Sprintf("fail%d@a.example", i)))
	}
	assert.ErrorIs(t, h.mail("ok@a.example"), spool.ErrFull)
	_, err := h.s.Begin(t.Context(), 0)
	assert.ErrorIs(t, err, spool.ErrFull)
	c, err := h.s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	out := []spool.Outcome{{Rcpt: 0, Next: h.now.Add(time.Hour)}}
	require.NoError(t, h.s.Settle(t.Context(), c[0].Lease, out, h.bounce(c[0].Item, 0)))
	c, err = h.s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	assert.ErrorIs(t, h.s.Settle(t.Context(), c[0].Lease, out, h.bounce(c[0].Item, 0)), spool.ErrFull, "even that has an end")
	require.NoError(t, h.s.Settle(t.Context(), c[0].Lease, nil), "and the lease is still good")

	// Several envelopes at once count as many.
	h = newHarness(t, Options{MaxItems: 2})
	body := "x"
	err = spool.PutItems(t.Context(), h.s, strings.NewReader(body), message("1", body, "a@a.example"), message("2", body, "a@a.example"), message("3", body, "a@a.example"))
	assert.ErrorIs(t, err, spool.ErrFull)
	assert.Empty(t, h.s.items)
}

// TestOneSyncForAList: 1,000 envelopes over one body cost one file and one sync.
func TestOneSyncForAList(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, h.mail("ok@first.example"))
	syncs, files := 0, 0
	h.fault = func(c safeio.Call) safeio.Fault {
		switch c.Op {
		case safeio.OpSync, safeio.OpSyncDir:
			syncs++
		case safeio.OpCreate:
			files++
		}
		return safeio.Fault{}
	}
	env, err := smtp.NewEnvelope("list@example.org", "member@example.net")
	require.NoError(t, err)
	envs := make([]smtp.Envelope, 1000)
	for i := range envs {
		envs[i] = env
	}
	_, err = spool.Put(t.Context(), h.s, strings.NewReader(strings.Repeat("x", 10_000)), envs...)
	require.NoError(t, err)
	assert.Equal(t, 1, files)
	assert.Equal(t, 2, syncs, "the file and its name")
	assert.Len(t, h.s.items, 1001)
}

// TestPutsShareSyncs: of many Puts at the same time only some sync the names.
func TestPutsShareSyncs(t *testing.T) {
	disk := safeio.NewDisk()
	syncing, goOn := make(chan bool, 100), make(chan bool)
	slow := &slowFS{Disk: disk, syncing: syncing, goOn: goOn}
	s, err := open(slow, Options{})
	require.NoError(t, err)
	putIn(t, s, "x", message("first", "x", "ok@a.example"))
	slow.on.Store(true)
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := spool.PutItems(context.Background(), s, strings.NewReader("x"), message(fmt.Sprint(i), "x", "ok@a.example"))
			assert.NoError(t, err)
		})
	}
	// One sync is under way, and all others wait for it: each of their files has
	// its name by then.
	<-syncing
	require.Eventually(t, func() bool {
		list, err := disk.ReadDir(shardPath(0))
		named := 0
		for _, e := range list {
			if !strings.HasSuffix(e.Name(), tmpSuffix) {
				named++
			}
		}
		return err == nil && named == n+1
	}, 10*time.Second, time.Millisecond)
	s.mu.Lock()
	assert.Len(t, s.items, 1, "nobody sees what is not on the disk")
	s.mu.Unlock()
	close(goOn)
	wg.Wait()
	assert.LessOrEqual(t, len(syncing), 2)
	assert.Len(t, s.items, n+1)
}

// TestSameIDWaits: who puts an ID that is just being put hears of it only when
// it is on the disk, and puts it himself if the other failed.
func TestSameIDWaits(t *testing.T) {
	for _, fails := range []bool{false, true} {
		disk := safeio.NewDisk()
		syncing, goOn := make(chan bool, 100), make(chan bool)
		slow := &slowFS{Disk: disk, syncing: syncing, goOn: goOn}
		s, err := open(slow, Options{})
		require.NoError(t, err)
		putIn(t, s, "x", message("first", "x", "ok@a.example"))
		slow.on.Store(true)
		results := make(chan error, 2)
		put := func() {
			results <- spool.PutItems(context.Background(), s, strings.NewReader("x"), message("same", "x", "ok@a.example"))
		}
		go put()
		<-syncing
		go put()
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		go func() {
			cancelled <- spool.PutItems(ctx, s, strings.NewReader("x"), message("same", "x", "ok@a.example"))
		}()
		// The second one waits; one who does not want to any more goes.
		require.Eventually(t, func() bool {
			list, err := disk.ReadDir(shardPath(0))
			return err == nil && len(list) >= 3
		}, 10*time.Second, time.Millisecond)
		cancel()
		assert.ErrorIs(t, <-cancelled, context.Canceled)
		select {
		case err := <-results:
			t.Fatalf("a Put of what is not on the disk yet returned %v", err)
		default:
		}
		slow.fail.Store(fails)
		close(goOn)
		for range 2 {
			if err := <-results; fails {
				assert.ErrorIs(t, err, ErrBroken)
			} else {
				assert.NoError(t, err)
			}
		}
		if !fails {
			assert.Len(t, s.items, 2)
		}
	}
}

// TestWriterUsedUp: after Commit, Abort and an error a writer does nothing.
func TestWriterUsedUp(t *testing.T) {
	h := newHarness(t, Options{})
	w, err := h.s.Begin(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, w.Commit(t.Context(), message("a", "", "ok@a.example")))
	require.NoError(t, w.Abort())
	require.NoError(t, w.Abort())
	_, err = w.Write([]byte("x"))
	assert.ErrorIs(t, err, spool.ErrInvalid)
	assert.ErrorIs(t, w.Commit(t.Context(), message("b", "", "ok@a.example")), spool.ErrInvalid)
	assert.Len(t, h.s.items, 1)
	// A writer of a closed store leaves nothing that the next one would take.
	w, err = h.s.Begin(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, h.s.Close())
	assert.ErrorIs(t, w.Commit(t.Context(), message("b", "", "ok@a.example")), spool.ErrClosed)
	s, err := open(h.disk, Options{})
	require.NoError(t, err)
	assert.Equal(t, Recovery{Files: 1, Items: 1, Unfinished: 1}, s.Recovery())
	require.NoError(t, w.Abort())
}

// TestShards: directories are filled one after another, and the next process
// goes on where there is room.
func TestShards(t *testing.T) {
	h := newHarness(t, Options{perShard: 3})
	for i := range 8 {
		require.NoError(t, h.mail(fmt.Sprintf("ok%d@a.example", i)))
	}
	count := func() (out []int) {
		for i := range 4 {
			list, _ := h.disk.ReadDir(shardPath(uint8(i)))
			out = append(out, len(list))
		}
		return out
	}
	assert.Equal(t, []int{3, 3, 2, 0}, count())
	_, err := h.s.Apply(t.Context(), spool.Filter{ID: spool.DerivedID("ok1@a.example")}, spool.Delete)
	require.NoError(t, err)
	require.NoError(t, h.s.Close())
	h.s, err = open(h.disk, Options{Now: h.clock, perShard: 3})
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, h.mail(fmt.Sprintf("more%d@a.example", i)))
	}
	assert.Equal(t, []int{3, 3, 3, 1}, count(), "first those with room")
	sh := &h.s.shards
	for i := range sh.count {
		sh.count[i] = 3
	}
	sh.turn(3)
	assert.Equal(t, 0, sh.count[sh.now], "when all are full the next one is begun again")
}
