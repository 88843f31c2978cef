// Package alias finds out who gets a message: names that stand for others,
// mailing lists, catch-alls, and senders rewritten so that bounces find back.
//
//	table, err := alias.Open("/etc/aliases", alias.ParseOptions{Domain: "hamburger.edu"})
//	…
//	expander := &alias.Expander{Resolver: table}
//	…
//	err = expander.Verify(ctx, rcpt, exists)      // at RCPT: refuse this one recipient
//	envs, err := expander.Envelopes(ctx, env)     // at DATA, and as spool.Runner.Expand
//
// # Aliases and lists
//
// An alias puts other recipients in the place of one; the message is one and
// its sender stays. A list is an [Entry] with an Owner: each member gets an
// envelope of its own, from the owner, with the header fields of Entry.Prefix
// on top; with [Expander].VERP the sender also says whose copy it is. Alias and
// list may hold each other. The last list on the way counts. Mail with the null
// sender keeps it through a list, since a report must not cause another.
//
// A name without an entry is itself the address, and so is a name that refers
// to itself. Nobody gets two copies: who is reached without a list gets the
// message, else the list named first provides. A reference back to a name on
// its own way is a loop; it is dropped and told in [Plan].Loops. A name that is
// reached twice otherwise is only a duplicate. Where nobody is left for a
// recipient of the message, the expansion is refused with 550 5.4.6.
//
// An expansion does all or nothing. A [Resolver] that cannot answer, whatever
// its error says, makes the whole message wait (451 4.4.3), and so does one of
// the [Limits] (451 4.3.5). The budget of lookups counts what is still to be
// looked up, so that a table that explodes is found out early.
//
// Envelopes may be none, where all names stand for [Discard]: the message is
// accepted, and there is nothing to queue.
//
// # Delivery reports
//
// Parameters of RFC 3461 go through an alias of one address untouched; ORCPT is
// added where there was none. For an alias of several, SUCCESS is taken out of
// NOTIFY, and a recipient with Expanded set has the queue report "expanded".
// Nothing goes through a list. A list that the sender wanted to hear of leaves a
// recipient with Delivered set, and the queue reports "delivered"
// (RFC 3461 §5.2.7.1). RRVS ends at an alias (RFC 7293 §8.2).
//
// # The format of an aliases file
//
//	# comments and empty lines are skipped
//	team:        ann, "b b"@crepes.fr, Carol <carol@crepes.fr>,
//	             dora (on leave)             a line with white space in front continues
//	owner-team:  ann                         makes team a list
//	ann:         \ann, ann@crepes.fr         \ ends the expansion
//	ann+news:    bob                         one tag; ann+* any tag
//	all:         :include:/etc/members       where Include allows it
//	robot:       "|/usr/bin/robot -x"        where Commands allows it: data, never run
//	archive:     /var/mail/archive           the same
//	noreply:     /dev/null
//	zoe:         "error:551 5.1.6 zoe has left"
//	@crepes.fr:  @hamburger.edu              a domain to a domain, same local-part
//	*:           bob                         the rest of Domain; @*.crepes.fr subdomains
//
// Comments stand on lines of their own or in parentheses. A file with a mistake
// is not used: [ParseErrors] has all of them, with their lines. [Table] says in
// which order entries are looked for and what case means; a table knows nothing
// of mailboxes, so that a catch-all belongs behind them in a [Chain].
//
// [Open] follows a file as it changes. Replace it by renaming; one that is
// written in place is read two seconds after the last change.
//
// # Rewritten senders
//
// [Rewriter] makes SRS0 and SRS1 senders for forwarded mail, VERP senders for
// lists and BATV (prvs) senders for our own, each signed and dated. In front of
// a [Chain] it leads their bounces back.
//
// # Limits and defaults
//
// Depth 20, 10,000 lookups, 10,000 recipients, 32 references for each lookup,
// 10 s: [Limits]. A table has 16 MiB at most, with what it includes; includes
// go 8 deep, and 100 mistakes are reported. Rewritten addresses last 21 days.
// Time and memory are linear in what the resolver returns.
//
// # Concurrency
//
// All types may be used by many goroutines once they are set up. No lock is
// held during a lookup.
//
// # Errors
//
// All errors of an expansion have SMTP() (code int, enhanced, text string) and
// can be returned from a handler as they are. Their texts for the peer name
// nobody; Error, for the log, shows the whole way.
//
// # Differences from the sketch
//
// Refuse and Discard are kinds of targets, included files are not: they are
// read by the parser, which is where their mistakes have a line. Open returns
// its type and not a Resolver, for Err. Reverse returns a [Scheme].
//
// # Standards
//
//   - RFC 5321 (SMTP) §3.9 aliases and lists, §4.5.1 postmaster
//   - RFC 3461 (DSN parameters) §5.2.7 aliases and lists
//   - RFC 2142 (mailbox names for roles): recognized in any case
//   - RFC 3463 (enhanced status codes)
//   - RFC 6531, RFC 6533 (internationalized addresses and their reports)
//   - RFC 7293 (RRVS) §8 aliases and lists
//
// # Testing
//
// A [Func], or [FromMap], is a resolver for a test; Expander needs nothing else.
package alias
