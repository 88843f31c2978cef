// Package pop3 lets users download their mail: a server over any
// mailbox.Store, and a client.
//
// # Serving
//
//	server := &pop3.Server{
//		Name: "hamburger.edu",
//		Auth: &sasl.Authenticator{Password: check},
//		Open: func(ctx context.Context, user string) (mailbox.Store, error) {
//			return tree.Open(ctx, user)
//		},
//		TLSConfig: config,
//	}
//	err := server.Run(ctx, plain, implicitTLS) // ports 110 and 995
//
// A maildrop is the INBOX of the store that Open gives, as it was at the login:
// numbers stay for the session, whatever arrives or goes meanwhile. One session
// has it at a time, in this process, and across processes where the mailbox has
// mailbox.Locker; the next one is told [IN-USE]. Messages that were deleted go
// at QUIT; a session that ends in any other way deletes nothing (RFC 1939 §6).
//
// Sizes are those of the index, and so LIST reads no message. RETR reads a
// block of 64 KiB at a time, doubles the dots that begin lines, and copies
// nothing that has none.
//
// What is there is what CAPA says: STLS with a TLSConfig, USER and SASL with an
// Authenticator that has passwords or the like. Nothing that would show a
// password is offered or taken without TLS, unless InsecureAuth allows it; APOP
// is off by default.
//
// # Downloading
//
//	client := &pop3.Client{Addr: "pop.hamburger.edu:995", TLS: pop3.TLSImplicit,
//		Auth: &sasl.Credentials{User: "bob", Password: "secret"}}
//	conn, err := client.Connect(ctx)
//	…
//	defer conn.Close()
//	list, err := conn.List(ctx)
//	for d, err := range conn.Fetch(ctx, seen.New(list)) {
//		…
//		err = save(d.UID, d.Body)
//		seen.Add(d.UID)
//	}
//	err = conn.Quit(ctx)
//
// [Seen] remembers what was downloaded, for clients that leave mail on the
// server; [Conn.Delete] and [Conn.Quit] are for those that do not. Fetch asks
// ahead where the server offers PIPELINING.
//
// A server's -ERR is an [*Error], after which the session goes on; its
// Temporary and Credentials say what to do about a login that failed. Any other
// error leaves the session out of step, and only Close is left.
//
// # Limits and defaults
//
// Every read, wait and count has a limit, and its default is in the comment of
// its field: see [Limits] and [Timeouts]. A peer has a minute to log in and
// three mistakes; after the login ten minutes of silence (RFC 1939 §3). A line
// that is too long is read to its end and refused. The server holds no buffer
// for a connection that is silent, and 24 octets for each message of a maildrop
// that is open.
//
// # Concurrency
//
// A [Server] and a [Client] may be used by any number of goroutines; their
// fields must not change after the first use. A [Conn] belongs to one goroutine
// at a time.
//
// # Choices
//
//   - Messages that were retrieved become \Seen at QUIT, for users who also read
//     by IMAP; Server.KeepUnseen leaves them alone.
//   - A message whose header is in UTF-8 is refused to clients that did not say
//     UTF8, as RFC 6856 §2.1 demands, unless Server.AnyUTF8 is set. Headers with
//     other octets above 127 have always been sent, and still are.
//   - The client does not ask whether STLS is offered but says it: what an
//     attacker could answer is not worth asking. [TLSRequired] is the default.
//   - The client takes a message's octets as they are and ends it at CRLF "."
//     CRLF only, so that no message can end itself early and speak for the
//     server.
//   - After a failed call of SetFlags at QUIT the answer is +OK all the same:
//     what the client asked for was done.
//
// # Standards
//
// RFC 1939 (POP3, APOP), RFC 2449 (CAPA and extended response codes), RFC 2595
// (STLS), RFC 8314 (implicit TLS), RFC 3206 (SYS and AUTH response codes), RFC
// 5034 (SASL), RFC 6856 (UTF8, LANG).
//
// # Testing
//
// Package pop3test is a server for tests of programs that download, with faults
// at every stage. Both ends work over net.Pipe inside testing/synctest.
package pop3
