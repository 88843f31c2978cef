package alias

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aliasesFile is a file whose time of change is under control.
type aliasesFile struct {
	t    *testing.T
	name string
	now  time.Time
}

func newAliasesFile(t *testing.T, text string) *aliasesFile {
	f := &aliasesFile{t, filepath.Join(t.TempDir(), "aliases"), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	f.write(text, -time.Hour)
	return f
}

// write changes the file; its time is age from now.
func (f *aliasesFile) write(text string, age time.Duration) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.name, []byte(text), 0o600))
	at := f.now.Add(age)
	require.NoError(f.t, os.Chtimes(f.name, at, at))
}

func (f *aliasesFile) options() ParseOptions {
	return ParseOptions{Domain: "hamburger.edu", Include: true, Now: func() time.Time { return f.now }}
}

func TestOpen(t *testing.T) {
	f := newAliasesFile(t, "a: b\n")
	var reported []error
	o := f.options()
	o.Report = func(err error) { reported = append(reported, err) }
	db, err := Open(f.name, o)
	require.NoError(t, err)
	assert.Equal(t, "b", targetsOf(t, db, "a"))

	f.write("a: cc\n", -time.Minute)
	assert.Equal(t, "b", targetsOf(t, db, "a"), "looked at once a second")
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "cc", targetsOf(t, db, "a"))

	f.write("a: d\nb c\n", -time.Minute)
	for range 3 {
		f.now = f.now.Add(time.Second)
		assert.Equal(t, "cc", targetsOf(t, db, "a"), "a broken file changes nothing")
	}
	assert.ErrorContains(t, db.Err(), "aliases:2: no colon")
	assert.Len(t, reported, 1, "told once")
	assert.Equal(t, db.Err(), db.Err())

	require.NoError(t, os.Remove(f.name))
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "cc", targetsOf(t, db, "a"), "nor does one that is gone")
	assert.ErrorIs(t, db.Err(), fs.ErrNotExist)
	assert.Len(t, reported, 2)

	f.write("a: e\n", -time.Minute)
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "e", targetsOf(t, db, "a"), "mended")
	assert.NoError(t, db.Err())
	assert.Equal(t, 1, db.Table().Len())
}

// A file that is written twice within the clock of the file system keeps its
// time and may keep its size.
func TestPitfallChangeWithinTheClock(t *testing.T) {
	f := newAliasesFile(t, "a: b\n")
	f.write("a: b\n", -time.Second)
	db, err := Open(f.name, f.options())
	require.NoError(t, err)
	f.write("a: c\n", -time.Second) // same size, same time
	at := f.now.Add(-time.Second)
	f.now = f.now.Add(time.Second)
	require.NoError(t, os.Chtimes(f.name, at, at))
	assert.Equal(t, "c", targetsOf(t, db, "a"))
}

// An editor that writes in place leaves half a file for a moment, and half a
// table looks like a good one.
func TestPitfallHalfWrittenFile(t *testing.T) {
	f := newAliasesFile(t, "a: b\nc: d\n")
	db, err := Open(f.name, f.options())
	require.NoError(t, err)
	f.now = f.now.Add(time.Minute)
	f.write("", 0)
	assert.Equal(t, "d", targetsOf(t, db, "c"), "just cut to nothing")
	f.now = f.now.Add(time.Second)
	f.write("a: b\nc: e\n", -time.Second/2)
	assert.Equal(t, "d", targetsOf(t, db, "c"), "written a moment ago")
	f.now = f.now.Add(2 * time.Second)
	assert.Equal(t, "e", targetsOf(t, db, "c"), "left alone for two seconds")
}

func TestOpenFollowsIncludes(t *testing.T) {
	f := newAliasesFile(t, "")
	members := filepath.Join(filepath.Dir(f.name), "members")
	f.write("a: :include:"+members+"\n", -time.Hour)
	_, err := Open(f.name, f.options())
	assert.ErrorContains(t, err, "aliases:1: ")
	set := func(text string, age time.Duration) {
		require.NoError(t, os.WriteFile(members, []byte(text), 0o600))
		at := f.now.Add(age)
		require.NoError(t, os.Chtimes(members, at, at))
	}
	set("b\n", -time.Hour)
	db, err := Open(f.name, f.options())
	require.NoError(t, err)
	set("b\nc\n", -time.Minute)
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "b, c", targetsOf(t, db, "a"))
	require.NoError(t, os.Remove(members))
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "b, c", targetsOf(t, db, "a"))
	assert.Error(t, db.Err())
	set("d\n", -time.Minute)
	f.now = f.now.Add(time.Second)
	assert.Equal(t, "d", targetsOf(t, db, "a"), "a file that comes back is seen")
	assert.NoError(t, db.Err())
}

func TestOpenRefuses(t *testing.T) {
	f := newAliasesFile(t, "a b\n")
	_, err := Open(f.name, f.options())
	var all ParseErrors
	assert.True(t, errors.As(err, &all), "%v", err)
	_, err = Open(filepath.Dir(f.name), f.options())
	assert.ErrorContains(t, err, "is not a regular file")
	_, err = Open(f.name+"x", ParseOptions{})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Chmod(f.name, 0o602))
		_, err = Open(f.name, f.options())
		assert.ErrorContains(t, err, "can be written by everybody")
	}
}

// Every lookup sees one whole table, the old or the new.
func TestOpenWhileInUse(t *testing.T) {
	f := newAliasesFile(t, "a: b\nc: d\n")
	o := f.options()
	o.Now, o.Every = nil, 1 // as often as it can
	db, err := Open(f.name, o)
	require.NoError(t, err)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if e, found, err := db.Lookup(background, path("a")); err != nil || !found || len(e.Targets) != 1 {
					t.Errorf("%v %v %v", e, found, err)
					return
				}
				_ = db.Err()
			}
		})
	}
	for i := range 50 {
		next := &aliasesFile{t, f.name + ".new", f.now}
		next.write([]string{"a: x\n", "broken\n", "a: y\nc: d\n"}[i%3], -time.Duration(i)*time.Minute)
		require.NoError(t, os.Rename(next.name, f.name))
		_ = db.Reload() // an error is one of the states
	}
	close(stop)
	wg.Wait()
}
