package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/smtp"
)

// Relay delivers to the mail hosts of domains. The zero Relay works, with the
// system's resolver and "localhost" for a name, which few hosts like.
type Relay struct {
	Finder *mx.Finder // nil: the zero Finder

	// Client gives names, pool, timeouts, log and Dial of the connections that
	// are made; its target and Auth are not used. nil: the zero Client.
	Client *smtp.Client

	Port string // "" is "25"

	// TLS decides for each host; nil, or TLSOpportunistic, is as the package
	// comment says. An error passes the host over. Connections are pooled by
	// the config too, so give the same pointer for the same rules.
	TLS func(ctx context.Context, r *mx.Route, h mx.Host) (smtp.TLSMode, *tls.Config, error)

	Stagger  time.Duration // between dialling two addresses of a host; 0 is 250 ms (RFC 8305 §8)
	Sessions int           // dialogues for one message and domain in one attempt; 0 is 2, the least is 1

	// Trace is told of each host that was tried; err is nil if the dialogue
	// took place. It may be called concurrently. nil is silent.
	Trace func(env smtp.Envelope, h mx.Host, err error)

	once   sync.Once
	client *smtp.Client // Client with our dial
}

var _ smtp.DeliverFunc = (*Relay)(nil).Deliver

// groups is how many domains are served at the same time for one message.
const groups = 8

// Deliver is an smtp.DeliverFunc.
func (r *Relay) Deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	r.init()
	results := make(smtp.Results, len(env.To))
	slots := make(chan struct{}, groups)
	var wg sync.WaitGroup
	for domain, list := range byDomain(env.To) {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			j := &job{relay: r, env: env, body: body, results: results, open: list}
			j.run(ctx, domain)
		})
	}
	wg.Wait()
	return results
}

// byDomain gives the recipients of each domain by their places in the list.
func byDomain(to []smtp.Recipient) map[string][]int {
	m := make(map[string][]int)
	for i, r := range to {
		domain := r.Path.Domain()
		if ascii, err := addr.ToASCII(domain); err == nil {
			domain = ascii
		}
		m[domain] = append(m[domain], i)
	}
	return m
}

// Close closes the connections that are kept.
func (r *Relay) Close() error {
	r.init()
	return r.client.Close()
}

func (r *Relay) init() {
	r.once.Do(func() {
		base := r.Client
		if base == nil {
			base = &smtp.Client{}
		}
		dial := base.Dial
		if dial == nil {
			dial = (&net.Dialer{}).DialContext
		}
		race := &racer{dial: dial, stagger: cmp.Or(r.Stagger, 250*time.Millisecond)}
		r.client = &smtp.Client{LocalName: base.LocalName, Dial: race.Dial, Pool: base.Pool, Timeouts: base.Timeouts, Log: base.Log}
	})
}

func (r *Relay) finder() *mx.Finder {
	if r.Finder == nil {
		return &mx.Finder{}
	}
	return r.Finder
}

// job is one message for one domain.
type job struct {
	relay    *Relay
	env      smtp.Envelope
	body     *io.SectionReader
	results  smtp.Results // of all recipients; only ours are touched
	open     []int        // recipients that no host has decided on
	spoken   bool         // a host has answered for them
	sessions int          // dialogues with hosts that can do what the message needs
}

// run tries the hosts of domain until none of the recipients is open.
func (j *job) run(ctx context.Context, domain string) {
	r := j.relay
	route, err := r.finder().Lookup(ctx, domain)
	if err != nil {
		j.decide(smtp.Failed(1, err)[0])
		return
	}
	var last smtp.Result
	for hop, err := range r.finder().Hops(ctx, route) {
		if err == nil {
			err = j.try(ctx, route, hop)
		}
		if r.Trace != nil {
			r.Trace(j.env, hop.Host, err)
		}
		if err != nil && (last.Err == nil || last.Status == smtp.Permanent) {
			last = unreachable(hop.Host.Name, err)
		}
		if len(j.open) == 0 || j.sessions >= max(1, cmp.Or(r.Sessions, 2)) || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil && last.Status == smtp.Permanent {
		last = unreachable(last.Host, ctx.Err()) // of the hosts behind it nobody knows
	}
	switch {
	case !j.spoken:
		j.decide(last)
	case last.Err != nil && last.Status == smtp.Temporary:
		j.spare(last)
	}
}

// spare keeps recipients from bouncing for what one host cannot do while another
// one, which may, was not reached.
func (j *job) spare(last smtp.Result) {
	for _, i := range j.open {
		if j.results[i].Status == smtp.Permanent {
			j.results[i] = last
		}
	}
}

// decide gives all that are open the same result.
func (j *job) decide(res smtp.Result) {
	for _, i := range j.open {
		j.results[i] = res
	}
	j.open = nil
}

// try sends to one host. Its error says why there was no dialogue.
func (j *job) try(ctx context.Context, route *mx.Route, hop mx.Hop) error {
	r := j.relay
	// A bounce that asks for REQUIRETLS goes out without, rather than not at all:
	// RFC 8689 §5.
	require := j.env.Params.RequireTLS && j.env.From != (smtp.Path{})
	mode, conf, err := r.policy(ctx, route, hop.Host, require)
	if err != nil {
		return err
	}
	to := make([]smtp.Recipient, len(j.open))
	for n, i := range j.open {
		to[n] = j.env.To[i]
	}
	env := j.env.With(to...)
	env.Prefix = nil // it is part of body
	env.Params.RequireTLS = require
	name := hostOf(hop.Host)
	target := smtp.Target{Addr: net.JoinHostPort(name, cmp.Or(r.Port, "25")), Name: name, TLS: mode, TLSConfig: conf}
	sent, err := r.client.SendTo(withAddrs(ctx, hop.Addrs), target, env, io.NewSectionReader(j.body, 0, j.body.Size()))
	if sent == nil {
		return err
	}
	j.settle(sent.Results, hop.Host.Name)
	return nil
}

// hostOf names a host in the pool and in certificates; an address literal loses its
// brackets.
func hostOf(h mx.Host) string {
	if ip, ok := addr.ParseLiteral(h.Name); ok {
		return ip.String()
	}
	return h.Name
}

// settle takes over what the host decided; who failed for now stays open, and who
// needs what this host cannot do.
func (j *job) settle(results smtp.Results, host string) {
	var open []int
	serious := false
	for n, i := range j.open {
		res, before := results[n], j.results[i]
		res.Host = host
		able := res.Status != smtp.Permanent || !unable(res.Reply.Enhanced)
		serious = serious || able
		if !able && before.Err != nil && before.Status == smtp.Temporary {
			res = before // of a host that can, and did not want yet
		}
		j.results[i] = res
		if res.Status == smtp.Temporary || !able {
			open = append(open, i)
		}
	}
	j.open, j.spoken = open, true
	if serious {
		j.sessions++
	}
}

// unable says whether a host refused because of an extension that it lacks: all
// hosts are asked then (RFC 8689 §4.2.1 for REQUIRETLS), since the others may be
// newer. Client says so in the name of a host that does not offer it.
func unable(enhanced string) bool {
	switch enhanced {
	case "5.7.30", "5.6.7", "5.6.3": // REQUIRETLS, SMTPUTF8, BINARYMIME
		return true
	}
	return false
}

// errUnsafeRoute is final: what the DNS does not sign today it will not tomorrow.
var errUnsafeRoute = smtp.Reject(550, "5.7.10", "REQUIRETLS: nothing vouches for the mail hosts of the domain")

// policy decides on TLS. REQUIRETLS knows no exception: the certificate is
// checked, and the name in it has to be vouched for, by DNSSEC or by the func TLS
// that demanded verified TLS for this host (RFC 8689 §4.2.1).
func (r *Relay) policy(ctx context.Context, route *mx.Route, h mx.Host, require bool) (smtp.TLSMode, *tls.Config, error) {
	mode, conf := smtp.TLSOpportunistic, (*tls.Config)(nil)
	if r.TLS != nil {
		var err error
		if mode, conf, err = r.TLS(ctx, route, h); err != nil {
			return mode, conf, err
		}
	}
	if !require {
		return mode, conf, nil
	}
	demanded := mode == smtp.TLSImplicit || mode == smtp.TLSRequired
	if !demanded {
		mode = smtp.TLSRequired
	}
	if conf != nil && conf.InsecureSkipVerify && conf.VerifyConnection == nil && conf.VerifyPeerCertificate == nil {
		conf, demanded = nil, false // encrypted to anybody
	}
	if !demanded && !route.Authentic && !route.Implicit && !route.Literal {
		return mode, conf, errUnsafeRoute
	}
	return mode, conf, nil
}

// unreachable is the outcome when a host could not be spoken to. The DNS may say
// that it never will; all else is temporary, whatever a greeting said: that was
// about the connection. Of several hosts one that is temporary counts.
func unreachable(host string, err error) smtp.Result {
	if e, ok := errors.AsType[*mx.Error](err); ok {
		res := smtp.Failed(1, e)[0]
		res.Host = host
		return res
	}
	if errors.Is(err, errUnsafeRoute) {
		return smtp.Result{Status: smtp.Permanent, Host: host, Err: err, Reply: smtp.ReplyTo(err)}
	}
	res := smtp.Result{Host: host, Err: err, Reply: smtp.Reply{Code: 451, Enhanced: "4.4.1", Text: "No mail host of the domain answers"}}
	if e, ok := errors.AsType[*smtp.Error](err); ok {
		res.Reply = e.Reply
	}
	return res
}
