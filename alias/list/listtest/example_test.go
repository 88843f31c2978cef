package listtest_test

import (
	"testing"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/alias/list/listtest"
)

// The whole test of a store of one's own.
func ExampleRunMembers() {
	_ = func(t *testing.T) { // func TestMembers(t *testing.T) {
		listtest.RunMembers(t, func(testing.TB) list.Members {
			return &list.Memory{} // an empty one of the kind to be tested
		})
	}
	// Output:
}

func ExampleRunHeld() {
	_ = func(t *testing.T) { // func TestHeld(t *testing.T) {
		listtest.RunHeld(t, func(testing.TB) list.Held { return &list.Memory{} })
	}
	// Output:
}
