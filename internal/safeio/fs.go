package safeio

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
)

// FS is a directory with all below it. Names are relative to it, with slashes,
// as [fs.ValidPath] wants them. The methods may be called concurrently. Errors
// are those of package os; errors.Is finds fs.ErrExist, fs.ErrNotExist and the
// numbers of package syscall.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	Rename(from, to string) error
	Link(from, to string) error
	Remove(name string) error
	ReadDir(name string) ([]fs.DirEntry, error) // in any order
	Lstat(name string) (fs.FileInfo, error)

	// SyncDir returns when the names in a directory are on the disk.
	SyncDir(name string) error
	// Lock takes a file, made if it is not there, for this process alone, until
	// closed or the process ends. The error is [ErrLocked] if another has it.
	Lock(name string) (io.Closer, error)
	// Space says what is free.
	Space() (Space, error)
	Close() error
}

// File is an open file. All but Write may be called concurrently.
type File interface {
	io.ReaderAt
	io.Writer // goes on where the last Write ended
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Allocate reserves room on the disk for the first size bytes, without
	// changing how long the file is. Where the system cannot, it does nothing.
	Allocate(size int64) error
	// Sync returns when the file is on the disk. Datasync may leave out what is
	// not needed to read the bytes, such as the time of the change.
	Sync() error
	Datasync() error
}

// Space is what is free for us; -1 is not known.
type Space struct {
	Bytes  int64
	Inodes int64
}

// ErrLocked says that somebody else holds the lock.
var ErrLocked = errors.New("safeio: locked by another process")

// Replace writes a small file under name, durably, in place of one that may be
// there: after a crash there is the one or the other. tmp is a name in a
// directory of the same FS, for the time being.
func Replace(fsys FS, tmp, name string, data []byte, perm fs.FileMode) error {
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	return fsys.SyncDir(path.Dir(name))
}

// MkdirSync makes a directory, durably. One that is there already is synced as
// well, since whoever made it may have died before doing so.
func MkdirSync(fsys FS, name string, perm fs.FileMode) error {
	if err := fsys.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// ReadFile reads up to limit bytes of a file; one that is longer is an error.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	r, ok := fsys.(interface {
		ReadInto(name string, buf []byte) (int, error)
	})
	if ok && limit < smallFile {
		return readSmall(r.ReadInto, name, limit)
	}
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = tooLong(name)
	}
	return b, err
}

// smallFile is how much is read at once.
const smallFile = 8 << 10

var smallPool = sync.Pool{New: func() any { return new([smallFile]byte) }}

// readSmall leaves no garbage: who opens thousands of accounts reads thousands
// of files that have a line each.
func readSmall(readInto func(string, []byte) (int, error), name string, limit int64) ([]byte, error) {
	buf := smallPool.Get().(*[smallFile]byte)
	defer smallPool.Put(buf)
	n, err := readInto(name, buf[:limit+1])
	switch {
	case err != nil:
		return nil, err
	case int64(n) > limit:
		return nil, tooLong(name)
	}
	return bytes.Clone(buf[:n]), nil
}

func tooLong(name string) error {
	return &fs.PathError{Op: "read", Path: name, Err: errors.New("file is too long")}
}
