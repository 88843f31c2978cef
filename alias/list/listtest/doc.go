// Package listtest checks that a [list.Members] or a [list.Held] keeps the contract
// that package list writes down. One line in a test of the store runs each:
//
//	func TestStore(t *testing.T) {
//		listtest.RunMembers(t, func(testing.TB) list.Members { return &list.Memory{} })
//		listtest.RunHeld(t, func(testing.TB) list.Held { return &list.Memory{} })
//	}
//
// Each case opens a store of its own, which must be empty, and closes it if it is
// an io.Closer. A case that fails says which rule was broken, in the words of the
// contract. The store must take a few dozen members and posts of a megabyte.
//
// # What is not checked
//
// Whether nil means durable: that needs a power cut, which only the store's own
// tests can play.
package listtest
