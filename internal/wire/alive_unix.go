//go:build unix

package wire

import (
	"crypto/tls"
	"syscall"
)

// Quiet reports whether the connection is open and has nothing to read, without
// waiting and without taking anything. Where that cannot be found out it
// reports true.
func (r *Reader) Quiet() bool {
	if r.Buffered() > 0 || r.err != nil {
		return false
	}
	raw := r.raw
	if tc, ok := r.src.(*tls.Conn); ok {
		raw = rawConn(tc.NetConn())
	}
	if raw == nil {
		return true
	}
	if r.look == nil {
		r.look = r.peek
	}
	r.quiet = false
	return raw.Control(r.look) == nil && r.quiet
}

// peek looks without taking: EAGAIN is silence, all else news.
func (r *Reader) peek(fd uintptr) {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	r.quiet = err == syscall.EAGAIN || err == syscall.EINTR
}
