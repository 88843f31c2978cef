package safeio

import (
	"io"
	"io/fs"
	"slices"
)

// diskFile is an open file of a [Disk].
type diskFile struct {
	disk   *Disk
	id     int
	name   string
	off    int64 // of the next Write
	closed bool
}

var _ File = (*diskFile)(nil)

// begin takes the lock for a call on the file.
func (f *diskFile) begin(op Op) (fault Fault, ok bool, err error) {
	f.disk.mu.Lock()
	fault, ok = f.disk.enter(op, f.name)
	if f.closed {
		return fault, false, pathError(op, f.name, fs.ErrClosed)
	}
	if fault.Err != nil {
		err = pathError(op, f.name, fault.Err)
	}
	return fault, ok, err
}

func (f *diskFile) node() *node { return f.disk.now.nodes[f.id] }

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	_, ok, err := f.begin(OpRead)
	defer f.disk.mu.Unlock()
	if !ok || err != nil {
		return 0, err
	}
	data := f.node().data
	if off < 0 {
		return 0, pathError(OpRead, f.name, fs.ErrInvalid)
	}
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.write(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) { return f.write(p, off) }

func (f *diskFile) write(p []byte, off int64) (int, error) {
	fault, ok, err := f.begin(OpWrite)
	defer f.disk.mu.Unlock()
	if err != nil && !ok {
		p = p[:min(fault.Bytes, len(p))]
	}
	if id, p := f.id, slices.Clone(p); len(p) > 0 {
		f.disk.change(func(t *tree) { t.nodes[id].write(patch{off, p}) })
	}
	return len(p), err
}

func (f *diskFile) Truncate(size int64) error {
	_, ok, err := f.begin(OpTruncate)
	defer f.disk.mu.Unlock()
	if id := f.id; ok {
		f.disk.change(func(t *tree) { t.nodes[id].write(patch{off: size}) })
	}
	return err
}

// Allocate does nothing else than it can fail.
func (f *diskFile) Allocate(int64) error {
	_, _, err := f.begin(OpAllocate)
	defer f.disk.mu.Unlock()
	return err
}

func (f *diskFile) Datasync() error { return f.Sync() }

func (f *diskFile) Sync() error {
	_, ok, err := f.begin(OpSync)
	defer f.disk.mu.Unlock()
	if f.closed || ok && f.disk.lies(OpSync, f.name) {
		return err
	}
	id := f.id
	f.disk.change(func(t *tree) { t.nodes[id].saveFile(!ok) })
	return err
}

func (f *diskFile) Stat() (fs.FileInfo, error) {
	_, ok, err := f.begin(OpLstat)
	defer f.disk.mu.Unlock()
	if !ok || err != nil {
		return nil, err
	}
	return f.node().info(f.name), nil
}

// Close closes the file, also when it fails.
func (f *diskFile) Close() error {
	_, _, err := f.begin(OpClose)
	defer f.disk.mu.Unlock()
	f.closed = true
	return err
}
