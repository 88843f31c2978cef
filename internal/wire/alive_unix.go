//go:build unix

package wire

import "syscall"

// Quiet reports whether the connection is open and has nothing to read, without
// waiting and without taking anything. Where that cannot be found out it
// reports true.
func (r *Reader) Quiet() bool {
	if r.Buffered() > 0 || r.err != nil {
		return false
	}
	if r.socket == nil {
		return true
	}
	r.quiet = false
	return r.socket.Control(r.peek) == nil && r.quiet
}

// peek looks without taking: EAGAIN is silence, all else news.
func (r *Reader) peek(fd uintptr) {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			r.quiet = err == syscall.EAGAIN
			return
		}
	}
}
