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

// tryOnce is one attempt at what the reader waits for; false asks to wait until
// fd is readable.
func (r *Reader) tryOnce(fd uintptr) bool {
	if r.parked {
		return r.trySight(fd)
	}
	return r.tryRead(fd)
}

// tryRead reads, and leaves the count in w.
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

// Wait waits after [ErrParked] until Ready has something to do: bytes, the end,
// a deadline, or somebody who disturbs. It takes no more than a few hundred
// bytes of stack: it reads nothing, and leaves it to Ready to find out what
// there is.
func (r *Reader) Wait() {
	r.looked = false
	_ = r.socket.Read(r.try)
}

// trySight is one look for something to read. When it is called again the
// socket has become readable since.
func (r *Reader) trySight(fd uintptr) bool {
	if !r.looked {
		r.looked = true
		r.peek(fd)
		return !r.quiet
	}
	return true
}
