//go:build !linux

package safeio

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"runtime"
)

// syncDir does nothing where a directory cannot be synced.
func syncDir(f *os.File) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return nil
	}
	return f.Sync()
}

func datasync(f *os.File) error { return f.Sync() }

func allocate(*os.File, int64) error { return nil }

// space is not known: what is full shows when something is written.
func space(*os.File) (Space, error) { return Space{-1, -1}, nil }

func open(d *dir, name string, flag int, perm fs.FileMode) (*os.File, error) {
	return d.root.OpenFile(name, flag, perm)
}

// rename cannot be done by open directories; the caller walks.
func rename(*dir, string, *dir, string) error { return errors.ErrUnsupported }

func renameIn(d *dir, pairs iter.Seq2[string, string]) error {
	for from, to := range pairs {
		if !element(from) || !element(to) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: os.ErrInvalid}
		}
		if err := d.root.Rename(from, to); err != nil {
			return err
		}
	}
	return nil
}

// readInto reads as everything else does.
func readInto(d *dir, name string, buf []byte) (n int, err error) {
	if info, err := d.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return 0, cmp.Or(err, error(&os.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}))
	}
	f, err := d.root.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err = f.ReadAt(buf, 0)
	if err == io.EOF {
		err = nil
	}
	return n, err
}
