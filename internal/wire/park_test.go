//go:build unix

package wire

import (
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
)

// parkable are connections whose reader can wait on a stack of its own.
var parkable = []string{"tcp", "unix", "tls"}

// parkPair is two ends of a connection, and what lies beneath ours.
func parkPair(t *testing.T, network string) (us, peer, socket net.Conn) {
	t.Helper()
	switch network {
	case "unix":
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		require.NoError(t, err)
		defer l.Close()
		peer, err = net.Dial("unix", l.Addr().String())
		require.NoError(t, err)
		us, err = l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { us.Close(); peer.Close() })
		return us, peer, us
	case "tls":
		a, err := testcert.New("mx.example")
		require.NoError(t, err)
		us, peer := connPair(t, "tcp")
		client := a.Client()
		client.ServerName = "mx.example"
		c, s := tls.Client(peer, client), tls.Server(us, a.Server())
		done := make(chan error, 1)
		go func() { done <- c.Handshake() }()
		require.NoError(t, s.Handshake())
		require.NoError(t, <-done)
		return s, c, us
	}
	us, peer = connPair(t, network)
	return us, peer, us
}

// park has a reader that is parked, with a deadline a while from then.
func park(t *testing.T, network string, wait time.Duration) (r *Reader, peer, socket net.Conn) {
	t.Helper()
	us, peer, socket := parkPair(t, network)
	r = NewReader(us)
	asked := 0
	r.Deadline = func() time.Time {
		if asked++; asked > 1 {
			t.Error("asked for a deadline after the wait has begun")
		}
		if wait == 0 {
			return time.Time{}
		}
		return time.Now().Add(wait)
	}
	start := time.Now()
	require.ErrorIs(t, r.Ready(), ErrParked)
	assert.GreaterOrEqual(t, time.Since(start), patience/2)
	assert.True(t, r.Parked())
	assert.Nil(t, r.buf, "a buffer is kept")
	return r, peer, socket
}

// waiting runs Wait and then Ready, each on a goroutine of its own.
func waiting(r *Reader) <-chan error {
	got := make(chan error)
	go func() {
		r.Wait()
		go func() { got <- r.Ready() }()
	}()
	return got
}

func TestParkAndGoOn(t *testing.T) {
	for _, network := range parkable {
		for _, early := range []bool{false, true} { // before Wait, or perhaps during it
			r, peer, _ := park(t, network, 0)
			var got <-chan error
			if !early {
				got = waiting(r)
			}
			_, err := io.WriteString(peer, "NOOP\r\nQUIT\r\n")
			require.NoError(t, err)
			if early {
				got = waiting(r)
			}
			require.NoError(t, <-got, network)
			assert.False(t, r.Parked())
			for _, want := range []string{"NOOP", "QUIT"} {
				require.NoError(t, r.Ready())
				line, err := r.ReadLine(10)
				require.NoError(t, err)
				assert.Equal(t, want, string(line))
			}
		}
	}
}

func TestParkEnds(t *testing.T) {
	for _, network := range parkable {
		for _, early := range []bool{false, true} {
			for how, c := range map[string]struct {
				do   func(r *Reader, peer, socket net.Conn)
				want func(error) bool
			}{
				"eof":   {func(_ *Reader, peer, _ net.Conn) { peer.Close() }, func(err error) bool { return err == io.EOF }},
				"woken": {func(r *Reader, _, _ net.Conn) { r.Wake() }, func(err error) bool { return err == ErrWoken }},
				"nudged": {func(r *Reader, _, socket net.Conn) { r.Nudge(); _ = socket.SetReadDeadline(past) },
					func(err error) bool { return err == ErrNudged }},
				"closed": {func(_ *Reader, _, socket net.Conn) { socket.Close() }, func(err error) bool { return err != nil && !IsTimeout(err) }},
			} {
				t.Run(network+" "+how, func(t *testing.T) {
					r, peer, socket := park(t, network, 0)
					r.Nudgeable = true
					var got <-chan error
					if !early {
						got = waiting(r)
					}
					c.do(r, peer, socket)
					if early {
						got = waiting(r)
					}
					err := <-got
					assert.True(t, c.want(err), "%v", err)
				})
			}
		}
	}
}

// The deadline is that of the whole wait, and what comes beneath TLS without
// being a word of the peer's does not move it.
func TestParkKeepsTheDeadline(t *testing.T) {
	for _, network := range parkable {
		start := time.Now()
		r, _, _ := park(t, network, 3*patience)
		err := <-waiting(r)
		assert.True(t, IsTimeout(err), "%s: %v", network, err)
		assert.False(t, r.Parked())
		assert.GreaterOrEqual(t, time.Since(start), 3*patience)
	}
}

// The second half of a nudge that was answered before is no reason to give up.
func TestParkAfterALateNudge(t *testing.T) {
	r, peer, socket := park(t, "tcp", time.Hour)
	r.Deadline = nil
	_ = socket.SetReadDeadline(past)
	require.ErrorIs(t, <-waiting(r), ErrParked)
	_, err := io.WriteString(peer, "NOOP\r\n")
	require.NoError(t, err)
	require.NoError(t, <-waiting(r))
}

// A machine so slow that each brief deadline has passed before the read it was
// meant for still gets at what is there.
func TestParkNeverStarves(t *testing.T) {
	for _, network := range parkable {
		us, peer, _ := parkPair(t, network)
		r := NewReader(slow{us})
		r.socket = NewReader(us).socket
		r.try = r.tryOnce
		_, err := io.WriteString(peer, "NOOP\r\n")
		require.NoError(t, err)
		require.ErrorIs(t, r.Ready(), ErrParked, network)
		require.NoError(t, <-waiting(r), network)
	}
}

// slow is a connection whose near deadlines pass at once.
type slow struct{ net.Conn }

func (s slow) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) <= patience {
		t = past
	}
	return s.Conn.SetReadDeadline(t)
}

// Nobody is asked to go where there is nothing to wait with, or where a deadline
// is nearer.
func TestNoParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us, peer := net.Pipe()
		defer peer.Close()
		r, start := NewReader(us), time.Now()
		r.Deadline = func() time.Time { return start.Add(time.Minute) }
		assert.True(t, IsTimeout(r.Ready()))
		assert.Equal(t, time.Minute, time.Since(start))
	})
	us, peer := connPair(t, "tcp")
	r := NewReader(us)
	r.Deadline = func() time.Time { return time.Now().Add(patience / 2) }
	assert.True(t, IsTimeout(r.Ready()))
	r.Deadline = func() time.Time { return time.Now().Add(2 * patience) }
	assert.True(t, IsTimeout(r.Fill(0)), "Fill never parks")
	go func() { _, _ = io.WriteString(peer, "HEL") }()
	r.Deadline = nil
	require.NoError(t, r.Ready())
	assert.NoError(t, r.Ready(), "something is there")
}

// The brief deadline is not left to those who read past the reader.
func TestLend(t *testing.T) {
	us, peer := connPair(t, "tcp")
	r := NewReader(us)
	go func() { _, _ = io.WriteString(peer, "STARTTLS\r\n") }()
	require.NoError(t, r.Ready())
	r.Lend()
	got := make(chan error)
	go func() {
		_, err := us.Read(make([]byte, 1))
		got <- err
	}()
	select {
	case err := <-got:
		t.Error("it ended by itself", err)
	case <-time.After(2 * patience):
	}
	_, err := io.WriteString(peer, "x")
	require.NoError(t, err)
	assert.NoError(t, <-got)
}
