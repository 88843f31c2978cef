package safeio

import (
	"errors"
	"io/fs"
	"iter"
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
	err = raw.Control(func(fd uintptr) { failed = retry(func() error { return do(int(fd)) }) })
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
	err = d.control("openat", name, func(at int) error {
		fd, err := syscall.Openat(at, name, flag|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			f = os.NewFile(uintptr(fd), name)
		}
		return err
	})
	return f, err
}

// rename uses the open directories: os.Root walks to both from the top, which
// takes six system calls more. The names are single elements, and rename(2)
// follows no link at the end of a name.
func rename(from *dir, old string, to *dir, name string) error {
	return from.control("renameat", old, func(a int) error {
		if from == to {
			return syscall.Renameat(a, old, a, name)
		}
		return to.control("renameat", name, func(b int) error { return syscall.Renameat(a, old, b, name) })
	})
}

// renameIn holds the directory once for all.
func renameIn(d *dir, pairs iter.Seq2[string, string]) error {
	return d.control("renameat", "", func(fd int) error {
		for from, to := range pairs {
			if !element(from) || !element(to) {
				return syscall.EINVAL
			}
			if err := retry(func() error { return syscall.Renameat(fd, from, fd, to) }); err != nil {
				return &os.LinkError{Op: "renameat", Old: from, New: to, Err: err}
			}
		}
		return nil
	})
}

// control is like the function control, for a directory and a name in it.
func (d *dir) control(op, name string, do func(fd int) error) error {
	var failed error
	err := d.raw.Control(func(fd uintptr) { failed = retry(func() error { return do(int(fd)) }) })
	if err == nil && failed != nil {
		err = &os.PathError{Op: op, Path: name, Err: failed}
	}
	return err
}

// retry repeats what a signal ended.
func retry(do func() error) (err error) {
	for err = do(); errors.Is(err, syscall.EINTR); err = do() {
	}
	return err
}

// readInto opens no os.File: that asks first whether the file can be waited for,
// in five system calls. A pipe that somebody put there is not waited for either.
func readInto(d *dir, name string, buf []byte) (n int, err error) {
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	err = d.control("openat", name, func(at int) error {
		fd, err := syscall.Openat(at, name, flags, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		return retry(func() (err error) {
			n, err = syscall.Read(fd, buf)
			return err
		})
	})
	return max(n, 0), err
}
