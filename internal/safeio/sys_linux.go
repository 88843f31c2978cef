package safeio

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// control calls do with the descriptor of f. Unlike f.Fd it leaves f as it is.
func control(op string, f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for failed = do(int(fd)); errors.Is(failed, syscall.EINTR); failed = do(int(fd)) {
		}
	})
	if err == nil && failed != nil {
		err = &os.PathError{Op: op, Path: f.Name(), Err: failed}
	}
	return err
}

func syncDir(f *os.File) error { return f.Sync() }

func datasync(f *os.File) error { return control("fdatasync", f, syscall.Fdatasync) }

// keepSize is FALLOC_FL_KEEP_SIZE.
const keepSize = 1

func allocate(f *os.File, size int64) error {
	err := control("fallocate", f, func(fd int) error { return syscall.Fallocate(fd, keepSize, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// space counts what is free for those who are not root. A file system that
// makes inodes as it needs them, such as btrfs, says that it has 0 of 0.
func space(f *os.File) (Space, error) {
	var st syscall.Statfs_t
	if err := control("fstatfs", f, func(fd int) error { return syscall.Fstatfs(fd, &st) }); err != nil {
		return Space{-1, -1}, err
	}
	s := Space{Bytes: int64(st.Bavail) * int64(st.Bsize), Inodes: int64(st.Ffree)}
	if st.Files == 0 {
		s.Inodes = -1
	}
	return s, nil
}

// open is one system call where os.Root takes six: a file of the disk needs no
// place in the poller, and asking for one sets its descriptor to non-blocking
// and back. name is a single element, and a link in its place is not followed.
func open(d *dir, name string, flag int, perm fs.FileMode) (f *os.File, err error) {
	err = control("openat", d.self, func(at int) error {
		fd, err := syscall.Openat(at, name, flag|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			f = os.NewFile(uintptr(fd), name)
		}
		return err
	})
	var failed *os.PathError
	if errors.As(err, &failed) {
		failed.Path = name // and not that of the directory
	}
	return f, err
}

// rename uses the open directories: os.Root walks to both from the top, which
// takes six system calls more. The names are single elements, and rename(2)
// follows no link at the end of a name.
func rename(from *os.File, old string, to *os.File, name string) error {
	return control("renameat", from, func(a int) error {
		return control("renameat", to, func(b int) error { return syscall.Renameat(a, old, b, name) })
	})
}
