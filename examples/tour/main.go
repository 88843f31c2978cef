// Command tour tells the whole story of a message, by real TCP between two mail
// systems on this machine. Alice of crepes.fr hands a letter to her server, which
// queues it, finds Bob's mail host by MX, whose first choice is down, and sends
// it there. Hamburger.edu checks SPF, scans, expands aliases and lists, queues
// and delivers into Maildirs, and Bob reads by POP3 and IMAP. A forger, a virus
// and an unknown name come along.
//
//	go run ./examples/tour
//	go run ./examples/tour -quiet
//	go run ./examples/tour -tls -restart -message letter.eml -to bob@hamburger.edu
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

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
	message, from, to   string
	tls, quiet, restart bool
	color               bool
}

func main() {
	var o options
	flag.StringVar(&o.message, "message", "", "send this `file` instead of the letter")
	flag.StringVar(&o.from, "from", "alice@crepes.fr", "the sender's `address`")
	flag.StringVar(&o.to, "to", "bob@hamburger.edu", "the recipient's `address`")
	flag.BoolVar(&o.tls, "tls", false, "STARTTLS between the two servers too")
	flag.BoolVar(&o.restart, "restart", false, "stop the receiving server between accepting and delivering")
	flag.BoolVar(&o.quiet, "quiet", false, "print a checklist instead of the story")
	flag.Parse()
	if info, err := os.Stdout.Stat(); err == nil {
		o.color = info.Mode()&os.ModeCharDevice != 0
	}
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
	defer os.RemoveAll(w.dir)
	err = w.play(ctx, o, env, message)
	w.resume()
	return errors.Join(err, w.crepes.stop(), w.hamburger.stop(), w.failed)
}

// play goes through the chapters.
func (w *world) play(ctx context.Context, o options, env smtp.Envelope, message []byte) error {
	if err := errors.Join(w.crepes.start(ctx, true), w.hamburger.start(ctx, !o.restart)); err != nil {
		return err
	}
	to := env.To[0].Path
	team, news := "team@"+to.Domain(), "news@"+to.Domain()

	w.chapter("Alice writes to Bob")
	err := w.submit(ctx, env, message)
	w.check("Alice's server took her message, after TLS and a login", err == nil)
	if o.restart {
		if err := w.restart(ctx); err != nil {
			return err
		}
	}
	w.hamburger.await(1)
	text := w.hamburger.newest(ctx, w.bob)
	w.check("the first mail host was down, the second took it", w.hosts.Load() == 2)
	w.check("it is in Bob's mailbox, once", w.hamburger.count(ctx, w.bob) == 1)
	w.check("every hop put its Received field on top", strings.Count(text, "Received: from") == 2)
	w.check("SPF vouches for the sender", strings.Contains(text, "Received-SPF: pass"))
	w.check("the hop between the servers was encrypted", !o.tls || strings.Count(text, "tls TLS_") == 2)
	w.show("Bob's mailbox", text)

	w.chapter("Alice writes to the team, which is an alias, and to a mailing list")
	err = w.submit(ctx, w.envelope(o.from, team), note(o.from, team, "Team"))
	w.hamburger.await(4)
	w.check("team is three people", err == nil && w.hamburger.deliveries() == 4)
	err = w.submit(ctx, w.envelope(o.from, news), note(o.from, news, "News"))
	w.hamburger.await(6)
	w.check("the list has two members, each with a copy of his own", err == nil && w.hamburger.deliveries() == 6)
	w.check("the copies say how to leave", strings.Contains(w.hamburger.newest(ctx, "carol"), "List-Unsubscribe: <"))

	w.chapter("A forger writes to Bob as the bank")
	forged := w.intrude(ctx, "boss@bank.example", to, "Send money.")
	w.check("the forger was refused with 550 5.7.23", forged.Code == 550 && forged.Enhanced == "5.7.23")

	w.chapter("A virus comes, and one wants to leave")
	w.check("the scanner refuses it at the door", w.intrude(ctx, o.from, to, virus).Code == 550)
	err = w.submit(ctx, env, []byte("Subject: x\r\n\r\n"+virus+"\r\n"))
	w.resume()
	w.check("and on the way out", smtp.ReplyTo(err).Code == 550)

	w.chapter("Alice writes to somebody who is not there")
	unknown := "nobody@" + to.Domain()
	err = w.submit(ctx, w.envelope(o.from, unknown), note(o.from, unknown, "Anybody?"))
	w.crepes.await(1)
	w.check("her server took it, and sent her a report", err == nil && strings.Contains(w.crepes.newest(ctx, w.alice), "Status: 5.1.1"))

	w.chapter("Bob downloads his mail by POP3")
	n, err := w.download(ctx)
	w.check("Bob has all of it", err == nil && n == w.hamburger.count(ctx, w.bob) && n >= 2)

	w.chapter("Bob's other program waits in IMAP IDLE, and Alice writes again")
	pushed, err := w.push(ctx, env, o)
	w.check("the message was announced as it came", err == nil && pushed)
	return nil
}

// note is a short message.
func note(from, to, subject string) []byte {
	return []byte("From: " + from + "\nTo: " + to + "\nSubject: " + subject + "\n\nAt noon?\n")
}
