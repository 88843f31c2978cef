// Package mailbox is delivered mail: the interfaces between those who keep it and
// those who read it or add to it.
//
// [Store] is one user's mail, [Mailbox] one folder of it. Servers for IMAP and
// POP3 and the local delivery agent work over any Store: memory keeps all in
// memory, maildir in directories that other programs read too, and mailboxtest
// checks one of your own.
//
// # Delivering
//
//	err := mailbox.Deliver(ctx, store, mailbox.Delivery{
//		ReturnPath: "alice@crepes.fr", DeliveredTo: "bob@hamburger.edu",
//		Body: body,
//	})
//
// # Reading
//
//	inbox, err := mailbox.OpenName(ctx, store, mailbox.Inbox)
//	d, err := inbox.Changes(ctx, 0) // everything
//	for _, m := range d.Messages {
//		blob, err := inbox.Message(ctx, m.UID)
//		…
//	}
//	d, err = inbox.Changes(ctx, d.State.HighestModSeq) // what is new since
//
// # Changes are pulled
//
// No queue of updates exists. A mailbox numbers its changes ([ModSeq]), and
// Changes tells what happened since a number: new mail, other flags, what
// vanished. That one method gives a session what it has to tell (EXISTS, FETCH,
// EXPUNGE), a client that was away what it missed (RFC 7162), and cannot
// overflow, since a session that is slow only asks for more at once.
// Watch is the bell: it says that asking is worth it, and nothing else.
//
// A store deals in UIDs, sets of them ([Set]) and flags ([Flags]). Sequence
// numbers, searching, sorting, matching of names, the structure of messages: all
// that is made by the servers from what is here.
//
// # Writing a store
//
// Implement [Store] and [Mailbox], and run mailboxtest over it. [FlagOp.Apply],
// [Spelling], [History], [Watchers], [Set], [Bytes], [CheckName] and [One] are what you would else write
// yourself. Two rules need thought: a ModSeq becomes visible after all lower
// ones, and no lock is held while the body of a message is read from its sender.
//
// What a store can do beyond that it says by optional interfaces. Each has a
// function that asks for it, and does the next best thing if it is not there:
//
//	interface     of      without it
//	Copier        Mailbox Copy reads and appends
//	Mover         Mailbox Move copies and expunges, not in one step
//	Cacher        Mailbox structure is parsed again
//	Searcher      Mailbox texts are searched by reading
//	Headers       Mailbox Header reads the beginning of the message
//	Recent        Mailbox nothing is \Recent
//	EmailIDs      Mailbox no OBJECTID for messages
//	Threads       Mailbox no THREADID
//	POP3IDs       Mailbox UIDVALIDITY and UID are the unique ID
//	Locker        Mailbox POP3 sessions exclude each other within a process
//	Finder        Store   Find lists all mailboxes
//	Counter       Store   CountsOf counts message by message
//	StoreWatcher  Store   only the open mailbox is watched
//	Quota         Store   no limits
//	QuotaSetter   Store   limits cannot be changed
//	ACL           Store   the user may do everything
//	Metadata      Store   no annotations
//
// # Files
//
// [Import] fills an account from .eml files and mbox files, [Mbox] reads one as a
// sequence for Append, and [WriteMbox] writes one.
//
// # Names
//
// Names are UTF-8 with "/" between levels, for every store; see [CheckName].
//
// # Concurrency
//
// Stores and mailboxes are for any number of goroutines; Set, Flags and the other
// types are values. A Set shares its memory as slices do.
//
// # Choices
//
// Beyond the first sketch: Counts has the whole State, since STATUS asks for it
// in the same breath, and [Counter] gets it for one mailbox. A Range has a name.
// Sizes that are not known are 0 or less, so that the zero Incoming works.
//
// # Standards
//
// RFC 9051 and RFC 3501 (UIDs, flags, names), RFC 7162 (ModSeq), RFC 6154 (special
// use), RFC 8474 (IDs), RFC 8514 (saved date), RFC 9208 (quota), RFC 4314 (ACL),
// RFC 5464 (metadata), RFC 5321 §4.4 (Return-Path), RFC 3463 (codes of errors).
//
// # Testing
//
// memory is a Store for tests, filled by Import or its Put; mailboxtest checks a
// Store of your own.
package mailbox
