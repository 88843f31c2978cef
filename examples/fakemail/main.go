// Fakemail is a fake mail world for the tests of programs that send or read mail,
// in any language. It takes every message over SMTP, keeps it in memory, and
// shows it over POP3, IMAP, JSON and a web page. Nothing leaves the machine.
//
//	go run ./examples/fakemail
//
//	-smtp -smtps -pop3 -pop3s -imap -imaps -http ADDR
//	                   listeners, on loopback only; empty switches one off, port 0
//	                   takes a free one (default 127.0.0.1 and 1025, 1465, 1110,
//	                   1995, 1143, 1993, 8025)
//	-ca FILE           write the authority's certificate, for clients to trust
//	-hostname NAME     what the server calls itself (default localhost)
//	-keep N            messages to keep; the oldest go (default 1000)
//	-keep-bytes N      memory for them, copies in mailboxes counted (default 256 MiB)
//	-max-size N        octets of one message (default 25 MiB)
//	-fault WORD        a fault for every recipient; may be repeated
//	-log               tell what the servers do, on standard error
//
// When all listeners are up it prints one line that begins with "ready" and
// names their addresses. It ends on SIGINT and SIGTERM. The exit code is 0, or 1
// if something went wrong, or 2 if the arguments are wrong.
//
// # Logging in
//
// Any name and password will do, by PLAIN, LOGIN or a bearer token, with or
// without TLS. Who logs in as an address that got mail sees the mail for this
// address; any other name, such as "all", sees everything. What a client deletes
// or appends concerns that mailbox alone: the list of JSON keeps its messages.
//
// # Faults
//
// The local part of a recipient asks for trouble; "+" and what follows is not
// looked at, so reject-550+bob@example.org is one too.
//
//	reject-550-5.1.1   refused at RCPT with this reply; "reject" is 550 5.1.1
//	defer-451-4.2.1    refused for now; "defer" is 451 4.2.0
//	slow-5s            RCPT is answered after this time, 10m at most
//	drop               the connection is closed at RCPT
//	data-reject-554    all these again, after the message has come:
//	data-defer-452     it is refused for all its recipients, and not kept
//	data-slow-5s       the reply to the message takes its time
//	data-drop          the connection is closed, the message is not kept
//	lost               the message is kept, but the connection is closed before
//	                   the client is told so
//
// A local part that only resembles one of these is an address like any other.
// A login as a user of a name such as reject@example.org is refused, and as
// defer@example.org it fails for now.
//
// # JSON
//
//	GET    /api/messages                all messages, oldest first
//	GET    /api/messages/ID             one, with text, HTML, links, header, attachments
//	GET    /api/messages/ID/source      as it was received
//	GET    /api/messages/ID/html        for a sandboxed frame: no scripts, nothing remote
//	GET    /api/messages/ID/parts/N     one part, decoded
//	GET    /api/wait?timeout=30s        the first message there is, or that comes; 404 if none does
//	GET    /api/events?after=ID         server-sent events: "message" and "state"
//	GET    /api/ca.pem                  the authority's certificate
//	DELETE /api/messages                forget all
//	DELETE /api/messages/ID             forget one
//
// The list, wait and DELETE take filters: to and from (an address, or its local
// part), subject and q (text anywhere), after (an ID). The Host of a request must
// be a loopback one, and a browser may change things from the page itself only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, from the command line to the end of ctx.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	c, err := parse(args, errOut)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "fakemail:", err)
		}
		return 2
	}
	if err := serve(ctx, c, out); err != nil {
		fmt.Fprintln(errOut, "fakemail:", err)
		return 1
	}
	return 0
}

// serve composes the servers around one world and runs them until ctx ends.
func serve(ctx context.Context, c *config, out io.Writer) error {
	w, err := newWorld(c.keep, c.keepBytes, time.Now)
	if err != nil {
		return err
	}
	auth := &sasl.Authenticator{
		Password: func(_ context.Context, l sasl.Login, _ string) error { return loginFault(l.User) },
		Token: func(_ context.Context, l sasl.Login, _ string) (string, error) {
			return l.User, loginFault(l.User)
		},
		Authorize: func(_ context.Context, l sasl.Login) (string, error) { return l.User, nil },
	}
	cut := &cutter{}
	in := &receiver{world: w, always: c.faults, cut: cut.cut}
	mail := &smtp.Server{
		Name: c.host, TLSConfig: c.tls, Auth: auth, InsecureAuth: true, Log: c.log,
		Handler:    smtp.Chain(in.handler(), smtp.Received(smtp.ReceivedOptions{Name: c.host})),
		Extensions: smtp.ExtSMTPUTF8,
		Limits:     smtp.Limits{MessageBytes: c.maxSize, Recipients: maxRecipients, ConnsPerIP: maxConns, Conns: maxConns},
		Timeouts:   smtp.Timeouts{Handler: maxSlow + time.Minute, Grace: time.Second},
	}
	pop := &pop3.Server{
		Name: c.host, TLSConfig: c.tls, Auth: auth, InsecureAuth: true, Open: w.open, AnyUTF8: true, Log: c.log,
		Limits: pop3.Limits{ConnsPerIP: maxConns, Conns: maxConns},
	}
	im := &imap.Server{
		Name: c.host, TLSConfig: c.tls, Auth: auth, InsecureAuth: true, Open: w.open, Log: c.log,
		Limits: imap.Limits{ConnsPerIP: maxConns, Conns: maxConns, MessageBytes: c.maxSize},
	}
	web := &site{world: w, ca: c.ca, timeout: maxWait}

	l, err := c.listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready", l)
	return together(ctx,
		serving(mail.Run, cut.listener(l["smtp"]), cut.listener(l["smtps"])),
		serving(pop.Run, l["pop3"], l["pop3s"]), serving(im.Run, l["imap"], l["imaps"]),
		func(ctx context.Context) error { return web.run(ctx, l["http"]) })
}

// The bounds of what test suites may do at the same time.
const (
	maxConns      = 500 // of each protocol
	maxRecipients = 100 // of one message: RFC 5321 §4.5.3.1.8 wants no fewer
)

// serving binds a server to its listeners, either of which may be nil.
func serving(run func(ctx context.Context, plain, implicitTLS net.Listener) error, plain, implicitTLS net.Listener) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, plain, implicitTLS) }
}

// together runs all until one fails or ctx ends, and waits for all. A server
// without listeners waits, too.
func together(ctx context.Context, run ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(run))
	var wg sync.WaitGroup
	for i, f := range run {
		wg.Go(func() { defer stop(); errs[i] = f(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
