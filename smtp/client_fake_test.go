package smtp

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/script"
)

// played makes a client whose connections are played by the scripts, one each,
// in order; every script must be played to its end.
func played(t *testing.T, scripts ...string) *Client {
	t.Helper()
	c := &Client{Addr: "mx.example:25", TLS: TLSNone, LocalName: "client.example"}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	c.Dial = func(context.Context, string, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(scripts) {
			return nil, errors.New("no script is left")
		}
		s, err := script.Parse("script", scripts[next])
		require.NoError(t, err)
		next++
		us, peer := net.Pipe()
		wg.Go(func() {
			_, err := script.Player{Timeout: 3 * time.Second}.PlayServer(context.Background(), peer, s)
			assert.NoError(t, err)
		})
		return us, nil
	}
	t.Cleanup(func() {
		c.Close()
		wg.Wait()
		assert.Equal(t, len(scripts), next, "connections made")
	})
	return c
}

// hello is how most scripts begin.
const hello = `S: 220 mx.example ESMTP
C: EHLO client.example
`

const ehloAll = hello + `S: 250-mx.example
S: 250-PIPELINING
S: 250-CHUNKING
S: 250-8BITMIME
S: 250-DSN
S: 250 ENHANCEDSTATUSCODES
`

const ehloPipelining = hello + `S: 250-mx.example
S: 250 PIPELINING
`

// silent plays a script that the client never brings to its end.
func silent(t *testing.T, text string) (c *Client, stop func()) {
	s, err := script.Parse("script", text)
	require.NoError(t, err)
	us, peer := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = script.Player{}.PlayServer(context.Background(), peer, s)
	}()
	c = &Client{Addr: "mx.example:25", TLS: TLSNone, LocalName: "client.example"}
	c.Dial = func(context.Context, string, string) (net.Conn, error) { return us, nil }
	return c, func() { c.Close(); us.Close(); <-done }
}
