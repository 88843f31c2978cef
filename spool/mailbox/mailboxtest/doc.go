// Package mailboxtest checks that a [mailbox.Store] keeps the contract that
// package mailbox writes down. One line in a test of the store runs it:
//
//	func TestStore(t *testing.T) {
//		mailboxtest.Run(t, func(testing.TB) mailbox.Store { return &memory.Store{} })
//	}
//
// Each case opens a store of its own, which must be empty but for INBOX. A case
// that fails says which rule was broken, in the words of the contract. Optional
// interfaces are checked where the store has them and skipped where not.
//
// The store must take a few hundred messages and mailboxes, keywords, and
// messages of a megabyte; a test of a store whose limits are smaller by default
// sets them higher.
//
// [RunReopen] checks a store that outlives its process: what is there when it is
// opened again without having been closed.
//
// # What is not checked
//
// Whether nil means durable: that needs a power cut, which only the store's own
// tests can play. Several processes are checked if open returns a store that
// plays them, such as one that opens each mailbox through another connection to
// the same engine.
package mailboxtest
