// Command tour sends a message from Alice at crepes.fr to Bob at hamburger.edu,
// by real TCP between two mail servers on this machine, and prints what they
// say to each other. On its way the message finds Bob's mail host by MX, whose
// first choice is down, and passes SPF; then somebody forges one, and fails.
//
//	go run ./examples/tour
//	go run ./examples/tour -tls -message letter.eml -to bob@hamburger.edu
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/relay"
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

// run is the tour.
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
	w, err := newWorld(out, o, env)
	if err != nil {
		return err
	}

	// Hamburger.edu takes mail for its own domain, and delivers it to Bob.
	bob := &mailbox{}
	hamburger, err := w.listen(ctx, "hamburger.edu", smtp.Handler{
		Mail: w.checkSPF,
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if r.Path.Domain() != env.To[0].Path.Domain() {
				return smtp.Reject(550, "5.7.1", "we do not relay")
			}
			return nil
		},
		Message: bob.deliver,
	})
	if err != nil {
		return err
	}
	// Crepes.fr takes what Alice sends, and looks for the receiver's host.
	agent := &relay.Relay{Finder: w.finder(), Port: hamburger.port, TLS: w.policy,
		Client: &smtp.Client{LocalName: "crepes.fr"},
		Trace: func(_ smtp.Envelope, h mx.Host, err error) {
			w.note("crepes.fr tries %s, preference %d: %s", h.Name, h.Pref, working(err))
		},
	}
	crepes, err := w.listen(ctx, "crepes.fr", smtp.Handler{Message: smtp.Deliver(agent.Deliver)})
	if err != nil {
		return err
	}

	w.chapter("Alice writes to Bob")
	alice := w.client("alice.crepes.fr", crepes.addr)
	sent, err := alice.Send(ctx, env, bytes.NewReader(message))
	if err := errors.Join(err, alice.Close(), agent.Close()); err != nil {
		return err
	}
	w.chapter("A forger writes to Bob as the bank")
	forged := w.forge(ctx, hamburger.addr, env.To[0].Path)
	if err := errors.Join(crepes.stop(), hamburger.stop()); err != nil {
		return err
	}

	w.check("Alice's message was accepted", sent.Results.Err() == nil)
	w.check("the first mail host was down, the second took it", w.hosts == 2)
	w.check("it is in Bob's mailbox, once", len(bob.messages) == 1)
	w.check("every hop put its Received field on top", strings.Count(bob.text(), "Received: from") == 2)
	w.check("SPF vouches for the sender", strings.HasPrefix(bob.text(), "Received-SPF: pass"))
	w.check("the forger was refused with 550 5.7.23", forged.Code == 550 && forged.Enhanced == "5.7.23")
	w.check("both hops were encrypted", !o.tls || strings.Count(bob.text(), "tls TLS_") == 2)
	w.show("Bob's mailbox", bob.text())
	return w.failed
}

func working(err error) string {
	if err != nil {
		return "does not answer"
	}
	return "takes the message"
}
