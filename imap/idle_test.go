package imap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// One goroutine for each idle connection and no buffers while it waits: what
// 500 of them hold is measured after a garbage collection, stacks included.
func TestIdleMemory(t *testing.T) {
	const n = 500
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	s := serverOf(store)
	s.Limits.ConnsPerIP = -1
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	before := inUse()
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
		assert.NoError(t, s.Close())
		assert.NoError(t, <-done)
	}()
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		conns = append(conns, c)
		_, err = io.WriteString(c, "a LOGIN alice secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
		require.NoError(t, err)
		waitFor(t, c, "+ idling\r\n")
	}
	parked(t, n)
	each := (inUse() - before) / n
	t.Logf("%d octets a connection, both ends of the socket included", each)
	if raceEnabled || runtime.GOOS == "windows" {
		return // which need memory of their own
	}
	assert.Less(t, each, int64(8<<10)) // some 4 KiB, what the own end of the test takes, and what other tests left in pieces
}

// parked comes back when n connections wait each on a small stack of its own,
// with no other goroutine, as they do after a while; see serve.Dialogue.
func parked(t testing.TB, n int) {
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

// Who has waited for long is told the news at once, goes on where it was, and
// learns of the end, in IDLE and outside.
func TestLongWaits(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	s := serverOf(panicky{store})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	join := func() *peer {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		p := &peer{t: t, conn: c, r: bufio.NewReader(c)}
		t.Cleanup(func() { c.Close() })
		p.deadline()
		require.Contains(t, p.line(), "* OK")
		parked(t, 1)
		p.ok("LOGIN alice secret")
		p.ok("SELECT INBOX")
		return p
	}
	a := join()
	for i := range 3 {
		a.send("i IDLE\r\n")
		assert.Equal(t, "+ idling", a.line())
		for j := range 2 {
			parked(t, 1)
			put(t, store, "INBOX", 1)
			assert.Equal(t, fmt.Sprintf("* %d EXISTS", 2*i+j+2), a.line())
			a.line() // RECENT
		}
		parked(t, 1)
		a.send("DONE\r\n")
		assert.Equal(t, "i OK IDLE terminated", a.line())
		parked(t, 1)
		assert.Empty(t, a.ok("NOOP"))
	}
	a.send("x CREATE boom\r\n")
	assert.Equal(t, "* BYE [SERVERBUG] Internal error", a.line())
	a.conn.Close()

	b := join()
	b.send("i IDLE\r\n")
	assert.Equal(t, "+ idling", b.line())
	parked(t, 1)
	require.NoError(t, s.Shutdown(context.Background()))
	assert.Equal(t, "* BYE [UNAVAILABLE] Server is shutting down", b.line())
	assert.NoError(t, <-done)
}

// waitFor reads up to a text, and no further.
func waitFor(t testing.TB, c net.Conn, text string) {
	t.Helper()
	var got []byte
	b := make([]byte, 4096)
	for len(got) < len(text) || string(got[len(got)-len(text):]) != text {
		n, err := c.Read(b)
		require.NoError(t, err, "after %q", got)
		got = append(got, b[:n]...)
	}
}

// inUse is the memory of heap and stacks.
func inUse() int64 {
	for range 3 { // stacks shrink by half each time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// mute is a store that cannot watch.
type mute struct{ mailbox.Store }

func (m mute) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	mb, err := m.Store.Open(ctx, id)
	return muteBox{mb}, err
}

type muteBox struct{ mailbox.Mailbox }

func (muteBox) Watch(func()) func() { return nil }

// A store that cannot watch is asked from time to time (Timeouts.Poll).
func TestIdlePolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := testStore()
		p := enter(t, serverOf(mute{store}), "INBOX")
		_ = p.conn.SetDeadline(time.Time{})
		go io.WriteString(p.conn, "x IDLE\r\n")
		assert.Equal(t, "+ idling", p.line())
		for range 3 {
			put(t, store, "INBOX", 1)
			start := time.Now()
			assert.Contains(t, p.line(), "EXISTS")
			p.line()
			assert.LessOrEqual(t, time.Since(start), time.Minute)
		}
		go io.WriteString(p.conn, "DONE\r\n")
		assert.Equal(t, "x OK IDLE terminated", p.line())
		put(t, store, "INBOX", 1)
		assert.Equal(t, []string{"4 EXISTS", "0 RECENT"}, p.ok("NOOP"))
	})
}

// A long command says that it goes on (RFC 9585).
func TestProgress(t *testing.T) {
	store := testStore()
	for range 40 {
		put(t, store, "INBOX", 1, 2, 3, 4, 5)
	}
	s := serverOf(store)
	s.Timeouts.Progress = time.Nanosecond
	p := enter(t, s, "INBOX")
	got := p.ok("SEARCH TEXT nothing")
	require.Len(t, got, 4)
	assert.Equal(t, `OK [INPROGRESS ("t3" 64 200)] Still looking`, got[0])
	p.send("a]b SEARCH TEXT nothing\r\n")
	assert.Equal(t, `* OK [INPROGRESS (NIL 64 200)] Still looking`, p.line(), "the tag would end the code")
}

// A panic of the store ends one session and no other.
func TestPanicEndsOneSession(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	s := serverOf(panicky{store})
	a, b := login(t, s), enter(t, s, "INBOX")
	a.send("x CREATE boom\r\n")
	assert.Equal(t, "* BYE [SERVERBUG] Internal error", a.line())
	b.ok("FETCH 1 BODY[]")
}

type panicky struct{ mailbox.Store }

func (panicky) Create(context.Context, string, ...string) (mailbox.ID, error) { panic("boom") }

// TestServeTLS serves IMAP under implicit TLS, and not without a certificate.
func TestServeTLS(t *testing.T) {
	s := serverOf(testStore())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, s.ServeTLS(l), errNoTLS)
	l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, s.Run(context.Background(), nil, l), errNoTLS)
}
