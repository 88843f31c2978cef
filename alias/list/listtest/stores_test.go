package listtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/alias/list/listtest"
)

func openDir(tb testing.TB) *list.Dir {
	d, err := list.OpenDir(tb.TempDir())
	require.NoError(tb, err)
	return d
}

func TestMemory(t *testing.T) {
	listtest.RunMembers(t, func(testing.TB) list.Members { return &list.Memory{} })
	listtest.RunHeld(t, func(testing.TB) list.Held { return &list.Memory{} })
}

func TestDir(t *testing.T) {
	listtest.RunMembers(t, func(tb testing.TB) list.Members { return openDir(tb) })
	listtest.RunHeld(t, func(tb testing.TB) list.Held { return openDir(tb) })
}
