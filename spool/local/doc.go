// Package local is the last step: mail into mailboxes. It is the twin of
// mx/relay, which takes mail to other hosts.
//
//	agent := &local.Agent{Open: tree.Open}
//
//	server := &smtp.Server{Handler: smtp.Handler{
//		Rcpt: func(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) error {
//			return agent.Verify(ctx, r.Path)
//		},
//		Message: …, // spool.Put, or for LMTP smtp.Deliver(agent.Deliver)
//	}}
//	runner := &spool.Runner{Store: queue, Deliver: agent.Deliver}
//
// [Agent].Verify answers at RCPT, where one recipient can still be refused;
// [Agent].Deliver is an smtp.DeliverFunc. One body serves all recipients: each
// reads a section of its own, and gets a copy with Return-Path (RFC 5321 §4.4) and
// Delivered-To on top.
//
// # Filters
//
// Before sees each message before it is stored, and may choose the folder, set
// flags, refuse, or drop it:
//
//	Before: func(ctx context.Context, env smtp.Envelope, user string, d *mailbox.Delivery) error {
//		if isSpam(d.Body) {
//			d.Folder, d.Flags = "Junk", mailbox.Flags{Keywords: "$Junk"}
//		}
//		return nil
//	},
//
// A body that it has read from is read again from its beginning.
//
// # Once
//
// A queue tries at least once: when a process dies after a delivery and before
// its outcome is written down, the next one delivers again. With
//
//	agent := &local.Agent{Open: tree.Open, Again: spool.Again}
//
// the mailbox is then looked through for the message, and has it once. New mail
// costs nothing.
//
// # Errors
//
// What a store says with the errors of package mailbox becomes the reply of the
// recipient: 550 5.1.1 for one that nobody is, 452 4.2.2 for a full mailbox, 552
// 5.2.3 for a message that is too large for it. Any other error is 451: the
// queue, or the peer, keeps the mail. A message that has a Delivered-To of its
// recipient already came back from there and is refused with 554 5.4.6, as no
// count of hops stops it in time.
//
// # Limits and defaults
//
// Eight recipients are served at a time (Agent.Parallel). Delivered-To is looked
// for in the first 64 KiB. Bodies are never in memory whole.
//
// # Concurrency
//
// An Agent may be used by any number of goroutines.
//
// # Standards
//
// RFC 5321 §4.4 (Return-Path), RFC 3463 (codes), RFC 2033 §4.2 (a reply for each
// recipient).
//
// # Testing
//
// An Agent over memory.Tree delivers into mailboxes that a test can look into.
package local
