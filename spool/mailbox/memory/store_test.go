package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var ctx = context.Background()

// newStore has a clock that stands.
func newStore() *Store {
	return &Store{UIDValidity: 7, Now: func() time.Time { return time.Unix(1e9, 0) }}
}

func inbox(t testing.TB, s mailbox.Store) mailbox.Mailbox {
	t.Helper()
	m, err := mailbox.OpenName(ctx, s, mailbox.Inbox)
	require.NoError(t, err)
	return m
}

func changes(t testing.TB, m mailbox.Mailbox, since mailbox.ModSeq) mailbox.Delta {
	t.Helper()
	d, err := m.Changes(ctx, since)
	require.NoError(t, err)
	return d
}

func read(t testing.TB, m mailbox.Mailbox, uid mailbox.UID) string {
	t.Helper()
	b, err := m.Message(ctx, uid)
	require.NoError(t, err)
	defer b.Close()
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	require.NoError(t, err)
	return string(got)
}

func TestPut(t *testing.T) {
	s := newStore()
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{Sys: mailbox.Seen}, "Subject: a\n\nA\n", "b"))
	require.NoError(t, s.Put(ctx, "Work/x", mailbox.Flags{}, "c"))
	m := inbox(t, s)
	d := changes(t, m, 0)
	assert.Equal(t, mailbox.State{UIDValidity: 7, UIDNext: 3, HighestModSeq: 2}, d.State)
	require.Len(t, d.Messages, 2)
	assert.Equal(t, mailbox.Meta{
		UID: 1, Flags: mailbox.Flags{Sys: mailbox.Seen}, ModSeq: 2,
		Size: 17, Received: 1e9, Saved: 1e9,
	}, d.Messages[0])
	assert.Equal(t, "Subject: a\r\n\r\nA\r\n", read(t, m, 1))
	h, err := mailbox.Header(ctx, m, 1)
	require.NoError(t, err)
	assert.Equal(t, "Subject: a\r\n\r\n", string(h))
	i, err := mailbox.Find(ctx, s, "Work/x")
	require.NoError(t, err)
	assert.EqualValues(t, 8, i.Counts.State.UIDValidity)
	assert.EqualValues(t, 1, i.Counts.Unseen)
}

func TestKeys(t *testing.T) {
	var a, b Store
	assert.NotEqual(t, a.Key(), b.Key())
	assert.Equal(t, a.Key(), a.Key())
	assert.Equal(t, "bob", (&Store{User: "bob"}).Key())
	assert.Equal(t, a.Key(), a.As("eve").Key())
}

func TestTree(t *testing.T) {
	var tree Tree
	_, err := tree.Open(ctx, "bob")
	assert.ErrorIs(t, err, mailbox.ErrNotExist)
	s, err := tree.Create("bob")
	require.NoError(t, err)
	_, err = tree.Create("bob")
	assert.ErrorIs(t, err, mailbox.ErrExists)
	_, err = tree.Create("")
	assert.ErrorIs(t, err, mailbox.ErrCannot)
	got, err := tree.Open(ctx, "bob")
	require.NoError(t, err)
	assert.Same(t, s, got)
}

func TestQuotaWhileReading(t *testing.T) {
	s := &Store{MaxBytes: 1000}
	m := inbox(t, s)
	_, err := m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(strings.Repeat("x", 1001))}))
	assert.ErrorIs(t, err, mailbox.ErrOverQuota)
	_, err = m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: io.MultiReader(strings.NewReader("x"), errReader{})}))
	assert.ErrorIs(t, err, errBroken)
	assert.Zero(t, s.bytes, "what was read is given back")
	assert.Zero(t, s.messages)
	_, err = m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(strings.Repeat("x", 1000))}))
	assert.NoError(t, err)
	require.NoError(t, m.Expunge(ctx, mailbox.Set{{From: 1, To: 1}}))
	assert.Zero(t, s.bytes)
	assert.Zero(t, s.messages)
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

func TestLimits(t *testing.T) {
	s := &Store{MaxMessage: 10, MaxMailboxes: 2, MaxKeywords: 1, MaxMessages: 2}
	assert.ErrorIs(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "12345678901"), mailbox.ErrTooBig)
	assert.ErrorIs(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1", "2", "3"), mailbox.ErrOverQuota)
	require.NoError(t, s.Put(ctx, "x", mailbox.Flags{Keywords: "a"}, "1"))
	assert.ErrorIs(t, s.Put(ctx, "x", mailbox.Flags{Keywords: "b"}, "1"), mailbox.ErrLimit)
	require.NoError(t, s.Put(ctx, "x", mailbox.Flags{Keywords: "A"}, "1"))
	_, err := s.Create(ctx, "y")
	assert.ErrorIs(t, err, mailbox.ErrLimit)
}

// TestUIDsUsedUp: there is no UID after the last.
func TestUIDsUsedUp(t *testing.T) {
	s := newStore()
	m := inbox(t, s)
	s.boxes[0].next = mailbox.MaxUID
	assert.ErrorIs(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1", "2"), mailbox.ErrLimit)
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1"))
	assert.ErrorIs(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1"), mailbox.ErrLimit)
	assert.Equal(t, mailbox.MaxUID, changes(t, m, 0).Messages[0].UID)
}

func TestQuotaRoots(t *testing.T) {
	s := &Store{MaxBytes: 100, MaxMessages: -1}
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "12345"))
	q, err := s.Quotas(ctx, "")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.QuotaRoot{{Resources: []mailbox.Resource{{Name: mailbox.Storage, Used: 5, Limit: 100}}}}, q)
	require.NoError(t, s.SetQuota(ctx, "", []mailbox.Resource{{Name: mailbox.Messages, Limit: 1}}))
	assert.ErrorIs(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1"), mailbox.ErrOverQuota)
	assert.ErrorIs(t, s.SetQuota(ctx, "other", nil), mailbox.ErrNotExist)
	assert.ErrorIs(t, s.SetQuota(ctx, "", []mailbox.Resource{{Name: "MAILBOX", Limit: 1}}), mailbox.ErrCannot)
	require.NoError(t, s.SetQuota(ctx, "", nil))
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "1"))
}

func TestMetadata(t *testing.T) {
	s := newStore()
	set := func(e ...mailbox.Entry) error { return s.SetMetadata(ctx, "", e) }
	require.NoError(t, set(mailbox.Entry{Name: "/private/A", Value: []byte("1")}, mailbox.Entry{Name: "/private/b", Value: []byte{}}))
	require.NoError(t, set(mailbox.Entry{Name: "/private/a", Value: []byte("2")}))
	got, err := s.Metadata(ctx, "")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.Entry{{Name: "/private/a", Value: []byte("2")}, {Name: "/private/b", Value: []byte{}}}, got)
	assert.ErrorIs(t, set(mailbox.Entry{Name: "/private/a"}, mailbox.Entry{Name: "/x", Value: make([]byte, maxEntry+1)}), mailbox.ErrTooBig)
	got, err = s.Metadata(ctx, "")
	require.NoError(t, err)
	assert.Len(t, got, 2, "all or none")
	require.NoError(t, set(mailbox.Entry{Name: "/PRIVATE/A"}, mailbox.Entry{Name: "/private/b"}))
	got, err = s.Metadata(ctx, "")
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.ErrorIs(t, s.SetMetadata(ctx, "nobody", nil), mailbox.ErrNotExist)
}

// TestHistory looks at changes through the log, and when it is full.
func TestHistory(t *testing.T) {
	s := newStore()
	texts := make([]string, 3000)
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, texts...))
	m := inbox(t, s)
	start := changes(t, m, 0).State.HighestModSeq
	for i := range 9000 {
		_, err := m.SetFlags(ctx, mailbox.SetOf(mailbox.UID(1+i%500)), mailbox.ReplaceFlags, mailbox.Flags{Keywords: fmt.Sprint("k", i)[:2]}, 0)
		require.NoError(t, err)
	}
	assert.Len(t, changes(t, m, start).Messages, 500, "by looking at all")
	h := changes(t, m, 0).State.HighestModSeq
	assert.LessOrEqual(t, len(changes(t, m, h-10).Messages), 10, "by the log")
	assert.Positive(t, s.boxes[0].changed.Forgotten())
	assert.False(t, changes(t, m, start).Full)
	assert.True(t, changes(t, m, h+1).Full, "a number that was never given out")
	assert.Empty(t, changes(t, m, h).Messages)
}

func TestCache(t *testing.T) {
	s := newStore()
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "a"))
	m := inbox(t, s)
	_, ok := mailbox.Cached(m, 1)
	assert.False(t, ok)
	assert.True(t, mailbox.PutCached(m, 1, []byte("parsed")))
	mailbox.PutCached(m, 2, []byte("nobody"))
	b, ok := mailbox.Cached(m, 1)
	assert.True(t, ok)
	assert.Equal(t, "parsed", string(b))
	_, to, err := mailbox.Copy(ctx, m, mailbox.SetOf(1), m)
	require.NoError(t, err)
	b, ok = mailbox.Cached(m, to[0].From)
	assert.True(t, ok, "a copy has the same bytes, and what is known of them")
	assert.Equal(t, "parsed", string(b))
	mailbox.PutCached(m, 1, make([]byte, maxCached+1))
	b, _ = mailbox.Cached(m, 1)
	assert.Equal(t, "parsed", string(b), "too large to keep")
}

// TestBlobEndsWithContext: ctx covers the reads.
func TestBlobEndsWithContext(t *testing.T) {
	s := newStore()
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "a"))
	ctx, cancel := context.WithCancel(ctx)
	b, err := inbox(t, s).Message(ctx, 1)
	require.NoError(t, err)
	cancel()
	_, err = b.ReadAt(make([]byte, 1), 0)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = b.(io.WriterTo).WriteTo(io.Discard)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, b.Close())
	assert.Error(t, b.Close())
}

func TestContextEnded(t *testing.T) {
	s := newStore()
	m := inbox(t, s)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Mailboxes(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, m.Expunge(ctx, nil), context.Canceled)
	_, err = m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("x")}))
	assert.ErrorIs(t, err, context.Canceled)
}
