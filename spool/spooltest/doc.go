// Package spooltest checks that a [spool.Store] keeps the contract that package
// spool writes down. One line in a test of the store runs it:
//
//	func TestStore(t *testing.T) {
//		spooltest.Run(t, func(tb testing.TB) spool.Store {
//			return &memspool.Store{Now: spooltest.Clock(tb)}
//		})
//	}
//
// Each case opens a store of its own, which must be empty, and closes it. A case
// that fails says which rule was broken, in the words of the contract.
//
// # Time
//
// A store that takes its time from [Clock] is tested in milliseconds: the cases
// move that clock. One that does not, since its time is that of an engine, is
// tested as well, but the cases then sleep until leases run out; that takes
// some seconds.
//
// # When the process dies
//
// [RunReopen] is for stores that keep their queue beyond the process. Its cases
// leave a store where it stands, open the queue again, and look what is there.
//
// # What is not checked
//
// Whether nil means durable through a power cut: that only the store's own tests
// can play.
package spooltest
