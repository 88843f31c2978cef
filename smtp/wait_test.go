package smtp

import (
	"context"
	"io"
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

// A dialogue goes on where it was after each long wait, under TLS too, and ends
// as any other: by a panic, by the peer, by the server.
func TestLongWaits(t *testing.T) {
	server, client := bothTLS(t)
	for end, secure := range map[string]bool{"panic": false, "peer": false, "shutdown": true} {
		t.Run(end, func(t *testing.T) {
			noLeaks(t)
			closed := make(chan error, 1)
			s := &Server{TLSConfig: server, Handler: Handler{
				Message: func(context.Context, *Transaction, io.Reader) error {
					if end == "panic" {
						panic("boom")
					}
					return nil
				},
				Close: func(_ *Session, err error) { closed <- err },
			}}
			p := serveTCP(t, s)
			parked(t, 1)
			p.hello()
			parked(t, 1)
			if secure {
				p.want("STARTTLS", "220")
				p.startTLS(client)
				parked(t, 1)
				p.want("EHLO c", "250")
			}
			for _, line := range []string{"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "RCPT TO:<d@d.example>"} {
				parked(t, 1)
				p.want(line, "250")
			}
			parked(t, 1)
			p.want("DATA", "354")
			p.send("x\r\n.\r\n")
			if end == "panic" {
				p.expect("421 4.3.0")
				p.over()
				assert.ErrorContains(t, <-closed, "boom")
				return
			}
			p.expect("250")
			parked(t, 1)
			if end == "peer" {
				p.close()
				assert.ErrorIs(t, <-closed, io.EOF)
				return
			}
			require.NoError(t, s.Shutdown(context.Background()))
			p.expect("421 4.3.2")
			p.over()
			assert.ErrorContains(t, <-closed, "shutting down")
		})
	}
}

// The time that a peer has for a command is one, wherever it is waited for.
func TestLongWaitEndsInTime(t *testing.T) {
	s := &Server{Timeouts: Timeouts{Command: 500 * time.Millisecond}}
	p := serveTCP(t, s)
	p.hello()
	start := time.Now()
	parked(t, 1)
	p.expect("421 4.4.2")
	assert.InDelta(t, 0.5, time.Since(start).Seconds(), 0.4)
	p.over()
}
