// Package memspool is a [spool.Store] in memory: the whole contract without the
// disk. It is for tests, for tools that send and then end, and to be read by
// those who write a store for another engine. What it holds is gone with the
// process, so a server that answers 250 for it promises too much.
//
//	var store memspool.Store // ready to use
//	id, err := spool.Put(ctx, &store, body, envelopes...)
//
// # Limits
//
// [Store].MaxBytes and [Store].MaxItems bound what it holds; beyond them bodies
// are refused with [spool.ErrFull]. Follow-ups of Settle may use an eighth more.
// A body counts once, however many items share it, and until the last of them is
// gone and the last [spool.Blob] of it is closed.
//
// # How it works
//
// The due recipients of one item and one destination are a group; groups of one
// class and one destination are a heap, ordered by when they can be claimed
// next: that is when the first recipient is due or, while a lease runs, when it
// runs out. Heaps with nothing to claim yet are themselves in a heap; the others
// stand in a queue, one for each class. So Claim costs the logarithm of what is
// queued, plus what it has to skip.
//
// A group has one lease at a time, which is stricter than the contract asks for:
// recipients of one item and destination that become due while others of them
// are being delivered wait for those.
package memspool
