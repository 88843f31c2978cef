package smtptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// test stands for the *testing.T that a test has and an example has not.
type test struct {
	testing.TB
	cleanups []func()
}

func (t *test) Helper()                           {}
func (t *test) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *test) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *test) done() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

// invite is the code under test: it writes to everybody and tells who could
// not be reached.
func invite(c *smtp.Client, to ...string) {
	env, err := smtp.NewEnvelope("alice@crepes.fr", to...)
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, err := c.Send(context.Background(), env, strings.NewReader("Subject: Dinner\n\nAt eight?\n"))
	if sent == nil {
		fmt.Println("not sent:", err)
		return
	}
	for i, r := range sent.Results {
		fmt.Println(to[i], r.Status)
	}
}

func ExampleServer() {
	t := &test{} // in a test: func TestInvite(t *testing.T)
	defer t.done()

	srv := smtptest.New(t)
	invite(srv.Client(), "bob@hamburger.edu")

	got := srv.Wait(1)[0]
	fmt.Println(got.Envelope.From, got.Envelope.To[0].Path, got.User, got.Protocol)
	fmt.Printf("%q\n", got.Data)
	// Output:
	// bob@hamburger.edu accepted
	// <alice@crepes.fr> <bob@hamburger.edu> user ESMTPSA
	// "Subject: Dinner\r\n\r\nAt eight?\r\n"
}

func ExampleFault() {
	t := &test{}
	defer t.done()

	srv := smtptest.New(t)
	srv.On(smtptest.RCPT).Arg("rob@").Reply(550, "5.1.1", "no such user")
	srv.On(smtptest.RCPT).Arg("carl@").Reply(450, "4.2.0", "greylisted").Times(1)
	invite(srv.Client(), "bob@hamburger.edu", "rob@hamburger.edu", "carl@hamburger.edu")
	invite(srv.Client(), "carl@hamburger.edu")
	fmt.Println(len(srv.Messages()), "messages")
	// Output:
	// bob@hamburger.edu accepted
	// rob@hamburger.edu permanent
	// carl@hamburger.edu temporary
	// carl@hamburger.edu accepted
	// 2 messages
}

func ExampleStage() {
	t := &test{}
	defer t.done()

	srv := smtptest.New(t)
	srv.On(smtptest.EndOfData).Drop() // the message is taken, the reply lost
	invite(srv.Client(), "bob@hamburger.edu")
	fmt.Println(len(srv.Messages()), "message")
	// Output:
	// bob@hamburger.edu unknown
	// 1 message
}

func ExampleMessage() {
	t := &test{}
	defer t.done()

	srv := smtptest.NewLMTP(t)
	srv.On(smtptest.EndOfData).Arg("carl@").Reply(452, "4.2.2", "mailbox full")
	invite(srv.Client(), "bob@hamburger.edu", "carl@hamburger.edu")

	var m smtptest.Message = srv.Messages()[0]
	fmt.Println("for", m.Envelope.To[0].Path, "and", len(m.Envelope.To)-1, "others")
	// Output:
	// bob@hamburger.edu accepted
	// carl@hamburger.edu temporary
	// for <bob@hamburger.edu> and 0 others
}

func ExampleServer_Transcript() {
	t := &test{}
	defer t.done()

	srv := smtptest.New(t, func(s *smtp.Server) {
		s.TLSConfig, s.Auth = nil, nil
		s.Without = []string{"CHUNKING", "BINARYMIME"}
		s.Extensions = 0
	})
	invite(srv.Client(), "bob@hamburger.edu")
	for l := range strings.Lines(srv.Transcript()) {
		if !strings.HasPrefix(l, "S: 250-") {
			fmt.Print(l)
		}
	}
	// Output:
	// bob@hamburger.edu accepted
	// S: 220 mx.example.org ESMTP
	// C: EHLO localhost
	// S: 250 HELP
	// C: MAIL FROM:<alice@crepes.fr> SIZE=27
	// S: 250 2.1.0 Sender OK
	// C: RCPT TO:<bob@hamburger.edu>
	// S: 250 2.1.5 Recipient OK
	// C: DATA
	// S: 354 End data with <CR><LF>.<CR><LF>
	// C: Subject: Dinner
	// C:
	// C: At eight?
	// C: .
	// S: 250 2.0.0 OK
}

func ExampleServer_Chaos() {
	t := &test{}
	defer t.done()

	srv := smtptest.New(t)
	srv.Chaos(42, 0.2)
	c := srv.Client()
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	for {
		if _, err := c.Send(context.Background(), env, strings.NewReader("Subject: Try and try again\n")); err == nil {
			break
		}
	}
	fmt.Println(len(srv.Messages()) > 0)
	// Output:
	// true
}

func ExampleTarget() {
	t := &test{}
	defer t.done()

	addr := toy{}.start(t) // any server, in any language
	err := smtptest.CheckSmuggling(context.Background(), smtptest.Target{Addr: addr, To: "test@hamburger.edu"})
	fmt.Println(err)
	// Output:
	// <nil>
}

func ExampleSmugglingError() {
	t := &test{}
	defer t.done()

	broken := toy{splitCR: true}.start(t)
	err := smtptest.CheckSmuggling(context.Background(), smtptest.Target{Addr: broken})
	var first *smtptest.SmugglingError
	if errors.As(err, &first) {
		fmt.Println(first.Case)
		fmt.Println(first.Rule)
		fmt.Println(first.Got)
	}
	// Output:
	// command/bare CR
	// a CR alone does not end a command (RFC 5321 §2.3.8).
	// one line is answered as several: replies [250 250]
}
