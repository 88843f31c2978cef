package smtp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

func ExampleBodyType() {
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	fmt.Println(env.Params.Body) // nothing said
	env.Params.Body = smtp.Body8BitMIME
	fmt.Println(env.Params.Body)
	// Output:
	// 7BIT
	// 8BITMIME
}

func ExampleCapabilities() {
	caps := smtp.Capabilities{"SIZE": "1000000", "LIMITS": "MAILMAX=10 RCPTMAX=50"}
	fmt.Println(caps.Has("SIZE"), caps.Has("CHUNKING"), caps.Limit("RCPTMAX"), caps.Limit("RCPTDOMAINMAX"))
	// Output: true false 50 0
}

func ExampleDeliverBy() {
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	noon := time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC)
	env.Params.DeliverBy = smtp.DeliverBy{Time: noon, Return: true} // later it is of no use: give it back
	fmt.Println(env.Params.DeliverBy.Time.Format(time.TimeOnly))
	// Output: 12:00:00
}

func ExampleDeliverFunc() {
	var archive smtp.DeliverFunc = func(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
		fmt.Printf("%d octets for %d recipients\n", body.Size(), len(env.To))
		return smtp.Failed(len(env.To), nil) // none failed
	}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu", "eve@hamburger.edu")
	body := strings.NewReader("Subject: Lunch\r\n\r\nAt noon?\r\n")
	results := archive(context.Background(), env, io.NewSectionReader(body, 0, body.Size()))
	fmt.Println(results.Err())
	// Output:
	// 28 octets for 2 recipients
	// <nil>
}

func ExampleExtensions() {
	// This server's queue reports as RFC 3461 asks and keeps addresses in UTF-8,
	// so it may say so.
	addr, stop := listen(&smtp.Server{Extensions: smtp.ExtDSN | smtp.ExtSMTPUTF8})
	defer stop()
	caps := capabilities(addr)
	fmt.Println(caps.Has("DSN"), caps.Has("SMTPUTF8"), caps.Has("DELIVERBY"))
	// Output: true true false
}

// capabilities asks a server what it offers.
func capabilities(addr string) smtp.Capabilities {
	ctx := context.Background()
	nc, err := dial(addr)
	if err != nil {
		panic(err)
	}
	conn, err := smtp.NewConn(ctx, nc, false, smtp.Timeouts{})
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if err := conn.Hello(ctx, "client.example"); err != nil {
		panic(err)
	}
	return conn.Capabilities()
}

func ExampleLineEndings() {
	for _, policy := range []smtp.LineEndings{smtp.RejectBare, smtp.NormalizeBare, smtp.KeepBare} {
		addr, stop := listen(&smtp.Server{LineEndings: policy, Without: []string{"CHUNKING"}, Handler: smtp.Handler{
			Message: func(_ context.Context, _ *smtp.Transaction, body io.Reader) error {
				b, err := io.ReadAll(body)
				if err == nil {
					fmt.Printf("%q\n", b)
				}
				return err
			},
		}})
		say(addr, "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "one\ntwo\r\n.\r\nQUIT\r\n")
		stop()
	}
	// Output:
	// "one\r\ntwo\r\n"
	// "one\ntwo\r\n"
}

// say speaks to a server without listening, as nobody should.
func say(addr string, parts ...string) {
	nc, err := dial(addr)
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	for _, p := range parts {
		if _, err := io.WriteString(nc, p); err != nil {
			panic(err)
		}
	}
	_, _ = io.Copy(io.Discard, nc) // to the end, which QUIT brings
}

func ExampleNotify() {
	n := smtp.NotifySuccess | smtp.NotifyFailure
	fmt.Println(n, n.Has(smtp.NotifyDelay))
	fmt.Println(smtp.Notify(0).Has(smtp.NotifyFailure)) // who says nothing is told of failures
	// Output:
	// SUCCESS,FAILURE false
	// true
}

func ExampleParam() {
	addr, stop := listen(&smtp.Server{
		Private: []smtp.Extension{{Keyword: "XCOST", Mail: []string{"XCOST"}}},
		Handler: smtp.Handler{Mail: func(_ context.Context, t *smtp.Transaction) error {
			fmt.Println(t.Params.Other[0].Name, t.Params.Other[0].Value)
			return nil
		}},
	})
	defer stop()
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	env.Params.Other = []smtp.Param{{Name: "XCOST", Value: "7"}}
	client := &smtp.Client{Addr: addr, TLS: smtp.TLSNone}
	defer client.Close()
	_, err := client.Send(context.Background(), env, strings.NewReader("x"))
	fmt.Println(err)
	// Output:
	// XCOST 7
	// <nil>
}

func ExamplePool() {
	client := &smtp.Client{
		Addr: "mail.crepes.fr:587",
		Pool: smtp.Pool{PerTarget: 20, MaxIdle: 5, IdleTimeout: 30 * time.Second},
	}
	defer client.Close()
	fmt.Println(client.Pool.MaxMessages) // zero: 1000 over one connection
	// Output: 0
}

func ExampleProfile() {
	addr, stop := listen(&smtp.Server{Profile: smtp.Submission})
	defer stop()
	client := &smtp.Client{Addr: addr, TLS: smtp.TLSNone}
	defer client.Close()
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	_, err := client.Send(context.Background(), env, strings.NewReader("x"))
	fmt.Println(err)
	// Output: smtp: 0 of 1 recipients accepted; 530 5.7.0 Authentication required
}

func ExampleReceivedOptions() {
	options := smtp.ReceivedOptions{
		Name:       "mail.crepes.fr",
		HideClient: true, // a person at home
		Now:        func() time.Time { return time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC) },
	}
	h := smtp.Chain(smtp.Handler{Message: func(_ context.Context, t *smtp.Transaction, _ io.Reader) error {
		fmt.Print(strings.Join(strings.Fields(string(t.Prefix)), " "))
		return nil
	}}, smtp.Received(options))
	t := &smtp.Transaction{Session: &smtp.Session{Protocol: "ESMTPSA"}}
	t.ID = "4F2D"
	_ = h.Message(context.Background(), t, strings.NewReader(""))
	// Output: Received: by mail.crepes.fr with ESMTPSA id 4F2D; Mon, 2 Feb 2026 12:00:00 +0000
}

func ExampleSent() {
	addr, stop := listen(&smtp.Server{Handler: onlyBob})
	defer stop()
	client := &smtp.Client{Addr: addr, TLS: smtp.TLSNone}
	defer client.Close()
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	sent, err := client.Send(context.Background(), env, strings.NewReader("Subject: Lunch\n\nAt noon?\n"))
	fmt.Println(sent.Queued, sent.Results[0].Status, sent.TLS == nil, err)
	// Output: 4F2D accepted true <nil>
}

func ExampleStatus() {
	var forgotten smtp.Result // nobody said what became of this recipient
	fmt.Println(forgotten.Status, smtp.Unknown)
	// Output: temporary unknown
}

func ExampleTLSMode() {
	for _, c := range []*smtp.Client{
		{Addr: "mail.crepes.fr:587"},                        // STARTTLS, and a valid certificate
		{Addr: "mail.crepes.fr:465", TLS: smtp.TLSImplicit}, // TLS from the first octet
		{Addr: "localhost:25", TLS: smtp.TLSNone},           // on this machine
	} {
		fmt.Println(c.Addr, c.TLS == smtp.TLSRequired)
		c.Close()
	}
	// Output:
	// mail.crepes.fr:587 true
	// mail.crepes.fr:465 false
	// localhost:25 false
}

func ExampleTarget() {
	target := smtp.Target{
		Addr:      "192.0.2.1:25",
		Name:      "mx1.hamburger.edu", // in its certificate
		TLS:       smtp.TLSRequired,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
	other := target
	fmt.Println(target == other) // comparable: the pool of a client goes by it
	// Output: true
}
