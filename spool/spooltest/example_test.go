package spooltest_test

import (
	"testing"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
	"github.com/postilion-mail/postilion/spool/spooltest"
)

// The whole test of a store.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestStore(t *testing.T)
		spooltest.Run(t, func(tb testing.TB) spool.Store {
			return &memspool.Store{Now: spooltest.Clock(tb)}
		})
	}
	// Output:
}
