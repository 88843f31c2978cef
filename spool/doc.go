// Package spool is the outgoing queue: what stands between the 250 of a server
// and the delivery of a message, which may be days later.
//
// This package has the words and the contract: [Item], an envelope that waits;
// [Store], which keeps items and hands them out to workers; [Put], by which a
// server fills it. Stores are packages of their own: memspool keeps all in
// memory. spooltest checks any store.
//
// # Filling the queue
//
// In the handler of a server, 250 comes after the store has the message:
//
//	Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
//		id, err := spool.Put(ctx, store, body, t.Envelope)
//		t.Queued = string(id)
//		return err
//	},
//
// When the store is full the peer hears 452 4.3.1, when something is in doubt
// 451, and when the body ends before its end nothing is kept. Put takes any
// number of envelopes over one body, so the copies that a mailing list makes
// cost one body and one commit.
//
// # Emptying it
//
// A worker claims what is due, delivers it, and settles the claim:
//
//	claims, err := store.Claim(ctx, spool.Query{Max: 10})
//	for _, c := range claims {
//		blob, err := store.Open(ctx, c.Item.ID)
//		// deliver c.Envelope() and blob, then
//		err = store.Settle(ctx, c.Lease, outcomes)
//	}
//	err = store.Wait(ctx, spool.Query{})
//
// A claim is a lease: it runs out, so that a worker that died loses nothing, and
// it is fenced by a token, so that a worker that was only slow cannot undo what
// the next one did. Settle takes outcomes and follow-up mail, such as a bounce,
// in one atomic step: neither is there without the other.
//
// Delivery is at least once. A message comes twice where a lease ran out during
// its delivery, or where a crash fell between a delivery and its Settle; no
// protocol can close that gap (RFC 5321 §4.5.3.2.6).
//
// # When to try again
//
// [Schedule] is the usual [Retry]: growing delays with some chance in them, a
// warning after four hours, the end after five days (RFC 5321 §4.5.4.1). It is
// asked by whoever settles.
//
// # How much at once
//
// [Window] is the usual [Limiter]: for each destination a number of deliveries
// that grows with answers and shrinks with failures, and a pause for one that is
// dead. A worker asks it before each delivery, and gives its Full as
// [Query].Skip, so that what could not begin is not claimed.
//
// # Limits
//
// Stores bound what they keep and say [ErrFull]. [Item].UnmarshalBinary takes a
// small multiple of its input. The body is never in memory as a whole, except in
// memspool.
//
// # Concurrency
//
// A Store is for any number of goroutines, a [Writer] for one. Items do not
// change after Commit. Put and the functions on values may be called at any time.
//
// # Choices
//
// Query has no time: what is due is decided by the clock of the store, since
// workers on several machines have several clocks. Wait takes the Query: a
// worker that skips what is at its limit would else be woken for nothing, over
// and over. [Progress] carries the number of attempts, the last result and
// whether a warning went out for each recipient, so that a bounce for a message
// that expired says why, and nobody is warned twice.
//
// # Standards
//
// RFC 5321 §4.5.4.1 (retries) and §6.1 (what 250 promises), RFC 3463 §3.4 (4.3.1),
// RFC 4865 §5 (held until a time).
//
// # Testing
//
// memspool.Store with its zero value is a queue for tests of one's own code.
package spool
