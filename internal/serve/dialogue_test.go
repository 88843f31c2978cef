package serve

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/wire"
)

// echo is a dialogue that answers lines, from far down a stack.
type echo struct {
	c      *Conn
	r      wire.Reader
	parked *atomic.Int32 // how often any has been
}

func (e *echo) Serve() bool {
	for e.c.Idle() {
		if e.r.Ready() == wire.ErrParked {
			e.parked.Add(1)
			return true
		}
		line, err := e.r.ReadLine(100)
		if !e.c.Busy() {
			break
		}
		if err != nil || string(line) == "QUIT" {
			return false
		}
		deep(e.c, string(line), 40)
	}
	_, _ = io.WriteString(e.c, "bye\n")
	return false
}

func (e *echo) Wait() { e.r.Wait() }
func (e *echo) Wake() { e.r.Wake() }

// deep needs some 10 KiB of stack to say a line.
func deep(w io.Writer, line string, depth int) {
	var b [256]byte
	n := copy(b[:], line+"\n")
	if depth > 0 {
		deep(w, line, depth-1)
		return
	}
	_, _ = w.Write(b[:n])
}

// echoes serves echoes over TCP until the test is over.
func echoes(t *testing.T) (s *Server, dial func() net.Conn, parked *atomic.Int32) {
	t.Helper()
	parked = new(atomic.Int32)
	s = &Server{Handle: func(_ context.Context, c *Conn) Dialogue {
		e := &echo{c: c, parked: parked}
		e.r.Reset(c.Conn)
		return e
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, false) }()
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		assert.NoError(t, <-done)
	})
	return s, func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}, parked
}

func say(t *testing.T, c net.Conn, line string) {
	t.Helper()
	_, err := io.WriteString(c, line+"\r\n")
	require.NoError(t, err)
	b := make([]byte, len(line)+1)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, line+"\n", string(b))
}

// waits comes back when n connections wait on stacks of their own, and no other
// goroutine is there for any.
func waits(t *testing.T, n int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // where nobody can wait like that
	}
	b := make([]byte, 4<<20)
	require.Eventually(t, func() bool {
		s := string(b[:runtime.Stack(b, true)])
		return strings.Count(s, "serve.(*Conn).wait(") == n && !strings.Contains(s, "serve.(*Conn).work(")
	}, 20*time.Second, 10*time.Millisecond)
}

func stacks() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}

// However deep a connection has been, while it waits it holds 2 KiB of stack,
// and one goroutine.
func TestIdleStack(t *testing.T) {
	if raceEnabled || runtime.GOOS == "windows" {
		t.Skip("the race detector's frames are larger, and Windows has no such wait")
	}
	const n = 200
	_, dial, _ := echoes(t)
	first := dial()
	say(t, first, "warm")
	waits(t, 1)
	before := stacks()
	var conns []net.Conn
	for range n {
		conns = append(conns, dial())
	}
	for range 3 { // the wait begins anew each time
		for _, c := range conns {
			say(t, c, "hello")
		}
		waits(t, n+1)
	}
	each := (int64(stacks()) - int64(before)) / n
	t.Logf("%d octets of stack a connection", each)
	assert.Less(t, each, int64(3<<10))
}

// Who waits is told at once that the server stops, and closed if need be.
func TestStopWhileWaiting(t *testing.T) {
	for _, how := range []string{"shutdown", "close"} {
		s, dial, _ := echoes(t)
		c := dial()
		say(t, c, "hello")
		waits(t, 1)
		if how == "shutdown" {
			require.NoError(t, s.Shutdown(context.Background()))
		} else {
			require.NoError(t, s.Close())
		}
		b, _ := io.ReadAll(c)
		if how == "shutdown" || len(b) > 0 { // Close may be quicker than our last word
			assert.Equal(t, "bye\n", string(b), how)
		}
		waits(t, 0)
	}
}

// A server that stops finds each of many connections somewhere on its way into
// a wait or out of it, and all of them end.
func TestStopOnTheWay(t *testing.T) {
	s, dial, parked := echoes(t)
	var conns []net.Conn
	for range 50 {
		c := dial()
		say(t, c, "hello")
		conns = append(conns, c)
	}
	require.Eventually(t, func() bool { return parked.Load() > 10 }, 20*time.Second, time.Millisecond)
	require.NoError(t, s.Shutdown(context.Background()))
	for _, c := range conns {
		b, _ := io.ReadAll(c)
		assert.Equal(t, "bye\n", string(b))
	}
}

// A dialogue that ends its goroutine instead of returning is over all the same.
func TestGoexitEndsTheConnection(t *testing.T) {
	s := &Server{Handle: func(context.Context, *Conn) Dialogue {
		return steps{serve: func() bool { runtime.Goexit(); return true }}
	}}
	us, them := net.Pipe()
	require.NoError(t, s.ServeConn(context.Background(), us, false))
	_, err := them.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
	assert.Empty(t, s.conns)
}

// ServeConn comes back when the last turn is over, and no sooner.
func TestServeConnLastsToTheEnd(t *testing.T) {
	turns := 0
	s := &Server{Handle: func(context.Context, *Conn) Dialogue {
		return steps{serve: func() bool { turns++; return turns < 5 }, wait: func() {}}
	}}
	us, _ := net.Pipe()
	require.NoError(t, s.ServeConn(context.Background(), us, false))
	assert.Equal(t, 5, turns)
}
