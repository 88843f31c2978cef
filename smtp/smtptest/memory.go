package smtptest

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memoryBuffer is how many octets one side may send before the other reads,
// about what a kernel holds.
const memoryBuffer = 64 << 10

// memoryListener accepts connections that live in this process alone, and so
// work in a bubble of testing/synctest, where a socket would count as
// something to wait for that is outside.
type memoryListener struct {
	addr    net.Addr
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// memoryAddr stands where others have an IP address.
type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

func newMemoryListener(addr string) *memoryListener {
	return &memoryListener{addr: memoryAddr(addr), backlog: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *memoryListener) Addr() net.Addr { return l.addr }

// dial connects to the listener.
func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := memoryPair(memoryAddr("client"), l.addr)
	select {
	case l.backlog <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// memoryConn is one end of a connection with a buffer in each direction. It
// waits on condition variables and timers only.
type memoryConn struct {
	in, out       *stream
	local, remote net.Addr
}

// memoryPair makes the two ends of a connection.
func memoryPair(a, b net.Addr) (atA, atB *memoryConn) {
	there, back := newStream(), newStream()
	return &memoryConn{back, there, a, b}, &memoryConn{there, back, b, a}
}

func (c *memoryConn) LocalAddr() net.Addr  { return c.local }
func (c *memoryConn) RemoteAddr() net.Addr { return c.remote }

func (c *memoryConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memoryConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions; what was sent can still be read.
func (c *memoryConn) Close() error {
	c.in.end(net.ErrClosed, syscall.EPIPE)
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// CloseWrite ends the sending direction.
func (c *memoryConn) CloseWrite() error {
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// abort is what RST does: the peer finds nothing but an error.
func (c *memoryConn) abort() {
	c.out.drop(syscall.ECONNRESET)
	c.in.end(net.ErrClosed, syscall.ECONNRESET)
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
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
		switch room := memoryBuffer - len(s.buf); {
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
