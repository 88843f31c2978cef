// Package spool is the outgoing queue: what stands between the 250 of a server
// and the delivery of a message, which may be days later.
//
// It has three parts: [Put], by which a server fills the queue; [Store], which
// keeps items and hands them out, with stores as packages of their own; and
// [Runner], which delivers, tries again, and tells senders what became of their
// mail. memspool keeps all in memory, dirspool in a directory; spooltest checks
// any store.
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
//	runner := &spool.Runner{Store: store, Deliver: routes.Deliver, Name: "mail.crepes.fr"}
//	err := runner.Run(ctx)
//
// Deliver is any smtp.DeliverFunc: a relay, a mailbox agent, a list manager, or
// an smtp.Mux of them. One call carries all due recipients of one item that share
// a destination, and has a result for each; what has no result, and what
// panicked, is a temporary failure. When ctx ends nothing more is begun, and what
// runs has Runner.Grace to finish.
//
// Beneath it a worker claims what is due, delivers it, and settles the claim:
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
// protocol can close that gap (RFC 5321 §4.5.3.2.6). An agent that can look, as
// into a mailbox, closes it for itself: Again tells it when to. An agent that makes
// mail of mail, such as a list, closes it by [Next]: what it makes is queued in the
// step that settles what it was made of.
//
// # What senders hear
//
// The Runner makes the reports of RFC 3464 that RFC 3461 asks for: failed,
// delayed (once), delivered, relayed to a host that will not report, expanded.
// All that one attempt has to tell is one report, queued in the step that settles
// what it is about. NOTIFY, RET, ENVID and ORCPT are honoured; a message comes
// back as its header, or up to Runner.ReturnBytes of it where RET=FULL was said.
// A recipient with Expanded or Delivered set is not delivered to: an alias or a
// list took it, and only the report is left.
//
// A null sender is never told anything: such a failure is a double bounce, which
// the log and Observer.Failed show. Reports go through Runner.Expand when they are
// due, since a sender may be an alias or a list.
//
// # When to try again
//
// [Schedule] is the usual [Retry]: growing delays with some chance in them, a
// warning after four hours, the end after five days (RFC 5321 §4.5.4.1). It is
// asked by whoever settles.
//
// A sender may give a time by which the message is to be delivered (DELIVERBY,
// RFC 2852). At that time it is returned, if he wants that, or he is told that it
// is late, once and in the place of the usual warning; and he is told when it goes
// to a host that does not know of the time.
//
// # How much at once
//
// [Window] is the usual [Limiter]: for each destination a number of deliveries
// that grows with answers and shrinks with failures, and a pause for one that is
// dead. A worker asks it before each delivery, and gives its Full as
// [Query].Skip, so that what could not begin is not claimed. Mail for a dead
// destination is claimed all the same, and put off without an attempt: so it is
// warned of and given up in time, and goes out as soon as the host is back.
//
// # Limits
//
// Stores bound what they keep and say [ErrFull]. [Item].UnmarshalBinary takes a
// small multiple of its input. The body is never in memory as a whole, except in
// memspool. A Runner has 100 deliveries at once, five to one destination at first
// and 20 at most, and claims no more than can begin. Leases last five minutes and
// are extended at each third; 256 KiB of a message go back.
//
// # Concurrency
//
// A Store is for any number of goroutines, a [Writer] for one. Items do not
// change after Commit. Put and the functions on values may be called at any time.
// Any number of Runners may share a store; all goroutines of one have ended when
// its Run returns.
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
// [Limiter].Acquire tells a destination that is dead from one that is at its
// limit: what the second has is left in the store until a delivery ends, what the
// first has is put off. Retry.Next and Warn take the item and where its recipient
// stands, beyond the first sketch. A report of which the recipient must be looked
// up carries a mark in Item.Meta, and is looked up when it is due: an alias table
// that is down delays the report and not the outcome.
//
// MT-PRIORITY travels with an envelope, to the next host and to reports about it,
// and orders nothing here: that a peer may name one does not mean that he is to be
// served before others. Whom a server trusts it may put into another Class.
//
// An Outcome that a store does not take stops the Runner from claiming until it
// does, since every further delivery might be made twice.
//
// # Standards
//
// RFC 2852 §4.1 (DELIVERBY), RFC 6710 §4.6 (priority of reports),
// RFC 5321 §4.5.4.1 (retries) and §6.1 (what 250 promises, and reports to the null
// sender), RFC 3461 §5.2 and §6 (who is told what, and how), RFC 3464 and RFC 6533
// (the form of reports), RFC 3463 (enhanced codes), RFC 4865 §5 (held until a
// time), RFC 8689 §5 (reports on what had to go by TLS).
//
// # Testing
//
// memspool.Store with its zero value is a queue for tests of one's own code. All
// of the package lives by the clocks it is given, and in a bubble of
// testing/synctest five days of retries take a moment.
package spool
