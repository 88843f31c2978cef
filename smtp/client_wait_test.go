package smtp

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Row 16: a server that refuses in mid-message and stops reading cannot hold
// the client, and its word is heard.
func TestEarlyRefusalWhileSending(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	release := make(chan struct{})
	defer close(release)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		_, _ = io.WriteString(c, "220 x\r\n")
		for _, reply := range []string{"250-x\r\n250 PIPELINING\r\n", "250 ok\r\n", "250 ok\r\n", "354 ok\r\n", "552 5.3.4 too much\r\n"} {
			_, _ = r.ReadString('\n')
			_, _ = io.WriteString(c, reply)
		}
		<-release // and reads no more
	}()
	c := &Client{Addr: l.Addr().String(), TLS: TLSNone}
	defer c.Close()
	sent, err := c.Send(t.Context(), envelope(t, "a@b.example", "c@d.example"), strings.NewReader(strings.Repeat("0123456789abcd\r\n", 4<<20)))
	require.Error(t, err)
	assert.Equal(t, Permanent, sent.Results[0].Status)
	assert.Equal(t, 552, sent.Results[0].Reply.Code)
}

func TestContextEndsEveryWait(t *testing.T) {
	for name, dialogue := range map[string]string{
		"greeting": "C: never\n",
		"EHLO":     hello + "C: never\n",
		"MAIL":     ehloAll + "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: BDAT 3 LAST\nC: x\nC: never\n",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			us, stop := silent(t, dialogue)
			defer stop()
			_, err := us.Send(ctx, envelope(t, "a@b.example", "c@d.example"), strings.NewReader("x"))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// Every wait of the client ends, in virtual time.
func TestClientTimeouts(t *testing.T) {
	stages := map[string]struct {
		replies []string
		want    time.Duration
	}{
		"greeting": {nil, time.Minute},
		"EHLO":     {[]string{"220 x\r\n"}, time.Minute},
		"MAIL":     {[]string{"220 x\r\n", "250 x\r\n"}, time.Minute},
		"DATA":     {[]string{"220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n"}, time.Minute},
		"end":      {[]string{"220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 x\r\n"}, 3 * time.Minute},
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				us, peer := net.Pipe()
				go func() {
					buf := make([]byte, 4096)
					for i, reply := range stage.replies {
						if i > 0 {
							_, _ = peer.Read(buf)
						}
						_, _ = io.WriteString(peer, reply)
					}
					_, _ = io.Copy(io.Discard, peer)
				}()
				c := &Client{Addr: "x:25", TLS: TLSNone, Timeouts: Timeouts{Command: time.Minute, DataEnd: 3 * time.Minute},
					Dial: func(context.Context, string, string) (net.Conn, error) { return us, nil }}
				begin := time.Now()
				_, err := c.Send(context.Background(), envelope(t, "a@b.example", "c@d.example"), strings.NewReader("x"))
				assert.Error(t, err)
				assert.InDelta(t, stage.want.Seconds(), time.Since(begin).Seconds(), stage.want.Seconds()/32)
				c.Close()
				us.Close()
				peer.Close()
			})
		})
	}
}

// The pool keeps its bounds: so many at once, so many idle, not for ever.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		var conns, open atomic.Int32
		c := &Client{Addr: "x:25", TLS: TLSNone, Pool: Pool{PerTarget: 3, MaxIdle: 2, MaxMessages: 5, IdleTimeout: time.Minute}}
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			us, peer := net.Pipe()
			conns.Add(1)
			open.Add(1)
			go func() { _ = s.ServeConn(context.Background(), peer); open.Add(-1) }()
			return us, nil
		}
		env := envelope(t, "a@b.example", "c@d.example")
		done := make(chan error)
		for range 20 {
			go func() {
				_, err := c.Send(context.Background(), env, strings.NewReader("x"))
				done <- err
			}()
		}
		for range 20 {
			assert.NoError(t, <-done)
			assert.LessOrEqual(t, open.Load(), int32(3+2)) // those saying goodbye are still there
		}
		synctest.Wait()
		assert.LessOrEqual(t, open.Load(), int32(2))
		assert.GreaterOrEqual(t, conns.Load(), int32(4)) // five messages each
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Zero(t, open.Load())
		assert.Empty(t, c.pools, "a pool without use is forgotten")

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p := c.pool(c.target())
		for range 3 {
			require.NoError(t, p.acquire(ctx))
		}
		_, err := c.Send(ctx, env, strings.NewReader("x"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		c.Close()
		assert.NoError(t, s.Close())
	})
}
