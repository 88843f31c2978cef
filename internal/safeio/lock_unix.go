//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package safeio

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lock uses flock: it ends with the process, however that ends, and a second
// one in the same process is refused too.
func (r *Root) lock(name string) (io.Closer, error) {
	f, err := r.top.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) { failed = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
		if err == nil {
			err = failed
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	return nil, err
}
