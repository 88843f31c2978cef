package postilion_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
	"github.com/postilion-mail/postilion/spf"
)

func Example_receive() {
	server := &smtp.Server{
		Name: "hamburger.edu",
		Handler: smtp.Handler{
			Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
				if r.Path.Domain() != "hamburger.edu" {
					return smtp.Reject(550, "5.7.1", "we do not relay")
				}
				return nil
			},
			Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
				n, err := io.Copy(io.Discard, body) // ends in io.EOF only for a whole message
				fmt.Println(n, "octets from", t.From)
				return err
			},
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx, l, nil) }()

	client := &smtp.Client{Addr: l.Addr().String(), TLS: smtp.TLSNone}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu", "eve@elsewhere.example")
	_, err = client.Send(ctx, env, strings.NewReader("Subject: Lunch\n\nAt noon?\n"))
	fmt.Println(err)

	client.Close()
	stop()
	fmt.Println(<-done)
	// Output:
	// 28 octets from <alice@crepes.fr>
	// smtp: 1 of 2 recipients accepted; 550 5.7.1 we do not relay
	// <nil>
}

// t stands for the *testing.T of a test.
var t = &exampleT{}

func Example_send() {
	srv := smtptest.New(t) // in real life: a host, and a name and password
	client := &smtp.Client{Addr: srv.Addr, TLSConfig: srv.TLS, Auth: srv.Auth}
	defer client.Close()

	msg, err := (&mime.Builder{
		From:    mime.To("Alice <alice@crepes.fr>"),
		To:      mime.To("Bob <bob@hamburger.edu>"),
		Bcc:     mime.To("carol@crepes.fr"),
		Subject: "Crêpes at noon?",
		Text:    "Bring an appetite.\n",
		HTML:    "<p>Bring an <b>appetite</b>.</p>\n",
		Files:   []mime.File{mime.AttachBytes("menu.txt", []byte("crêpes\n"))},
	}).Build()
	if err != nil {
		fmt.Println(err) // every mistake at once, by field
		return
	}
	sent, err := client.Submit(context.Background(), msg)
	fmt.Println(len(sent.Results), "recipients:", err) // nil: all accepted
	t.done()
	// Output: 2 recipients: <nil>
}

func Example_fake() {
	srv := smtptest.New(t) // t is the test's *testing.T
	srv.On(smtptest.RCPT).Arg("full@").Reply(452, "4.2.2", "mailbox full")

	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu", "full@hamburger.edu")
	_, err := srv.Client().Send(context.Background(), env, strings.NewReader("Subject: Lunch\n\nAt noon?\n"))
	fmt.Println(err)
	got := srv.Wait(1)[0]
	fmt.Println(got.Envelope.To[0].Path, len(got.Data))
	t.done()
	// Output:
	// smtp: 1 of 2 recipients accepted; 452 4.2.2 mailbox full
	// <bob@hamburger.edu> 28
}

func Example_check() {
	zone, err := dnstest.Parse(`crepes.fr TXT "v=spf1 ip4:192.0.2.0/24 -all"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := &spf.Checker{Resolver: zone} // in real life: &dns.Cache{Next: &dns.Client{}}
	for _, ip := range []string{"192.0.2.7", "203.0.113.66"} {
		report := checker.Check(context.Background(), spf.Request{
			IP: netip.MustParseAddr(ip), Hello: "mail.crepes.fr", MailFrom: "alice@crepes.fr",
		})
		fmt.Println(report.MailFrom.Result, "-", smtp.ReplyTo(report.Err(spf.Policy{RejectFail: true})).Code)
	}
	// Output:
	// pass - 250
	// fail - 550
}

func Example_read() {
	m := mime.Parse([]byte("From: =?utf-8?q?Zo=C3=AB?= <zoe@crepes.fr>\n" +
		"Subject: =?iso-8859-1?q?Cr=EApes?=\n" +
		"Content-Type: text/plain; charset=utf-8\n" +
		"Content-Transfer-Encoding: base64\n\nQXQgbm9vbj8K\n"))
	fmt.Println(m.Header().Addresses("From")[0])
	fmt.Println(m.Header().Subject())
	fmt.Print(m.TextBody()[0].Text())
	fmt.Println(m.Defects()) // parsing never fails; what is odd is listed
	// Output:
	// Zoë <zoe@crepes.fr>
	// Crêpes
	// At noon?
	// [BareLF (warn) at 42]
}

// exampleT is as much of a test as the fake needs.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (*exampleT) Helper()                         {}
func (*exampleT) Logf(format string, args ...any) {}
func (*exampleT) Name() string                    { return "Example" }
func (*exampleT) Failed() bool                    { return false }
func (*exampleT) Context() context.Context        { return context.Background() }
func (*exampleT) Errorf(format string, a ...any)  { fmt.Printf(format+"\n", a...) }
func (*exampleT) Fatalf(format string, a ...any)  { panic(fmt.Sprintf(format, a...)) }
func (e *exampleT) Cleanup(f func())              { e.cleanups = append(e.cleanups, f) }

// done is the end of the test.
func (e *exampleT) done() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
	e.cleanups = nil
}
