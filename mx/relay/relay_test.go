package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/smtp"
)

// host is a mail host of the tests: a server on a loopback address of its own.
type host struct {
	mu    sync.Mutex
	mail  []string
	rcpt  func(p smtp.Path) error
	conns int
	tls   int
}

func (h *host) handler() smtp.Handler {
	return smtp.Handler{
		Connect: func(context.Context, *smtp.Session) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.conns++
			return nil
		},
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if h.rcpt == nil {
				return nil
			}
			return h.rcpt(r.Path)
		},
		Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
			b, err := io.ReadAll(body)
			h.mu.Lock()
			defer h.mu.Unlock()
			if err == nil {
				h.mail = append(h.mail, fmt.Sprint(len(t.To), " ", string(b)))
			}
			if t.Session.TLS != nil {
				h.tls++
			}
			return err
		},
	}
}

// world is a DNS zone and the hosts behind it, all on one port.
type world struct {
	t    *testing.T
	port string
	zone *dnstest.Zone
}

func newWorld(t *testing.T, zone string) *world {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free on 127.0.0.1 is taken to be on its neighbours
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	return &world{t, port, dnstest.New(t, zone)}
}

func (w *world) host(ip string, change ...func(*smtp.Server)) *host {
	w.t.Helper()
	h := &host{}
	s := &smtp.Server{Name: ip, Handler: h.handler(), Extensions: smtp.ExtRequireTLS}
	for _, f := range change {
		f(s)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, w.port))
	if err != nil {
		w.t.Skip("no loopback address ", ip, ": ", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	w.t.Cleanup(func() { s.Close(); assert.NoError(w.t, <-done) })
	return h
}

func (w *world) relay() *Relay {
	r := &Relay{Finder: &mx.Finder{Resolver: w.zone, Allow: func(netip.Addr) bool { return true }}, Port: w.port,
		Client: &smtp.Client{LocalName: "relay.example"}}
	w.t.Cleanup(func() { r.Close() })
	return r
}

func deliver(t *testing.T, r *Relay, body string, to ...string) smtp.Results {
	t.Helper()
	env, err := smtp.NewEnvelope("ann@crepes.fr", to...)
	require.NoError(t, err)
	env.Prefix = []byte("X-In-Body: already\r\n")
	return r.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader(body), 0, int64(len(body))))
}

func statuses(rs smtp.Results) (list []smtp.Status) {
	for _, r := range rs {
		list = append(list, r.Status)
	}
	return list
}

const hamburger = `
hamburger.edu      MX 10 mx1.hamburger.edu
hamburger.edu      MX 20 mx2.hamburger.edu
mx1.hamburger.edu  A 127.0.0.2
mx2.hamburger.edu  A 127.0.0.3
`

// The first host is down, the second answers; the connection is used again.
func TestNextHost(t *testing.T) {
	w := newWorld(t, hamburger)
	second := w.host("127.0.0.3")
	r := w.relay()
	var tried []string
	r.Trace = func(_ smtp.Envelope, h mx.Host, err error) {
		tried = append(tried, fmt.Sprint(h.Name, " ", err == nil))
	}
	for range 3 {
		results := deliver(t, r, "hi\r\n", "bob@hamburger.edu", "Carol@Hamburger.EDU")
		require.NoError(t, results.Err())
		assert.Equal(t, "mx2.hamburger.edu", results[0].Host)
	}
	assert.Equal(t, []string{"2 hi\r\n", "2 hi\r\n", "2 hi\r\n"}, second.mail)
	assert.Equal(t, 1, second.conns)
	assert.Equal(t, "mx1.hamburger.edu false", tried[0])
	assert.Equal(t, "mx2.hamburger.edu true", tried[1])
}

// Each domain goes its own way, and each recipient gets his own result.
func TestDomainsApart(t *testing.T) {
	w := newWorld(t, hamburger+`
pizza.it       MX 10 mx.pizza.it
mx.pizza.it    A 127.0.0.4
null.example   MX 0 .
slow.example   SERVFAIL
`)
	one, two := w.host("127.0.0.2"), w.host("127.0.0.4")
	two.rcpt = func(p smtp.Path) error {
		if p.Local() == "nobody" {
			return smtp.Reject(550, "5.1.1", "no such user")
		}
		return nil
	}
	results := deliver(t, w.relay(), "x\r\n", "bob@hamburger.edu", "a@null.example", "nobody@pizza.it", "a@slow.example", "a@gone.example", "mario@pizza.it", "x@[127.0.0.2]")
	assert.Equal(t, []smtp.Status{smtp.Accepted, smtp.Permanent, smtp.Permanent, smtp.Temporary, smtp.Permanent, smtp.Accepted, smtp.Accepted}, statuses(results))
	for i, want := range map[int]string{1: "5.1.10", 2: "5.1.1", 3: "4.4.3", 4: "5.1.2"} {
		assert.Equal(t, want, results[i].Reply.Enhanced, "%v", results[i])
	}
	assert.Equal(t, []string{"1 x\r\n", "1 x\r\n"}, one.mail)
	assert.Equal(t, []string{"1 x\r\n"}, two.mail)
}

// What one host refuses for now the next is asked; what it refuses for good is
// final.
func TestTemporaryRefusalGoesOn(t *testing.T) {
	w := newWorld(t, hamburger)
	first, second := w.host("127.0.0.2"), w.host("127.0.0.3")
	first.rcpt = func(p smtp.Path) error {
		switch p.Local() {
		case "later":
			return smtp.Reject(450, "4.2.0", "greylisted")
		case "never":
			return smtp.Reject(550, "5.1.1", "no such user")
		}
		return nil
	}
	results := deliver(t, w.relay(), "x\r\n", "now@hamburger.edu", "later@hamburger.edu", "never@hamburger.edu")
	assert.Equal(t, []smtp.Status{smtp.Accepted, smtp.Accepted, smtp.Permanent}, statuses(results))
	assert.Equal(t, []string{"mx1.hamburger.edu", "mx2.hamburger.edu", "mx1.hamburger.edu"}, []string{results[0].Host, results[1].Host, results[2].Host})
	assert.Len(t, first.mail, 1)
	assert.Len(t, second.mail, 1)

	one := w.relay()
	one.Sessions = 1
	results = deliver(t, one, "x\r\n", "later@hamburger.edu")
	assert.Equal(t, smtp.Temporary, results[0].Status)
	assert.Equal(t, "4.2.0", results[0].Reply.Enhanced)
}

// A greeting is about the connection: it never bounces a message.
func TestRefusedConnectionIsTemporary(t *testing.T) {
	w := newWorld(t, hamburger)
	for _, ip := range []string{"127.0.0.2", "127.0.0.3"} {
		w.host(ip, func(s *smtp.Server) {
			s.Handler.Connect = func(context.Context, *smtp.Session) error { return smtp.Reject(554, "5.7.1", "go away") }
		})
	}
	results := deliver(t, w.relay(), "x", "bob@hamburger.edu")
	assert.Equal(t, smtp.Temporary, results[0].Status)
	assert.Equal(t, 554, results[0].Reply.Code)

	results = deliver(t, newWorld(t, hamburger).relay(), "x", "bob@hamburger.edu")
	assert.Equal(t, smtp.Temporary, results[0].Status)
	assert.Equal(t, "4.4.1", results[0].Reply.Enhanced)
}

func TestTLSPolicy(t *testing.T) {
	authority, err := testcert.New("mx1.hamburger.edu")
	require.NoError(t, err)
	w := newWorld(t, hamburger)
	h := w.host("127.0.0.2", func(s *smtp.Server) { s.TLSConfig = authority.Server() })
	clear := w.host("127.0.0.3")

	require.NoError(t, deliver(t, w.relay(), "x", "bob@hamburger.edu").Err())
	assert.Equal(t, 1, h.tls, "opportunistic TLS does not ask for a valid certificate")

	strict := w.relay()
	conf := &tls.Config{RootCAs: authority.Pool()}
	strict.TLS = func(_ context.Context, r *mx.Route, h mx.Host) (smtp.TLSMode, *tls.Config, error) {
		assert.Equal(t, "hamburger.edu", r.Domain)
		return smtp.TLSRequired, conf, nil
	}
	require.NoError(t, deliver(t, strict, "x", "bob@hamburger.edu").Err())
	assert.Equal(t, 2, h.tls)

	conf = &tls.Config{RootCAs: nil} // the system knows nothing of our authority
	results := deliver(t, strict, "x", "bob@hamburger.edu")
	assert.Equal(t, smtp.Temporary, results[0].Status)
	assert.Empty(t, clear.mail, "the second host has no TLS at all")

	strict.TLS = func(context.Context, *mx.Route, mx.Host) (smtp.TLSMode, *tls.Config, error) {
		return 0, nil, errors.New("no TLSA record")
	}
	assert.Equal(t, smtp.Temporary, deliver(t, strict, "x", "bob@hamburger.edu")[0].Status)
}

// RFC 8689 §4.2.1: verified TLS or not at all.
func TestRequireTLS(t *testing.T) {
	authority, err := testcert.New("mx1.hamburger.edu")
	require.NoError(t, err)
	w := newWorld(t, hamburger)
	h := w.host("127.0.0.2", func(s *smtp.Server) { s.TLSConfig = authority.Server() })
	r := w.relay()
	env, err := smtp.NewEnvelope("ann@crepes.fr", "bob@hamburger.edu")
	require.NoError(t, err)
	env.Params.RequireTLS = true
	body := io.NewSectionReader(strings.NewReader("x"), 0, 1)
	res := r.Deliver(t.Context(), env, body)[0]
	assert.Equal(t, smtp.Permanent, res.Status, "nothing vouches for the MX records")
	assert.Equal(t, "5.7.10", res.Reply.Enhanced)

	w.zone.Authentic = true
	res = r.Deliver(t.Context(), env, body)[0]
	assert.Equal(t, smtp.Temporary, res.Status, "the system knows nothing of our authority")
	assert.ErrorContains(t, res.Err, "TLS failed")

	mode, conf := smtp.TLSOpportunistic, &tls.Config{RootCAs: authority.Pool()}
	r.TLS = func(context.Context, *mx.Route, mx.Host) (smtp.TLSMode, *tls.Config, error) { return mode, conf, nil }
	assert.NoError(t, r.Deliver(t.Context(), env, body).Err(), "the roots of the policy count, its leniency does not")
	assert.Equal(t, 1, h.tls)
	conf = &tls.Config{InsecureSkipVerify: true}
	mode = smtp.TLSRequired
	assert.Equal(t, smtp.Temporary, r.Deliver(t.Context(), env, body)[0].Status, "encrypted to anybody is not enough")

	w.zone.Authentic = false
	assert.Equal(t, "5.7.10", r.Deliver(t.Context(), env, body)[0].Reply.Enhanced)
	conf = &tls.Config{RootCAs: authority.Pool()}
	assert.NoError(t, r.Deliver(t.Context(), env, body).Err(), "a policy that demands TLS vouches for the name")
	assert.Len(t, h.mail, 2)
}

// Row 17: what may have been delivered goes to no other host in this attempt.
func TestUnknownIsNotSentElsewhere(t *testing.T) {
	w := newWorld(t, hamburger)
	second := w.host("127.0.0.3")
	w.host("127.0.0.2", func(s *smtp.Server) {
		s.Handler.Message = func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
			_, _ = io.Copy(io.Discard, body)
			s.Close() // the reply is lost
			return nil
		}
	})
	results := deliver(t, w.relay(), "x", "bob@hamburger.edu")
	assert.Equal(t, smtp.Unknown, results[0].Status)
	assert.Empty(t, second.mail)
}

// The addresses of a host race each other, in virtual time.
func TestHappyEyeballs(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	for _, c := range []struct {
		name  string
		after map[string]time.Duration // to connect; negative: to fail
		want  string
		took  time.Duration
	}{
		{"first", map[string]time.Duration{"[2001:db8::1]:25": 100 * time.Millisecond}, "[2001:db8::1]:25", 100 * time.Millisecond},
		{"second while the first hangs", map[string]time.Duration{"192.0.2.1:25": 10 * time.Millisecond}, "192.0.2.1:25", 260 * time.Millisecond},
		{"third at once after failures", map[string]time.Duration{"[2001:db8::1]:25": -time.Millisecond, "192.0.2.1:25": -time.Millisecond, "192.0.2.2:25": time.Millisecond}, "192.0.2.2:25", 3 * time.Millisecond},
		{"none", map[string]time.Duration{"[2001:db8::1]:25": -1, "192.0.2.1:25": -1, "192.0.2.2:25": -1}, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &racer{stagger: 250 * time.Millisecond, dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
					d, ok := c.after[addr]
					if !ok {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					time.Sleep(max(d, -d))
					if d < 0 {
						return nil, errors.New("refused")
					}
					us, _ := net.Pipe()
					return named{us, addr}, nil
				}}
				begin := time.Now()
				conn, err := r.Dial(withAddrs(t.Context(), addrs), "tcp", "mx.example:25")
				assert.Equal(t, c.took, time.Since(begin))
				if c.want == "" {
					assert.Error(t, err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, c.want, conn.(named).addr)
			})
		})
	}
}

type named struct {
	net.Conn
	addr string
}

func TestContextEndsDelivery(t *testing.T) {
	w := newWorld(t, "slow.example DELAY 1h\nslow.example MX 10 x.example\n")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	env, err := smtp.NewEnvelope("", "a@slow.example")
	require.NoError(t, err)
	results := w.relay().Deliver(ctx, env, io.NewSectionReader(strings.NewReader("x"), 0, 1))
	assert.Equal(t, smtp.Temporary, results[0].Status)
}
