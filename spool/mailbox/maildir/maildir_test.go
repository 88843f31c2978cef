package maildir

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/mailboxtest"
)

var bg = context.Background()

// newTree has a user bob.
func newTree(tb testing.TB) *Tree {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.Chmod(dir, 0o700))
	t, err := Open(dir)
	require.NoError(tb, err)
	require.NoError(tb, t.Create("bob"))
	tb.Cleanup(func() { t.Close() })
	return t
}

func openBob(tb testing.TB, t *Tree) mailbox.Store {
	tb.Helper()
	s, err := t.Open(bg, "bob")
	require.NoError(tb, err)
	return s
}

// bobs is the directory of bob, with parts below.
func bobs(t *Tree, parts ...string) string {
	return filepath.Join(append([]string{t.Dir, "bob"}, parts...)...)
}

func TestStore(t *testing.T) {
	t.Parallel()
	mailboxtest.Run(t, func(tb testing.TB) mailbox.Store { return openBob(tb, newTree(tb)) })
}

func TestStoreWithQuota(t *testing.T) {
	t.Parallel()
	mailboxtest.Run(t, func(tb testing.TB) mailbox.Store {
		s := diskStore(tb, safeio.NewDisk())
		s.maxBytes, s.maxMessages = 100<<20, 10_000
		return s
	})
}

// TestStoreInMemory: the file system of the crash tests does for all else too.
func TestStoreInMemory(t *testing.T) {
	mailboxtest.Run(t, func(tb testing.TB) mailbox.Store { return diskStore(tb, safeio.NewDisk()) })
}

func diskStore(tb testing.TB, d *safeio.Disk) *store {
	a, err := newAccount("bob", (&Tree{}).options(), func() (safeio.FS, error) { return d, nil })
	require.NoError(tb, err)
	return &store{account: a, key: "bob"}
}

// processes plays several: each mailbox is opened by another one.
type processes struct {
	mailbox.Store
	all  []mailbox.Store
	next *atomic.Int64
}

func (p *processes) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	n := p.next.Add(1)
	m, err := p.all[n%int64(len(p.all))].Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return struct{ mailbox.Mailbox }{m}, nil
}

// TestStoreOfProcesses: two trees over one directory share nothing but the files.
func TestStoreOfProcesses(t *testing.T) {
	t.Parallel()
	mailboxtest.Run(t, func(tb testing.TB) mailbox.Store {
		tree := newTree(tb)
		p := &processes{next: new(atomic.Int64)}
		for range 3 {
			other := &Tree{Dir: tree.Dir, Poll: 5e6}
			tb.Cleanup(func() { other.Close() })
			p.all = append(p.all, openBob(tb, other))
		}
		p.Store = struct{ mailbox.Store }{openBob(tb, tree)}
		return p
	})
}

// put appends texts to INBOX.
func put(s mailbox.Store, texts ...string) error {
	m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, text := range texts {
		if _, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text)})); err != nil {
			return err
		}
	}
	return nil
}

func inboxID(tb testing.TB, s mailbox.Store) mailbox.ID {
	i, err := mailbox.Find(bg, s, mailbox.Inbox)
	require.NoError(tb, err)
	return i.ID
}

func inbox(tb testing.TB, s mailbox.Store) mailbox.Mailbox {
	m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
	require.NoError(tb, err)
	tb.Cleanup(func() { m.Close() })
	return m
}

func changes(tb testing.TB, m mailbox.Mailbox, since mailbox.ModSeq) mailbox.Delta {
	tb.Helper()
	d, err := m.Changes(bg, since)
	require.NoError(tb, err)
	return d
}

// TestReopen: the next process finds what the last one promised.
func TestReopen(t *testing.T) {
	t.Parallel()
	mailboxtest.RunReopen(t, func(tb testing.TB) func() mailbox.Store {
		dir := newTree(tb).Dir
		return func() mailbox.Store {
			next := &Tree{Dir: dir}
			tb.Cleanup(func() { next.Close() })
			return openBob(tb, next)
		}
	})
}
