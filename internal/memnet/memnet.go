// Package memnet is a network in memory: listeners and connections with
// buffers, deadlines, half-closing and resets, as TCP has them, that wait on
// condition variables and timers only. So they work in a bubble of
// testing/synctest, where a socket would count as something to wait for that
// is outside.
package memnet

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// buffer is how many octets one side may send before the other reads,
// about what a kernel holds.
const buffer = 64 << 10

// Listener accepts connections that live in this process alone.
type Listener struct {
	addr    net.Addr
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Addr stands where others have an IP address.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string { return "memory" }

// String implements net.Addr.
func (a Addr) String() string { return string(a) }

// Listen makes a listener; addr is what its connections say they lead to.
func Listen(addr string) *Listener {
	return &Listener{addr: Addr(addr), backlog: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial connects to the listener.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := Pair(Addr("client"), l.addr)
	select {
	case l.backlog <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Conn is one end of a connection with a buffer in each direction. It
// waits on condition variables and timers only.
type Conn struct {
	in, out       *stream
	local, remote net.Addr
}

// Pair makes the two ends of a connection.
func Pair(a, b net.Addr) (atA, atB *Conn) {
	there, back := newStream(), newStream()
	return &Conn{back, there, a, b}, &Conn{there, back, b, a}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements net.Conn: it waits when the buffer is full.
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions; what was sent can still be read.
func (c *Conn) Close() error {
	c.in.end(net.ErrClosed, syscall.EPIPE)
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// CloseWrite ends the sending direction.
func (c *Conn) CloseWrite() error {
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// Abort is what RST does: the peer finds nothing but an error.
func (c *Conn) Abort() {
	c.out.drop(syscall.ECONNRESET)
	c.in.end(net.ErrClosed, syscall.ECONNRESET)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

// stream is one direction.
type stream struct {
	mu       sync.Mutex // guards all below
	cond     *sync.Cond
	buf      []byte
	readErr  error // what a read gives once buf is empty; nil: it waits
	writeErr error // what a write gives; nil: it waits for room
	reading  deadline
	writing  deadline
}

// deadline is when reads, or writes, give up.
type deadline struct {
	at    time.Time
	timer *time.Timer // wakes who waits; nil: none was ever needed
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newStream() *stream {
	s := &stream{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case s.readErr == net.ErrClosed: // our own side: what came is of no interest
			return 0, s.readErr
		case len(s.buf) > 0 || len(p) == 0:
			n := copy(p, s.buf)
			s.buf = s.buf[:copy(s.buf, s.buf[n:])]
			s.cond.Broadcast()
			return n, nil
		case s.readErr != nil:
			return 0, s.readErr
		}
		s.cond.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch room := buffer - len(s.buf); {
		case s.writeErr != nil:
			return n, s.writeErr
		case s.writing.passed():
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		case room > 0:
			m := min(room, len(p))
			s.buf = append(s.buf, p[:m]...)
			n, p = n+m, p[m:]
			s.cond.Broadcast()
		default:
			s.cond.Wait()
		}
	}
}

// end says what reads and writes give from now on, unless that is settled.
func (s *stream) end(read, write error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil || read == net.ErrClosed {
		s.readErr = read
	}
	if s.writeErr == nil {
		s.writeErr = write
	}
	s.stopTimers()
	s.cond.Broadcast()
}

// drop forgets what is under way.
func (s *stream) drop(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf, s.readErr, s.writeErr = nil, err, err
	s.stopTimers()
	s.cond.Broadcast()
}

// stopTimers leaves nothing behind that a bubble would have to wait for.
func (s *stream) stopTimers() {
	for _, d := range []*deadline{&s.reading, &s.writing} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
}

func (s *stream) setDeadline(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if wait := time.Until(t); !t.IsZero() && wait > 0 && s.readErr == nil {
		d.timer = time.AfterFunc(wait, s.wake)
	}
	s.cond.Broadcast()
}

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cond.Broadcast()
}
