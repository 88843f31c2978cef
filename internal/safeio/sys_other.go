//go:build !linux

package safeio

import (
	"errors"
	"io/fs"
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
func rename(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
