// Package smtp speaks SMTP, submission and LMTP, as a server and as a client,
// and holds the vocabulary of a message on its way: [Path], [Envelope],
// [Reply], [Results] and [DeliverFunc].
//
// # Receiving
//
//	server := &smtp.Server{
//		Name: "hamburger.edu",
//		Handler: smtp.Handler{
//			Rcpt: func(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) error {
//				if r.Path.Domain() != "hamburger.edu" {
//					return smtp.Reject(550, "5.7.1", "we do not relay")
//				}
//				return nil
//			},
//			Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
//				return store(ctx, t.Envelope, body)
//			},
//		},
//	}
//	err := server.Run(ctx, listener, nil)
//
// A [Handler] is a struct of optional funcs, one for each phase of the
// dialogue; a [Middleware] wraps it, and [Received], [Scan] and [Deliver] are
// the ones that come along. The body that Message reads is the message as it
// streams in, with dots undone. It ends in io.EOF only if the message is whole
// and acceptable, so what copies it somewhere and commits on io.EOF keeps
// exactly what the peer was told 250 for.
//
// An error refuses. Any error of any package that has a method
//
//	SMTP() (code int, enhanced, text string)
//
// is answered as it says; all others are answered 451 with no word of the
// cause, which is logged: what nobody understands keeps the mail with the peer.
//
// One engine has three profiles: [MTA] for mail from other hosts, [Submission]
// for mail from users (TLS and a login are enforced), [LMTP] for delivery.
// What is there is what is advertised: STARTTLS with a TLSConfig, AUTH with an
// Authenticator, and the extensions that bind the handler, such as DSN, only
// where [Extensions] says that it keeps their promises.
//
// # Sending
//
//	client := &smtp.Client{Addr: "mail.crepes.fr:587",
//		Auth: &sasl.Credentials{User: "alice", Password: "secret"}}
//	env, err := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
//	…
//	sent, err := client.Send(ctx, env, message)
//
// A [Client] keeps connections to any number of servers. Where the server
// offers PIPELINING and CHUNKING a message of up to 64 KiB on a warm connection
// takes one round trip. The error is nil only if every recipient was accepted;
// [Sent] has a [Result] for each. Unknown among them means that the reply to a
// complete message was lost; only Temporary is safe to try again without the
// risk of a second copy. [Conn] is the dialogue step by step.
//
// By default the client demands STARTTLS with a valid certificate; [TLSMode]
// has the other ways. No mode sends a password in the clear.
//
// # One message, one envelope
//
// The [Envelope] that a server fills is the one that alias expands, spool
// stores and the client sends: paths, typed ESMTP parameters, and Prefix, the
// header fields that were put on top on the way. A [DeliverFunc] takes an
// envelope and a body and answers for each recipient; the client, the relay,
// local delivery and mailing lists have that shape, and [Mux] chooses between
// them.
//
// # Limits and defaults
//
// Every read, wait and count has a limit, and its default is in the comment of
// its field: see [Limits], [Timeouts] and [Pool]. At a limit the dialogue stays
// in step wherever it can: the rest of a message that is too large is read and
// dropped and 552 said after its end, within ten times the limit. The server
// holds no buffer for a connection that is silent; a transaction in progress
// takes 64 KiB at most.
//
// A message ends at CRLF "." CRLF and nowhere else. What becomes of a CR or LF
// that stands alone says [LineEndings]; by default the message is refused. The
// client makes them CRLF.
//
// # Concurrency
//
// A [Server] and a [Client] may be used by any number of goroutines; their
// fields must not change after the first use. Funcs of a Handler are called
// concurrently for different connections and in order for one. Paths, replies
// and results are values. An Envelope is a value that shares its slices: use
// Clone before changing them.
//
// # Choices
//
//   - [Error] gets its SMTP method from [Reply], so a Reply can be passed on as
//     it came.
//   - DeliverBy is a struct, since RFC 2852 has a mode beside the time, and
//     holds the point in time, which survives a night in the queue.
//   - RetFull stands beside RetHeaders: that neither was asked for is a third
//     thing (RFC 3461 §4.3).
//   - Handler has Verify, Expand and Reset, and Server has Private, Without,
//     Proxy and XClient, beyond the first sketch.
//   - MailParams.Auth is kept only from peers that logged in (RFC 4954 §5).
//   - A server without 8BITMIME gets eight-bit text all the same: such servers
//     pass it on, and nobody is helped by a bounce.
//   - A refusal before MAIL, at the greeting or the login, never becomes a
//     permanent result: it was said about the connection, not the message.
//
// # Standards
//
// RFC 5321, with RFC 6531 (SMTPUTF8), RFC 1870 (SIZE), RFC 6152 (8BITMIME),
// RFC 2920 (PIPELINING), RFC 3030 (CHUNKING, BINARYMIME), RFC 2034 and RFC 3463
// (enhanced codes), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC 4954
// (AUTH), RFC 3461 (DSN), RFC 8689 (REQUIRETLS), RFC 2852 (DELIVERBY), RFC 4865
// (FUTURERELEASE), RFC 6710 (MT-PRIORITY), RFC 7293 (RRVS), RFC 9422 (LIMITS),
// RFC 3848 (names of protocols in Received), RFC 6409 (submission), RFC 2033
// (LMTP). Without an RFC: PRDR, XCLIENT, and the PROXY header in both versions.
//
// # Testing
//
// Package smtptest is a server for tests of programs that send, with faults at
// every stage. A handler is tested without a socket: its funcs take a
// *[Session] or a *[Transaction] that a test can write down. Both ends work
// over net.Pipe inside testing/synctest.
package smtp
