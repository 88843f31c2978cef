package safeio

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// errSharing is ERROR_SHARING_VIOLATION.
const errSharing = syscall.Errno(32)

// lock opens the file so that nobody else can. A name of ours is no link.
func (r *Root) lock(name string) (io.Closer, error) {
	p, err := syscall.UTF16PtrFromString(filepath.Join(r.top.Name(), filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharing) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), name), nil
}
