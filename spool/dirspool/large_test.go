package dirspool

import (
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

// careless is a directory without syncs, to fill a large queue in seconds.
type careless struct{ *safeio.Root }

func (c careless) SyncDir(string) error { return nil }

func (c careless) OpenFile(name string, flag int, perm fs.FileMode) (safeio.File, error) {
	f, err := c.Root.OpenFile(name, flag, perm)
	return carelessFile{f}, err
}

type carelessFile struct{ safeio.File }

func (carelessFile) Sync() error { return nil }

// fill queues n messages for many destinations.
func fill(t testing.TB, dir string, n int) {
	root, err := safeio.OpenRoot(dir)
	require.NoError(t, err)
	s, err := open(careless{root}, Options{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				it := message(fmt.Sprint(i), "", fmt.Sprintf("bob@d%d.example", i%1000))
				it.ID, it.Meta = "", nil
				if err := spool.PutItems(t.Context(), s, strings.NewReader(strings.Repeat("x", 1000)), it); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Close())
}

func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLargeQueue opens a queue of 100,000 messages, in the short version of
// 2,000, in 50 µs each, and holds each in 600 bytes.
func TestLargeQueue(t *testing.T) {
	n := 2000
	if long() {
		n = 100_000
	}
	dir := t.TempDir()
	fill(t, dir, n)
	before := heapBytes()
	begun := time.Now()
	s, err := Open(dir, Options{})
	took := time.Since(begun)
	require.NoError(t, err)
	defer s.Close()
	each := float64(int64(heapBytes()-before)) / float64(n)
	require.Equal(t, n, s.Recovery().Items)
	t.Logf("%d messages recovered in %v, %.0f bytes of memory each", n, took.Round(time.Millisecond), each)
	if !raceEnabled {
		assert.Less(t, each, 600.0)
	}
	// Other programs share the processors of a test; the benchmark is exact.
	assert.Less(t, took, max(time.Duration(n)*200*time.Microsecond, 2*time.Second))
	runtime.KeepAlive(s)
}

// BenchmarkRecover is Open with 100,000 messages.
func BenchmarkRecover(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	fill(b, dir, n)
	for b.Loop() {
		before := heapBytes()
		begun := time.Now()
		s, err := Open(dir, Options{})
		took := time.Since(begun)
		require.NoError(b, err)
		require.Equal(b, n, s.Recovery().Items)
		b.ReportMetric(took.Seconds(), "s/100000")
		b.ReportMetric(float64(int64(heapBytes()-before))/n, "bytes/message")
		require.NoError(b, s.Close())
	}
}
