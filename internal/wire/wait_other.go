//go:build !unix

package wire

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (r *Reader) readRaw() (int, error) { return 0, nil }

func (r *Reader) tryOnce(uintptr) bool { return true }

// Wait is never called: Ready does not park here.
func (r *Reader) Wait() {}
