package dirspool

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/spooltest"
)

// TestStore runs the suite on a directory and on a disk in memory.
func TestStore(t *testing.T) {
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		spooltest.Run(t, func(tb testing.TB) spool.Store {
			s, err := Open(tb.TempDir(), Options{Now: spooltest.Clock(tb), ReserveBytes: -1, ReserveInodes: -1})
			require.NoError(tb, err)
			return s
		})
	})
	t.Run("memory", func(t *testing.T) {
		spooltest.Run(t, func(tb testing.TB) spool.Store {
			s, err := open(safeio.NewDisk(), Options{Now: spooltest.Clock(tb), perShard: 5})
			require.NoError(tb, err)
			return s
		})
	})
}

// TestReopen runs the cases in which a process dies: the lock goes with it, and
// the files stay as they are.
func TestReopen(t *testing.T) {
	for name, start := range map[string]func(testing.TB, Options) func() (*Store, error){
		"directory": func(tb testing.TB, o Options) func() (*Store, error) {
			dir := tb.TempDir()
			return func() (*Store, error) { return Open(dir, o) }
		},
		"memory": func(_ testing.TB, o Options) func() (*Store, error) {
			disk := safeio.NewDisk()
			return func() (*Store, error) { return open(disk, o) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			spooltest.RunReopen(t, func(tb testing.TB) func() spool.Store {
				start := start(tb, Options{Now: spooltest.Clock(tb), ReserveBytes: -1, ReserveInodes: -1})
				var last *Store
				return func() spool.Store {
					if last != nil {
						require.NoError(tb, last.lock.Close())
					}
					s, err := start()
					require.NoError(tb, err)
					last = s
					return s
				}
			})
		})
	}
}
