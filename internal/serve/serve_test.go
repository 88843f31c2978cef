package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// addrConn is a connection from an address of the test's choice.
type addrConn struct {
	net.Conn
	ip string
}

func (c addrConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(c.ip), Port: 1}
}

// pipes is a listener whose connections the test makes.
type pipes struct {
	conns chan net.Conn
	fail  chan error
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), fail: make(chan error), done: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case err := <-p.fail:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// connect makes a connection from ip and returns the peer's end.
func (p *pipes) connect(ip string) net.Conn {
	us, them := net.Pipe()
	p.conns <- addrConn{us, ip}
	return them
}

// steps is a dialogue made of funcs.
type steps struct {
	serve func() bool
	wait  func()
	wake  func()
}

func (s steps) Serve() bool { return s.serve() }
func (s steps) Wait()       { s.wait() }
func (s steps) Wake()       { s.wake() }

// whole makes a dialogue of a func that never parks.
func whole(f func(context.Context, *Conn)) func(context.Context, *Conn) Dialogue {
	return func(ctx context.Context, c *Conn) Dialogue {
		return steps{
			serve: func() bool { f(ctx, c); return false },
			wake:  func() { _ = c.SetReadDeadline(time.Unix(1, 0)) },
		}
	}
}

// hold serves a connection until it is closed or woken.
func hold(ctx context.Context, c *Conn) {
	_, _ = io.WriteString(c, "+")
	if c.Idle() {
		_, _ = c.Read(make([]byte, 1))
	}
	_, _ = io.WriteString(c, ".")
}

func no(c net.Conn, why Refusal) { _, _ = c.Write([]byte{'0' + byte(why)}) }

// said is the first byte that the server says.
func said(t *testing.T, c net.Conn) string {
	b := make([]byte, 1)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	return string(b)
}

func TestCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Conns: 5, PerIP: 2, Handle: whole(hold), Refuse: no, Allow: func(ip netip.Addr) bool { return ip.String() != "192.0.2.66" },
			Exempt: func(ip netip.Addr) bool { return ip.String() == "192.0.2.99" }}
		l := newPipes()
		done := make(chan error, 1)
		go func() { done <- s.Serve(l, false) }()
		var open []net.Conn
		for _, c := range []struct{ ip, want string }{
			{"192.0.2.1", "+"}, {"192.0.2.1", "+"}, {"192.0.2.1", "2"}, {"192.0.2.66", "4"},
			{"2001:db8::1", "+"}, {"2001:db8::2", "+"}, {"2001:db8::3", "2"}, // one /64
			{"192.0.2.99", "+"}, {"192.0.2.2", "1"}, // five are open
		} {
			conn := l.connect(c.ip)
			assert.Equal(t, c.want, said(t, conn), c.ip)
			open = append(open, conn)
		}
		open[0].Close()
		synctest.Wait()
		again := l.connect("192.0.2.1")
		assert.Equal(t, "+", said(t, again))
		for _, c := range append(open, again) {
			c.Close()
		}
		synctest.Wait()
		assert.Empty(t, s.perIP)
		assert.Empty(t, s.conns)
		require.NoError(t, s.Shutdown(context.Background()))
		assert.NoError(t, <-done)
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Rate: 2, Handle: whole(func(context.Context, *Conn) {}), Refuse: no}
		try := func(ip string) string {
			us, them := net.Pipe()
			go s.ServeConn(context.Background(), addrConn{us, ip}, false)
			b, _ := io.ReadAll(them)
			return string(b)
		}
		for _, want := range []string{"", "", "3", "3"} {
			assert.Equal(t, want, try("192.0.2.1"))
		}
		assert.Empty(t, try("192.0.2.2"))
		time.Sleep(time.Minute)
		assert.Empty(t, try("192.0.2.1"))
		assert.Len(t, s.recent, 1, "the last minute is forgotten")
	})
}

// A peer that expects TLS is hung up on without words it could not read.
func TestRefusalUnderTLSIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Allow: func(netip.Addr) bool { return false }, Handle: whole(hold), Refuse: no}
		us, them := net.Pipe()
		go s.ServeConn(context.Background(), addrConn{us, "192.0.2.1"}, true)
		b, err := io.ReadAll(them)
		assert.NoError(t, err)
		assert.Empty(t, b)
	})
}

// One who floods us and does not read is not waited for.
func TestRefusalDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Allow: func(netip.Addr) bool { return false }, Handle: whole(hold), Refuse: no}
		us, _ := net.Pipe()
		start := time.Now()
		require.NoError(t, s.ServeConn(context.Background(), addrConn{us, "192.0.2.1"}, false))
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestRehome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := make(chan Refusal)
		s := &Server{PerIP: 1, Exempt: func(netip.Addr) bool { return true }, Refuse: no, Handle: whole(func(_ context.Context, c *Conn) {
			why <- c.Rehome(netip.MustParseAddr("192.0.2.1"))
			_, _ = c.Read(make([]byte, 1))
		})}
		connect := func() net.Conn {
			us, them := net.Pipe()
			go s.ServeConn(context.Background(), us, false)
			return them
		}
		first := connect()
		assert.Zero(t, <-why)
		second := connect()
		assert.Equal(t, TooManyIP, <-why)
		first.Close()
		second.Close()
		synctest.Wait()
		assert.Empty(t, s.perIP)
	})
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

// A lack of descriptors is waited out; any other failure ends Serve, and takes
// Run down with all its listeners.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handle: whole(hold)}
		plain, secure := newPipes(), newPipes()
		done := make(chan error, 1)
		go func() { done <- s.Run(context.Background(), plain, secure, 0) }()
		for range 20 {
			plain.fail <- temporary{errors.New("too many open files")}
		}
		c := plain.connect("192.0.2.1")
		assert.Equal(t, "+", said(t, c))
		broken := errors.New("broken")
		secure.fail <- broken
		assert.Equal(t, ".", said(t, c)) // told to go
		assert.ErrorIs(t, <-done, broken)
	})
}

func TestRunEnds(t *testing.T) {
	for _, how := range []string{"ctx", "shutdown", "close"} {
		synctest.Test(t, func(t *testing.T) {
			var ended error
			s := &Server{Handle: whole(func(ctx context.Context, c *Conn) {
				hold(ctx, c)
				if how == "close" {
					<-ctx.Done() // comes with the end of the connection, a moment before or after
				}
				ended = ctx.Err()
			})}
			l := newPipes()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx, l, nil, time.Minute) }()
			c := l.connect("192.0.2.1")
			assert.Equal(t, "+", said(t, c))
			synctest.Wait()
			switch how {
			case "ctx":
				cancel()
				assert.Equal(t, ".", said(t, c))
			case "shutdown":
				go s.Shutdown(context.Background())
				assert.Equal(t, ".", said(t, c))
			case "close":
				s.Close()
				_, err := c.Read(make([]byte, 1))
				assert.Error(t, err)
			}
			assert.NoError(t, <-done)
			assert.Equal(t, how == "close", ended != nil)
			assert.ErrorIs(t, s.Serve(newPipes(), false), ErrStopped)
			us, _ := net.Pipe()
			assert.ErrorIs(t, s.ServeConn(ctx, us, false), ErrStopped)
		})
	}
}

// A ctx that ends before a listener is served is a clean stop too, however the
// goroutines come to run.
func TestRunEndsAtOnce(t *testing.T) {
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		plain, secure := newPipes(), newPipes()
		assert.NoError(t, new(Server).Run(ctx, plain, secure, time.Minute))
		_, err := plain.Accept()
		assert.Error(t, err, "it is closed")
	}
	s := new(Server)
	require.NoError(t, s.Shutdown(context.Background()))
	assert.ErrorIs(t, s.Run(context.Background(), newPipes(), newPipes(), 0), ErrStopped, "it was stopped before")
}

// A connection that is busy when the server stops may finish what it does, and
// is not idle again; one that is idle is woken and begins nothing.
func TestIdleAndBusy(t *testing.T) {
	c := &Conn{}
	assert.True(t, c.Idle())
	assert.True(t, c.Busy())
	c.stop()
	assert.False(t, c.Idle())
	woken := 0
	c = &Conn{dialogue: steps{wake: func() { woken++ }}}
	assert.True(t, c.Idle())
	assert.True(t, c.Idle(), "said again after a wait")
	c.stop()
	c.stop()
	assert.Equal(t, 1, woken)
	assert.False(t, c.Busy())
}

func TestAddrPort(t *testing.T) {
	assert.Equal(t, "192.0.2.1:25", AddrPort(&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 25}).String())
	assert.Equal(t, "[fe80::1]:25", AddrPort(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 25, Zone: "eth0"}).String())
	assert.False(t, AddrPort(nil).IsValid())
	us, _ := net.Pipe()
	assert.False(t, RemoteIP(us).IsValid())
}
