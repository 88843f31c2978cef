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
	"os"
	"os/signal"
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
	queue, err := c.openQueue(ctx)
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
	s := &server{config: c, queue: queue, expander: &alias.Expander{Resolver: c.aliases}, agent: &local.Agent{Open: boxes.Open, User: c.mailboxOf, Again: spool.Again}}
	s.manager = &list.Manager{Lists: c.lists, Members: c.members, Held: c.members, Rewriter: &alias.Rewriter{Keys: [][]byte{c.key}}, Post: s.put, Next: spool.Next, Log: c.log}
	if err := s.manager.Check(); err != nil {
		return err
	}
	client := &smtp.Client{LocalName: c.host, Addr: c.relay, TLS: smtp.TLSOpportunistic, Log: c.log}
	defer client.Close()
	abroad := &relay.Relay{Finder: &mx.Finder{Resolver: c.resolver, Allow: c.mayDial}, Client: client, Port: c.port}
	defer abroad.Close()
	l, err := c.listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready", l)
	return together(ctx, append(s.serve(l, boxes), s.runner(client, abroad).Run)...)
}

// server is what the handlers need.
type server struct {
	*config
	queue    spool.Store
	expander *alias.Expander
	agent    *local.Agent  // into mailboxes
	manager  *list.Manager // of mailing lists
}

// runner delivers what is queued: lists are mailboxes of their own, the rest
// goes home or abroad.
func (s *server) runner(client *smtp.Client, abroad *relay.Relay) *spool.Runner {
	away := abroad.Deliver
	if s.relay != "" {
		away = client.Deliver
	}
	routes := smtp.Mux{{Match: s.manager.Owns, Deliver: s.manager.Deliver}, {Match: s.ours, Deliver: s.agent.Deliver}, {Deliver: away}}
	return &spool.Runner{Store: s.queue, Deliver: routes.Deliver, Expand: s.expander.Envelopes, Name: s.host, Log: s.log}
}

func (s *server) put(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
	_, err := spool.Put(ctx, s.queue, body, envs...)
	return err
}

// accept expands aliases and queues: after its nil the message is safe.
func (s *server) accept(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
	envs, err := s.expander.Envelopes(ctx, t.Envelope)
	if err != nil {
		return err
	}
	if len(envs) == 0 { // an alias that discards
		_, err := io.Copy(io.Discard, body)
		return err
	}
	id, err := spool.Put(ctx, s.queue, body, envs...)
	t.Queued = string(id)
	return err
}

// verify refuses a recipient of ours who is not there.
func (s *server) verify(ctx context.Context, rcpt smtp.Path) error {
	return s.expander.Verify(ctx, rcpt, func(ctx context.Context, leaf smtp.Path) error {
		switch {
		case s.manager.Owns(leaf):
			return s.manager.Verify(ctx, leaf)
		case s.ours(leaf):
			return s.agent.Verify(ctx, leaf)
		}
		return nil // an alias of ours that leads abroad
	})
}

// inbound takes mail from strangers, for us alone.
func (s *server) inbound() smtp.Handler {
	return smtp.Handler{
		Mail: s.checkSPF(&spf.Checker{Resolver: s.resolver}),
		Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if !s.ours(r.Path) {
				return smtp.Reject(550, "5.7.1", "Relaying denied")
			}
			return s.verify(ctx, r.Path)
		},
		Message: s.accept,
	}
}

// outbound takes mail from our users, for anybody.
func (s *server) outbound() smtp.Handler {
	return smtp.Handler{
		Mail: func(_ context.Context, t *smtp.Transaction) error {
			if !t.From.IsNull() && (!s.ours(t.From) || userOf(t.From.Local()) != t.Session.User) {
				return smtp.Reject(550, "5.7.1", "Not your address")
			}
			return nil
		},
		Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if !s.ours(r.Path) {
				return nil
			}
			return s.verify(ctx, r.Path)
		},
		Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			h, rest, err := mime.ReadHeader(body)
			if err != nil {
				return err
			}
			t.Prefix = append(t.Prefix, mime.Supplement(h, s.host, time.Now(), nil)...)
			return s.accept(ctx, t, rest)
		},
	}
}

// serve makes the servers, each on its listeners.
func (s *server) serve(l listeners, boxes *maildir.Tree) []func(context.Context) error {
	auth := sasl.Throttle(&sasl.Authenticator{Password: s.checkPassword, Authorize: s.authorize}, s.failures, time.Second)
	around := []smtp.Middleware{smtp.Received(smtp.ReceivedOptions{Name: s.host}), smtp.Scan(s.scan)}
	mail := func(h smtp.Handler, p smtp.Profile) *smtp.Server {
		return &smtp.Server{Name: s.host, Handler: h, Profile: p, TLSConfig: s.tls, Log: s.log,
			Limits: smtp.Limits{MessageBytes: s.maxSize, ConnsPerIP: s.maxConns}, Extensions: smtp.ExtDSN | smtp.ExtSMTPUTF8}
	}
	mta := mail(smtp.Chain(s.inbound(), around...), smtp.MTA)
	msa := mail(smtp.Chain(s.outbound(), around...), smtp.Submission)
	msa.Auth, msa.Allow = auth, s.mayUse
	lmtp := mail(smtp.Handler{Message: smtp.Deliver(s.agent.Deliver), Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
		return s.agent.Verify(ctx, r.Path)
	}}, smtp.LMTP)
	pop := &pop3.Server{Name: s.host, Auth: auth, Open: boxes.Open, TLSConfig: s.tls, Allow: s.mayUse, Log: s.log, Limits: pop3.Limits{ConnsPerIP: s.maxConns}}
	im := &imap.Server{Name: s.host, Auth: auth, Open: boxes.Open, TLSConfig: s.tls, Allow: s.mayUse, Log: s.log,
		Limits: imap.Limits{ConnsPerIP: s.maxConns, MessageBytes: s.maxSize}}
	return []func(context.Context) error{
		serving(mta.Run, l["smtp"], nil), serving(msa.Run, l["submission"], l["submissions"]), serving(lmtp.Run, l["lmtp"], nil),
		serving(pop.Run, l["pop3"], l["pop3s"]), serving(im.Run, l["imap"], l["imaps"])}
}
