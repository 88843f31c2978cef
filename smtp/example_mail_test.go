package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

func ExamplePath() {
	p, err := smtp.ParsePath(`<"Ann Lee"@Example.ORG>`)
	fmt.Println(p, p.Local(), p.Domain(), err)
	_, err = smtp.ParsePath("<ann@example.org>\r\nRCPT TO:<eve@example.org>")
	fmt.Println(err)
	// Output:
	// <"Ann Lee"@example.org> Ann Lee example.org <nil>
	// smtp: 501 5.1.3 malformed address
}

func ExampleEnvelope() {
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	_ = env.AddField("X-Scanned", "yes")
	fmt.Println(env.AddField("Subject", "x\r\nBcc: eve@example.org"))
	stored, _ := env.AppendBinary(nil)
	var back smtp.Envelope
	fmt.Println(back.UnmarshalBinary(stored), back.From, back.To[0].Path)
	text, _ := io.ReadAll(back.Reader(strings.NewReader("Subject: Lunch\r\n")))
	fmt.Printf("%q\n", text)
	// Output:
	// smtp: field Subject has a line that is no fold
	// <nil> <alice@crepes.fr> <bob@hamburger.edu>
	// "X-Scanned: yes\r\nSubject: Lunch\r\n"
}

func ExampleRecipient() {
	bob, _ := smtp.ParsePath("bob@hamburger.edu")
	r := smtp.Recipient{Path: bob, Notify: smtp.NotifySuccess | smtp.NotifyFailure}
	fmt.Println(r.Path, r.Notify, r.Notify.Has(smtp.NotifyDelay))
	// Output: <bob@hamburger.edu> SUCCESS,FAILURE false
}

func ExampleMailParams() {
	p := smtp.MailParams{
		Body:      smtp.Body8BitMIME,
		HoldUntil: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), // send it at noon
	}
	fmt.Println(p.Body, p.HoldUntil.Format(time.RFC3339))
	// Output: 8BITMIME 2026-01-01T12:00:00Z
}

func ExampleReply() {
	fmt.Println(smtp.ReplyTo(smtp.Reject(550, "5.1.1", "no such user")))
	fmt.Println(smtp.ReplyTo(errors.New("disk on fire"))) // unknown: the peer keeps the mail
	// Output:
	// 550 5.1.1 no such user
	// 451 4.3.0 Try again later
}

func ExampleError() {
	err := &smtp.Error{Reply: smtp.Reply{Code: 452, Enhanced: "4.3.1", Text: "mail system full"}, Err: errors.New("/var: 0 bytes left")}
	fmt.Println(smtp.ReplyTo(err)) // for the peer
	fmt.Println(err)               // for the log
	// Output:
	// 452 4.3.1 mail system full
	// smtp: 452 4.3.1 mail system full: /var: 0 bytes left
}

func ExampleResults() {
	r := smtp.Results{{Status: smtp.Accepted}, {}} // nobody spoke of the second: try again
	fmt.Println(r[1].Status, r.Err())
	// Output: temporary smtp: 1 of 2 recipients accepted
}

func ExampleResult() {
	r := smtp.Failed(1, smtp.Reject(550, "5.1.1", "no such user"))[0]
	fmt.Println(r.Status, r.Reply)
	// Output: permanent 550 5.1.1 no such user
}

func ExamplePartialError() {
	err := smtp.Failed(2, smtp.Reject(550, "5.1.1", "no such user")).Err()
	if p, ok := errors.AsType[*smtp.PartialError](err); ok {
		fmt.Println(len(p.Results), p)
	}
	// Output: 2 smtp: 0 of 2 recipients accepted; 550 5.1.1 no such user
}

func ExampleMux() {
	to := func(name string) smtp.DeliverFunc {
		return func(_ context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
			fmt.Println(name, env.To[0].Path)
			return smtp.Failed(len(env.To), nil)
		}
	}
	mux := smtp.Mux{
		{Match: func(p smtp.Path) bool { return p.Domain() == "hamburger.edu" }, Deliver: to("local")},
		{Deliver: to("relay")},
	}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "eve@example.org", "bob@hamburger.edu")
	mux.Deliver(context.Background(), env, io.NewSectionReader(strings.NewReader("Hi\r\n"), 0, 4))
	// Output:
	// local <bob@hamburger.edu>
	// relay <eve@example.org>
}

func ExampleRoute() {
	r := smtp.Route{Match: func(p smtp.Path) bool { return p.Domain() == "hamburger.edu" }}
	bob, _ := smtp.ParsePath("bob@Hamburger.EDU")
	fmt.Println(r.Match(bob))
	// Output: true
}

func ExampleHold() {
	h, err := smtp.Hold(context.Background(), strings.NewReader("Subject: Lunch\r\n"), 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	for range 2 { // as often as one likes
		text, _ := io.ReadAll(io.NewSectionReader(h, 0, h.Size()))
		fmt.Printf("%q\n", text)
	}
	// Output:
	// "Subject: Lunch\r\n"
	// "Subject: Lunch\r\n"
}

func ExampleHeld() {
	h, _ := smtp.Hold(context.Background(), strings.NewReader("Hi\r\n"), -1) // in a file
	defer h.Close()
	fmt.Println(h.Size())
	// Output: 4
}
