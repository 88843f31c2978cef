package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spf"
)

// zone is all the DNS there is. The receiver has two mail hosts, of which the
// preferred one is down; the sender and the bank say who may send for them.
const zone = `
%[1]s        MX   10 mx1.%[1]s
%[1]s        MX   20 mx2.%[1]s
mx1.%[1]s    A    127.0.0.2
mx2.%[1]s    A    127.0.0.1
%[2]s        TXT  "v=spf1 ip4:127.0.0.1 -all"
bank.example TXT  "v=spf1 ip4:192.0.2.1 -all"
`

// world is what both sides have in common: names, certificates, and who is told.
type world struct {
	story
	dns   *dnstest.Zone
	spf   *spf.Checker
	cert  *tls.Config // of the servers; nil without TLS
	root  *tls.Config // of the clients
	hosts int         // mail hosts tried
}

func newWorld(out io.Writer, o options, env smtp.Envelope) (*world, error) {
	w := &world{story: story{out: out, quiet: o.quiet}}
	var err error
	to, from := env.To[0].Path.Domain(), env.From.Domain()
	if w.dns, err = dnstest.Parse(fmt.Sprintf(zone, to, from)); err != nil {
		return nil, err
	}
	w.spf = &spf.Checker{Resolver: w.dns}
	if o.tls {
		w.cert, w.root, err = certificate("crepes.fr", "mx2."+to)
	}
	return w, err
}

// finder finds mail hosts; that they are on this machine is fine here.
func (w *world) finder() *mx.Finder {
	return &mx.Finder{Resolver: w.dns, Allow: netip.Addr.IsLoopback}
}

// policy is the relay's about TLS.
func (w *world) policy(context.Context, *mx.Route, mx.Host) (smtp.TLSMode, *tls.Config, error) {
	w.hosts++
	if w.root == nil {
		return smtp.TLSNone, nil, nil
	}
	return smtp.TLSRequired, w.root, nil
}

// checkSPF is a Handler's Mail.
func (w *world) checkSPF(ctx context.Context, t *smtp.Transaction) error {
	report := w.spf.Check(ctx, spf.Request{IP: t.Session.Remote.Addr(), Hello: t.Session.Hello, MailFrom: t.From.Address(), Receiver: "hamburger.edu"})
	if err := report.Err(spf.Policy{RejectFail: true}); err != nil {
		return err
	}
	return t.AddField(report.ReceivedSPF())
}

// forge speaks to the receiver's host as if it were the bank, and gives what it
// was told.
func (w *world) forge(ctx context.Context, addr string, victim smtp.Path) smtp.Reply {
	env, err := smtp.NewEnvelope("boss@bank.example", victim.Address())
	if err != nil {
		return smtp.Reply{}
	}
	c := w.client("crepes.fr", addr)
	defer c.Close()
	_, err = c.Send(ctx, env, strings.NewReader("Subject: Urgent\n\nSend money.\n"))
	return smtp.ReplyTo(err)
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

// host is a server that runs.
type host struct {
	addr, port string
	stop       func() error
}

// listen runs a server on a port of its own, which tells what it hears and
// says. CHUNKING is withheld so that messages travel by DATA, as in textbooks.
func (w *world) listen(ctx context.Context, name string, h smtp.Handler) (*host, error) {
	h = smtp.Chain(h, w.listenIn(name), smtp.Received(smtp.ReceivedOptions{Name: name}))
	s := &smtp.Server{Name: name, Handler: h, TLSConfig: w.cert, Trace: w.trace(name), Without: []string{"CHUNKING"}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l, nil) }()
	addr := l.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	return &host{addr, port, func() error { cancel(); return <-done }}, err
}

func (w *world) client(name, addr string) *smtp.Client {
	c := &smtp.Client{Addr: addr, LocalName: name, TLS: smtp.TLSNone}
	if w.root != nil {
		c.TLS, c.TLSConfig = smtp.TLSRequired, w.root.Clone()
		c.TLSConfig.ServerName = "crepes.fr"
	}
	return c
}
