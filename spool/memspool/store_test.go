package memspool_test

import (
	"testing"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
	"github.com/postilion-mail/postilion/spool/spooltest"
)

func TestStore(t *testing.T) {
	spooltest.Run(t, func(tb testing.TB) spool.Store {
		return &memspool.Store{Now: spooltest.Clock(tb)}
	})
}
