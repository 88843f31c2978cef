package maildir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

const sizeOfRec = unsafe.Sizeof(rec{})

// TestModes: pitfall: directories are 0700 and files 0600, all of them.
func TestModes(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s := openBob(t, tree)
	id, err := s.Create(bg, "Work/ä")
	require.NoError(t, err)
	m, err := s.Open(bg, id)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, put(s, "x"))
	_, _, err = mailbox.Copy(bg, inbox(t, s), mailbox.SetOf(1), m)
	require.NoError(t, err)
	_, err = m.SetFlags(bg, mailbox.SetOf(1), mailbox.AddFlags, flags(t, `\Seen k`), 0)
	require.NoError(t, err)
	require.NoError(t, s.Subscribe(bg, "x", true))
	mailbox.PutCached(m, 1, []byte("x"))
	release, err := mailbox.Lock(bg, m)
	require.NoError(t, err)
	release()
	n := 0
	require.NoError(t, filepath.WalkDir(tree.Dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
		n++
		return nil
	}))
	assert.Greater(t, n, 15)
}

// TestAccessOfOthers: pitfall: only the owner of a mailbox has access to it; one
// that others may enter is not served.
func TestAccessOfOthers(t *testing.T) {
	tree := newTree(t)
	for _, mode := range []fs.FileMode{0o750, 0o701, 0o770} {
		require.NoError(t, os.Chmod(bobs(tree), mode))
		_, err := tree.Open(bg, "bob")
		assert.ErrorIs(t, err, errOpen, "%o", mode)
	}
	require.NoError(t, os.Chmod(bobs(tree), 0o700))
	openBob(t, tree)
	require.NoError(t, os.Chmod(tree.Dir, 0o770))
	_, err := tree.Open(bg, "bob")
	assert.ErrorIs(t, err, errOpen, "others could put a directory of theirs in its place")
	_, err = Open(tree.Dir)
	assert.ErrorIs(t, err, errOpen)
}

// TestUserNames: pitfall: no name of a user leads out of the directory.
func TestUserNames(t *testing.T) {
	tree := newTree(t)
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(tree.Dir), "outside"), 0o700))
	for _, user := range []string{"../outside", "..", ".", "", "/", "bob/cur", "bob/../../outside", "nul\x00", strings.Repeat("x", 300)} {
		_, err := tree.Open(bg, user)
		assert.ErrorIs(t, err, mailbox.ErrNotExist, "%q", user)
	}
	require.NoError(t, tree.Create("../eve"))
	_, err := os.Lstat(filepath.Join(tree.Dir, "%2E.%2Feve"))
	assert.NoError(t, err)
	assert.ErrorIs(t, tree.Create("bob"), mailbox.ErrExists)
	assert.ErrorIs(t, tree.Create(""), mailbox.ErrCannot)
}

// TestSymbolicLinks: pitfall: a link does not lead out of the directory of the
// user.
func TestSymbolicLinks(t *testing.T) {
	tree := newTree(t)
	require.NoError(t, tree.Create("eve"))
	require.NoError(t, os.Symlink(filepath.Join(tree.Dir, "eve"), filepath.Join(tree.Dir, "link")))
	_, err := tree.Open(bg, "link")
	assert.Error(t, err)
	s := openBob(t, tree)
	require.NoError(t, put(s, "x"))
	require.NoError(t, os.Mkdir(filepath.Join(tree.Dir, "eve", "cur"), 0o700))
	require.NoError(t, os.Symlink("../eve", bobs(tree, ".Evil")))
	_, err = mailbox.Find(bg, s, "Evil")
	assert.Error(t, err)
	require.NoError(t, os.RemoveAll(bobs(tree, "new")))
	require.NoError(t, os.Symlink(filepath.Join(tree.Dir, "eve"), bobs(tree, "new")))
	assert.Error(t, put(s, "y"))
	all, err := os.ReadDir(filepath.Join(tree.Dir, "eve"))
	require.NoError(t, err)
	assert.Len(t, all, 1, "nothing came out")
}

// TestNoOverwrite: pitfall: a name that is taken is never replaced.
func TestNoOverwrite(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	tree.Rand = strings.NewReader(strings.Repeat("the same random bytes all the time", 100))
	s := openBob(t, tree)
	require.NoError(t, put(s, "first"))
	name := other(t, tree).files()[0]
	for range 40 { // with what is not random the names come again
		_ = put(s, "other")
	}
	b, err := os.ReadFile(bobs(tree, name))
	require.NoError(t, err)
	assert.Equal(t, "first", string(b))
}

// TestFailedAppendLeavesNothing: pitfall: a message whose body ended too early is
// nowhere, not in tmp either.
func TestFailedAppendLeavesNothing(t *testing.T) {
	tree := newTree(t)
	s := openBob(t, tree)
	m := inbox(t, s)
	_, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("short"), Size: 100}))
	require.Error(t, err)
	tree.MaxMessage = 3
	for _, d := range []string{"tmp", "new", "cur"} {
		all, err := os.ReadDir(bobs(tree, d))
		require.NoError(t, err)
		assert.Empty(t, all)
	}
}

// TestTooLarge: the limit holds whether the size was told before or not.
func TestTooLarge(t *testing.T) {
	tree := newTree(t)
	tree.MaxMessage = 10
	m := inbox(t, openBob(t, tree))
	for _, size := range []int64{0, 11} {
		_, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("01234567890"), Size: size}))
		assert.ErrorIs(t, err, mailbox.ErrTooBig)
	}
	require.NoError(t, put(openBob(t, tree), "0123456789"))
}

// TestQuotaFile: the file is that of other programs, which may write there too.
func TestQuotaFile(t *testing.T) {
	tree := newTree(t)
	tree.MaxBytes, tree.MaxMessages = 1000, 5
	s := openBob(t, tree)
	require.NoError(t, put(s, strings.Repeat("x", 400), "y"))
	roots, err := mailbox.Quotas(bg, s, "")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.Resource{
		{Name: mailbox.Storage, Used: 401, Limit: 1000}, {Name: mailbox.Messages, Used: 2, Limit: 5},
	}, roots[0].Resources)
	b, err := os.ReadFile(bobs(tree, "maildirsize"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(b), "1000S,5C\n"), "%s", b)
	w, err := os.OpenFile(bobs(tree, "maildirsize"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.WriteString("500 1\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	roots, err = mailbox.Quotas(bg, s, "")
	require.NoError(t, err)
	assert.EqualValues(t, 901, roots[0].Resources[0].Used)
	require.NoError(t, put(s, strings.Repeat("z", 500)), "before a message is refused all is counted")
	assert.ErrorIs(t, put(s, strings.Repeat("z", 100)), mailbox.ErrOverQuota)
	require.NoError(t, put(s, "1", "2"))
	assert.ErrorIs(t, put(s, "3"), mailbox.ErrOverQuota, "five messages")
}

// TestCacheOnDisk: what servers found out is there for the next process, and
// torn entries are none.
func TestCacheOnDisk(t *testing.T) {
	tree := newTree(t)
	s := openBob(t, tree)
	require.NoError(t, put(s, "a", "b"))
	m := inbox(t, s)
	mailbox.PutCached(m, 1, []byte("one"))
	mailbox.PutCached(m, 2, []byte(strings.Repeat("two", maxPending)))
	mailbox.PutCached(m, 1, []byte("one again"))
	m.Close()
	tree.Close()
	m = inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
	changes(t, m, 0)
	b, ok := mailbox.Cached(m, 1)
	assert.True(t, ok)
	assert.Equal(t, "one again", string(b))
	b, ok = mailbox.Cached(m, 2)
	assert.True(t, ok)
	assert.Len(t, b, 3*maxPending)
	info, err := os.Stat(bobs(tree, cacheFile))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(bobs(tree, cacheFile), info.Size()-1))
	m = inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
	changes(t, m, 0)
	b, ok = mailbox.Cached(m, 1)
	assert.Equal(t, ok, len(b) > 0)
	assert.NotEqual(t, "one again", string(b))
}

// TestAccountsAreLetGo: what nobody uses is closed, and opened again.
func TestAccountsAreLetGo(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	tree.MaxIdle = 3
	for i := range 10 {
		user := string(rune('a' + i))
		require.NoError(t, tree.Create(user))
		s, err := tree.Open(bg, user)
		require.NoError(t, err)
		require.NoError(t, put(s, user))
		require.NoError(t, mailbox.Close(s))
		require.NoError(t, mailbox.Close(s))
	}
	assert.Len(t, tree.users, 3)
	s, err := tree.Open(bg, "a")
	require.NoError(t, err)
	assert.Len(t, changes(t, inbox(t, s), 0).Messages, 1)
	require.NoError(t, tree.Close())
	_, err = tree.Open(bg, "a")
	assert.ErrorIs(t, err, mailbox.ErrClosed)
}

// TestFoldersAreLetGo: so are mailboxes.
func TestFoldersAreLetGo(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s := openBob(t, tree)
	for i := range maxIdle + 10 {
		id, err := s.Create(bg, "Box "+string(rune('A'+i)))
		require.NoError(t, err)
		m, err := s.Open(bg, id)
		require.NoError(t, err)
		changes(t, m, 0)
		require.NoError(t, m.Close())
	}
	a := s.(*store).account
	a.mu.Lock()
	defer a.mu.Unlock()
	assert.LessOrEqual(t, len(a.folders), maxIdle)
}

// TestGroups: appends that wait for each other are committed together.
func TestGroups(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s := openBob(t, tree)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() { assert.NoError(t, put(s, "x")) })
	}
	wg.Wait()
	assert.Len(t, changes(t, inbox(t, s), 0).Messages, 40)
}
