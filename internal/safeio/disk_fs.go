package safeio

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// begin takes the lock for a call on a name that must be valid. If ok the call
// takes effect; err is what it then returns.
func (d *Disk) begin(op Op, name string) (ok bool, err error) {
	d.mu.Lock()
	f, ok := d.enter(op, name)
	if !fs.ValidPath(name) {
		return false, pathError(op, name, fs.ErrInvalid)
	}
	if f.Err != nil {
		err = pathError(op, name, f.Err)
	}
	return ok, err
}

// OpenFile opens a file. O_TRUNC is not played.
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := OpOpen
	if flag&os.O_CREATE != 0 {
		op = OpCreate
	}
	ok, err := d.begin(op, name)
	defer d.mu.Unlock()
	if !ok {
		return nil, err
	}
	n := d.now.find(name)
	switch {
	case n != nil && flag&os.O_EXCL != 0 && op == OpCreate:
		return nil, pathError(op, name, fs.ErrExist)
	case n != nil && n.dir:
		return nil, pathError(op, name, syscall.EISDIR)
	case n == nil && op == OpOpen:
		return nil, pathError(op, name, fs.ErrNotExist)
	case n == nil:
		if dir, _ := d.now.parent(name); dir == nil {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
		d.change(func(t *tree) {
			dir, base := t.parent(name)
			t.set(dir, base, t.add(false, perm).id, nil)
		})
		n = d.now.find(name)
	}
	if err != nil {
		return nil, err
	}
	return &diskFile{disk: d, id: n.id, name: name}, nil
}

// Mkdir makes a directory.
func (d *Disk) Mkdir(name string, perm fs.FileMode) error {
	ok, err := d.begin(OpMkdir, name)
	defer d.mu.Unlock()
	if !ok {
		return err
	}
	dir, base := d.now.parent(name)
	if dir == nil {
		return pathError(OpMkdir, name, fs.ErrNotExist)
	}
	if _, there := dir.names[base]; there {
		return pathError(OpMkdir, name, fs.ErrExist)
	}
	d.change(func(t *tree) {
		dir, base := t.parent(name)
		t.set(dir, base, t.add(true, perm).id, nil)
	})
	return err
}

// Rename gives a file or directory another name; a file that had it is replaced.
func (d *Disk) Rename(from, to string) error {
	ok, err := d.begin(OpRename, to)
	defer d.mu.Unlock()
	if !ok {
		return err
	}
	dir, _ := d.now.parent(to)
	n := d.now.find(from)
	if n == nil || dir == nil {
		return pathError(OpRename, to, fs.ErrNotExist)
	}
	if there := d.now.find(to); there != nil && (there.dir || n.dir) {
		return pathError(OpRename, to, fs.ErrExist)
	}
	d.change(func(t *tree) { t.rename(from, to) })
	return err
}

// Link gives a file a second name.
func (d *Disk) Link(from, to string) error {
	ok, err := d.begin(OpLink, to)
	defer d.mu.Unlock()
	if !ok {
		return err
	}
	dir, _ := d.now.parent(to)
	n := d.now.find(from)
	switch {
	case n == nil || dir == nil:
		return pathError(OpLink, to, fs.ErrNotExist)
	case n.dir:
		return pathError(OpLink, to, syscall.EPERM)
	case d.now.find(to) != nil:
		return pathError(OpLink, to, fs.ErrExist)
	}
	d.change(func(t *tree) {
		dir, base := t.parent(to)
		t.set(dir, base, t.find(from).id, nil)
	})
	return err
}

// Remove removes a file or an empty directory.
func (d *Disk) Remove(name string) error {
	ok, err := d.begin(OpRemove, name)
	defer d.mu.Unlock()
	if !ok {
		return err
	}
	n := d.now.find(name)
	if n == nil || n.id == 0 {
		return pathError(OpRemove, name, fs.ErrNotExist)
	}
	if len(n.names) > 0 {
		return pathError(OpRemove, name, syscall.ENOTEMPTY)
	}
	d.change(func(t *tree) {
		dir, base := t.parent(name)
		t.set(dir, base, -1, nil)
	})
	return err
}

// ReadDir gives the names in a directory.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	ok, err := d.begin(OpReadDir, name)
	defer d.mu.Unlock()
	if !ok || err != nil {
		return nil, err
	}
	n := d.now.find(name)
	if n == nil || !n.dir {
		return nil, pathError(OpReadDir, name, fs.ErrNotExist)
	}
	var out []fs.DirEntry
	for base, id := range n.names {
		out = append(out, fs.FileInfoToDirEntry(d.now.nodes[id].info(base)))
	}
	return out, nil
}

// Lstat describes a file.
func (d *Disk) Lstat(name string) (fs.FileInfo, error) {
	ok, err := d.begin(OpLstat, name)
	defer d.mu.Unlock()
	if !ok || err != nil {
		return nil, err
	}
	n := d.now.find(name)
	if n == nil {
		return nil, pathError(OpLstat, name, fs.ErrNotExist)
	}
	return n.info(name), nil
}

// SyncDir puts the names of a directory on the disk.
func (d *Disk) SyncDir(name string) error {
	ok, err := d.begin(OpSyncDir, name)
	defer d.mu.Unlock()
	if !ok || d.lies(OpSyncDir, name) {
		return err
	}
	if n := d.now.find(name); n == nil || !n.dir {
		return pathError(OpSyncDir, name, fs.ErrNotExist)
	}
	d.change(func(t *tree) { t.saveDir(t.find(name)) })
	return err
}

// Lock locks a name; the lock goes with the Disk, as with a process.
func (d *Disk) Lock(name string) (io.Closer, error) {
	ok, err := d.begin(OpLock, name)
	defer d.mu.Unlock()
	if !ok || err != nil {
		return nil, err
	}
	if d.locks[name] {
		return nil, pathError(OpLock, name, ErrLocked)
	}
	d.locks[name] = true
	return &diskLock{d, name}, nil
}

type diskLock struct {
	disk *Disk
	name string
}

func (l *diskLock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	delete(l.disk.locks, l.name)
	return nil
}

// Space says what Free says.
func (d *Disk) Space() (Space, error) {
	ok, err := d.begin(OpSpace, ".")
	defer d.mu.Unlock()
	if !ok || err != nil {
		return Space{-1, -1}, err
	}
	return d.Free, nil
}

// Close does nothing: the next process opens the same Disk.
func (d *Disk) Close() error { return nil }

// info is a node as fs.FileInfo.
func (n *node) info(name string) fs.FileInfo {
	mode := n.mode
	if n.dir {
		mode |= fs.ModeDir
	}
	return nodeInfo{name, int64(len(n.data)), mode}
}

type nodeInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i nodeInfo) Name() string       { return i.name }
func (i nodeInfo) Size() int64        { return i.size }
func (i nodeInfo) Mode() fs.FileMode  { return i.mode }
func (i nodeInfo) ModTime() time.Time { return time.Time{} }
func (i nodeInfo) IsDir() bool        { return i.mode.IsDir() }
func (i nodeInfo) Sys() any           { return nil }
