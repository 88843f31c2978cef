// Send sends one message from the command line: text, HTML or both, with
// attachments of any size, through a submission server or straight to the mail
// hosts of each recipient's domain.
//
//	send -from ADDR -to ADDR[,ADDR…] [flags] [TEXT]
//
//	-cc, -bcc LIST    further recipients, those of -bcc unseen
//	-subject TEXT     what it is about
//	-html FILE        the same for those who see HTML
//	-attach FILE      attach a file; may be given several times
//	-server HOST:PORT the submission server; without it, the hosts of each domain
//	-user NAME        log in there; the password is in SEND_PASSWORD
//	-tls MODE         of the server: implicit (port 465), starttls (default) or none
//	-ca FILE          trust the certificates in this PEM file instead of the system's
//	-name HOST        how this host calls itself
//	-zone FILE        ask this zone file instead of the DNS, and hosts on loopback too
//	-port PORT        of mail hosts (default 25)
//	-quiet            say nothing but what went wrong
//
// Without TEXT the text comes from standard input. What became of each
// recipient is printed. The exit code is 0 if the message was accepted for all
// of them, 1 if not, 2 if the arguments or the message are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv("SEND_PASSWORD"), os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, password string, in io.Reader, out, errOut io.Writer) int {
	o, err := parse(args, password, in, errOut)
	if err == nil && o.quiet {
		out = io.Discard
	}
	var draft *mime.Draft
	if err == nil {
		draft, err = o.message.Build() // all mistakes at once
	}
	if err == nil && len(draft.Recipients()) == 0 {
		err = errors.New("no recipient: -to, -cc or -bcc")
	}
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "send:", err)
		}
		return 2
	}
	results, to, err := o.send(ctx, draft, out)
	for i, r := range results {
		w := out
		if r.Status != smtp.Accepted {
			w = errOut
		}
		fmt.Fprintln(w, line(to[i], r))
	}
	if err != nil {
		if len(results) == 0 {
			fmt.Fprintln(errOut, "send:", err)
		}
		return 1
	}
	return 0
}

// line tells what became of one recipient.
func line(to smtp.Recipient, r smtp.Result) string {
	text := r.Reply.String()
	if r.Reply.Code == 0 && r.Err != nil {
		text = r.Err.Error()
	}
	if r.Host != "" {
		text += " (" + r.Host + ")"
	}
	return fmt.Sprintf("%s %s: %s", to.Path, r.Status, text)
}
