package safeio

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// last cuts the power at the end of the trace.
func last(d *Disk, seed uint64) *Disk {
	var out *Disk
	d.Replay(func(m *Moment) bool {
		if m.Last {
			out = m.Cut(seed)
		}
		return true
	})
	return out
}

func write(t *testing.T, d *Disk, name, text string) File {
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	_, err = f.Write([]byte(text))
	require.NoError(t, err)
	return f
}

func TestCutExtremes(t *testing.T) {
	d := NewDisk()
	require.NoError(t, d.Mkdir("q", 0o700))
	require.NoError(t, d.SyncDir("."))
	write(t, d, "q/new", "bytes")
	f := write(t, d, "old", "durable")
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir("."))
	_, err := f.Write([]byte(" and more"))
	require.NoError(t, err)

	c := last(d, 0)
	assert.Equal(t, "durable", content(t, c, "old"))
	assert.Empty(t, names(t, c, "q"))
	c = last(d, 1)
	assert.Equal(t, "durable and more", content(t, c, "old"))
	assert.Equal(t, "bytes", content(t, c, "q/new"))
	c = last(d, 2)
	assert.Equal(t, "durable"+strings.Repeat("\x00", 9), content(t, c, "old"), "a size without its bytes")
	assert.Equal(t, strings.Repeat("\x00", 5), content(t, c, "q/new"))
	c = last(d, 3)
	assert.Equal(t, "durable and more", content(t, c, "old"))
	assert.Empty(t, names(t, c, "q"), "bytes without their name")
}

// TestCutRename: after a cut there is the old name, the new one or both, never
// none, however the directories are synced.
func TestCutRename(t *testing.T) {
	for _, synced := range []string{"", "a", "b"} {
		d := NewDisk()
		require.NoError(t, MkdirSync(d, "a", 0o700))
		require.NoError(t, MkdirSync(d, "b", 0o700))
		require.NoError(t, write(t, d, "a/x", "x").Sync())
		require.NoError(t, d.SyncDir("a"))
		require.NoError(t, d.Rename("a/x", "b/y"))
		if synced != "" {
			require.NoError(t, d.SyncDir(synced))
		}
		seen := map[string]int{}
		for seed := range uint64(50) {
			c := last(d, seed)
			seen[strings.Join(names(t, c, "a"), "")+strings.Join(names(t, c, "b"), "")]++
		}
		want := map[string][]string{"": {"x", "y", "xy"}, "a": {"y"}, "b": {"y", "xy"}}[synced]
		assert.Len(t, seen, len(want), "%v", seen)
		for _, w := range want {
			assert.NotZero(t, seen[w], "synced %q: %q is among %v", synced, w, seen)
		}
	}
}

func TestCutTearsSectors(t *testing.T) {
	d := NewDisk()
	f := write(t, d, "x", strings.Repeat("a", 4*sector))
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir("."))
	_, err := f.WriteAt([]byte(strings.Repeat("b", 3*sector)), sector/2)
	require.NoError(t, err)
	seen := map[string]bool{}
	for seed := range uint64(1000) {
		got := content(t, last(d, seed), "x")
		require.Len(t, got, 4*sector)
		key := ""
		for i := range 4 {
			s := got[i*sector : (i+1)*sector]
			middle := s[sector/2-1 : sector/2+1]
			key += string(s[0]) + middle + string(s[sector-1]) + " "
		}
		seen[key] = true
	}
	assert.Len(t, seen, 16, "each of four sectors by itself")
}

// TestDroppedPages: what a failed sync dropped can be read, and is never on the
// disk, not by a second sync either.
func TestDroppedPages(t *testing.T) {
	d := NewDisk()
	fail := false
	d.Fault = func(c Call) Fault {
		if fail && c.Op == OpSync {
			return Fault{Err: syscall.EIO}
		}
		return Fault{}
	}
	f := write(t, d, "x", "old")
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir("."))
	_, err := f.WriteAt([]byte("new"), 0)
	require.NoError(t, err)
	fail = true
	assert.ErrorIs(t, f.Sync(), syscall.EIO)
	fail = false
	assert.NoError(t, f.Sync())
	assert.Equal(t, "new", content(t, d, "x"))
	assert.Equal(t, "old", content(t, last(d, 1), "x"))
}

func TestFaults(t *testing.T) {
	d := NewDisk()
	var next Fault
	d.Fault = func(Call) Fault { f := next; next = Fault{}; return f }
	f := write(t, d, "x", "")
	next = Fault{Err: syscall.ENOSPC, Bytes: 2}
	n, err := f.Write([]byte("abc"))
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.Equal(t, 2, n)
	next = Fault{Err: syscall.EIO}
	assert.ErrorIs(t, d.Rename("x", "y"), syscall.EIO)
	assert.Equal(t, "ab", content(t, d, "x"))
	next = Fault{Err: syscall.EIO, Done: true}
	assert.ErrorIs(t, d.Rename("x", "y"), syscall.EIO)
	assert.Equal(t, "ab", content(t, d, "y"))
	next = Fault{Err: syscall.EIO}
	assert.ErrorIs(t, f.Close(), syscall.EIO)
	_, err = f.Write(nil)
	assert.ErrorIs(t, err, os.ErrClosed, "closed all the same")
}

// TestMarks: what was promised belongs to the moment after the change before it.
func TestMarks(t *testing.T) {
	d := NewDisk()
	d.Mark("begin")
	require.NoError(t, d.Mkdir("a", 0o700))
	d.Mark("a")
	d.Mark("still a")
	require.NoError(t, d.Mkdir("b", 0o700))
	var got []int
	d.Replay(func(m *Moment) bool {
		got = append(got, len(m.Marks))
		assert.Equal(t, m.Last, len(got) == 3)
		assert.Len(t, names(t, m.Kill(), "."), len(got)-1, "all is there when only the process died")
		return true
	})
	assert.Equal(t, []int{1, 3, 3}, got)
}
