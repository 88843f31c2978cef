package smtptest

import (
	"io"
	"net"
	"sync"
	"time"
)

// feedBuffer is how much is read ahead of a dialogue, and so the longest line
// that is looked at; longer ones go through as they are.
const feedBuffer = 64 << 10

// feed reads one side of a dialogue in the background, so that the dialogue
// can wait for both sides at once: for a reply, and for the client to hang up
// meanwhile. Its fields are guarded by the dialogue's lock.
type feed struct {
	cond   *sync.Cond // of the dialogue
	conn   net.Conn
	buf    []byte
	err    error // why nothing more comes
	paused bool
	done   chan struct{} // closed when the reading goroutine is gone
}

// start reads from c from now on.
func (f *feed) start(c net.Conn) {
	f.conn, f.paused, f.done = c, false, make(chan struct{})
	go f.pump(c, f.done)
}

func (f *feed) pump(c net.Conn, done chan struct{}) {
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
func (f *feed) room() bool {
	f.cond.L.Lock()
	defer f.cond.L.Unlock()
	for len(f.buf) >= feedBuffer && !f.paused && f.err == nil {
		f.cond.Wait()
	}
	return !f.paused && f.err == nil
}

func (f *feed) add(b []byte, err error) bool {
	f.cond.L.Lock()
	defer f.cond.L.Unlock()
	f.buf = append(f.buf, b...)
	if err != nil && !f.paused && f.err == nil {
		f.err = err
	}
	f.cond.Broadcast()
	return err == nil
}

// pause ends the reading goroutine, without a loss, so that another layer can
// take over the connection.
func (f *feed) pause() {
	f.cond.L.Lock()
	f.paused = true
	f.cond.Broadcast()
	f.cond.L.Unlock()
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
	<-f.done
	_ = f.conn.SetReadDeadline(time.Time{})
}

// stop makes the feed give io.EOF and waits for its goroutine; the connection
// must be closed already.
func (f *feed) stop() {
	f.cond.L.Lock()
	if f.err == nil {
		f.err = io.EOF
	}
	f.cond.Broadcast()
	done := f.done
	f.cond.L.Unlock()
	if done != nil {
		<-done
	}
}

// line takes a line with its LF out of the buffer, or, once that is full or
// nothing more comes, all there is.
func (f *feed) line() ([]byte, bool) {
	for i, c := range f.buf {
		if c == '\n' {
			return f.take(i + 1), true
		}
	}
	if len(f.buf) >= feedBuffer || f.err != nil && len(f.buf) > 0 {
		return f.take(len(f.buf)), true
	}
	return nil, false
}

// take takes n octets.
func (f *feed) take(n int) []byte {
	b := append([]byte(nil), f.buf[:n]...)
	f.buf = f.buf[:copy(f.buf, f.buf[n:])]
	f.cond.Broadcast()
	return b
}

// hasLine reports whether line would give something.
func (f *feed) hasLine() bool {
	for _, c := range f.buf {
		if c == '\n' {
			return true
		}
	}
	return len(f.buf) >= feedBuffer || f.err != nil && len(f.buf) > 0
}
