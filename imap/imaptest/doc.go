// Package imaptest is an IMAP server for the tests of programs that read mail:
// the real [imap.Server] with a certificate, any login and an account in
// memory, which goes wrong exactly where a test wants it to.
//
//	func TestNewMail(t *testing.T) {
//		srv := imaptest.New(t)
//		srv.Deliver("INBOX", "Subject: Lunch\r\n\r\nAt noon?\r\n")
//		watcher := watch(srv.Client()) // the code under test
//		srv.AwaitIdle(1)
//		srv.Deliver("INBOX", "Subject: Dinner\r\n\r\nAt eight?\r\n")
//		…
//	}
//
// A program that brings its own client is given Addr, Auth and TLS, or the
// authority's certificate as a file made of CA.
//
// # Servers
//
// [New] offers STARTTLS, [NewTLS] speaks TLS from the first octet; both listen
// on a free port of 127.0.0.1. [NewPipe] and [NewPipeTLS] live in memory and
// work in a bubble of testing/synctest, where half an hour of silence takes no
// time. All take functions that change the real server before it starts. By
// default it lets any user in by any password, and all share one account, the
// Store, which [Server.Deliver] and the methods of memory.Store fill.
//
// A server stops with its test and leaves no goroutine behind. If the test has
// failed, its log shows the conversation.
//
// # Faults
//
// [Server.On] sets a fault at a [Stage]; [Fault] says what it can do: wait,
// refuse, fall silent, break off in the middle of a response, talk nonsense, or
// drop the connection by FIN or RST, for one mailbox or the third try only, or
// after so many octets. [Server.Capabilities] makes the server say that it can
// do what it cannot, or cannot do what it can.
//
// # Transcripts
//
// [Server.Transcript] is the conversation as text, one line for each that was
// sent, and the same in every run: commands and responses alternate even where
// the client has pipelined them. [Server.Compare] and [Server.Golden] compare
// it with a golden one, in which "*" stands for anything. Passwords are not in
// it.
//
// # Limits
//
// The responses to a command, and so a message, are held in memory while they go
// through, and the transcript holds all of them. TLS ends in the fake, so
// channel bindings (the -PLUS mechanisms) and client certificates do not get
// through, and COMPRESS is not offered.
//
// # Standards
//
// The fake speaks what package imap does: RFC 9051, RFC 3501 and their
// extensions.
package imaptest
