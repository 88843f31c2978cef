package smtp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// box is a handler that keeps what it gets.
type box struct {
	mu   sync.Mutex
	mail []string
	envs []Envelope
}

func (b *box) handler() Handler {
	return Handler{Message: func(_ context.Context, t *Transaction, body io.Reader) error {
		data, err := io.ReadAll(t.Reader(body))
		if err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.mail = append(b.mail, string(data))
		b.envs = append(b.envs, t.Envelope.Clone())
		return nil
	}}
}

func start(t testing.TB, s *Server) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, <-done)
	})
	return l.Addr().String()
}

func envelope(t testing.TB, from string, to ...string) Envelope {
	e, err := NewEnvelope(from, to...)
	require.NoError(t, err)
	return e
}

func TestClientSends(t *testing.T) {
	var b box
	addr := start(t, &Server{Handler: b.handler()})
	c := &Client{Addr: addr, TLS: TLSNone}
	defer c.Close()
	big := strings.Repeat("0123456789 ..\r\n.dot\r\n", 40000)
	for i, body := range []string{"hi\r\n", "", ".\n", "a\rb\nc", big} {
		sent, err := c.Send(context.Background(), envelope(t, "a@b.c", "d@e.f", "g@h.i"), strings.NewReader(body))
		require.NoError(t, err, "%d", i)
		require.Len(t, sent.Results, 2)
		assert.Equal(t, Accepted, sent.Results[1].Status)
	}
	assert.Equal(t, []string{"hi\r\n", "", ".\r\n", "a\r\nb\r\nc\r\n", big}, b.mail)
}

func BenchmarkClient(b *testing.B) {
	for _, chunking := range []bool{true, false} {
		b.Run(fmt.Sprint("chunking=", chunking), func(b *testing.B) {
			s := &Server{}
			if !chunking {
				s.Without = []string{"CHUNKING"}
			}
			addr := start(b, s)
			c := &Client{Addr: addr, TLS: TLSNone, Dial: nil}
			defer c.Close()
			body := []byte(strings.Repeat("x", 76) + "\r\n")
			body = bytes.Repeat(body, 13)
			env := envelope(b, "a@b.c", "d@e.f")
			b.ReportAllocs()
			r := bytes.NewReader(body)
			for b.Loop() {
				r.Reset(body)
				if _, err := c.Send(context.Background(), env, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
