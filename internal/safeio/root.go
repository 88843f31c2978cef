package safeio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
)

// maxDirs is how many directories a [Root] keeps open: each costs two file
// descriptors and spares every call on a file in it a walk from the top.
const maxDirs = 64

// Root is an [FS] of the operating system: one directory, by os.Root, so that no
// name and no symbolic link leads out of it. Make it with [OpenRoot].
type Root struct {
	top *os.Root

	mu     sync.Mutex // guards all below, and how much of dirs is in use
	dirs   map[string]*dir
	closed bool
}

var _ FS = (*Root)(nil)

// dir is a directory that is kept open. os.Root and os.File may be closed while
// in use: calls under way end first.
type dir struct {
	root *os.Root
	self *os.File        // the same, to be synced
	raw  syscall.RawConn // of self
	used int             // calls under way; guarded by Root.mu
}

func (d *dir) close() {
	d.root.Close()
	d.self.Close()
}

// OpenRoot opens an existing directory.
func OpenRoot(name string) (*Root, error) {
	top, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &Root{top: top}, nil
}

// openDir opens a directory.
func (r *Root) openDir(name string) (*dir, error) {
	root, err := r.top.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	raw, err := self.SyscallConn()
	if err != nil {
		self.Close()
		root.Close()
		return nil, err
	}
	return &dir{root: root, self: self, raw: raw}, nil
}

// in calls do with the open directory, one that is kept if possible.
func (r *Root) in(name string, do func(d *dir) error) error {
	r.mu.Lock()
	d := r.dirs[name]
	if d != nil {
		d.used++
	}
	r.mu.Unlock()
	if d == nil {
		var err error
		if d, err = r.openDir(name); err != nil {
			return err
		}
		if !r.keep(name, d) {
			defer d.close()
			return do(d)
		}
	}
	defer r.leave(d)
	return do(d)
}

// leave ends a call that used a kept directory.
func (r *Root) leave(d *dir) {
	r.mu.Lock()
	d.used--
	r.mu.Unlock()
}

// keep reports whether d is kept open from now on, for one call that uses it.
func (r *Root) keep(name string, d *dir) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.dirs[name] != nil || len(r.dirs) >= maxDirs {
		return false
	}
	if r.dirs == nil {
		r.dirs = map[string]*dir{}
	}
	d.used = 1
	r.dirs[name] = d
	return true
}

// Rest closes what is kept open of directories that no call uses, until the next
// call needs it. Files and locks stay.
func (r *Root) Rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, d := range r.dirs {
		if d.used == 0 {
			delete(r.dirs, n)
			d.close()
		}
	}
	if len(r.dirs) == 0 {
		r.dirs = nil
	}
}

// forget closes what is kept of a directory that goes, and of those below.
func (r *Root) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, d := range r.dirs {
		// Mostly it is the name of a file, which is longer than these.
		if rest, is := strings.CutPrefix(n, name); is && (rest == "" || rest[0] == '/') {
			delete(r.dirs, n)
			d.close()
		}
	}
}

// OpenFile opens a file; see os.OpenFile. On Linux a symbolic link in its place
// is an error, wherever it leads.
func (r *Root) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, &os.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	var f *os.File
	err := r.in(path.Dir(name), func(d *dir) (err error) {
		f, err = open(d, path.Base(name), flag, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &rootFile{f}, nil
}

// ReadInto reads a file from its start until buf is full or the file ends, which
// it takes a short read for: the caller must know how long the file is to be. It
// spares the system calls with which an os.File begins. A symbolic link is an
// error.
func (r *Root) ReadInto(name string, buf []byte) (n int, err error) {
	if !fs.ValidPath(name) {
		return 0, pathError(OpOpen, name, fs.ErrInvalid)
	}
	err = r.in(path.Dir(name), func(d *dir) (err error) {
		n, err = readInto(d, path.Base(name), buf)
		return err
	})
	return n, err
}

// Mkdir makes a directory.
func (r *Root) Mkdir(name string, perm fs.FileMode) error { return r.top.Mkdir(name, perm) }

// Rename gives a file or directory another name; what had it is replaced.
func (r *Root) Rename(from, to string) error {
	if !fs.ValidPath(from) || !fs.ValidPath(to) || from == "." || to == "." {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrInvalid}
	}
	r.forget(from)
	r.forget(to) // an empty directory may be replaced
	before, after := path.Dir(from), path.Dir(to)
	err := r.in(before, func(a *dir) error {
		if before == after {
			return rename(a, path.Base(from), a, path.Base(to))
		}
		return r.in(after, func(b *dir) error {
			return rename(a, path.Base(from), b, path.Base(to))
		})
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return r.top.Rename(from, to)
	}
	return err
}

// RenameIn renames files within one directory, each as [Root.Rename] does, in the
// order in which pairs yields old and new names. It ends with the first error,
// and does not ask pairs for more than failed.
func (r *Root) RenameIn(name string, pairs iter.Seq2[string, string]) error {
	if !fs.ValidPath(name) {
		return pathError(OpRename, name, fs.ErrInvalid)
	}
	return r.in(name, func(d *dir) error { return renameIn(d, pairs) })
}

// element reports whether a name is one of a file in a directory.
func element(name string) bool {
	return name != "" && name != "." && name != ".." && strings.IndexByte(name, '/') < 0
}

// Link gives a file a second name, which must be free.
func (r *Root) Link(from, to string) error { return r.top.Link(from, to) }

// Remove removes a file or an empty directory.
func (r *Root) Remove(name string) error {
	r.forget(name)
	return r.in(path.Dir(name), func(d *dir) error { return d.root.Remove(path.Base(name)) })
}

// ReadDir gives the names in a directory, in no order.
func (r *Root) ReadDir(name string) ([]fs.DirEntry, error) {
	// A fresh handle: a kept one has a position that others move.
	f, err := r.top.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// ReadNames gives the names in a directory and nothing else, in no order. In a
// large one it is many times faster than ReadDir, which below a root looks at
// each file.
func (r *Root) ReadNames(name string) ([]string, error) {
	f, err := r.top.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Lstat describes a file; a symbolic link is not followed.
func (r *Root) Lstat(name string) (info fs.FileInfo, err error) {
	err = r.in(path.Dir(name), func(d *dir) (err error) {
		info, err = d.root.Lstat(path.Base(name))
		return err
	})
	return info, err
}

// SyncDir syncs the names in a directory.
func (r *Root) SyncDir(name string) error {
	return r.in(name, func(d *dir) error { return syncDir(d.self) })
}

// Lock locks a file; see [FS].
func (r *Root) Lock(name string) (io.Closer, error) {
	c, err := r.lock(name)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return c, nil
}

// Space says what is free on the file system of the directory.
func (r *Root) Space() (Space, error) {
	s := Space{-1, -1}
	err := r.in(".", func(d *dir) (err error) {
		s, err = space(d.self)
		return err
	})
	return s, err
}

// Close closes the directory; files stay open.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.dirs {
		d.close()
	}
	r.dirs, r.closed = nil, true
	return r.top.Close()
}

// rootFile is a file of a [Root].
type rootFile struct{ *os.File }

var _ File = (*rootFile)(nil)

// Allocate reserves room; see [File].
func (f *rootFile) Allocate(size int64) error { return allocate(f.File, size) }

// Datasync syncs the bytes; see [File].
func (f *rootFile) Datasync() error { return datasync(f.File) }
