//go:build unix

package wire

import (
	"io"
	"net"
	"runtime"
	"syscall"
)

// rawConn gives the means to wait on c without a buffer, nil where there is
// none: only the connections of package net itself are taken, since a wrapper
// that embeds one would be read behind its back.
func rawConn(c net.Conn) syscall.RawConn {
	switch c := c.(type) {
	case *net.TCPConn:
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	case *net.UnixConn:
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// readRaw waits for bytes and takes a buffer only when they are there.
func (r *Reader) readRaw() (int, error) {
	r.tryErr = nil
	// Whoever waits here has just answered. Where other connections have work,
	// theirs comes first, and often the peer has spoken by the time of the
	// first attempt, which saves the one that finds nothing and the wait.
	runtime.Gosched()
	if err := r.raw.Read(r.try); err != nil {
		r.Release()
		return 0, err
	}
	n := r.w
	r.w = 0 // Fill adds it
	return n, r.tryErr
}

// tryRead is one attempt; false asks to wait until fd is readable. It leaves
// the count in w.
func (r *Reader) tryRead(fd uintptr) bool {
	if r.buf == nil {
		r.take()
	}
	for {
		n, err := syscall.Read(int(fd), r.buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			r.Release()
			return false
		case err != nil:
			r.Release()
			r.tryErr = &net.OpError{Op: "read", Net: "tcp", Err: err}
			return true
		case n == 0:
			r.Release()
			r.tryErr = io.EOF
			return true
		}
		r.w = n
		return true
	}
}
