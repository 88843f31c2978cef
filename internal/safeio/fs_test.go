package safeio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// both runs a test on a directory of the system and on a Disk.
func both(t *testing.T, test func(t *testing.T, fsys FS)) {
	t.Run("Root", func(t *testing.T) {
		r, err := OpenRoot(t.TempDir())
		require.NoError(t, err)
		defer r.Close()
		test(t, r)
	})
	t.Run("Disk", func(t *testing.T) { test(t, NewDisk()) })
}

func create(t *testing.T, fsys FS, name, text string) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	require.NoError(t, err)
	require.NoError(t, f.Allocate(8192))
	_, err = io.WriteString(f, text)
	require.NoError(t, err)
	require.NoError(t, f.Datasync())
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func names(t *testing.T, fsys FS, dir string) []string {
	t.Helper()
	list, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range list {
		out = append(out, e.Name())
	}
	slices.Sort(out)
	return out
}

func content(t *testing.T, fsys FS, name string) string {
	t.Helper()
	b, err := ReadFile(fsys, name, 1<<20)
	require.NoError(t, err)
	return string(b)
}

func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, fsys FS) {
		require.NoError(t, fsys.Mkdir("a", 0o700))
		assert.ErrorIs(t, fsys.Mkdir("a", 0o700), fs.ErrExist)
		require.NoError(t, MkdirSync(fsys, "a", 0o700))
		require.NoError(t, MkdirSync(fsys, "a/b", 0o700))
		create(t, fsys, "a/x", "hello")
		_, err := fsys.OpenFile("a/x", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		assert.ErrorIs(t, err, fs.ErrExist)
		_, err = fsys.OpenFile("a/y", os.O_RDONLY, 0)
		assert.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.OpenFile("no/y", os.O_WRONLY|os.O_CREATE, 0o600)
		assert.ErrorIs(t, err, fs.ErrNotExist)

		f, err := fsys.OpenFile("a/x", os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("J"), 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("!"), 7)
		require.NoError(t, err)
		assert.Equal(t, "Jello\x00\x00!", content(t, fsys, "a/x"))
		require.NoError(t, f.Truncate(5))
		info, err := f.Stat()
		require.NoError(t, err)
		assert.Equal(t, int64(5), info.Size())
		assert.True(t, info.Mode().IsRegular())
		p := make([]byte, 9)
		n, err := f.ReadAt(p, 1)
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, "ello", string(p[:n]))
		require.NoError(t, f.Close())
		assert.ErrorIs(t, f.Close(), fs.ErrClosed)
		assert.ErrorIs(t, f.Sync(), fs.ErrClosed)

		require.NoError(t, fsys.Rename("a/x", "a/b/x"))
		require.NoError(t, fsys.SyncDir("a/b"))
		require.NoError(t, fsys.Link("a/b/x", "y"))
		assert.ErrorIs(t, fsys.Link("a/b/x", "y"), fs.ErrExist)
		assert.Equal(t, []string{"b"}, names(t, fsys, "a"))
		assert.Equal(t, []string{"a", "y"}, names(t, fsys, "."))
		assert.Error(t, fsys.Remove("a"), "it is not empty")
		require.NoError(t, fsys.Remove("a/b/x"))
		assert.ErrorIs(t, fsys.Remove("a/b/x"), fs.ErrNotExist)
		require.NoError(t, fsys.Remove("a/b"))
		assert.ErrorIs(t, fsys.SyncDir("a/b"), fs.ErrNotExist, "what was kept open is forgotten")
		assert.Equal(t, "Jello", content(t, fsys, "y"))
		_, err = ReadFile(fsys, "y", 4)
		assert.ErrorContains(t, err, "too long")

		space, err := fsys.Space()
		require.NoError(t, err)
		assert.NotZero(t, space.Bytes)
	})
}

// TestConfined: no name leads out, and no link either.
func TestReadNames(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRoot(dir)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Mkdir("d", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "d", "x"), nil, 0o600))
	require.NoError(t, os.Symlink("/", filepath.Join(dir, "d", "link")))
	names, err := r.ReadNames("d")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"x", "link"}, names)
	_, err = r.ReadNames("d/link")
	assert.Error(t, err)
	_, err = r.ReadNames("none")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestConfined(t *testing.T) {
	both(t, func(t *testing.T, fsys FS) {
		for _, name := range []string{"../x", "/etc/passwd", "a/../../x"} {
			_, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
			assert.Error(t, err, name)
			assert.Error(t, fsys.Mkdir(name, 0o700), name)
			assert.Error(t, fsys.SyncDir(name), name)
		}
	})
	top := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(top, "in"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(top, "secret"), nil, 0o600))
	if os.Symlink("../secret", filepath.Join(top, "in", "link")) != nil {
		t.Skip("no symbolic links here")
	}
	r, err := OpenRoot(filepath.Join(top, "in"))
	require.NoError(t, err)
	defer r.Close()
	_, err = r.OpenFile("link", os.O_RDONLY, 0)
	assert.Error(t, err)
	info, err := r.Lstat("link")
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSymlink, info.Mode().Type())
}

func TestLock(t *testing.T) {
	both(t, func(t *testing.T, fsys FS) {
		l, err := fsys.Lock("lock")
		require.NoError(t, err)
		_, err = fsys.Lock("lock")
		assert.ErrorIs(t, err, ErrLocked)
		require.NoError(t, l.Close())
		l, err = fsys.Lock("lock")
		require.NoError(t, err)
		require.NoError(t, l.Close())
	})
}

func TestManyDirectories(t *testing.T) {
	r, err := OpenRoot(t.TempDir())
	require.NoError(t, err)
	for i := range maxDirs + 10 {
		dir := string(rune('a'+i%26)) + string(rune('a'+i/26))
		require.NoError(t, r.Mkdir(dir, 0o700))
		create(t, r, dir+"/x", "x")
		require.NoError(t, r.SyncDir(dir))
		require.LessOrEqual(t, len(r.dirs), maxDirs)
	}
	require.NoError(t, r.Close())
	_, err = r.OpenFile("aa/x", os.O_RDONLY, 0)
	assert.ErrorIs(t, err, fs.ErrClosed)
}

func TestReplace(t *testing.T) {
	both(t, func(t *testing.T, fsys FS) {
		create(t, fsys, "tmp", "left over")
		require.NoError(t, Replace(fsys, "tmp", "v", []byte("1"), 0o600))
		require.NoError(t, Replace(fsys, "tmp", "v", []byte("2"), 0o600))
		assert.Equal(t, "2", content(t, fsys, "v"))
		assert.Equal(t, []string{"v"}, names(t, fsys, "."))
	})
}

// replaced plays Replace on a Disk, and counts the moments at which what it
// promised was broken.
func replaced(t *testing.T, lie func(Call) bool) (states, broken int) {
	d := NewDisk()
	d.Lie = lie
	for _, v := range []string{"first", "second"} {
		require.NoError(t, Replace(d, "tmp", "v", []byte(v), 0o600))
		d.Mark(v)
	}
	d.Replay(func(m *Moment) bool {
		for seed := range uint64(40) {
			states++
			b, err := ReadFile(m.Cut(seed), "v", 100)
			switch {
			case len(m.Marks) == 0 && errors.Is(err, fs.ErrNotExist) || len(m.Marks) <= 1 && string(b) == "first":
			case len(m.Marks) >= 1 && string(b) == "second":
			default:
				broken++
			}
		}
		return true
	})
	return states, broken
}

// TestReplaceIsDurable also shows that the test would notice: without the one
// sync or the other it fails.
func TestReplaceIsDurable(t *testing.T) {
	states, broken := replaced(t, nil)
	assert.Zero(t, broken)
	t.Logf("%d states tried", states)
	for _, op := range []Op{OpSync, OpSyncDir} {
		_, broken := replaced(t, func(c Call) bool { return c.Op == op })
		assert.NotZero(t, broken, "without %s", op)
	}
}

func TestReplaceFails(t *testing.T) {
	for k := 0; ; k++ {
		d := NewDisk()
		require.NoError(t, Replace(d, "tmp", "v", []byte("old"), 0o600))
		first := d.Calls()
		d.Fault = func(c Call) Fault {
			if c.N == first+k {
				return Fault{Err: io.ErrClosedPipe}
			}
			return Fault{}
		}
		err := Replace(d, "tmp", "v", []byte("new"), 0o600)
		if d.Calls() <= first+k {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, io.ErrClosedPipe)
		assert.Contains(t, []string{"old", "new"}, content(t, d, "v"))
	}
}

// TestReadInto: a file that is read in one go.
func TestReadInto(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRoot(dir)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Mkdir("d", 0o700))
	create(t, r, "d/x", "hello")
	require.NoError(t, os.Symlink("x", filepath.Join(dir, "d", "link")))
	for size, want := range map[int]string{0: "", 4: "hell", 5: "hello", 6: "hello"} {
		buf := make([]byte, size)
		n, err := r.ReadInto("d/x", buf)
		require.NoError(t, err)
		assert.Equal(t, want, string(buf[:n]))
	}
	_, err = r.ReadInto("d/none", make([]byte, 9))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	for _, name := range []string{"d/link", "d", ".", "d/../d/x", "../x"} {
		_, err = r.ReadInto(name, make([]byte, 9))
		assert.Error(t, err, name)
	}
}

// TestRest: what is kept open may be closed at any time.
func TestRest(t *testing.T) {
	r, err := OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Mkdir("d", 0o700))
	create(t, r, "d/x0", "hello")
	assert.Len(t, r.dirs, 1)
	lock, err := r.Lock("d/lock")
	require.NoError(t, err)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.Rest()
			}
		}
	})
	for i := range 300 {
		from, to := fmt.Sprint("d/x", i), fmt.Sprint("d/x", i+1)
		require.NoError(t, r.Rename(from, to))
		n, err := r.ReadInto(to, make([]byte, 9))
		require.NoError(t, err)
		assert.Equal(t, 5, n)
		_, err = r.Lstat(to)
		require.NoError(t, err)
		require.NoError(t, r.SyncDir("d"))
	}
	close(stop)
	wg.Wait()
	r.Rest()
	assert.Empty(t, r.dirs)
	_, err = r.Lock("d/lock")
	assert.ErrorIs(t, err, ErrLocked, "locks stay")
	require.NoError(t, lock.Close())
	require.NoError(t, r.Close())
	r.Rest()
	_, err = r.Lstat("d/x300")
	assert.Error(t, err)
}

// TestRenameIn: up to the first that fails.
func TestRenameIn(t *testing.T) {
	r, err := OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Mkdir("d", 0o700))
	for _, n := range []string{"a", "b", "c"} {
		create(t, r, "d/"+n, n)
	}
	rename := func(pairs ...string) (asked int, err error) {
		return asked, r.RenameIn("d", func(yield func(string, string) bool) {
			for i := 0; i < len(pairs); i += 2 {
				if asked++; !yield(pairs[i], pairs[i+1]) {
					return
				}
			}
		})
	}
	_, err = rename("a", "a1", "b", "b1")
	require.NoError(t, err)
	assert.Equal(t, []string{"a1", "b1", "c"}, names(t, r, "d"))
	_, err = rename("a1", "a2", "none", "x", "b1", "b2")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, []string{"a2", "b1", "c"}, names(t, r, "d"))
	for _, bad := range []string{"../x", ".", "..", "", "x/y", "/x"} {
		_, err = rename("c", bad)
		assert.Error(t, err, bad)
		_, err = rename(bad, "x")
		assert.Error(t, err, bad)
	}
	assert.Equal(t, []string{"a2", "b1", "c"}, names(t, r, "d"))
	assert.Error(t, r.RenameIn("../d", nil))
}
