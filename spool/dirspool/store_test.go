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
