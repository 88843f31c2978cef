package fake

import (
	"io"
	"net"
	"sync"
	"time"
)

// Ahead is how much is read ahead, unless one unit is longer.
const Ahead = 64 << 10

// Feed reads one side of a dialogue in the background, so that who stands
// between can wait for both sides at once: for a reply, and for the client to
// hang up meanwhile. Its fields are guarded by the lock of Cond, which Unit and
// Take are called under.
type Feed struct {
	Cond *sync.Cond
	Cut  func([]byte) int // gives the octets of the next unit, or 0
	Buf  []byte           // what was read ahead
	Err  error            // why nothing more comes

	conn   net.Conn
	wants  bool // somebody waits for the rest of a unit, however long
	paused bool
	done   chan struct{} // closed when the reading goroutine is gone
}

// Start reads from c from now on.
func (f *Feed) Start(c net.Conn) {
	f.conn, f.paused, f.done = c, false, make(chan struct{})
	go f.pump(c, f.done)
}

func (f *Feed) pump(c net.Conn, done chan struct{}) {
	defer close(done)
	p := make([]byte, 16<<10)
	for f.room() {
		n, err := c.Read(p)
		if !f.add(p[:n], err) {
			return
		}
	}
}

// room waits until there is some; false ends the reading.
func (f *Feed) room() bool {
	f.Cond.L.Lock()
	defer f.Cond.L.Unlock()
	for len(f.Buf) >= Ahead && !f.wants && !f.paused && f.Err == nil {
		f.Cond.Wait()
	}
	return !f.paused && f.Err == nil
}

func (f *Feed) add(b []byte, err error) bool {
	f.Cond.L.Lock()
	defer f.Cond.L.Unlock()
	f.Buf = append(f.Buf, b...)
	if err != nil && !f.paused && f.Err == nil {
		f.Err = err
	}
	f.Cond.Broadcast()
	return err == nil
}

// Pause ends the reading goroutine, without a loss, so that another layer can
// Take over the connection.
func (f *Feed) Pause() {
	f.Cond.L.Lock()
	f.paused = true
	f.Cond.Broadcast()
	f.Cond.L.Unlock()
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
	<-f.done
	_ = f.conn.SetReadDeadline(time.Time{})
}

// Stop makes the feed give io.EOF and waits for its goroutine; the connection
// must be closed already.
func (f *Feed) Stop() {
	f.Cond.L.Lock()
	if f.Err == nil {
		f.Err = io.EOF
	}
	f.Cond.Broadcast()
	done := f.done
	f.Cond.L.Unlock()
	if done != nil {
		<-done
	}
}

// Unit takes the next unit out of the buffer, or, once nothing more comes, all
// there is.
func (f *Feed) Unit() ([]byte, bool) {
	n := f.Cut(f.Buf)
	if n == 0 && f.Err != nil {
		n = len(f.Buf)
	}
	if f.wants = n == 0 && len(f.Buf) > 0; f.wants {
		f.Cond.Broadcast()
	}
	if n == 0 {
		return nil, false
	}
	return f.Take(n), true
}

// Take takes n octets.
func (f *Feed) Take(n int) []byte {
	b := append([]byte(nil), f.Buf[:n]...)
	f.Buf = f.Buf[:copy(f.Buf, f.Buf[n:])]
	f.Cond.Broadcast()
	return b
}

// HasUnit reports whether Unit would give something.
func (f *Feed) HasUnit() bool { return f.Cut(f.Buf) > 0 || f.Err != nil && len(f.Buf) > 0 }
