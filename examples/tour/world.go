package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/mx/relay"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
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

// virus is what the scanners of this world know.
const virus = "THIS-IS-THE-VIRUS-OF-THE-TOUR"

// password is everybody's.
const password = "secret"

// world is what both sides have in common: names, certificates, and who is told.
type world struct {
	story
	dns        *dnstest.Zone
	spf        *spf.Checker
	cert       *tls.Config // of the servers
	root       *tls.Config // of the clients
	tls        bool        // between the servers too
	dir        string
	alice, bob string // users
	crepes     *site
	hamburger  *site
	hosts      atomic.Int32 // mail hosts tried for the first message

	// turn is held while Alice speaks to her server and until the story waits for
	// what comes of it, so that the hops are told one after the other.
	turn sync.Mutex
	held bool
}

// hold keeps the servers from speaking to each other until resume.
func (w *world) hold() {
	w.turn.Lock()
	w.held = true
}

func (w *world) resume() {
	if w.held {
		w.held = false
		w.turn.Unlock()
	}
}

func newWorld(out io.Writer, o options, env smtp.Envelope) (*world, error) {
	to, from := env.To[0].Path, env.From
	w := &world{story: story{out: out, quiet: o.quiet, color: o.color}, tls: o.tls, alice: strings.ToLower(from.Local()), bob: strings.ToLower(to.Local())}
	var err error
	if w.dns, err = dnstest.Parse(fmt.Sprintf(zone, to.Domain(), from.Domain())); err != nil {
		return nil, err
	}
	w.spf = &spf.Checker{Resolver: w.dns}
	if w.cert, w.root, err = certificate(from.Domain(), to.Domain(), "mx2."+to.Domain()); err != nil {
		return nil, err
	}
	if w.dir, err = os.MkdirTemp("", "tour"); err != nil {
		return nil, err
	}
	w.crepes = newSite(w, from.Domain(), w.alice)
	w.hamburger = newSite(w, to.Domain(), w.bob, "carol", "dave")
	return w, nil
}

// relay finds mail hosts and delivers to them. That they are on this machine is
// fine here, and their port 25 is another one.
func (w *world) relay() *relay.Relay {
	return &relay.Relay{
		Finder: &mx.Finder{Resolver: w.dns, Allow: netip.Addr.IsLoopback},
		Client: &smtp.Client{LocalName: w.crepes.name, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.turn.Lock()
			defer w.turn.Unlock()
			host, _, _ := net.SplitHostPort(addr)
			_, port, _ := net.SplitHostPort(w.hamburger.address("smtp"))
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port))
		}},
		TLS: func(context.Context, *mx.Route, mx.Host) (smtp.TLSMode, *tls.Config, error) {
			if w.tls {
				return smtp.TLSRequired, w.root, nil
			}
			return smtp.TLSNone, nil, nil
		},
		Trace: func(_ smtp.Envelope, h mx.Host, err error) {
			if w.hamburger.deliveries() == 0 {
				w.hosts.Add(1)
			}
			w.note("%s tries %s, preference %d: %s", w.crepes.name, h.Name, h.Pref, working(err))
		},
	}
}

func working(err error) string {
	if err != nil {
		return "does not answer"
	}
	return "takes the message"
}

// checkSPF is a Handler's Mail.
func (w *world) checkSPF(ctx context.Context, t *smtp.Transaction) error {
	report := w.spf.Check(ctx, spf.Request{IP: t.Session.Remote.Addr(), Hello: t.Session.Hello, MailFrom: t.From.Address(), Receiver: w.hamburger.name})
	if err := report.Err(spf.Policy{RejectFail: true}); err != nil {
		return err
	}
	return t.AddField(report.ReceivedSPF())
}

// scan looks for the one virus of this world.
func scan(_ context.Context, _ *smtp.Transaction, r io.Reader) error {
	b, err := io.ReadAll(r) // a real scanner would stream
	if err == nil && bytes.Contains(b, []byte(virus)) {
		return smtp.Reject(550, "5.7.1", "There is a virus in it")
	}
	return err
}

// envelope is of addresses that are known to be right.
func (w *world) envelope(from, to string) smtp.Envelope {
	env, _ := smtp.NewEnvelope(from, to)
	return env
}

// submit hands a message to Alice's server.
func (w *world) submit(ctx context.Context, env smtp.Envelope, message []byte) error {
	w.hold()
	c := &smtp.Client{Addr: w.crepes.address("submission"), LocalName: "alice." + w.crepes.name, TLSConfig: w.clientTLS(w.crepes.name), Auth: w.login(w.alice)}
	defer c.Close()
	_, err := c.Send(ctx, env, bytes.NewReader(message))
	return err
}

func (w *world) login(user string) *sasl.Credentials {
	return &sasl.Credentials{User: user, Password: password}
}

func (w *world) clientTLS(name string) *tls.Config {
	c := w.root.Clone()
	c.ServerName = name
	return c
}

// intrude speaks to the receiver's host from outside, and gives what it was
// told.
func (w *world) intrude(ctx context.Context, from string, victim smtp.Path, text string) smtp.Reply {
	c := &smtp.Client{Addr: w.hamburger.address("smtp"), LocalName: "stranger.example", TLS: smtp.TLSNone}
	defer c.Close()
	_, err := c.Send(ctx, w.envelope(from, victim.Address()), strings.NewReader("Subject: Urgent\n\n"+text+"\n"))
	return smtp.ReplyTo(err)
}

// restart stops the receiver after it has said 250 and before it has delivered.
func (w *world) restart(ctx context.Context) error {
	w.hamburger.awaitQueued(1)
	w.note("%s has said 250; now it is stopped and started again", w.hamburger.name)
	if err := w.hamburger.stop(); err != nil {
		return err
	}
	w.check("nothing was delivered yet", w.hamburger.deliveries() == 0)
	return w.hamburger.start(ctx, true)
}

// download is Bob's POP3 client.
func (w *world) download(ctx context.Context) (n int, err error) {
	c := &pop3.Client{Addr: w.hamburger.address("pop3"), TLSConfig: w.clientTLS(w.hamburger.name), Auth: w.login(w.bob)}
	conn, err := c.Connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	list, err := conn.List(ctx)
	if err != nil {
		return 0, err
	}
	for d, err := range conn.Fetch(ctx, list) {
		if err != nil {
			return n, err
		}
		if _, err := io.Copy(io.Discard, d.Body); err != nil {
			return n, err
		}
		n++
	}
	return n, conn.Quit(ctx)
}

// push waits in IDLE while Alice writes.
func (w *world) push(ctx context.Context, env smtp.Envelope, o options) (pushed bool, err error) {
	c := &imap.Client{Addr: w.hamburger.address("imap"), TLSConfig: w.clientTLS(w.hamburger.name), Auth: w.login(w.bob)}
	conn, err := c.Connect(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	before, err := conn.Select(ctx, "INBOX")
	if err != nil {
		return false, err
	}
	n := before.Messages
	conn.Events.Exists = func(now uint32) {
		w.note("Bob's program hears: * %d EXISTS", now)
		pushed = pushed || now > n
	}
	var wg sync.WaitGroup
	var sent error
	wg.Go(func() {
		sent = w.submit(ctx, env, note(o.from, o.to, "Dinner"))
		w.resume()
	})
	err = conn.Idle(ctx, func() bool { return !pushed })
	wg.Wait()
	if err != nil || sent != nil {
		return false, fmt.Errorf("%w, %w", err, sent)
	}
	return pushed, conn.Logout(ctx)
}
