// Package list runs mailing lists: it takes the mail for all addresses of a list,
// sends posts on to the members, and lets people join and leave, by mail and by a
// single click.
//
//	lists := &list.Manager{
//		Lists:    []*list.List{{Address: team, Owners: []smtp.Path{zoe}}},
//		Members:  dir, // list.OpenDir, or a database of your own
//		Held:     dir,
//		Rewriter: &alias.Rewriter{Keys: keys},
//		URL:      "https://lists.hamburger.edu/leave",
//		Post: func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
//			_, err := spool.Put(ctx, store, body, envs...)
//			return err
//		},
//		Next: spool.Next,
//	}
//	routes := smtp.Mux{{Match: lists.Owns, Deliver: lists.Deliver}, …}
//	http.Handle("/leave", lists.OneClick())
//
// A Manager is a delivery agent, like a mailbox: it gets its mail from the queue,
// and what comes of it goes back there by Post, one body for any number of
// members. Owns says which addresses are its own, and Verify, at RCPT, which of
// them it takes mail for. Call Check at the start.
//
// # Addresses
//
//	team@           posts
//	team-request@   commands, in the subject or the first line: subscribe, unsubscribe, help
//	team-join@      subscribe
//	team-leave@     unsubscribe
//	team-owner@     the owners; owner-team@ too
//	team-bounces@   what comes back
//
// and those with a token behind a "+", which nobody can make but we: a member's
// bounces, the answers to our questions, the decisions of owners. Tokens are those
// of alias.Rewriter, signed and dated; one that is in a message to a member is as
// good as his word. Questions can be answered for 21 days (Rewriter.MaxAge), the
// links to leave for 400.
//
// # Posts
//
// The rules of a post are asked in order: loops, automatic replies, an author,
// commands that went astray, the policy of the list, whether the list stands in To
// or Cc, the size. What the policy would not send on waits in Held until an owner
// answers the message that tells him of it.
//
// A post is edited once: fields that only a list may set are taken out, with
// Sender and Return-Path; DKIM-Signature stays. Each copy has List-Id, List-Post,
// List-Help, List-Subscribe, List-Owner, List-Unsubscribe and its Post
// (RFC 8058), Precedence and Delivered-To on top, and a sender of its own. A DKIM
// signature of the list's must be made after that, for each copy, over both fields
// of RFC 8058. Tag, Munge and Edit change what the author has signed.
//
// Members who posted it, or stand in To or Cc, get no copy, unless the list says
// so. Author and sender are believed: where that matters the list is moderated, or
// the server refuses forgeries before.
//
// # Joining and leaving
//
// Who asks to join is asked back, at the address that is to join, and becomes a
// member by answering. Who asks for somebody else has only caused that question;
// no text of his is in it, it goes to one address once an hour, and to all no more
// often than MaxAnswers. Whether somebody is a member is told to nobody but him.
// Leaving works the same way; with the token of a copy it needs no question.
//
// # Bounces
//
// Days with bounces are counted, not bounces; two weeks without one end it. After
// MaxBounces of them a probe goes out, and if that comes back too the member is
// Disabled: he stays, gets nothing, and can join again. Only bounces at an address
// with our signature count. Delays and vacation notices do not; what nobody
// understands goes to the owners (RFC 3461 §5.2.7.1).
//
// # Limits and defaults
//
// 50 Received fields, 200 answers to strangers an hour, a notice of one kind to one address
// once a day. Memory holds 16 MiB of held posts, Dir a thousand. Of a post its
// header is in memory, and an envelope for each member while it is queued. Those
// limits that count in time are of one process.
//
// # Concurrency
//
// A Manager is safe for concurrent use and its fields must not change after the
// first. If Post fails, or a store, the message is tried again as a whole: nothing
// is lost, and a notice may come twice.
//
// # Once
//
// With Manager.Next set to spool.Next a post is queued for the members in the step
// that settles the message it came by: whatever dies between the two, the post goes
// out once. Post alone leaves a gap, and what falls into it goes out twice. That
// remains so for notices and for what an owner lets through, which is dropped when
// it is queued: better twice than not at all.
//
// # Choices
//
// Edit belongs to a List, and gets the Editor of package mime, which writes while
// it is read. Members names lists by their addresses. Digests are not there.
//
// # Standards
//
// RFC 2369 and RFC 2919 (List-* fields), RFC 8058 (one click), RFC 2142 §6
// (-request), RFC 3834 (who is answered), RFC 3461 §5.2.7.1 (lists and reports),
// RFC 3464 (bounces), RFC 5321 §3.9.2 (lists).
//
// # Testing
//
// Memory and a Post that keeps what it gets are all that a test needs. Package
// listtest checks Members and Held of your own.
package list
