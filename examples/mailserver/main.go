// Mailserver is a small mail server, complete: it takes mail for its domains,
// checks SPF and scans, expands aliases, runs mailing lists, keeps mail safe in
// a queue until it is delivered, delivers into Maildirs, relays what its users
// send, and serves POP3 and IMAP. flags.go says what the command line can ask.
//
//	go run ./examples/mailserver -domain hamburger.edu -user bob:secret
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
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/relay"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spf"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
	"github.com/postilion-mail/postilion/spool/local"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(ctx, c, os.Stdout)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mailserver:", err)
		os.Exit(1)
	}
}

// run is the server, from the first listener to the end of ctx.
func run(ctx context.Context, c *config, out io.Writer) error {
	defer c.members.Close()
	queue, err := dirspool.Open(filepath.Join(c.dir, "spool"), dirspool.Options{Log: c.log})
	if err != nil {
		return err
	}
	defer queue.Close()
	boxes, err := maildir.Open(c.sub("boxes"))
	if err != nil {
		return err
	}
	defer boxes.Close()
	if err := c.eachUser(boxes.Create); err != nil {
		return err
	}

	// Who gets a message: aliases are expanded before it is queued, lists are
	// mailboxes of their own, the rest goes home or abroad.
	expander := &alias.Expander{Resolver: c.aliases}
	agent := &local.Agent{Open: boxes.Open, User: c.mailboxOf}
	put := func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
		_, err := spool.Put(ctx, queue, body, envs...)
		return err
	}
	lists := &list.Manager{Lists: c.lists, Members: c.members, Held: c.members, Rewriter: &alias.Rewriter{Keys: [][]byte{c.key}}, Post: put, Log: c.log}
	if err := lists.Check(); err != nil {
		return err
	}
	client := &smtp.Client{LocalName: c.host, Addr: c.relay, TLS: smtp.TLSOpportunistic, Log: c.log}
	defer client.Close()
	abroad := &relay.Relay{Finder: &mx.Finder{Resolver: c.resolver, Allow: c.mayDial}, Client: client, Port: c.port}
	defer abroad.Close()
	away := abroad.Deliver
	if c.relay != "" {
		away = client.Deliver
	}
	routes := smtp.Mux{{Match: lists.Owns, Deliver: lists.Deliver}, {Match: c.ours, Deliver: agent.Deliver}, {Deliver: away}}
	runner := &spool.Runner{Store: queue, Deliver: routes.Deliver, Expand: expander.Envelopes, Name: c.host, Log: c.log}

	// Who may come in: strangers with mail for us, users with mail for anybody.
	accept := func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
		envs, err := expander.Envelopes(ctx, t.Envelope)
		if err != nil {
			return err
		}
		if len(envs) == 0 { // an alias that discards
			_, err := io.Copy(io.Discard, body)
			return err
		}
		id, err := spool.Put(ctx, queue, body, envs...)
		t.Queued = string(id)
		return err
	}
	exists := func(ctx context.Context, leaf smtp.Path) error {
		switch {
		case lists.Owns(leaf):
			return lists.Verify(ctx, leaf)
		case c.ours(leaf):
			return agent.Verify(ctx, leaf)
		}
		return nil // an alias of ours that leads abroad
	}
	inbound := smtp.Handler{
		Mail: c.checkSPF(&spf.Checker{Resolver: c.resolver}),
		Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if !c.ours(r.Path) {
				return smtp.Reject(550, "5.7.1", "Relaying denied")
			}
			return expander.Verify(ctx, r.Path, exists)
		},
		Message: accept,
	}
	outbound := smtp.Handler{
		Mail: func(_ context.Context, t *smtp.Transaction) error {
			if !t.From.IsNull() && (!c.ours(t.From) || userOf(t.From.Local()) != t.Session.User) {
				return smtp.Reject(550, "5.7.1", "Not your address")
			}
			return nil
		},
		Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if !c.ours(r.Path) {
				return nil
			}
			return expander.Verify(ctx, r.Path, exists)
		},
		Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			h, rest, err := mime.ReadHeader(body)
			if err != nil {
				return err
			}
			t.Prefix = append(t.Prefix, mime.Supplement(h, c.host, time.Now(), nil)...)
			return accept(ctx, t, rest)
		},
	}
	delivery := smtp.Handler{
		Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			return agent.Verify(ctx, r.Path)
		},
		Message: smtp.Deliver(agent.Deliver),
	}

	auth := sasl.Throttle(&sasl.Authenticator{Password: c.checkPassword, Authorize: c.authorize}, c.failures, time.Second)
	around := []smtp.Middleware{smtp.Received(smtp.ReceivedOptions{Name: c.host}), smtp.Scan(c.scan)}
	mail := func(h smtp.Handler, p smtp.Profile) *smtp.Server {
		return &smtp.Server{Name: c.host, Handler: h, Profile: p, TLSConfig: c.tls, Log: c.log,
			Limits: smtp.Limits{MessageBytes: c.maxSize, ConnsPerIP: c.maxConns}, Extensions: smtp.ExtDSN | smtp.ExtSMTPUTF8}
	}
	mta := mail(smtp.Chain(inbound, around...), smtp.MTA)
	msa := mail(smtp.Chain(outbound, around...), smtp.Submission)
	msa.Auth, msa.Allow = auth, c.mayUse
	lmtp := mail(delivery, smtp.LMTP)
	pop := &pop3.Server{Name: c.host, Auth: auth, Open: boxes.Open, TLSConfig: c.tls, Allow: c.mayUse, Log: c.log, Limits: pop3.Limits{ConnsPerIP: c.maxConns}}
	im := &imap.Server{Name: c.host, Auth: auth, Open: boxes.Open, TLSConfig: c.tls, Allow: c.mayUse, Log: c.log,
		Limits: imap.Limits{ConnsPerIP: c.maxConns, MessageBytes: c.maxSize}}

	l, err := c.listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready", l)
	return together(ctx, runner.Run,
		serving(mta.Run, l["smtp"], nil), serving(msa.Run, l["submission"], l["submissions"]), serving(lmtp.Run, l["lmtp"], nil),
		serving(pop.Run, l["pop3"], l["pop3s"]), serving(im.Run, l["imap"], l["imaps"]))
}

// serving binds a server to its listeners, either of which may be nil.
func serving(run func(ctx context.Context, plain, implicitTLS net.Listener) error, plain, implicitTLS net.Listener) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, plain, implicitTLS) }
}

// together runs all until one fails or ctx ends, and waits for all.
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
