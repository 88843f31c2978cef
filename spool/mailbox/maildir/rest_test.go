package maildir

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/mailboxtest"
)

// TestStoreAtRest: nobody notices that files are closed again and again.
func TestStoreAtRest(t *testing.T) {
	t.Parallel()
	mailboxtest.Run(t, func(tb testing.TB) mailbox.Store {
		tree := newTree(tb)
		tree.Rest = time.Hour
		s := openBob(tb, tree)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					tree.rest.look()
				}
			}
		})
		tb.Cleanup(func() { close(stop); wg.Wait() })
		return s
	})
}

// TestRest: a session that waits has no file open and no index, but its lock;
// whatever it asks for then it gets.
func TestRest(t *testing.T) {
	tree := newTree(t)
	tree.Rest = time.Hour // looks are those of the test
	m := openInbox(t, openBob(t, tree))
	text := "Subject: x\r\n\r\nhello\r\n"
	uids, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text)}))
	require.NoError(t, err)
	before, err := m.Changes(bg, 0)
	require.NoError(t, err)
	release, err := mailbox.Lock(bg, m)
	require.NoError(t, err)
	mailbox.PutCached(m, uids[0], []byte("what is known"))
	f := m.(*box).folder

	tree.rest.look()
	assert.NotNil(t, f.idx, "it was just used")
	tree.rest.look()
	assert.Nil(t, f.idx)
	tree.rest.look() // writing what was cached was a use
	tree.rest.look()
	assert.Nil(t, f.cached.file)
	assert.Empty(t, tree.rest.awake)
	assert.False(t, f.awake)

	_, err = mailbox.Lock(bg, m)
	require.ErrorIs(t, err, mailbox.ErrInUse)
	release()
	for name, do := range map[string]func() error{
		"Message": func() error {
			b, err := m.Message(bg, uids[0])
			if err == nil {
				err = b.Close()
			}
			return err
		},
		"Changes": func() error {
			d, err := m.Changes(bg, 0)
			assert.Equal(t, before, d)
			return err
		},
		"SetFlags": func() error {
			_, err := m.SetFlags(bg, mailbox.SetOf(uids[0]), mailbox.AddFlags, mailbox.Flags{}, 0)
			return err
		},
		"Cached": func() error {
			_, err := m.Changes(bg, 0)
			b, _ := mailbox.Cached(m, uids[0])
			assert.Equal(t, "what is known", string(b))
			return err
		},
	} {
		tree.rest.look()
		tree.rest.look()
		assert.Nil(t, f.idx, name)
		require.NoError(t, do(), name)
		assert.NotNil(t, f.idx, name)
		assert.Len(t, tree.rest.awake, 1, name)
	}
	require.NoError(t, tree.Close())
	tree.rest.look()
	assert.Empty(t, tree.rest.awake)
}

// TestRestWaits: an account whose lock somebody holds does not rest, and an
// index that must be written anew is kept.
func TestRestWaits(t *testing.T) {
	s := diskStore(t, safeio.NewDisk())
	m := openInbox(t, s)
	_, err := m.Changes(bg, 0)
	require.NoError(t, err)
	require.NoError(t, s.locked(bg, func() error {
		assert.False(t, s.rest())
		return nil
	}))
	f := m.(*box).folder
	f.rewrite = true
	assert.True(t, s.rest())
	assert.NotNil(t, f.idx)
	f.rewrite = false
	assert.True(t, s.rest())
	assert.Nil(t, f.idx)
}
