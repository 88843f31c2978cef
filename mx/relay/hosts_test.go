package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// What one host cannot do another one may: REQUIRETLS goes through the whole list
// (RFC 8689 §4.2.1), and so does an address beyond ASCII.
func TestHostThatLacksTheExtension(t *testing.T) {
	authority, err := testcert.New("mx1.hamburger.edu", "mx2.hamburger.edu")
	require.NoError(t, err)
	conf := &tls.Config{RootCAs: authority.Pool()}
	secure := func(context.Context, *mx.Route, mx.Host) (smtp.TLSMode, *tls.Config, error) {
		return smtp.TLSRequired, conf, nil
	}
	tlsServer := func(s *smtp.Server) { s.TLSConfig = authority.Server() }
	bare := func(s *smtp.Server) { tlsServer(s); s.Extensions = 0 }
	utf8 := func(s *smtp.Server) { s.Extensions = smtp.ExtSMTPUTF8 }
	later := func(s *smtp.Server) {
		s.Handler.Mail = func(context.Context, *smtp.Transaction) error { return smtp.Reject(451, "4.7.1", "later") }
	}
	for _, c := range []struct {
		name          string
		to            string
		requireTLS    bool
		first, second func(s *smtp.Server) // nil: not there
		want          smtp.Status
		enhanced      string
	}{
		{"REQUIRETLS at the second", "bob@hamburger.edu", true, bare, tlsServer, smtp.Accepted, ""},
		{"REQUIRETLS nowhere", "bob@hamburger.edu", true, bare, bare, smtp.Permanent, "5.7.30"},
		{"REQUIRETLS, second down", "bob@hamburger.edu", true, bare, nil, smtp.Temporary, "4.4.1"},
		{"UTF-8 nowhere", "b\u00f6b@hamburger.edu", false, bare, bare, smtp.Permanent, "5.6.7"},
		{"UTF-8 at the second", "b\u00f6b@hamburger.edu", false, bare, utf8, smtp.Accepted, ""},
		{"UTF-8 at the first, which defers", "b\u00f6b@hamburger.edu", false, func(s *smtp.Server) { utf8(s); later(s) }, bare, smtp.Temporary, "4.7.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, hamburger)
			for ip, f := range map[string]func(*smtp.Server){"127.0.0.2": c.first, "127.0.0.3": c.second} {
				if f != nil {
					w.host(ip, f)
				}
			}
			r := w.relay()
			if c.requireTLS {
				r.TLS = secure
			}
			env, err := smtp.NewEnvelope("ann@crepes.fr", c.to)
			require.NoError(t, err)
			env.Params.RequireTLS = c.requireTLS
			res := r.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader("x"), 0, 1))[0]
			assert.Equal(t, c.want, res.Status, "%v", res)
			if c.enhanced != "" {
				assert.Equal(t, c.enhanced, res.Reply.Enhanced, "%v", res)
			}
		})
	}
}

// Two hosts that lack the extension use up no dialogue: the third one is asked.
func TestUnableHostsDoNotCount(t *testing.T) {
	w := newWorld(t, hamburger+`
hamburger.edu      MX 30 mx3.hamburger.edu
mx3.hamburger.edu  A 127.0.0.4
`)
	for _, ip := range []string{"127.0.0.2", "127.0.0.3"} {
		w.host(ip, func(s *smtp.Server) { s.Extensions = 0 })
	}
	h := w.host("127.0.0.4", func(s *smtp.Server) { s.Extensions = smtp.ExtSMTPUTF8 })
	r := w.relay()
	r.Sessions = -1
	results := deliver(t, r, "x\r\n", "b\u00f6b@hamburger.edu")
	require.NoError(t, results.Err())
	assert.Equal(t, "mx3.hamburger.edu", results[0].Host)
	assert.Len(t, h.mail, 1)
}

// A context that ends after the first host was found to be dead says nothing of the
// second: no bounce.
func TestContextEndsBetweenHosts(t *testing.T) {
	w := newWorld(t, `
hamburger.edu      MX 10 dead.hamburger.edu
hamburger.edu      MX 20 mx2.hamburger.edu
mx2.hamburger.edu  A 127.0.0.3
`)
	r := w.relay()
	ctx, cancel := context.WithCancel(t.Context())
	r.Trace = func(smtp.Envelope, mx.Host, error) { cancel() }
	env, err := smtp.NewEnvelope("", "bob@hamburger.edu")
	require.NoError(t, err)
	res := r.Deliver(ctx, env, io.NewSectionReader(strings.NewReader("x"), 0, 1))[0]
	assert.Equal(t, smtp.Temporary, res.Status, "%v", res)
	assert.ErrorIs(t, res.Err, context.Canceled)
}

// RFC 8689 §5: a bounce is not lost for REQUIRETLS.
func TestBounceGoesWithoutRequireTLS(t *testing.T) {
	w := newWorld(t, hamburger)
	h := w.host("127.0.0.2", func(s *smtp.Server) { s.Extensions = 0 })
	env, err := smtp.NewEnvelope("", "bob@hamburger.edu")
	require.NoError(t, err)
	env.Params.RequireTLS = true
	body := io.NewSectionReader(strings.NewReader("x"), 0, 1)
	require.NoError(t, w.relay().Deliver(t.Context(), env, body).Err())
	assert.Len(t, h.mail, 1)
	env.From, err = smtp.ParsePath("ann@crepes.fr")
	require.NoError(t, err)
	assert.Equal(t, "5.7.10", w.relay().Deliver(t.Context(), env, body)[0].Reply.Enhanced)
	assert.True(t, env.Params.RequireTLS, "the envelope of the caller is his")
}

// The password for the smarthost is for the smarthost: hosts of the route never see
// it, though they may ask.
func TestCredentialsStayHere(t *testing.T) {
	authority, err := testcert.New("mx1.hamburger.edu")
	require.NoError(t, err)
	w := newWorld(t, hamburger)
	var logins atomic.Int32
	h := w.host("127.0.0.2", func(s *smtp.Server) {
		s.TLSConfig = authority.Server()
		s.Auth = &sasl.Authenticator{Password: func(context.Context, sasl.Login, string) error {
			logins.Add(1)
			return errors.New("no")
		}}
	})
	r := w.relay()
	r.Client.Auth = &sasl.Credentials{User: "ann", Password: "secret"}
	require.NoError(t, deliver(t, r, "x", "bob@hamburger.edu").Err())
	assert.Equal(t, 1, h.tls)
	assert.Zero(t, logins.Load())
}

// A recipient who is there twice gets two results; one without a domain, and one
// whose domain cannot be, get theirs; and the list stays in order.
func TestOddRecipients(t *testing.T) {
	w := newWorld(t, hamburger+"ourselves.example MX 1 mx.crepes.fr\n")
	h := w.host("127.0.0.2")
	r := w.relay()
	r.Finder.Self = func(h mx.Host) bool { return h.Name == "mx.crepes.fr" }
	results := deliver(t, r, "x\r\n", "bob@hamburger.edu", "postmaster", "bob@hamburger.edu", "a@ourselves.example", "b@nowhere.example")
	require.Len(t, results, 5)
	assert.Equal(t, []smtp.Status{smtp.Accepted, smtp.Permanent, smtp.Accepted, smtp.Permanent, smtp.Permanent}, statuses(results))
	assert.Equal(t, []string{"5.1.2", "5.4.6"}, []string{results[1].Reply.Enhanced, results[3].Reply.Enhanced})
	assert.Equal(t, []string{"2 x\r\n"}, h.mail)

	assert.Empty(t, r.Deliver(t.Context(), smtp.Envelope{}, io.NewSectionReader(strings.NewReader(""), 0, 0)))
}

// The zero Relay works as far as that needs no DNS, and no host is dialled by its
// name, which the system might take for another one.
func TestZeroRelay(t *testing.T) {
	var r Relay
	env, err := smtp.NewEnvelope("", "postmaster")
	require.NoError(t, err)
	res := r.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader("x"), 0, 1))[0]
	assert.Equal(t, "5.1.2", res.Reply.Enhanced)
	for _, to := range []string{"localhost:25", "localhost"} {
		_, err = r.client.Dial(t.Context(), "tcp", to)
		assert.ErrorIs(t, err, errNoAddrs)
	}
	assert.NoError(t, r.Close())
}

// All hosts have no address: final. One of them only cannot be found out: not.
func TestAllHostsPermanentOrNot(t *testing.T) {
	w := newWorld(t, `
a.example MX 1 gone1.example
a.example MX 2 gone2.example
b.example MX 1 gone1.example
b.example MX 2 broken.example
b.example MX 3 gone2.example
broken.example SERVFAIL
`)
	results := deliver(t, w.relay(), "x", "x@a.example", "x@b.example")
	assert.Equal(t, []smtp.Status{smtp.Permanent, smtp.Temporary}, statuses(results))
	assert.Equal(t, "5.4.4", results[0].Reply.Enhanced)
	assert.Equal(t, "4.4.3", results[1].Reply.Enhanced)
}

// A 4xx of the first host is what the sender hears, even if the second is down.
func TestDeferredThenUnreachable(t *testing.T) {
	w := newWorld(t, hamburger)
	w.host("127.0.0.2").rcpt = func(smtp.Path) error { return smtp.Reject(450, "4.2.0", "greylisted") }
	res := deliver(t, w.relay(), "x", "bob@hamburger.edu")[0]
	assert.Equal(t, smtp.Temporary, res.Status)
	assert.Equal(t, "4.2.0", res.Reply.Enhanced)
	assert.Equal(t, "mx1.hamburger.edu", res.Host)
}

// Many messages at once, of many recipients, over few connections.
func TestConcurrentDeliveries(t *testing.T) {
	w := newWorld(t, hamburger+"second.example MX 5 mx1.hamburger.edu\n")
	h := w.host("127.0.0.2", func(s *smtp.Server) { s.Limits.Recipients = 100 })
	r := w.relay()
	r.Client.Pool = smtp.Pool{PerTarget: 3, MaxIdle: 3}
	var traced atomic.Int32
	r.Trace = func(smtp.Envelope, mx.Host, error) { traced.Add(1) }
	var to []string
	for i := range 250 {
		to = append(to, fmt.Sprintf("u%d@hamburger.edu", i), fmt.Sprintf("u%d@second.example", i))
	}
	env, err := smtp.NewEnvelope("ann@crepes.fr", to...)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			results := r.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader("x\r\n"), 0, 3))
			assert.Len(t, results, len(to))
			assert.NoError(t, results.Err())
		})
	}
	wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	total := 0
	for _, m := range h.mail {
		var n int
		_, err := fmt.Sscan(m, &n)
		require.NoError(t, err)
		total += n
	}
	assert.Equal(t, 8*len(to), total)
	assert.LessOrEqual(t, h.conns, 3)
	assert.EqualValues(t, 16, traced.Load())
}

// The dial below does not have to know what a context is; what it brings too late
// is closed, and nothing stays behind.
func TestDialThatIgnoresTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late closed
		r := &racer{stagger: 250 * time.Millisecond, dial: func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Hour)
			return &late, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
		_, err := r.Dial(withAddrs(ctx, addrs), "tcp", "mx.example:25")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begin))
		time.Sleep(2 * time.Hour)
		assert.EqualValues(t, 3, late.n.Load())
	})
}

// The losers of the race are closed too, and the winner is not.
func TestLosersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late closed
		r := &racer{stagger: time.Millisecond, dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			if addr == "192.0.2.2:25" {
				time.Sleep(5 * time.Millisecond)
				return new(closed), nil
			}
			time.Sleep(time.Second)
			if addr == "192.0.2.3:25" {
				return nil, errors.New("refused")
			}
			return &late, nil
		}}
		addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4")}
		conn, err := r.Dial(withAddrs(t.Context(), addrs), "tcp", "mx.example:25")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.EqualValues(t, 2, late.n.Load())
		assert.Zero(t, conn.(*closed).n.Load())
	})
}

// closed counts how often it is closed.
type closed struct {
	net.Conn
	n atomic.Int32
}

func (c *closed) Close() error { c.n.Add(1); return nil }

// The context ends a delivery in each of its stages, at once, and leaves nothing
// running.
func TestContextEndsEachStage(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for stage, change := range map[string]func(h *smtp.Handler){
		"greeting": func(h *smtp.Handler) {
			h.Connect = func(ctx context.Context, _ *smtp.Session) error { return hang(ctx) }
		},
		"mail": func(h *smtp.Handler) {
			h.Mail = func(ctx context.Context, _ *smtp.Transaction) error { return hang(ctx) }
		},
		"rcpt": func(h *smtp.Handler) {
			h.Rcpt = func(ctx context.Context, _ *smtp.Transaction, _ *smtp.Recipient) error { return hang(ctx) }
		},
		"message": func(h *smtp.Handler) {
			h.Message = func(ctx context.Context, _ *smtp.Transaction, body io.Reader) error {
				_, _ = io.Copy(io.Discard, body)
				return hang(ctx)
			}
		},
	} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, hamburger)
			reached := make(chan struct{}, 1)
			w.host("127.0.0.2", func(s *smtp.Server) {
				change(&s.Handler)
				s.Handler = signal(s.Handler, reached)
			})
			second := w.host("127.0.0.3")
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-reached; time.Sleep(10 * time.Millisecond); cancel() }()
			env, err := smtp.NewEnvelope("", "a@hamburger.edu", "b@hamburger.edu")
			require.NoError(t, err)
			results := w.relay().Deliver(ctx, env, io.NewSectionReader(strings.NewReader("x"), 0, 1))
			for _, res := range results {
				switch stage {
				case "greeting":
					assert.Equal(t, smtp.Temporary, res.Status)
				case "message":
					assert.Equal(t, smtp.Unknown, res.Status)
				default: // a short message is on its way with its commands
					assert.Contains(t, []smtp.Status{smtp.Temporary, smtp.Unknown}, res.Status)
				}
				assert.ErrorIs(t, res.Err, context.Canceled, "%v", res)
			}
			assert.Empty(t, second.mail)
		})
	}
}

// signal tells reached that a client is there.
func signal(h smtp.Handler, reached chan struct{}) smtp.Handler {
	connect := h.Connect
	h.Connect = func(ctx context.Context, s *smtp.Session) error {
		reached <- struct{}{}
		return connect(ctx, s)
	}
	return h
}

// Deliveries that end before they have begun leave no goroutines.
func TestNothingStaysBehind(t *testing.T) {
	w := newWorld(t, hamburger)
	r := w.relay()
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env, err := smtp.NewEnvelope("", "a@hamburger.edu")
	require.NoError(t, err)
	for range 50 {
		res := r.Deliver(ctx, env, io.NewSectionReader(strings.NewReader("x"), 0, 1))[0]
		assert.Equal(t, smtp.Temporary, res.Status)
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 } /* the clock and the func of Eventually */, 5*time.Second, time.Millisecond)
}
