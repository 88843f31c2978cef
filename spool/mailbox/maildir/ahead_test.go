package maildir

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// TestAhead: whatever is asked for in whatever order, it is what stands there,
// also after a garbage collection, from another file, and for several at once.
func TestAhead(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	root, err := safeio.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	open := func(name string) (safeio.File, []byte) {
		b := make([]byte, 3*stretchLen+1000)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		f, err := root.OpenFile(name, os.O_RDONLY, 0)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f, b
	}
	one, inOne := open("one")
	two, inTwo := open("two")
	var a ahead
	check := func(f safeio.File, in []byte, at, n int) {
		got, err := a.read(f, int64(at), n, int64(len(in)))
		require.NoError(t, err)
		assert.Equal(t, in[at:min(at+n, len(in))], got, "%d octets at %d", n, at)
	}
	for at := 0; at < len(inOne); at += 300 { // in order, up to behind the end
		check(one, inOne, at, 300)
		if at%30_000 == 0 {
			runtime.GC()
		}
	}
	for range 500 {
		check(one, inOne, rnd.IntN(len(inOne)), 1+rnd.IntN(400))
		check(two, inTwo, rnd.IntN(len(inTwo)), 1+rnd.IntN(400))
	}
	var wg sync.WaitGroup
	for start := range 4 {
		wg.Go(func() {
			for at := start * 100; at+100 <= len(inTwo); at += 400 {
				got, err := a.read(two, int64(at), 100, int64(len(inTwo)))
				assert.NoError(t, err)
				assert.Equal(t, inTwo[at:at+100], got)
			}
		})
	}
	wg.Wait()
}
