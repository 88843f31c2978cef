// Package pop3test is a POP3 server for the tests of programs that download
// mail: the real [pop3.Server] with a certificate, any login and a maildrop in
// memory, which goes wrong exactly where a test wants it to.
//
//	func TestImport(t *testing.T) {
//		srv := pop3test.New(t)
//		srv.Deliver("Subject: Lunch\r\n\r\nAt noon?\r\n")
//		importMail(srv.Client()) // the code under test
//		if n := srv.Messages(); n != 0 {
//			t.Errorf("%d messages were not deleted", n)
//		}
//	}
//
// A program that brings its own client is given Addr, Auth and TLS, or the
// authority's certificate as a file made of CA.
//
// # Servers
//
// [New] offers STLS, [NewTLS] speaks TLS from the first octet; both listen on a
// free port of 127.0.0.1. [NewPipe] and [NewPipeTLS] live in memory and work in
// a bubble of testing/synctest, where ten minutes of silence take no time. All
// take functions that change the real server before it starts. By default it
// lets any user in by any password, and all share one maildrop, whose messages
// are given by [Server.Deliver] or by the fields of the memory.Store itself.
//
// A server stops with its test and leaves no goroutine behind. If the test has
// failed, its log shows the conversation.
//
// # Faults
//
// [Server.On] sets a fault at a [Stage]; [Fault] says what it can do: wait,
// reply, fall silent, break off in the middle of a reply, talk nonsense, or
// drop the connection by FIN or RST, for one message or the third try only, or
// after so many octets of a message.
//
// # Transcripts
//
// [Server.Transcript] is the conversation as text, one line for each that was
// sent, and the same in every run: commands and replies alternate even where
// the client has pipelined them. [Server.Compare] and [Server.Golden] compare
// it with a golden one, in which "*" stands for anything. Passwords are not in
// it.
//
// # Limits
//
// A reply, and so a message, is held in memory while it goes through, and the
// transcript holds all of it. TLS ends in the fake, so channel bindings (the
// -PLUS mechanisms) and client certificates do not get through.
//
// # Standards
//
// The fake speaks what package pop3 does: RFC 1939, RFC 2449, RFC 2595, RFC
// 5034 and RFC 6856.
package pop3test
