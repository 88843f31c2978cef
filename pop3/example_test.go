package pop3_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// bobs is a mailbox with two messages in it.
func bobs(ctx context.Context) (mailbox.Store, error) {
	store := &memory.Store{User: "bob"}
	for _, body := range []string{"Subject: Lunch\r\n\r\nAt noon?\r\n", "Subject: Dinner\r\n\r\nAt eight?\r\n"} {
		if err := mailbox.Deliver(ctx, store, mailbox.Delivery{ReturnPath: "alice@crepes.fr", Body: strings.NewReader(body)}); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// passwords knows bob.
func passwords() *sasl.Authenticator {
	return &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, password string) error {
		if l.User != "bob" || password != "secret" {
			return sasl.ErrCredentials
		}
		return nil
	}}
}

// serve runs a server over bob's mailbox on a port of 127.0.0.1. It is in the
// clear, which real servers are not.
func serve(server *pop3.Server) (addr string, stop func()) {
	store, err := bobs(context.Background())
	if err != nil {
		panic(err)
	}
	server.Auth, server.InsecureAuth = passwords(), true
	server.Open = func(context.Context, string) (mailbox.Store, error) { return store, nil }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	return l.Addr().String(), func() { server.Close(); <-done }
}

func ExampleServer() {
	store := &memory.Store{User: "bob"} // a mailbox in memory; maildir.Open has them on disk
	server := &pop3.Server{
		Name:         "hamburger.edu",
		Auth:         passwords(),
		InsecureAuth: true, // this example has no certificate: set TLSConfig instead
		Open:         func(context.Context, string) (mailbox.Store, error) { return store, nil },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx, l, nil) }()

	fmt.Fprint(c, "USER bob\r\nPASS secret\r\nSTAT\r\nQUIT\r\n")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// +OK hamburger.edu POP3 server ready
	// +OK Password?
	// +OK Maildrop has 0 messages (0 octets)
	// +OK 0 0
	// +OK Goodbye
	// <nil>
}

func ExampleClient() {
	addr, stop := serve(&pop3.Server{})
	defer stop()

	client := &pop3.Client{
		Addr: addr,
		TLS:  pop3.TLSNone, // real servers: TLSImplicit and port 995
		Auth: &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true},
	}
	ctx := context.Background()
	conn, err := client.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	list, err := conn.List(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for d, err := range conn.Fetch(ctx, list) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, d.Body) // to a file, in real life
		fmt.Println(d.Number, n == d.Size, err)
		if err := conn.Delete(ctx, d.Number); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(conn.Quit(ctx)) // only now it is deleted
	// Output:
	// 1 true <nil>
	// 2 true <nil>
	// <nil>
}

func ExampleSeen() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	ctx := context.Background()
	client := &pop3.Client{Addr: addr, TLS: pop3.TLSNone, Auth: &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true}}

	var seen pop3.Seen // in real life from a file, by pop3.ReadSeen
	for day := range 2 {
		conn, err := client.Connect(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		list, err := conn.List(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		for d, err := range conn.Fetch(ctx, seen.New(list)) {
			if err != nil {
				fmt.Println(err)
				break
			}
			if _, err := io.Copy(io.Discard, d.Body); err == nil {
				seen.Add(d.UID)
				fmt.Println("day", day, "message", d.Number)
			}
		}
		if err := conn.Quit(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// day 0 message 1
	// day 0 message 2
}

func ExampleConn() {
	addr, stop := serve(&pop3.Server{Implementation: "-"})
	defer stop()
	ctx := context.Background()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := pop3.NewConn(ctx, nc, pop3.Timeouts{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	caps, err := conn.Capabilities(ctx)
	fmt.Println(caps["SASL"], caps.Has("STLS"), err)
	err = conn.Auth(ctx, &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true})
	fmt.Println(err)
	n, octets, err := conn.Stat(ctx)
	fmt.Println(n, octets, err)
	// Output:
	// PLAIN LOGIN false <nil>
	// <nil>
	// 2 122 <nil>
}

func ExampleConn_Top() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	ctx := context.Background()
	client := &pop3.Client{Addr: addr, TLS: pop3.TLSNone, Auth: &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true}}
	conn, err := client.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	header, err := conn.Top(ctx, 2, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for lines := bufio.NewScanner(header); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	// Output:
	// Return-Path: <alice@crepes.fr>
	// Subject: Dinner
}

func ExampleError() {
	addr, stop := serve(&pop3.Server{Timeouts: pop3.Timeouts{Login: time.Minute}})
	defer stop()
	client := &pop3.Client{Addr: addr, TLS: pop3.TLSNone, Auth: &sasl.Credentials{User: "bob", Password: "guess", Cleartext: true}}
	_, err := client.Connect(context.Background())
	var refused *pop3.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code, "- ask again:", refused.Credentials(), "- try later:", refused.Temporary())
	}
	// Output:
	// AUTH - ask again: true - try later: false
}
