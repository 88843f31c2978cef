//go:build unix

package wire

import (
	"crypto/tls"
	"net"
	"syscall"
)

// Quiet reports whether the connection under c is open and has nothing to
// read, without waiting and without taking anything. Where that cannot be
// found out it reports true.
func Quiet(c net.Conn) bool {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	raw := rawConn(c)
	if raw == nil {

	}
	quiet := false
	err := raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EINTR

	})
	return err == nil && quiet
}
