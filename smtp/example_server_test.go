package smtp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// talk says the lines to a server, over a pipe, and prints what it answers. A
// "*" stands for a whole message in a transaction of its own.
func talk(s *smtp.Server, lines ...string) {
	us, them := net.Pipe()
	done := make(chan error)
	go func() { done <- s.ServeConn(context.Background(), us) }()
	r := bufio.NewReader(them)
	reply := func(show bool) {
		for line := "----"; len(line) > 3 && line[3] == '-'; {
			line, _ = r.ReadString('\n')
			if show {
				fmt.Print(strings.ReplaceAll(line, "\r", ""))
			}
		}
	}
	say := func(line string, show bool) {
		fmt.Fprint(them, line+"\r\n")
		reply(show)
	}
	reply(false)
	say("EHLO crepes.fr", false)
	for _, line := range lines {
		if line != "*" {
			say(line, true)
			continue
		}
		say("MAIL FROM:<alice@crepes.fr>", false)
		say("RCPT TO:<bob@hamburger.edu>", false)
		say("DATA", false)
		say("Subject: Lunch\r\n\r\nAt noon?\r\n.", true)
	}
	them.Close()
	<-done
}

func ExampleServer() {
	s := &smtp.Server{
		Name: "hamburger.edu",
		Handler: smtp.Handler{Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
			text, err := io.ReadAll(body)
			fmt.Printf("mail from %v: %d octets\n", t.From, len(text))
			return err
		}},
	}
	talk(s, "*", "QUIT") // a program calls s.Run(ctx, listener, nil)
	// Output:
	// mail from <alice@crepes.fr>: 28 octets
	// 250 2.0.0 OK
	// 221 2.0.0 hamburger.edu closing connection
}

func ExampleHandler() {
	h := smtp.Handler{
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if r.Path.Domain() != "hamburger.edu" {
				return smtp.Reject(550, "5.7.1", "We do not relay")
			}
			return nil
		},
		Message: func(context.Context, *smtp.Transaction, io.Reader) error {
			return errors.New("/var/mail is full") // logged, and never told to the peer
		},
	}
	talk(&smtp.Server{Handler: h}, "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "RSET", "*")
	// Output:
	// 250 2.1.0 Sender OK
	// 550 5.7.1 We do not relay
	// 250 2.0.0 Forgotten
	// 451 4.3.0 Try again later
}

func ExampleMiddleware() {
	timing := func(next smtp.Handler) smtp.Handler {
		message := next.Message // keep what is there and go around it
		next.Message = func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			start := time.Now()
			err := message(ctx, t, body)
			fmt.Println("took less than a minute:", time.Since(start) < time.Minute)
			return err
		}
		return next
	}
	talk(&smtp.Server{Handler: smtp.Chain(onlyBob, timing)}, "*")
	// Output:
	// took less than a minute: true
	// 250 2.0.0 OK: queued as 4F2D
}

func ExampleChain() {
	log := func(name string) smtp.Middleware {
		return func(next smtp.Handler) smtp.Handler {
			rcpt := next.Rcpt
			next.Rcpt = func(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) error {
				fmt.Println(name)
				return rcpt(ctx, t, r)
			}
			return next
		}
	}
	talk(&smtp.Server{Handler: smtp.Chain(onlyBob, log("outer"), log("inner"))}, "*")
	// Output:
	// outer
	// inner
	// 250 2.0.0 OK: queued as 4F2D
}

// A handler is tested without a socket.
func ExampleSession() {
	check := func(_ context.Context, s *smtp.Session) error {
		if s.TLS == nil {
			return smtp.Reject(550, "5.7.10", "Encryption needed")
		}
		return nil
	}
	fmt.Println(check(context.Background(), &smtp.Session{Hello: "crepes.fr"}))
	fmt.Println(check(context.Background(), &smtp.Session{Hello: "crepes.fr", TLS: &tls.ConnectionState{}}))
	// Output:
	// smtp: 550 5.7.10 Encryption needed
	// <nil>
}

func ExampleTransaction() {
	h := smtp.Handler{Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
		if err := t.AddField("X-Spam", "no"); err != nil {
			return err
		}
		text, err := io.ReadAll(t.Reader(body)) // what was put in front, then the body
		fmt.Printf("%.23q\n", text)
		t.Queued = "4F2D"
		return err
	}}
	talk(&smtp.Server{Handler: h}, "*")
	// Output:
	// "X-Spam: no\r\nSubject: Lu"
	// 250 2.0.0 OK: queued as 4F2D
}

func ExampleKey() {
	score := smtp.NewKey[int]() // in a package variable
	var v smtp.Values
	score.Set(&v, 7)
	n, ok := score.Get(&v)
	fmt.Println(n, ok)
	// Output: 7 true
}

func ExampleValues() {
	score, other := smtp.NewKey[int](), smtp.NewKey[int]()
	t := &smtp.Transaction{}
	score.Set(&t.Values, 7)
	_, ok := other.Get(&t.Values)
	fmt.Println(ok)
	// Output: false
}

func ExampleTrace() {
	s := &smtp.Server{Trace: &smtp.Trace{
		Command: func(_ *smtp.Session, verb, arg string) { fmt.Println("C:", verb, arg) },
		Reply:   func(_ *smtp.Session, r smtp.Reply) { fmt.Println("S:", r.Code) },
	}}
	talk(s)
	// Output:
	// S: 220
	// C: EHLO crepes.fr
	// S: 250
}

func ExampleExtension() {
	s := &smtp.Server{Private: []smtp.Extension{{
		Keyword: "XTIME",
		Verb:    "XTIME",
		Command: func(context.Context, *smtp.Session, string) (smtp.Reply, error) {
			return smtp.Reply{Code: 250, Enhanced: "2.0.0", Text: "High noon"}, nil
		},
	}}}
	talk(s, "XTIME")
	// Output: 250 2.0.0 High noon
}

func ExampleLimits() {
	s := &smtp.Server{Limits: smtp.Limits{MessageBytes: 10, Recipients: -1}} // the others have their defaults
	talk(s, "*", "MAIL FROM:<alice@crepes.fr> SIZE=11")
	// Output:
	// 552 5.3.4 Message too large
	// 552 5.3.4 Message too large
}

func ExampleTimeouts() {
	s := &smtp.Server{
		Timeouts: smtp.Timeouts{Handler: 10 * time.Millisecond},
		Handler: smtp.Handler{Rcpt: func(ctx context.Context, _ *smtp.Transaction, _ *smtp.Recipient) error {
			<-ctx.Done() // a database that does not answer
			return ctx.Err()
		}},
	}
	talk(s, "MAIL FROM:<alice@crepes.fr>", "RCPT TO:<bob@hamburger.edu>")
	// Output:
	// 250 2.1.0 Sender OK
	// 451 4.3.0 Try again later
}

func ExampleScan() {
	spam := smtp.Scan(func(_ context.Context, _ *smtp.Transaction, r io.Reader) error {
		text, err := io.ReadAll(r)
		if strings.Contains(string(text), "noon") {
			return smtp.Reject(550, "5.7.1", "This looks like lunch")
		}
		return err
	})
	talk(&smtp.Server{Handler: smtp.Chain(onlyBob, spam)}, "*")
	// Output: 550 5.7.1 This looks like lunch
}

func ExampleReceived() {
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	t := &smtp.Transaction{Session: &smtp.Session{Hello: "crepes.fr", Protocol: "ESMTP"}, Envelope: env}
	noon := func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
	h := smtp.Received(smtp.ReceivedOptions{Name: "hamburger.edu", Now: noon})(smtp.Handler{})
	_ = h.Message(context.Background(), t, strings.NewReader(""))
	fmt.Print(strings.ReplaceAll(string(t.Prefix), "\r", ""))
	// Output:
	// Received: from crepes.fr by hamburger.edu with ESMTP for <bob@hamburger.edu>;
	// 	Thu, 1 Jan 2026 12:00:00 +0000
}

func ExampleDeliver() {
	mailboxes := func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
		fmt.Println(len(env.To), "recipients,", body.Size(), "octets")
		return smtp.Failed(len(env.To), nil) // nil: all of them have it
	}
	talk(&smtp.Server{Handler: smtp.Handler{Message: smtp.Deliver(mailboxes)}}, "*")
	// Output:
	// 1 recipients, 28 octets
	// 250 2.0.0 OK
}
