package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// foreign is another program at work in a folder, by the rules of Maildir.
type foreign struct {
	t   testing.TB
	dir string
	n   int
}

func other(t *testing.T, tree *Tree, folder ...string) *foreign {
	openBob(t, tree).Mailboxes(bg) // makes the directories
	return &foreign{t: t, dir: bobs(tree, folder...)}
}

// deliver puts a file into tmp and links it into new.
func (f *foreign) deliver(text string) (name string) {
	f.t.Helper()
	f.n++
	name = fmt.Sprintf("%d.M%dP7.other", 1_700_000_000+f.n, f.n)
	tmp := filepath.Join(f.dir, "tmp", name)
	require.NoError(f.t, os.WriteFile(tmp, []byte(text), 0o600))
	require.NoError(f.t, os.Link(tmp, filepath.Join(f.dir, "new", name)))
	require.NoError(f.t, os.Remove(tmp))
	return name
}

// files are all names in new and cur.
func (f *foreign) files() (out []string) {
	for _, d := range []string{"new", "cur"} {
		all, err := os.ReadDir(filepath.Join(f.dir, d))
		require.NoError(f.t, err)
		for _, e := range all {
			out = append(out, d+"/"+e.Name())
		}
	}
	return out
}

// flag gives a message other letters, and moves it to cur.
func (f *foreign) flag(name, letters string) {
	f.t.Helper()
	base, _ := splitName(filepath.Base(name))
	require.NoError(f.t, os.Rename(filepath.Join(f.dir, name), filepath.Join(f.dir, "cur", base+":2,"+letters)))
}

// TestOthersDeliver: what another program delivers is seen, in its order, with
// CRLF, and with one UID for ever.
func TestOthersDeliver(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	start := changes(t, m, 0).State.HighestModSeq
	f.deliver("Subject: a\n\nunix\n")
	f.deliver("Subject: b\r\n\r\ndos\r\n")
	d := changes(t, m, start)
	require.Len(t, d.Messages, 2)
	assert.EqualValues(t, 20, d.Messages[0].Size, "as it is read")
	assert.EqualValues(t, 1_700_000_001, d.Messages[0].Received, "as the name says")
	got, err := dumpBox(m)
	require.NoError(t, err)
	assert.Equal(t, "|Subject: a\r\n\r\nunix\r\n", got.msgs[1])
	assert.Equal(t, "|Subject: b\r\n\r\ndos\r\n", got.msgs[2])
	assert.Empty(t, changes(t, m, d.State.HighestModSeq).Messages)
	again := inbox(t, openBob(t, &Tree{Dir: tree.Dir}))
	assert.Equal(t, d.State, changes(t, again, 0).State)
}

// TestOthersFlag: flags that another program changes are seen, and ours are seen
// by it.
func TestOthersFlag(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "dovecot-keywords"), []byte("0 $Junk\n"), 0o600))
	m := inbox(t, openBob(t, tree))
	f.deliver("x\n")
	before := changes(t, m, 0)
	f.flag(f.files()[0], "FSXa")
	d := changes(t, m, before.State.HighestModSeq)
	require.Len(t, d.Messages, 1)
	assert.Equal(t, `\Seen \Flagged $Junk`, d.Messages[0].Flags.String())
	assert.Empty(t, d.Vanished)
	_, err := m.SetFlags(bg, mailbox.SetOf(1), mailbox.AddFlags, flags(t, `\Answered new $Forwarded`), 0)
	require.NoError(t, err)
	assert.Equal(t, "cur/1700000001.M1P7.other:2,FPRSXab", f.files()[0], "letters that mean nothing to us stay")
	words, err := os.ReadFile(filepath.Join(f.dir, "dovecot-keywords"))
	require.NoError(t, err)
	assert.Equal(t, "0 $Junk\n1 new\n", string(words))
	f.flag(f.files()[0], "")
	d = changes(t, m, d.State.HighestModSeq)
	require.Len(t, d.Messages, 1)
	assert.Equal(t, "", d.Messages[0].Flags.String())
}

// TestOthersMoveToCur: looking at new mail is no change of its flags.
func TestOthersMoveToCur(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	f.deliver("x\n")
	before := changes(t, m, 0)
	f.flag(f.files()[0], "")
	after := changes(t, m, 0)
	assert.Equal(t, before.Messages, after.Messages)
	assert.Equal(t, "|x\r\n", must(dumpBox(m)).msgs[1])
}

func must(c content, err error) content {
	if err != nil {
		return content{name: err.Error()}
	}
	return c
}

// TestOthersRemove: a message that another program removed vanishes.
func TestOthersRemove(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	f.deliver("x\n")
	f.deliver("y\n")
	before := changes(t, m, 0)
	require.NoError(t, os.Remove(filepath.Join(f.dir, f.files()[0])))
	_, err := m.Message(bg, 1)
	assert.ErrorIs(t, err, mailbox.ErrNotExist, "though the index does not know yet")
	d := changes(t, m, before.State.HighestModSeq)
	assert.Equal(t, "1", d.Vanished.String())
}

// TestRenamedMeanwhile: pitfall: a file is found again by its unique part, never
// by its full name.
func TestRenamedMeanwhile(t *testing.T) {
	tree := newTree(t)
	tree.Now = time.Now
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	f.deliver("x\n")
	changes(t, m, 0)
	f.flag(f.files()[0], "F")
	_, err := m.SetFlags(bg, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"cur/1700000001.M1P7.other:2,FS"}, f.files())
	f.flag(f.files()[0], "T")
	assert.Equal(t, "|x\r\n", strings.TrimPrefix(must(dumpBox(m)).msgs[1], `\Deleted`))
	f.flag(f.files()[0], "")
	require.NoError(t, m.Expunge(bg, mailbox.SetOf(1)))
	assert.Empty(t, f.files())
}

// TestDeliveryStorm: pitfall: mail that others deliver while we read the
// directories is neither lost nor counted twice.
func TestDeliveryStorm(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 75
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			g := &foreign{t: t, dir: f.dir, n: i * 1000}
			for j := range each {
				name := g.deliver(fmt.Sprintf("%d %d\n", i, j))
				if j%3 == 0 {
					g.flag("new/"+name, "S")
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen := map[mailbox.UID]bool{}
	var seq mailbox.ModSeq
	for last := false; ; {
		d := changes(t, m, seq)
		for _, x := range d.Messages {
			seen[x.UID] = true
		}
		assert.Empty(t, d.Vanished, "nothing is gone")
		seq = d.State.HighestModSeq
		if last && len(seen) >= senders*each {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
		if last && !waitFor(func() bool { return len(changes(t, m, 0).Messages) == senders*each }) {
			break
		}
	}
	assert.Len(t, changes(t, m, 0).Messages, senders*each)
	texts := map[string]bool{}
	for _, text := range must(dumpBox(m)).msgs {
		texts[body(text)] = true
	}
	assert.Len(t, texts, senders*each)
}

// waitFor waits for something that must come by itself within some seconds.
func waitFor(ok func() bool) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// TestWatchOthers: who watches hears of what another program does.
func TestWatchOthers(t *testing.T) {
	tree := newTree(t)
	tree.Poll = 5 * time.Millisecond
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	changes(t, m, 0)
	bell := make(chan struct{}, 1)
	stop := m.Watch(func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	})
	defer stop()
	f.deliver("x\n")
	select {
	case <-bell:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody rang")
	}
	assert.Len(t, changes(t, m, 0).Messages, 1)
}

// TestOthersMakeMailboxes: directories that another program makes are mailboxes.
func TestOthersMakeMailboxes(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	s := openBob(t, tree)
	for _, d := range []string{".Lists.go/cur", ".Lists.go/new", ".half/cur", ".junk%/cur", ".nothing"} {
		require.NoError(t, os.MkdirAll(filepath.Join(f.dir, d), 0o700))
	}
	all, err := s.Mailboxes(bg)
	require.NoError(t, err)
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	assert.Equal(t, []string{"INBOX", "Lists/go", "half"}, names)
	g := &foreign{t: t, dir: filepath.Join(f.dir, ".Lists.go")}
	g.deliver("x\n")
	m, err := mailbox.OpenName(bg, s, "Lists/go")
	require.NoError(t, err)
	defer m.Close()
	assert.Len(t, changes(t, m, 0).Messages, 1)
	// Subscriptions that it writes count as well.
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "subscriptions"), []byte("Lists.go\nAway\nINBOX\n"), 0o600))
	all, err = s.Mailboxes(bg)
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(all, func(i mailbox.Info) bool { return i.Name == "Lists/go" && i.Subscribed }))
	assert.True(t, slices.ContainsFunc(all, func(i mailbox.Info) bool { return i.Name == "Away" && i.ID == "" }))
}

// TestStrangeFiles: what is no message is left alone.
func TestStrangeFiles(t *testing.T) {
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "cur", ".hidden"), []byte("x"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(f.dir, "cur", "dir"), 0o700))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(f.dir, "new", "1.link.h")))
	assert.Empty(t, changes(t, m, 0).Messages)
}

// TestFileChanged: a file that has another length than before is damaged, and not
// given out as if it was not.
func TestFileChanged(t *testing.T) {
	tree := newTree(t)
	s := openBob(t, tree)
	require.NoError(t, put(s, "some text"))
	f := other(t, tree)
	m := inbox(t, s)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, f.files()[0]), []byte("less"), 0o600))
	_, err := m.Message(bg, 1)
	assert.ErrorIs(t, err, mailbox.ErrCorrupt)
	assert.False(t, errors.Is(err, fs.ErrNotExist))
}

// TestLinesOfLargeFiles reads a message with LF line ends at every place.
func TestLinesOfLargeFiles(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	f := other(t, tree)
	m := inbox(t, openBob(t, tree))
	var b strings.Builder
	for i := 0; b.Len() < 3*step+100; i++ {
		fmt.Fprintf(&b, "%d%s", i, []string{"\n", "\r\n", "\n\n", "\r"}[i%4])
	}
	text := b.String()[:step-1] + "\r\n" + b.String()[step+1:2*step-1] + "x\n" + b.String()
	f.deliver(text)
	want := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	d := changes(t, m, 0)
	require.EqualValues(t, len(want), d.Messages[0].Size)
	blob, err := m.Message(bg, 1)
	require.NoError(t, err)
	defer blob.Close()
	for _, n := range []int{1, 7, 1000, step, len(want) + 1} {
		for off := 0; off < len(want); off += max(n, 997) {
			p := make([]byte, n)
			got, _ := blob.ReadAt(p, int64(off))
			require.Equal(t, want[off:min(off+n, len(want))], string(p[:got]), "%d bytes at %d", n, off)
		}
	}
}

// TestOthersRenameMailbox: a session goes on in a mailbox that another program
// renamed, and ends in one that it removed.
func TestOthersRenameMailbox(t *testing.T) {
	tree := newTree(t)
	s := openBob(t, tree)
	id, err := s.Create(bg, "Work")
	require.NoError(t, err)
	m, err := s.Open(bg, id)
	require.NoError(t, err)
	defer m.Close()
	add := func(text string) error {
		_, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text)}))
		return err
	}
	require.NoError(t, add("a"))
	require.NoError(t, os.Rename(bobs(tree, ".Work"), bobs(tree, ".Other")))
	require.NoError(t, os.Mkdir(bobs(tree, ".Work"), 0o700))
	assert.Len(t, changes(t, m, 0).Messages, 1)
	i, err := mailbox.Find(bg, s, "Other")
	require.NoError(t, err)
	assert.Equal(t, id, i.ID)
	require.NoError(t, os.RemoveAll(bobs(tree, ".Other")))
	_, err = m.Changes(bg, 0)
	assert.ErrorIs(t, err, mailbox.ErrNotExist)
	assert.Error(t, add("b"))
}
