package maildir

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// large makes a mailbox of so many messages, as another program would leave it,
// with its index, and closes it.
func large(tb testing.TB, n int) *Tree {
	tree := newTree(tb)
	openBob(tb, tree).Mailboxes(bg)
	for i := range n {
		name := fmt.Sprintf("%d.M%dP1.host,S=20,W=20:2,%s", 1_600_000_000+i, i, []string{"", "S", "FS"}[i%3])
		require.NoError(tb, os.WriteFile(bobs(tree, "cur", name), []byte("Subject: x\r\n\r\nhello\r\n"[:20]), 0o600))
	}
	return quiet(tb, tree)
}

// heap is what is in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLargeMailbox: 100,000 messages are opened in 100 ms, and take 64 bytes of
// memory each. The whole size is for POSTILION_LONG; the bounds count for both.
func TestLargeMailbox(t *testing.T) {
	n, limit := 5_000, time.Second
	if long() {
		n, limit = 100_000, 100*time.Millisecond
	}
	tree := large(t, n)
	best := time.Hour
	for range 5 {
		again := &Tree{Dir: tree.Dir, Now: tree.Now}
		m := inbox(t, openBob(t, again))
		start := time.Now()
		require.NoError(t, m.(*box).upToDate(bg))
		best = min(best, time.Since(start))
		m.Close()
		again.Close()
	}
	before := heap()
	m := inbox(t, openBob(t, tree))
	require.NoError(t, m.(*box).upToDate(bg))
	each := float64(heap()-before) / float64(n)
	assert.Len(t, changes(t, m, 0).Messages, n)
	t.Logf("%d messages: opened in %v, %.1f bytes each", n, best.Round(time.Microsecond), each)
	assert.Less(t, best, limit)
	if long() {
		assert.LessOrEqual(t, each, 64.0)
	}
}

func BenchmarkOpen(b *testing.B) {
	n := 10_000
	if long() {
		n = 100_000
	}
	tree := large(b, n)
	for b.Loop() {
		t := &Tree{Dir: tree.Dir, Now: tree.Now}
		m, err := mailbox.OpenName(bg, openBob(b, t), mailbox.Inbox)
		require.NoError(b, err)
		require.NoError(b, m.(*box).upToDate(bg))
		m.Close()
		t.Close()
	}
	b.ReportMetric(float64(n), "messages")
}

// BenchmarkScan reads the directories again, as after each delivery by another
// program.
func BenchmarkScan(b *testing.B) {
	n := 10_000
	if long() {
		n = 100_000
	}
	tree := large(b, n)
	m, err := mailbox.OpenName(bg, openBob(b, tree), mailbox.Inbox)
	require.NoError(b, err)
	defer m.Close()
	for b.Loop() {
		m.(*box).renamedMeanwhile()
		require.NoError(b, m.(*box).upToDate(bg))
	}
}

// BenchmarkChangesNone is what a session costs that asks for news and there are
// none.
func BenchmarkChangesNone(b *testing.B) {
	tree := large(b, 1000)
	m, err := mailbox.OpenName(bg, openBob(b, tree), mailbox.Inbox)
	require.NoError(b, err)
	defer m.Close()
	d, err := m.Changes(bg, 0)
	require.NoError(b, err)
	for b.Loop() {
		_, err := m.Changes(bg, d.State.HighestModSeq)
		require.NoError(b, err)
	}
}

// BenchmarkDeliver delivers 4 KB messages, durably.
func BenchmarkDeliver(b *testing.B) {
	for _, senders := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d senders", senders), func(b *testing.B) {
			s := openBob(b, newTree(b))
			text := strings.Repeat("line of text\r\n", 300)
			b.SetBytes(int64(len(text)))
			b.SetParallelism(max(1, senders/runtime.GOMAXPROCS(0)))
			var n atomic.Int64
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					n.Add(1)
					err := mailbox.Deliver(bg, s, mailbox.Delivery{ReturnPath: "a@b.c", Body: strings.NewReader(text), Size: int64(len(text))})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
