package wire

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func connPair(t *testing.T, network string) (us, peer net.Conn) {
	if network == "pipe" {
		us, peer = net.Pipe()
	} else {
		l, err := net.Listen(network, "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		peer, err = net.Dial(network, l.Addr().String())
		require.NoError(t, err)
		us, err = l.Accept()
		require.NoError(t, err)
	}
	t.Cleanup(func() { us.Close(); peer.Close() })
	return us, peer
}

func TestWatch(t *testing.T) {
	for _, network := range []string{"tcp", "pipe"} {
		t.Run(network+" gone", func(t *testing.T) {
			us, peer := connPair(t, network)
			r, gone := NewReader(us), make(chan struct{})
			r.Watch(func() { close(gone) })
			peer.Close()
			<-gone
			_, err := r.ReadLine(10)
			assert.ErrorIs(t, err, io.EOF)
		})
		t.Run(network+" sends", func(t *testing.T) {
			us, peer := connPair(t, network)
			r := NewReader(us)
			r.Watch(func() { t.Error("the peer is there") })
			go func() { _, _ = io.WriteString(peer, "NOOP\r\n") }()
			line, err := r.ReadLine(10)
			require.NoError(t, err)
			assert.Equal(t, "NOOP", string(line))
		})
		t.Run(network+" silent", func(t *testing.T) {
			us, peer := connPair(t, network)
			r := NewReader(us)
			r.Watch(func() { t.Error("the peer is there") })
			r.Unwatch()
			go func() { _, _ = io.WriteString(peer, "NOOP\r\n") }()
			line, err := r.ReadLine(10)
			require.NoError(t, err)
			assert.Equal(t, "NOOP", string(line))
		})
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us, peer := net.Pipe()
		defer peer.Close()
		r := NewReader(us)
		start := time.Now()
		r.Deadline = func() time.Time { return start.Add(time.Minute) }
		_, err := r.ReadLine(10)
		assert.True(t, IsTimeout(err), err)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWake(t *testing.T) {
	us, _ := connPair(t, "tcp")
	r, waiting := NewReader(us), make(chan struct{})
	r.Deadline = func() time.Time { close(waiting); return time.Time{} }
	got := make(chan error)
	go func() {
		_, err := r.ReadLine(10)
		got <- err
	}()
	<-waiting
	r.Wake()
	assert.ErrorIs(t, <-got, ErrWoken)
	r.Deadline = nil
	_, err := r.ReadLine(10)
	assert.ErrorIs(t, err, ErrWoken)
}

// A nudge ends one wait and no more, is kept for a wait to come, moves no
// deadline for good, and does not disturb reads that are not to be disturbed.
func TestNudge(t *testing.T) {
	us, peer := connPair(t, "tcp")
	r := NewReader(us)
	nudge := func() { r.Nudge(); _ = us.SetReadDeadline(past) }
	for range 100 {
		waiting, got := make(chan struct{}, 2), make(chan error)
		r.Deadline = func() time.Time { waiting <- struct{}{}; return time.Now().Add(time.Minute) }
		r.Nudgeable = true
		go func() { got <- r.Fill(0) }()
		<-waiting
		nudge()
		assert.ErrorIs(t, <-got, ErrNudged)
		nudge() // nobody waits
		assert.ErrorIs(t, r.Fill(0), ErrNudged)
		_ = us.SetReadDeadline(past) // the second half of a nudge comes late
		r.Nudgeable, r.Deadline = false, nil
		_, err := io.WriteString(peer, "x\r\n")
		require.NoError(t, err)
		nudge()
		line, err := r.ReadLine(10)
		require.NoError(t, err)
		require.Equal(t, "x", string(line))
	}
	r.Nudgeable = true
	r.Deadline = func() time.Time { return time.Now().Add(time.Millisecond) }
	var err error
	for err = ErrNudged; errors.Is(err, ErrNudged); err = r.Fill(0) {
	}
	assert.True(t, IsTimeout(err), "%v", err)
}
