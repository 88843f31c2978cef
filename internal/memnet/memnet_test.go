package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

func pair() (client, server *Conn) {
	return Pair(Addr("client"), Addr("server"))
}

func TestConnCarriesAnything(t *testing.T) {
	a, b := pair()
	want := strings.Repeat("0123456789", 50000)
	var wg sync.WaitGroup
	wg.Go(func() {
		n, err := io.WriteString(a, want)
		assert.Equal(t, len(want), n)
		assert.NoError(t, err)
		assert.NoError(t, a.Close())
	})
	got, err := io.ReadAll(b)
	wg.Wait()
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
	assert.Equal(t, "server", a.RemoteAddr().String())
	assert.Equal(t, "server", b.LocalAddr().String())
	assert.Equal(t, "memory", b.LocalAddr().Network())
}

func TestConnEnds(t *testing.T) {
	p := make([]byte, 8)
	t.Run("close", func(t *testing.T) {
		a, b := pair()
		_, err := io.WriteString(a, "last")
		require.NoError(t, err)
		require.NoError(t, a.Close())
		n, err := b.Read(p)
		assert.Equal(t, "last", string(p[:n]))
		assert.NoError(t, err)
		_, err = b.Read(p)
		assert.Equal(t, io.EOF, err)
		_, err = b.Write(p)
		assert.ErrorIs(t, err, syscall.EPIPE)
		_, err = a.Read(p)
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = a.Write(p)
		assert.ErrorIs(t, err, net.ErrClosed)
	})
	t.Run("half close", func(t *testing.T) {
		a, b := pair()
		require.NoError(t, a.CloseWrite())
		_, err := b.Read(p)
		assert.Equal(t, io.EOF, err)
		_, err = io.WriteString(b, "still")
		require.NoError(t, err)
		n, err := a.Read(p)
		assert.Equal(t, "still", string(p[:n]))
		assert.NoError(t, err)
	})
	t.Run("abort", func(t *testing.T) {
		a, b := pair()
		_, err := io.WriteString(a, "lost")
		require.NoError(t, err)
		a.Abort()
		_, err = b.Read(p)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = b.Write(p)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair()
		begun := time.Now()
		require.NoError(t, a.SetReadDeadline(begun.Add(time.Hour)))
		_, err := a.Read(make([]byte, 1))
		timeout, ok := errors.AsType[net.Error](err)
		require.True(t, ok)
		assert.True(t, timeout.Timeout())
		assert.Equal(t, time.Hour, time.Since(begun))

		require.NoError(t, a.SetDeadline(time.Now().Add(time.Minute)))
		n, err := a.Write(make([]byte, 2*buffer))
		assert.Equal(t, buffer, n)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)

		// Lifted, and set while a read waits.
		require.NoError(t, a.SetDeadline(time.Time{}))
		time.AfterFunc(time.Second, func() { a.SetReadDeadline(time.Unix(1, 0)) })
		_, err = a.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, b.SetWriteDeadline(time.Unix(1, 0)))
		_, err = b.Write([]byte("x"))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		a.Close()
	})
}

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen("here:25")
		assert.Equal(t, "here:25", l.Addr().String())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := l.Dial(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		go func() {
			c, err := l.Accept()
			assert.NoError(t, err)
			c.Close()
		}()
		c, err := l.Dial(t.Context())
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		assert.Equal(t, io.EOF, err)
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		_, err = l.Dial(t.Context())
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		_, err = l.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	})
}

// The connections in memory are what the net package calls a Conn.
func TestConnIsANetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := pair()
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}
