package serve

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Conn is a connection that is being served.
type Conn struct {
	net.Conn
	TLS bool // implicit TLS is wanted

	srv      *Server
	ctx      context.Context
	over     func(error)  // called when all is done
	dialogue Dialogue     // nil before Handle
	key      netip.Prefix // counted under; zero: not counted
	state    atomic.Uint32
}

// A connection is busy until it says it is idle. Stopping wakes only who is
// idle, and who is woken never becomes busy again, so that no command is begun
// that could not be finished.
const (
	busy uint32 = iota
	idle
	stopBusy // told to stop while busy
	woken
)

// Idle says that c waits for a command outside any transaction, which may be
// said again. It reports false when the server is stopping: say goodbye
// instead.
func (c *Conn) Idle() bool { return c.state.CompareAndSwap(busy, idle) || c.state.Load() == idle }

// Busy says that a command has come. It reports false when c was woken: the
// command is not to be begun.
func (c *Conn) Busy() bool { return c.state.CompareAndSwap(idle, busy) }

func (c *Conn) stop() {
	if c.state.CompareAndSwap(busy, stopBusy) {
		return
	}
	if c.state.CompareAndSwap(idle, woken) {
		c.dialogue.Wake()
	}
}

// Rehome counts c under the address a trusted proxy gave for its peer, and
// reports why that address may not be served, or 0.
func (c *Conn) Rehome(ip netip.Addr) Refusal {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncount(c)
	return s.count(c, ip)
}

// RemoteIP is the address of the peer, invalid for pipes and sockets without.
func RemoteIP(c net.Conn) netip.Addr { return AddrPort(c.RemoteAddr()).Addr() }

// AddrPort turns a into its netip form; IPv4 comes out as IPv4.
func AddrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if t, ok := a.(*net.TCPAddr); ok {
		ap = t.AddrPort()
	} else if a != nil {
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// admit takes c in, or says why not.
func (s *Server) admit(c *Conn) (Refusal, error) {
	ip := RemoteIP(c.Conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if s.stopping {
		return 0, ErrStopped
	}
	if s.Conns > 0 && len(s.conns) >= s.Conns {
		return TooMany, nil
	}
	if s.Exempt == nil || !s.Exempt(ip) {
		if why := s.count(c, ip); why != 0 {
			return why, nil
		}
	}
	s.conns[c] = struct{}{}
	return 0, nil
}

func (s *Server) count(c *Conn, ip netip.Addr) Refusal {
	if !ip.IsValid() {
		return 0
	}
	if s.Allow != nil && !s.Allow(ip) {
		return NotAllowed
	}
	if s.PerIP <= 0 && s.Rate <= 0 {
		return 0
	}
	bits := 32
	if ip.Is6() {
		bits = 64 // one customer has them all
	}
	key, _ := ip.Prefix(bits)
	if s.tooFast(key) {
		return TooFast
	}
	if s.PerIP > 0 && s.perIP[key] >= s.PerIP {
		return TooManyIP
	}
	s.perIP[key]++
	c.key = key
	return 0
}

// tooFast counts a new connection of key in the running minute. What is kept
// is bounded by how many connections a minute can bring.
func (s *Server) tooFast(key netip.Prefix) bool {
	if s.Rate <= 0 {
		return false
	}
	if now := time.Now(); now.Sub(s.minute) >= time.Minute {
		s.minute = now
		s.recent = make(map[netip.Prefix]int)
	}
	s.recent[key]++
	return s.recent[key] > s.Rate
}

func (s *Server) uncount(c *Conn) {
	if !c.key.IsValid() {
		return
	}
	if s.perIP[c.key]--; s.perIP[c.key] == 0 {
		delete(s.perIP, c.key)
	}
	c.key = netip.Prefix{}
}

// drop forgets c.
func (s *Server) drop(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncount(c)
	delete(s.conns, c)
	if s.stopping && len(s.conns) == 0 {
		close(s.empty)
	}
}
