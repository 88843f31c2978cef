package maildir

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// quiet has what is in a mailbox read once more when its stamps can be trusted.
func quiet(t testing.TB, tree *Tree) (after *Tree) {
	ahead := &Tree{Dir: tree.Dir, Now: func() time.Time { return time.Now().Add(time.Hour) }}
	changes(t, inbox(t, openBob(t, ahead)), 0)
	ahead.Close()
	return &Tree{Dir: tree.Dir, Now: ahead.Now}
}

// TestStampsThatDoNotTell: pitfall: a time stamp that is the same says nothing if
// it is young, or if our own change made it. The directory is read once more when
// it has been quiet.
func TestStampsThatDoNotTell(t *testing.T) {
	tree := newTree(t)
	var ahead atomic.Int64
	tree.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	f := other(t, tree)
	s := openBob(t, tree)
	m := inbox(t, s)
	require.NoError(t, put(s, "ours"))
	require.Len(t, changes(t, m, 0).Messages, 1)
	// Another program delivers, and the stamp stays what it was after our own.
	dir := filepath.Join(f.dir, "new")
	info, err := os.Stat(dir)
	require.NoError(t, err)
	f.deliver("hidden\n")
	require.NoError(t, os.Chtimes(dir, info.ModTime(), info.ModTime()))
	require.Len(t, changes(t, m, 0).Messages, 1, "nothing tells of it yet")
	ahead.Store(int64(unsure))
	assert.Len(t, changes(t, m, 0).Messages, 2)
}

// TestIndexNotMessages: a mailbox whose stamps are trusted is opened without
// reading a directory.
func TestIndexNotMessages(t *testing.T) {
	tree := newTree(t)
	require.NoError(t, put(openBob(t, tree), "a", "b"))
	tree.Close()
	tree = quiet(t, tree)
	// Hide the files: whoever read the directory would miss them.
	dir := bobs(tree, "new")
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chtimes(dir, info.ModTime(), info.ModTime()))
	assert.Len(t, changes(t, inbox(t, openBob(t, tree)), 0).Messages, 2)
}

// TestIndexLost: without the index there is a new UIDVALIDITY, and flags are in
// the names.
func TestIndexLost(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"removed", "emptied", "overwritten"} {
		tree := newTree(t)
		s := openBob(t, tree)
		require.NoError(t, put(s, "a", "b"))
		m := inbox(t, s)
		_, err := m.SetFlags(bg, mailbox.SetOf(2), mailbox.AddFlags, flags(t, `\Flagged work`), 0)
		require.NoError(t, err)
		before := changes(t, m, 0)
		tree.Close()
		name := bobs(tree, indexFile)
		switch how {
		case "removed":
			require.NoError(t, os.Remove(name))
		case "emptied":
			require.NoError(t, os.Truncate(name, 0))
		default:
			require.NoError(t, os.WriteFile(name, []byte(strings.Repeat("garbage", 100)), 0o600))
		}
		m = inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
		after := changes(t, m, 0)
		require.Len(t, after.Messages, 2, how)
		assert.Greater(t, after.State.UIDValidity, before.State.UIDValidity, how)
		got := must(dumpBox(m))
		assert.Contains(t, got.msgs, mailbox.UID(1))
		var all []string
		for _, text := range got.msgs {
			all = append(all, text)
		}
		slices.Sort(all)
		assert.Equal(t, []string{`\Flagged work|b`, "|a"}, all, how)
	}
}

// TestIndexTorn: bytes behind the last good change are dropped, and the numbers
// that were in them are not given out.
func TestIndexTorn(t *testing.T) {
	tree := newTree(t)
	s := openBob(t, tree)
	require.NoError(t, put(s, "a", "b"))
	before := changes(t, inbox(t, s), 0)
	tree.Close()
	name := bobs(tree, indexFile)
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(name, info.Size()-3))
	m := inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
	after := changes(t, m, 0)
	assert.Equal(t, before.State.UIDValidity, after.State.UIDValidity)
	require.Len(t, after.Messages, 2)
	assert.Equal(t, before.Messages[0].UID, after.Messages[0].UID)
	assert.Greater(t, after.Messages[1].UID, before.Messages[1].UID, "its UID was in what is lost")
	assert.Greater(t, after.State.HighestModSeq, before.State.HighestModSeq)
}

// TestCompaction: the index does not grow for ever, and other processes follow.
func TestCompaction(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s := openBob(t, tree)
	m := inbox(t, s)
	_, err := m.Append(bg, func(yield func(*mailbox.Incoming, error) bool) {
		for range 500 {
			if !yield(&mailbox.Incoming{Body: strings.NewReader("x")}, nil) {
				return
			}
		}
	})
	require.NoError(t, err)
	second := inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
	changes(t, second, 0)
	for i := range 20 {
		_, err := m.SetFlags(bg, mailbox.Set{{From: 1, To: 499}}, mailbox.FlagOp(1+i%2), mailbox.Flags{Sys: mailbox.Seen}, 0)
		require.NoError(t, err)
	}
	info, err := os.Stat(bobs(tree, indexFile))
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(3*compactFrom))
	a, b := changes(t, m, 0), changes(t, second, 0)
	assert.Equal(t, a, b)
	assert.EqualValues(t, 22, a.State.HighestModSeq)
	_, err = second.SetFlags(bg, mailbox.SetOf(500), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Draft}, 0)
	require.NoError(t, err)
	assert.Equal(t, changes(t, second, 0), changes(t, m, 0))
}

// TestDouble: pitfall: of two names of one message, as a crash leaves them, one
// is removed; of two messages none is.
func TestDouble(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	name := f.deliver("x\n")
	f.flag("new/"+name, "S")
	require.Len(t, changes(t, m, 0).Messages, 1)
	cur := filepath.Join(f.dir, "cur")
	require.NoError(t, os.Link(filepath.Join(cur, name+":2,S"), filepath.Join(cur, name+":2,")))
	require.NoError(t, os.WriteFile(filepath.Join(cur, name+":2,F"), []byte("another\n"), 0o600))
	d := changes(t, m, 0)
	require.Len(t, d.Messages, 1)
	assert.Equal(t, `\Seen`, d.Messages[0].Flags.String(), "the one that is known counts")
	assert.Equal(t, []string{"cur/" + name + ":2,F", "cur/" + name + ":2,S"}, f.files())
}

// blind is a file system whose listings miss what hide says, as one of a
// directory can that others rename in at the same time.
type blind struct {
	*safeio.Disk
	hide func(dir, name string) bool
}

func (b *blind) ReadDir(dir string) ([]fs.DirEntry, error) {
	all, err := b.Disk.ReadDir(dir)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return b.hide(dir, e.Name()) }), err
}

// TestListingThatMisses: pitfall: a listing can miss a file that is being renamed.
// A message is gone only if two in a row do not have it.
func TestListingThatMisses(t *testing.T) {
	misses := 0
	d := &blind{safeio.NewDisk(), func(dir, name string) bool {
		if dir != "new" || misses == 0 {
			return false
		}
		misses--
		return true
	}}
	a, err := newAccount("bob", (&Tree{}).options(), func() (safeio.FS, error) { return d, nil })
	require.NoError(t, err)
	s := &store{account: a, key: "bob"}
	require.NoError(t, put(s, "x"))
	m := inbox(t, s)
	before := changes(t, m, 0)
	misses = 1
	m.(*box).renamedMeanwhile()
	assert.Equal(t, before, changes(t, m, 0))
	assert.Zero(t, misses, "it was missed")
	misses = 2
	m.(*box).renamedMeanwhile()
	assert.Empty(t, changes(t, m, 0).Messages)
	assert.Zero(t, misses)
	m.(*box).renamedMeanwhile()
	d2 := changes(t, m, 0)
	require.Len(t, d2.Messages, 1, "nothing is lost even then")
	assert.Greater(t, d2.Messages[0].UID, before.Messages[0].UID)
}
