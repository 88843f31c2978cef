package pop3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// login connects bob to a server of these examples.
func login(addr string) (*pop3.Conn, error) {
	client := &pop3.Client{Addr: addr, TLS: pop3.TLSNone, Auth: &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true}}
	return client.Connect(context.Background())
}

func ExampleMessage() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	conn, err := login(addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	list, err := conn.List(context.Background())
	for _, m := range list {
		fmt.Println(m.Number, m.Size, m.UID != "")
	}
	fmt.Println(err)
	// Output:
	// 1 60 true
	// 2 62 true
	// <nil>
}

// One message that is too large is left where it is.
func ExampleDownload() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	conn, err := login(addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	list, _ := conn.List(context.Background())
	for d, err := range conn.Fetch(context.Background(), list) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if d.Size > 61 {
			continue // what is not read of it is skipped
		}
		text, _ := io.ReadAll(d.Body)
		fmt.Println(d.Number, strings.Contains(string(text), "At noon?"))
	}
	// Output: 1 true
}

func ExampleBody() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	conn, err := login(addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	body, err := conn.Retrieve(context.Background(), 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	var text strings.Builder
	n, err := body.WriteTo(&text) // no error: the message is whole
	fmt.Println(n, err)
	// Output: 60 <nil>
}

func ExampleCapabilities() {
	addr, stop := serve(&pop3.Server{})
	defer stop()
	conn, err := login(addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	caps, err := conn.Capabilities(context.Background())
	fmt.Println(caps.Has("UIDL"), caps["EXPIRE"], err)
	// Output: true NEVER <nil>
}

func ExampleTLSMode() {
	for _, c := range []pop3.Client{
		{Addr: "pop.example.org:995", TLS: pop3.TLSImplicit},
		{Addr: "pop.example.org:110"},               // STLS, or nothing
		{Addr: "/run/pop3.sock", TLS: pop3.TLSNone}, // on the same machine
	} {
		fmt.Println(c.Addr, c.TLS == pop3.TLSRequired)
	}
	// Output:
	// pop.example.org:995 false
	// pop.example.org:110 true
	// /run/pop3.sock false
}

// After one wrong password the connection is over.
func ExampleLimits() {
	addr, stop := serve(&pop3.Server{Limits: pop3.Limits{AuthTries: 1}})
	defer stop()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(nc, "USER bob\r\nPASS guess\r\nUSER bob\r\nPASS secret\r\n")
	said, _ := io.ReadAll(nc)
	fmt.Println(strings.Count(string(said), "+OK"), strings.Count(string(said), "-ERR"))
	// Output: 2 1
}

func ExampleTimeouts() {
	client := &pop3.Client{
		Addr:     "pop.example.org:995",
		TLS:      pop3.TLSImplicit,
		Timeouts: pop3.Timeouts{Dial: 5 * time.Second, Command: 20 * time.Second}, // the others as ever
	}
	fmt.Println(client.Timeouts.Dial)
	// Output: 5s
}

func ExampleTrace() {
	server := &pop3.Server{Trace: &pop3.Trace{Command: func(s *pop3.Session, verb, arg string) { fmt.Println(verb, arg) }}}
	addr, stop := serve(server)
	defer stop()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(nc, "USER bob\r\nPASS secret\r\nQUIT\r\n")
	io.Copy(io.Discard, nc)
	// Output:
	// USER bob
	// PASS ***
	// QUIT
}

func ExampleSession() {
	server := &pop3.Server{Trace: &pop3.Trace{Command: func(s *pop3.Session, verb, arg string) {
		fmt.Printf("%s by %q, TLS %t\n", verb, s.User, s.TLS != nil)
	}}}
	addr, stop := serve(server)
	defer stop()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(nc, "USER bob\r\nPASS secret\r\nSTAT\r\nQUIT\r\n")
	io.Copy(io.Discard, nc)
	// Output:
	// USER by "", TLS false
	// PASS by "", TLS false
	// STAT by "bob", TLS false
	// QUIT by "bob", TLS false
}

// A peer that speaks something else is no POP3 server.
func ExampleProtocolError() {
	ours, theirs := net.Pipe()
	go fmt.Fprint(theirs, "220 mail.example.org ESMTP\r\n")
	_, err := pop3.NewConn(context.Background(), ours, pop3.Timeouts{})
	var broken pop3.ProtocolError
	fmt.Println(errors.As(err, &broken))
	// Output: true
}
