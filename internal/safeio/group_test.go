package safeio

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestGroup: all that came while one run was under way share the next, and
// nobody shares one that began before.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs []time.Duration
		start := time.Now()
		g := Group[string]{Do: func(k string) error {
			assert.Equal(t, "dir", k)
			runs = append(runs, time.Since(start))
			time.Sleep(10 * time.Millisecond)
			if len(runs) == 2 {
				return errors.New("second")
			}
			return nil
		}}
		var wg sync.WaitGroup
		call := func(at, end time.Duration, err string) {
			wg.Go(func() {
				time.Sleep(at)
				got := g.Sync("dir")
				assert.Equal(t, end, time.Since(start))
				if err != "" {
					assert.ErrorContains(t, got, err)
				} else {
					assert.NoError(t, got)
				}
			})
		}
		ms := time.Millisecond
		call(0, 10*ms, "")
		for i := range 50 {
			call(time.Duration(1+i%9)*ms, 20*ms, "second")
		}
		call(15*ms, 30*ms, "")
		call(70*ms, 80*ms, "")
		wg.Wait()
		assert.Equal(t, []time.Duration{0, 10 * ms, 20 * ms, 70 * ms}, runs)
		assert.Empty(t, g.slots, "nothing is left behind")
	})
}

// TestGroupKeys: what is for different keys runs beside each other.
func TestGroupKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group[int]{Do: func(int) error { time.Sleep(time.Second); return nil }}
		start := time.Now()
		var wg sync.WaitGroup
		for k := range 20 {
			wg.Go(func() { g.Sync(k) })
		}
		wg.Wait()
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func BenchmarkGroup(b *testing.B) {
	g := Group[int]{Do: func(int) error { return nil }}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Sync(1)
		}
	})
}
