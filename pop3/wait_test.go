package pop3

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

// overTCP is dial over a socket, which connections wait on as they do at work.
func overTCP(t testing.TB, s *Server) *peer {
	t.Helper()
	c, err := net.Dial("tcp", listen(t, s, false))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	p := &peer{t: t, Conn: c, r: bufio.NewReader(c)}
	p.expect("+OK")
	return p
}

// A session goes on where it was after each long wait, under TLS too, and ends
// as any other.
func TestLongWaits(t *testing.T) {
	for end, secure := range map[string]bool{"QUIT": true, "shutdown": false} {
		t.Run(end, func(t *testing.T) {
			store := storeOf(t, numbered(1), numbered(2))
			s, ca := serverOf(store), authority(t)
			s.TLSConfig = ca.Server()
			p := overTCP(t, s)
			parked(t, 1)
			if secure {
				p.do("STLS", "+OK")
				client := ca.Client()
				client.ServerName = "localhost"
				tc := tls.Client(p.Conn, client)
				require.NoError(t, tc.Handshake())
				p.Conn, p.r = tc, bufio.NewReader(tc)
			}
			for _, line := range []string{"USER mrose", "PASS tanstaaf", "STAT", "DELE 1", "NOOP"} {
				parked(t, 1)
				p.do(line, "+OK")
			}
			parked(t, 1)
			want := 2
			if end == "QUIT" {
				p.do("QUIT", "+OK")
				want = 1
			} else {
				require.NoError(t, s.Shutdown(context.Background()))
				p.expect("-ERR [SYS/TEMP] Server is shutting down")
			}
			p.gone()
			uids, _ := left(t, store)
			assert.Len(t, uids, want, "RFC 1939 §6: only QUIT removes")
		})
	}
}

// The time that a client has for a command is one, wherever it is waited for.
func TestLongWaitEndsInTime(t *testing.T) {
	s := serverOf(storeOf(t))
	s.Timeouts.Command = 500 * time.Millisecond
	p := overTCP(t, s)
	start := time.Now()
	parked(t, 1)
	p.expect("-ERR [SYS/TEMP] Timeout")
	assert.InDelta(t, 0.5, time.Since(start).Seconds(), 0.4)
	p.gone()
}
