package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
)

// A peer that goes away ends the context of the func that runs for it.
func TestDisconnectCancels(t *testing.T) {
	server, client := bothTLS(t)
	for _, secure := range []bool{false, true} {
		for _, where := range []string{"rcpt", "message"} {
			t.Run(where+map[bool]string{true: " TLS"}[secure], func(t *testing.T) {
				noLeaks(t)
				waiting, cause := make(chan struct{}), make(chan error, 1)
				wait := func(ctx context.Context) error {
					close(waiting)
					<-ctx.Done()
					cause <- context.Cause(ctx)
					return ctx.Err()
				}
				s := &Server{TLSConfig: server}
				if where == "rcpt" {
					s.Handler.Rcpt = func(ctx context.Context, _ *Transaction, _ *Recipient) error { return wait(ctx) }
				} else {
					s.Handler.Message = func(ctx context.Context, _ *Transaction, body io.Reader) error {
						_, _ = io.Copy(io.Discard, body)
						return wait(ctx)
					}
				}
				p := serveTCP(t, s)
				p.hello()
				if secure {
					p.want("STARTTLS", "220")
					p.startTLS(client)
					p.want("EHLO c", "250")
				}
				p.want("MAIL FROM:<a@b.example>", "250")
				p.send("RCPT TO:<c@d.example>\r\n")
				if where == "message" {
					p.expect("250")
					p.want("DATA", "354")
					p.send(".\r\n")
				}
				<-waiting
				p.close()
				assert.ErrorIs(t, <-cause, errGone)
			})
		}
	}
}

// Watching for the peer to go takes nothing of what it says meanwhile.
func TestWatchKeepsCommands(t *testing.T) {
	s := &Server{Handler: Handler{Rcpt: func(context.Context, *Transaction, *Recipient) error {
		time.Sleep(time.Second)
		return nil
	}}}
	inTime(t, s, func(t *testing.T, p *peer) {
		p.hello()
		p.want("MAIL FROM:<a@b.example>", "250")
		p.send("RCPT TO:<c@d.example>\r\n")
		time.Sleep(500 * time.Millisecond)
		p.send("NOOP\r\nRSET\r\n")
		p.expect("250 2.1.5")
		p.expect("250 2.0.0 OK")
		p.expect("250 2.0.0 Forgotten")
	})
}

// A panic in any func ends the connection with 421, tells Close, and harms no
// other connection.
func TestPanics(t *testing.T) {
	for _, where := range []string{"connect", "hello", "mail", "rcpt", "data", "message", "verify", "reset", "close", "trace", "private", "bdat", "partial"} {
		t.Run(where, func(t *testing.T) {
			noLeaks(t)
			var log bytes.Buffer
			s := &Server{Log: slog.New(slog.NewTextHandler(&log, nil))}
			closed := make(chan error, 3)
			boom := func(at string) {
				if at == where {
					panic("boom")
				}
			}
			s.Handler = Handler{
				Connect: func(context.Context, *Session) error { boom("connect"); return nil },
				Hello:   func(context.Context, *Session) error { boom("hello"); return nil },
				Mail:    func(context.Context, *Transaction) error { boom("mail"); return nil },
				Rcpt:    func(context.Context, *Transaction, *Recipient) error { boom("rcpt"); return nil },
				Data:    func(context.Context, *Transaction) error { boom("data"); return nil },
				Message: func(_ context.Context, _ *Transaction, body io.Reader) error {
					boom("message")
					if where == "bdat" {
						_, _ = body.Read(make([]byte, 1))
						panic("boom")
					}
					if where == "partial" {
						_, _ = io.Copy(io.Discard, body)
						return &PartialError{Results{{Status: Accepted}, {}}}
					}
					return nil
				},
				Partial: func(context.Context, *Transaction, Results) { boom("partial") },
				Verify:  func(context.Context, *Session, string) (Reply, error) { boom("verify"); return Reply{Code: 252}, nil },
				Reset:   func(*Transaction) { boom("reset") },
				Close:   func(_ *Session, err error) { closed <- err; boom("close") },
			}
			s.Trace = &Trace{Reply: func(*Session, Reply) { boom("trace") }}
			s.Private = []Extension{{Verb: "XBOOM", Command: func(context.Context, *Session, string) (Reply, error) { boom("private"); return Reply{Code: 250}, nil }}}
			addr := start(t, s)
			other := dial(t, addr)
			if where != "connect" && where != "trace" {
				other.expect("220")
			}
			p := dial(t, addr)
			last := ""
			for _, line := range []string{"", "EHLO c", "VRFY x", "XBOOM", "MAIL FROM:<a@b.example>", "RSET", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "RCPT TO:<e@f.example>", bdatOf("xxx", true), "QUIT"} {
				if line != "" {
					p.send(line + "\r\n"[:2*btoi(!strings.HasPrefix(line, "BDAT"))])
				}
				if last = p.reply(); last[:3] == "421" || line == "QUIT" {
					break
				}
			}
			assert.Equal(t, where != "close", last[:3] == "421", last)
			p.over()
			err := <-closed
			assert.Equal(t, where != "close", err != nil)
			if where != "connect" && where != "hello" && where != "trace" {
				other.want("NOOP", "250")
			}
			p.close()
			other.close()
			s.Close()
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The last word arrives though the peer is still sending: a handler panics
// before it has read a large message.
func TestLastWordArrives(t *testing.T) {
	s := &Server{Handler: Handler{Message: func(context.Context, *Transaction, io.Reader) error { panic("boom") }}}
	addr := start(t, s)
	for range 20 {
		p := dial(t, addr)
		p.hello()
		p.mail()
		p.send("DATA\r\n")
		p.send(strings.Repeat("x\r\n", 20000))
		p.expect("354")
		p.expect("421")
		p.close()
	}
}

func TestShutdown(t *testing.T) {
	noLeaks(t)
	reading, finish := make(chan struct{}), make(chan struct{})
	s := &Server{Handler: Handler{Message: func(ctx context.Context, _ *Transaction, body io.Reader) error {
		close(reading)
		_, err := io.Copy(io.Discard, body)
		<-finish
		return errors.Join(err, ctx.Err())
	}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	quiet, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	quiet.hello()
	busy.hello()
	busy.mail()
	busy.want("DATA", "354")
	<-reading
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	quiet.expect("421 4.3.2")
	quiet.over()
	busy.send("x\r\n.\r\n")
	close(finish)
	busy.expect("250")
	busy.expect("421 4.3.2")
	busy.over()
	assert.NoError(t, <-down)
	assert.NoError(t, <-served)
	_, err = net.Dial("tcp", l.Addr().String())
	assert.Error(t, err)
	assert.Error(t, s.Serve(l), "a server does not start twice")
}

// A login that is half done is told at once, too.
func TestShutdownDuringLogin(t *testing.T) {
	noLeaks(t)
	s := &Server{Auth: users(), InsecureAuth: true}
	p := serveTCP(t, s)
	p.hello()
	p.want("AUTH PLAIN", "334")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	p.expect("421 4.3.2")
	p.over()
	assert.NoError(t, <-done)
}

func TestShutdownCutsAtItsEnd(t *testing.T) {
	noLeaks(t)
	cause, running := make(chan error, 1), make(chan struct{})
	s := &Server{Handler: Handler{Rcpt: func(ctx context.Context, _ *Transaction, _ *Recipient) error {
		close(running)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil
	}}}
	p := serveTCP(t, s)
	p.hello()
	p.want("MAIL FROM:<a@b.example>", "250")
	p.send("RCPT TO:<c@d.example>\r\n")
	<-running
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	assert.ErrorIs(t, s.Shutdown(ctx), context.Canceled)
	assert.Error(t, <-cause)
	assert.NoError(t, s.Close())
	assert.NoError(t, s.Shutdown(context.Background()))
}

// A listener that breaks takes Run down at once, though connections are open.
func TestRunEndsWithAListener(t *testing.T) {
	noLeaks(t)
	s := &Server{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background(), l, nil) }()
	p := dial(t, l.Addr().String())
	p.hello()
	l.Close()
	p.expect("421 4.3.2")
	assert.ErrorIs(t, <-done, net.ErrClosed)
}

func TestRunWithoutTLSConfig(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, (&Server{}).Run(context.Background(), nil, l), errNoTLS)
	l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, (&Server{}).ServeTLS(l), errNoTLS)
}

// Certificates change while the server runs.
func TestCertificatesChange(t *testing.T) {
	noLeaks(t)
	old, err := testcert.New("mx.example")
	require.NoError(t, err)
	fresh, err := testcert.New("mx.example")
	require.NoError(t, err)
	var now atomic.Pointer[tls.Certificate]
	now.Store(&old.Server().Certificates[0])
	s := &Server{TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return now.Load(), nil }}}
	addr := start(t, s)
	for _, ca := range []*testcert.Authority{old, fresh} {
		now.Store(&ca.Server().Certificates[0])
		p := dial(t, addr)
		p.hello()
		p.want("STARTTLS", "220")
		p.startTLS(ca.Client())
		p.want("EHLO c", "250")
		p.close()
	}
}

func TestImplicitTLS(t *testing.T) {
	noLeaks(t)
	server, client := bothTLS(t)
	s := &Server{TLSConfig: server}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l) }()
	p := dial(t, l.Addr().String())
	p.startTLS(client)
	assert.NotContains(t, p.hello(), "STARTTLS")
	p.want("QUIT", "221")
	plain := dial(t, l.Addr().String())
	plain.send("EHLO c\r\n")
	rest, _ := io.ReadAll(plain.r)
	assert.NotContains(t, string(rest), "220")
	s.Close()
	assert.NoError(t, <-done)
}

func TestConnectionLimits(t *testing.T) {
	t.Run("total", func(t *testing.T) {
		addr := start(t, &Server{Limits: Limits{Conns: 1}})
		dial(t, addr).hello()
		p := dial(t, addr)
		p.expect("421 Too many connections")
		p.over()
	})
	t.Run("per address", func(t *testing.T) {
		addr := start(t, &Server{Limits: Limits{ConnsPerIP: 1}})
		first := dial(t, addr)
		first.hello()
		p := dial(t, addr)
		p.expect("421 Too many connections from your network")
		p.over()
		first.want("QUIT", "221")
		first.over()
		first.close()
		for { // the place is free as soon as the first is gone
			p := dial(t, addr)
			if p.reply()[:3] == "220" {
				return
			}
		}
	})
	t.Run("per minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &Server{Limits: Limits{ConnRate: 2}, Proxy: anybody}
			connect := func() string {
				us, them := net.Pipe()
				done := make(chan error, 1)
				go func() { done <- s.ServeConn(context.Background(), us) }()
				p := newPeer(t, them)
				p.send("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n")
				r := p.reply()
				p.close()
				<-done
				return r[:3]
			}
			assert.Equal(t, "220", connect())
			assert.Equal(t, "220", connect())
			assert.Equal(t, "421", connect())
			time.Sleep(time.Minute)
			assert.Equal(t, "220", connect())
		})
	})
	t.Run("allow", func(t *testing.T) {
		addr := start(t, &Server{Allow: func(ip netip.Addr) bool { return !ip.IsLoopback() }})
		p := dial(t, addr)
		p.expect("554 You may not connect here")
		p.over()
	})
}

// Handlers see the values of the context that ServeConn and Run were given.
func TestContextValues(t *testing.T) {
	type key struct{}
	seen := make(chan any, 1)
	s := &Server{Handler: Handler{Connect: func(ctx context.Context, _ *Session) error { seen <- ctx.Value(key{}); return nil }}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l, nil) }()
	dial(t, l.Addr().String()).expect("220")
	assert.Equal(t, "value", <-seen)
	stop()
	assert.NoError(t, <-done)
}
