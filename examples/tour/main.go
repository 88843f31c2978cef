// Command tour sends a message from Alice at crepes.fr to Bob at hamburger.edu,
// by real TCP between two mail servers on this machine, and prints what they
// say to each other.
//
//	go run ./examples/tour
//	go run ./examples/tour -tls -message letter.eml -to bob@hamburger.edu
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/postilion-mail/postilion/smtp"
)

const letter = `From: Alice <alice@crepes.fr>
To: Bob <bob@hamburger.edu>
Subject: Lunch
Date: Mon, 2 Feb 2026 12:00:00 +0100
Message-ID: <lunch@crepes.fr>

Do you like ketchup?
How about pickles?
`

type options struct {
	message, from, to string
	tls, quiet        bool
}

func main() {
	var o options
	flag.StringVar(&o.message, "message", "", "send this `file` instead of the letter")
	flag.StringVar(&o.from, "from", "alice@crepes.fr", "the sender's `address`")
	flag.StringVar(&o.to, "to", "bob@hamburger.edu", "the recipient's `address`")
	flag.BoolVar(&o.tls, "tls", false, "both hops by STARTTLS")
	flag.BoolVar(&o.quiet, "quiet", false, "print a checklist instead of the story")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// run is the tour. Alice's user agent hands her message to crepes.fr, which
// hands it on to hamburger.edu, which puts it into Bob's mailbox.
func run(ctx context.Context, out io.Writer, o options) error {
	message := []byte(letter)
	if o.message != "" {
		var err error
		if message, err = os.ReadFile(o.message); err != nil {
			return err
		}
	}
	env, err := smtp.NewEnvelope(o.from, o.to)
	if err != nil {
		return err
	}
	world, err := newWorld(out, o)
	if err != nil {
		return err
	}

	bob := &mailbox{}
	hamburger := world.server("hamburger.edu", smtp.Handler{
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if r.Path.Domain() != env.To[0].Path.Domain() {
				return smtp.Reject(550, "5.7.1", "we do not relay")
			}
			return nil
		},
		Message: bob.deliver,
	})
	toBob, stopHamburger, err := world.listen(ctx, hamburger)
	if err != nil {
		return err
	}
	relay := world.client("crepes.fr", toBob)
	defer relay.Close()

	crepes := world.server("crepes.fr", smtp.Handler{Message: smtp.Deliver(relay.Deliver)})
	toCrepes, stopCrepes, err := world.listen(ctx, crepes)
	if err != nil {
		return err
	}
	alice := world.client("alice.crepes.fr", toCrepes)
	sent, err := alice.Send(ctx, env, bytes.NewReader(message))
	alice.Close()
	if err != nil {
		return err
	}
	if err := errors.Join(stopCrepes(), relay.Close(), stopHamburger()); err != nil {
		return err
	}
	world.check("Alice's message was accepted", sent.Results.Err() == nil)
	world.check("it is in Bob's mailbox", len(bob.messages) == 1)
	world.check("every hop put its Received field on top", strings.Count(bob.text(), "Received: from") == 2)
	world.check("both hops were encrypted", !o.tls || strings.Count(bob.text(), "\ttls ") == 2)
	world.show("Bob's mailbox", bob.text())
	return world.failed
}

// mailbox is Bob's.
type mailbox struct {
	mu       sync.Mutex // guards messages
	messages []string
}

// deliver is a Handler's Message: it keeps the message only if it came whole.
func (m *mailbox) deliver(_ context.Context, t *smtp.Transaction, body io.Reader) error {
	b, err := io.ReadAll(t.Reader(body))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = append(m.messages, string(b))
	return nil
}

func (m *mailbox) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.messages, "\r\n")
}

// world is what both sides have in common: certificates, and who is told.
type world struct {
	story
	cert *tls.Config // of the servers; nil without TLS
	root *tls.Config // of the clients
}

func newWorld(out io.Writer, o options) (*world, error) {
	w := &world{story: story{out: out, quiet: o.quiet}}
	if !o.tls {
		return w, nil
	}
	var err error
	w.cert, w.root, err = certificate("crepes.fr", "hamburger.edu")
	return w, err
}

// server makes a server that tells what it hears and says. CHUNKING is withheld
// so that messages travel by DATA, as in textbooks.
func (w *world) server(name string, h smtp.Handler) *smtp.Server {
	h = smtp.Chain(h, w.listenIn(name), smtp.Received(smtp.ReceivedOptions{Name: name}))
	return &smtp.Server{Name: name, Handler: h, TLSConfig: w.cert, Trace: w.trace(name), Without: []string{"CHUNKING"}}
}

// listen runs s on a port of its own until stop.
func (w *world) listen(ctx context.Context, s *smtp.Server) (addr string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l, nil) }()
	return l.Addr().String(), func() error { cancel(); return <-done }, nil
}

func (w *world) client(name, addr string) *smtp.Client {
	c := &smtp.Client{Addr: addr, LocalName: name, TLS: smtp.TLSNone}
	if w.root != nil {
		c.TLS, c.TLSConfig = smtp.TLSRequired, w.root
	}
	return c
}
