// Package imap serves mail over IMAP and reads it from other servers.
//
// # Serving
//
//	server := &imap.Server{
//		Name:      "hamburger.edu",
//		Auth:      auth, // the one of smtp and pop3
//		Open:      tree.Open,
//		TLSConfig: config,
//	}
//	err := server.Run(ctx, port143, port993)
//
// The server needs nothing but a mailbox.Store for each user: a dozen
// methods that know of UIDs, flags and what changed since a number. All else is
// made here: sequence numbers, "*" and "$", searching, sorting and threading,
// LIST and its patterns, ENVELOPE, BODYSTRUCTURE, sections and pieces of them,
// and the untagged responses at those points where the protocol lets them be
// sent. Both IMAP4rev1 and IMAP4rev2 are complete; a client chooses by ENABLE.
//
// What a store can do beyond that it says by the optional interfaces of package
// mailbox, and the capabilities follow: QUOTA, ACL, METADATA and NOTIFY for other
// mailboxes come with the store that has them. What is offered is a table of
// predicates over store, connection and state, so nothing is offered that does
// not work, and [Server] Without withholds a capability with its commands.
//
// # Reading
//
//	client := &imap.Client{
//		Addr: "imap.hamburger.edu:143",
//		Auth: &sasl.Credentials{User: "bob", Password: "secret"},
//	}
//	conn, err := client.Connect(ctx)
//	…
//	_, err = conn.Select(ctx, "INBOX")
//	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Envelope: true}) {
//		…
//	}
//
// TLS is required unless TLSNone says otherwise. Messages are named by UID
// throughout. Methods use what the server offers and do without the rest: MOVE is
// a copy and an expunge where it must be, IDLE a NOOP each minute, LIST-STATUS a
// batch of STATUS. A set that is too long for one command goes out in several.
//
// List tells of mailboxes as Fetch does of messages, and Collect makes a slice of
// either. Fetch holds one message at a time in memory, and Download streams a section of
// any size. Sync tells what changed since the last visit. Events tell what the
// server says by itself, within any method and in Idle; Notify asks for news of
// other mailboxes as well. Quota, ACL, Metadata and their like take an answer that
// is about what was asked, and no other. Conn.Do is for commands that have no
// method.
//
// Each wait ends with its context, or after Timeouts.Command (5 minutes). Idle ends
// in good order and leaves the connection usable; any other call that a context
// breaks off leaves it out of step, which Conn.Botched reports. An [Error] is the
// server's own NO, BAD or BYE, and after the first two the dialogue goes on.
// Client.MaxResponse bounds what a response, and the lists that a method returns,
// may take; bodies that stream are not counted. Deviations from the grammar that
// real servers show are understood, unless Client.Strict is set.
//
// # How sessions see a mailbox
//
// All sessions at a mailbox share one index of its messages, which never
// changes: a change makes a new one that shares with the old what did not change.
// A session holds the index that its client has been told of. When it may tell
// the news it asks the store for the changes since the newest index, and tells
// the difference between the two. Nothing is sent into a session, no queue can
// overflow, and a thousand sessions at one mailbox hold its messages once.
// While sequence numbers must not change (RFC 9051 §7.5.1), messages that are
// gone keep their place.
//
// \Recent, which IMAP4rev1 has, belongs to the session that is told of a message
// first, where the store has mailbox.Recent.
//
// # Bodies
//
// The message of an APPEND goes to the store as it comes, and FETCH goes from the
// store into the buffer that is sent; a piece of a section is one read. ENVELOPE
// and BODYSTRUCTURE are kept as they go onto the wire, by a store that has
// mailbox.Cacher or in memory, with the places of all sections. Texts are
// searched by reading, but where the store has mailbox.Searcher; a message
// without encodings is searched without being parsed.
//
// A message may hold NUL only if it came as a literal8 (RFC 3516 §4.4); BODY[] has
// 0x80 in its place.
//
// # Limits and defaults
//
// Every read, wait and count has a limit, and its default is in the comment of
// its field: see [Limits] and [Timeouts]. Those before the login are of their
// own, and smaller. A literal that is too long is refused before it is asked for;
// one that comes unasked is read over up to 1 MiB, and of messages up to four
// times their limit. Where the dialogue could get out of step, as behind a line
// that is too long and may have announced a literal, the connection ends.
// Passwords are neither asked for nor taken without TLS, unless InsecureAuth says
// that the network is trusted.
//
// A connection that has waited for a tenth of a second holds no buffer and one
// goroutine with the smallest stack there is, some 6 KiB in all, in IDLE too. One
// that is compressed holds a window of 32 KiB, what compress/flate needs to write,
// and a stack of the usual size.
//
// # Concurrency
//
// A [Server] may be used by any number of goroutines; its fields must not change
// after the first use. No lock is held while anything is read from a peer or
// sent to one: who reads slowly waits alone. So may a [Client]; a [Conn] is used by
// one goroutine at a time and has none of its own.
//
// # Choices
//
//   - LITERAL- is offered before the login and LITERAL+ after it; withhold
//     LITERAL+ to have LITERAL- throughout.
//   - SUBSCRIBE takes names that do not exist, which RFC 9051 §6.3.7 lets a
//     server choose. DELETE removes one mailbox and leaves those below it.
//   - COPY of more messages than MESSAGELIMIT is refused, since it is all or
//     none. FETCH, STORE, MOVE and UID EXPUNGE handle the last of them; SEARCH,
//     EXPUNGE and CLOSE have no limit.
//   - NOTIFY knows the events of messages, names and subscriptions, and those of
//     metadata where the store has them; AnnotationChange is answered BADEVENT.
//   - Contexts are kept for SEARCH, not for SORT.
//   - REPLACE appends first and expunges then: for a moment both are there,
//     never neither.
//   - CATENATE takes texts, and URLs that begin with "/" and name a message of
//     the same user.
//   - A mailbox that is deleted under a session ends it with BYE.
//
// # Standards
//
// RFC 9051 (IMAP4rev2) and RFC 3501 (IMAP4rev1), with RFC 2177 (IDLE), RFC 2342
// (NAMESPACE), RFC 2971 (ID), RFC 3348 (CHILDREN), RFC 3502 (MULTIAPPEND), RFC
// 3516 (BINARY), RFC 3691 (UNSELECT), RFC 4314 (ACL), RFC 4315 (UIDPLUS), RFC 4469
// (CATENATE) with URLs of RFC 5092, RFC 4731 (ESEARCH), RFC 4959 (SASL-IR), RFC
// 4978 (COMPRESS=DEFLATE, by RFC 1951), RFC 5032 (WITHIN), RFC 5161 (ENABLE), RFC
// 5182 (SEARCHRES), RFC 5256 (SORT, THREAD), RFC 5258 (LIST-EXTENDED), RFC 5267
// (ESORT, CONTEXT=SEARCH), RFC 5464 (METADATA), RFC 5465 (NOTIFY), RFC 5819
// (LIST-STATUS), RFC 5957 (SORT=DISPLAY), RFC 6154 (SPECIAL-USE,
// CREATE-SPECIAL-USE), RFC 6851 (MOVE), RFC 6855 (UTF8=ACCEPT), RFC 7162
// (CONDSTORE, QRESYNC), RFC 7377 (MULTISEARCH), RFC 7888 (LITERAL+, LITERAL-), RFC
// 7889 (APPENDLIMIT), RFC 8437 (UNAUTHENTICATE), RFC 8438 (STATUS=SIZE), RFC 8440
// (LIST-MYRIGHTS), RFC 8474 (OBJECTID), RFC 8508 (REPLACE), RFC 8514 (SAVEDATE),
// RFC 8970 (PREVIEW), RFC 9208 (QUOTA), RFC 9394 (PARTIAL), RFC 9585
// (INPROGRESS), RFC 9586 (UIDONLY), RFC 9590 (LIST-METADATA), RFC 9738
// (MESSAGELIMIT).
//
// # Testing
//
// testdata has a golden dialogue for each command and capability; they are played
// whole and cut into pieces of every size. A server works over net.Pipe within
// testing/synctest. Package imaptest is a server for the tests of programs that
// read mail.
package imap
