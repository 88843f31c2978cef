package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// listen runs a server on loopback until stop; the examples of the client send
// to it.
func listen(s *smtp.Server) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx, l, nil) }()
	return l.Addr().String(), func() { cancel(); <-done }
}

// onlyBob accepts mail for Bob and nobody else.
var onlyBob = smtp.Handler{
	Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
		if r.Path.Local() != "bob" {
			return smtp.Reject(550, "5.1.1", "no such user")
		}
		return nil
	},
	Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
		t.Queued = "4F2D"
		_, err := io.Copy(io.Discard, body)
		return err
	},
}

func ExampleClient() {
	addr, stop := listen(&smtp.Server{Handler: onlyBob})
	defer stop()

	client := &smtp.Client{Addr: addr, TLS: smtp.TLSNone} // on loopback; the default demands TLS
	defer client.Close()
	env, err := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu", "rob@hamburger.edu")
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, err := client.Send(context.Background(), env, strings.NewReader("Subject: Lunch\n\nAt noon?\n"))
	fmt.Println(err)
	for i, r := range sent.Results {
		fmt.Println(env.To[i].Path, r.Status, r.Reply)
	}
	// Output:
	// smtp: 1 of 2 recipients accepted; 550 5.1.1 no such user
	// <bob@hamburger.edu> accepted 250 2.0.0 OK: queued as 4F2D
	// <rob@hamburger.edu> permanent 550 5.1.1 no such user
}

func ExampleClient_SendTo() {
	addr, stop := listen(&smtp.Server{Handler: onlyBob})
	defer stop()

	client := &smtp.Client{ // one client, any number of servers
		LocalName: "mail.crepes.fr",
		Pool:      smtp.Pool{PerTarget: 4, IdleTimeout: 30 * time.Second},
	}
	defer client.Close()
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	target := smtp.Target{Addr: addr, Name: "hamburger.edu", TLS: smtp.TLSOpportunistic}
	sent, err := client.SendTo(context.Background(), target, env, strings.NewReader("Subject: Lunch\n\nAt noon?\n"))
	fmt.Println(sent.Queued, sent.TLS != nil, err)
	// Output: 4F2D false <nil>
}

func ExampleConn() {
	addr, stop := listen(&smtp.Server{Name: "hamburger.edu", Handler: onlyBob})
	defer stop()

	ctx := context.Background()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := smtp.NewConn(ctx, nc, false, smtp.Timeouts{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if err := conn.Hello(ctx, "crepes.fr"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Greeting())
	fmt.Println(conn.Capabilities().Has("CHUNKING"), conn.Capabilities().Limit("RCPTMAX"))
	fmt.Println(conn.Quit(ctx))
	// Output:
	// 220 hamburger.edu ESMTP
	// true 1000
	// <nil>
}

func ExampleProtocolError() {
	us, peer := net.Pipe()
	go func() { _, _ = io.WriteString(peer, "SSH-2.0-OpenSSH_9.9\r\n") }()
	_, err := smtp.NewConn(context.Background(), us, false, smtp.Timeouts{})
	var broken smtp.ProtocolError
	fmt.Println(errors.As(err, &broken), err)
	// Output: true smtp: not a reply: "SSH-2.0-OpenSSH_9.9"
}

// draft is an Outgoing by hand; mime.Builder makes real ones.
type draft struct{ text string }

func (d draft) Sender() string                   { return "alice@crepes.fr" }
func (d draft) Recipients() []string             { return []string{"bob@hamburger.edu"} }
func (d draft) Needs() (smtputf8, eightBit bool) { return false, false }
func (d draft) Reader() io.ReadSeeker            { return strings.NewReader(d.text) }

func ExampleOutgoing() {
	addr, stop := listen(&smtp.Server{Handler: onlyBob})
	defer stop()

	client := &smtp.Client{Addr: addr, TLS: smtp.TLSNone}
	defer client.Close()
	sent, err := client.Submit(context.Background(), draft{"Subject: Lunch\n\nAt noon?\n"})
	fmt.Println(sent.Results[0].Status, err)
	// Output: accepted <nil>
}

func ExampleResult_SafeToRetry() {
	for _, s := range []smtp.Status{smtp.Accepted, smtp.Temporary, smtp.Permanent, smtp.Unknown} {
		fmt.Println(s, smtp.Result{Status: s}.SafeToRetry())
	}
	// Output:
	// accepted false
	// temporary true
	// permanent false
	// unknown false
}

func dial(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }
