// Package smtptest is a mail server for the tests of programs that send mail:
// the real [smtp.Server] with a certificate, any login and an inbox, which
// goes wrong exactly where a test wants it to. It is also a suite that finds
// out whether a server, ours or any other, can be smuggled to.
//
//	func TestWelcome(t *testing.T) {
//		srv := smtptest.New(t)
//		welcome(srv.Client(), "bob@hamburger.edu") // the code under test
//		if got := srv.Wait(1)[0]; !bytes.Contains(got.Data, []byte("Welcome, Bob")) {
//			t.Errorf("%s", got.Data)
//		}
//	}
//
// A program that brings its own client is given Addr, Auth and TLS, or the
// authority's certificate as a file made of CA.
//
// # Servers
//
// [New] offers STARTTLS, [NewTLS] speaks TLS from the first octet, [NewLMTP]
// speaks LMTP; all three listen on a free port of 127.0.0.1. [NewPipe] and
// [NewPipeTLS] live in memory and work in a bubble of testing/synctest, where
// ten minutes of silence take no time:
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := smtptest.NewPipe(t)
//		srv.On(smtptest.EndOfData).Stall()
//		_, err := srv.Client().Send(ctx, env, body) // returns, ten minutes later
//	})
//
// All of them take functions that change the real server before it starts, so
// whatever it can be, they can: a submission server, one without CHUNKING, one
// with limits or a handler of the test's own. By default they offer every
// extension but PRDR and put up with any number of errors and connections.
// [Server.Advertise] adds lines to the reply to EHLO that need not be true.
//
// A server stops with its test and leaves no goroutine behind. What it has is
// ready as soon as the client has its reply; [Server.Wait] is for code that
// sends in the background, and fails the test by itself after 5 seconds.
//
// # Faults
//
// [Server.On] sets a fault at a [Stage]; [Fault] says what it can do: wait,
// reply, fall silent, break off in the middle of a reply, talk nonsense, or
// drop the connection by FIN or RST, for one recipient or the third try only,
// or after so many octets of a message. Faults are exact: a refused message or
// recipient is not in the inbox, while a message whose reply was lost is.
// [Server.Chaos] makes up faults by a seed.
//
// # Transcripts
//
// [Server.Transcript] is the conversation as text, one line for each that was
// sent, and the same in every run: commands and replies alternate even where
// the client has pipelined them. [Server.Compare] and [Server.Golden] compare
// it with a golden one, in which "*" stands for anything. Passwords and tokens
// are not in it.
//
// # How it works
//
// Between the client and the real server stands a dialogue of the fake, which
// hands on one command at a time and does the faults. TLS ends there; the
// server behind has its own, but its session shows the client's connection, so
// that client certificates and channel bindings work. What a fault refuses in
// the server's place the server never hears of.
//
// Two things differ from a server without a fake before it: replies to
// pipelined commands leave together, but the handler sees the next command
// only after the reply to the one before; and the transcripts hold up to
// 64 KiB of each message in memory, and the inbox all of it.
//
// # Smuggling
//
// [SmugglingSuite] and [CheckSmuggling] test any server by its address; each
// case tells the rule that was broken and where it is written.
//
// # Standards
//
// The fake speaks what package smtp does. The suite is about RFC 5321 (SMTP),
// RFC 1870 (SIZE), RFC 2920 (PIPELINING), RFC 3030 (CHUNKING), RFC 3207
// (STARTTLS) and RFC 4954 (AUTH).
package smtptest
