// Package serve runs the listeners of smtp, pop3 and imap: it accepts, counts,
// refuses what is too much, and stops in order. What is said on a connection
// is its owner's business.
package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Refusal is why a connection is not served.
type Refusal uint8

// The refusals.
const (
	TooMany    Refusal = iota + 1 // Server.Conns
	TooManyIP                     // Server.PerIP
	TooFast                       // Server.Rate
	NotAllowed                    // Server.Allow
)

// Server serves connections. The fields must not change after the first use of
// a method; the methods may be called concurrently. The zero value lacks Handle.
type Server struct {
	Conns  int                   // at the same time; 0 any number
	PerIP  int                   // of one IPv4 address or IPv6 /64; 0 any number
	Rate   int                   // new ones a minute of one IPv4 address or IPv6 /64; 0 any number
	Allow  func(netip.Addr) bool // nil allows all
	Exempt func(netip.Addr) bool // not counted and not asked for on accept: trusted proxies; nil none
	NoTLS  error                 // what Serve and Run return where implicit TLS cannot be served; nil: it can

	// Handle begins to serve a connection, which is closed when the Dialogue is
	// over. ctx ends with Close, or with the ctx given to ServeConn.
	Handle func(ctx context.Context, c *Conn) Dialogue
	// Refuse says no in the words of the protocol; it must be brief. A peer
	// that expects TLS is not told, since it would not understand.
	Refuse func(c net.Conn, why Refusal)

	mu        sync.Mutex // guards all below
	listeners map[net.Listener]struct{}
	conns     map[*Conn]struct{}
	perIP     map[netip.Prefix]int
	recent    map[netip.Prefix]int // new connections of this minute
	minute    time.Time            // when it began
	stopping  bool
	base      context.Context // ended by Close
	end       context.CancelCauseFunc
	empty     chan struct{} // closed when stopping and no connection is left
}

// ErrStopped is returned for work that comes after Shutdown or Close.
var ErrStopped = errors.New("server is stopped")

// Serve accepts from l until Shutdown or Close, and then returns nil, when the
// connections it accepted are over. It closes l. tls marks them for implicit
// TLS.
func (s *Server) Serve(l net.Listener, tls bool) error {
	if tls && s.NoTLS != nil {
		return errors.Join(s.NoTLS, l.Close())
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	return s.accept(context.Background(), l, tls, &wg)
}

// accept serves each connection, which wg counts. It does not wait for them, so
// that its caller learns at once of a listener that is down.
func (s *Server) accept(parent context.Context, l net.Listener, tls bool, wg *sync.WaitGroup) error {
	defer l.Close()
	if !s.addListener(l) {
		return ErrStopped
	}
	defer s.dropListener(l)
	ctx, _ := s.context(parent) // one for all: it ends with Close
	for pause := time.Duration(0); ; {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			wg.Add(1)
			go s.newConn(ctx, nc, tls, func(error) { wg.Done() }).work()
			continue
		}
		if s.isStopping() {
			return nil
		}
		if !isTemporary(err) {
			return err
		}
		// Out of descriptors, most likely: wait for some to come back.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-s.base.Done():
		}
	}
}

// isTemporary reports an error of Accept after which it may work again, such
// as a lack of descriptors or a peer that has gone already.
func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// ServeConn serves one connection to its end and closes it.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, tls bool) error {
	ctx, cancel := s.context(ctx)
	defer cancel()
	over := make(chan error, 1)
	go s.newConn(ctx, nc, tls, func(err error) { over <- err }).work()
	return <-over
}

// context ends with parent and with Close.
func (s *Server) context(parent context.Context) (context.Context, context.CancelFunc) {
	s.mu.Lock()
	s.init()
	base := s.base
	s.mu.Unlock()
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(base, func() { cancel(ErrStopped) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

func (s *Server) newConn(ctx context.Context, nc net.Conn, tls bool, over func(error)) *Conn {
	return &Conn{Conn: nc, TLS: tls, srv: s, ctx: ctx, over: over}
}

func (s *Server) init() {
	if s.base == nil {
		s.listeners = make(map[net.Listener]struct{})
		s.conns = make(map[*Conn]struct{})
		s.perIP = make(map[netip.Prefix]int)
		s.base, s.end = context.WithCancelCause(context.Background())
		s.empty = make(chan struct{})
	}
}

func (s *Server) refuse(nc net.Conn, why Refusal) {
	if s.Refuse == nil {
		return
	}
	// Nobody is waited for: whoever floods us does not read either.
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	s.Refuse(nc, why)
}

// Shutdown stops accepting, wakes idle connections so that they say goodbye,
// and waits for the others until ctx ends, when it closes them and returns the
// cause. Serve has returned, or is about to, when it comes back.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		s.Close()
		return context.Cause(ctx)
	}
}

// Close stops accepting and closes every connection at once.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(ErrStopped)
	for c := range s.conns {
		c.Conn.Close()
	}
	return nil
}

// stop begins the end.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if s.stopping {
		return
	}
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.stop()
	}
	if len(s.conns) == 0 {
		close(s.empty)
	}
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if !s.stopping {
		s.listeners[l] = struct{}{}
	}
	return !s.stopping
}

func (s *Server) dropListener(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}
