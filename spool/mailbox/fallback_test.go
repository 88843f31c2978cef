package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

var bg = context.Background()

// plain is a store without optional interfaces, and so are its mailboxes.
type plain struct{ mailbox.Store }

func (p plain) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	m, err := p.Store.Open(ctx, id)
	return struct{ mailbox.Mailbox }{m}, err
}

func open(t *testing.T, s mailbox.Store, name string) mailbox.Mailbox {
	m, err := mailbox.OpenName(bg, s, name)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func texts(t *testing.T, m mailbox.Mailbox) (out []string) {
	d, err := m.Changes(bg, 0)
	require.NoError(t, err)
	for _, x := range d.Messages {
		b, err := m.Message(bg, x.UID)
		require.NoError(t, err)
		text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		require.NoError(t, err)
		require.NoError(t, b.Close())
		out = append(out, string(text))
	}
	return out
}

// TestWithoutOptional: what each helper does for a store that has nothing of it.
func TestWithoutOptional(t *testing.T) {
	var store memory.Store
	require.NoError(t, store.Put(bg, mailbox.Inbox, mailbox.Flags{Sys: mailbox.Seen}, "a: b\n\nc", "d"))
	s := plain{struct{ mailbox.Store }{&store}}
	m := open(t, s, mailbox.Inbox)

	_, ok := mailbox.Cached(m, 1)
	assert.False(t, ok)
	assert.False(t, mailbox.PutCached(m, 1, nil))
	first, next, err := mailbox.RecentOf(bg, m, true)
	assert.NoError(t, err)
	assert.Zero(t, first+next)
	_, ok, err = mailbox.EmailID(bg, m, 1)
	assert.NoError(t, err)
	assert.False(t, ok)
	thread, err := mailbox.ThreadID(bg, m, 1)
	assert.NoError(t, err)
	assert.Empty(t, thread)
	id, err := mailbox.POP3ID(bg, m, 7, 9)
	assert.NoError(t, err)
	assert.Equal(t, "7.9", id)
	release, err := mailbox.Lock(bg, m)
	require.NoError(t, err)
	release()
	assert.Nil(t, mailbox.WatchAll(s, func(mailbox.ID) {}))
	roots, err := mailbox.Quotas(bg, s, "")
	assert.NoError(t, err)
	assert.Empty(t, roots)
	assert.ErrorIs(t, mailbox.SetQuota(bg, s, "", nil), mailbox.ErrReadOnly)
	assert.NoError(t, mailbox.Room(bg, s, "", 1<<60, 1<<60))
	rights, err := mailbox.MyRights(bg, s, "")
	assert.NoError(t, err)
	assert.Equal(t, mailbox.AllRights, rights)
	entries, err := mailbox.MetadataOf(bg, s, "")
	assert.NoError(t, err)
	assert.Empty(t, entries)
	assert.ErrorIs(t, mailbox.SetMetadata(bg, s, "", nil), mailbox.ErrReadOnly)
	uids, exact, err := mailbox.Search(bg, m, mailbox.Query{Among: mailbox.SetOf(2)})
	assert.NoError(t, err)
	assert.False(t, exact)
	assert.Equal(t, mailbox.SetOf(2), uids)
	uids, _, err = mailbox.Search(bg, m, mailbox.Query{})
	assert.NoError(t, err)
	assert.True(t, uids.Contains(1) && uids.Contains(mailbox.MaxUID))
	h, err := mailbox.Header(bg, m, 1)
	assert.NoError(t, err)
	assert.Equal(t, "a: b\r\n\r\n", string(h))
	assert.NoError(t, mailbox.Close(s))
	i, err := mailbox.Find(bg, s, mailbox.Inbox)
	require.NoError(t, err)
	c, err := mailbox.CountsOf(bg, s, mailbox.Info{ID: i.ID})
	assert.NoError(t, err)
	assert.Equal(t, *i.Counts, c)
}

// other is a mailbox whose optional methods say that they cannot.
type other struct{ mailbox.Mailbox }

func (other) Copy(context.Context, mailbox.Set, mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return nil, nil, errors.ErrUnsupported
}

func (o other) Move(ctx context.Context, u mailbox.Set, d mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return o.Copy(ctx, u, d)
}

func (other) Search(context.Context, mailbox.Query) (mailbox.Set, bool, error) {
	return nil, true, errors.ErrUnsupported
}

// TestAcrossStores: a copy goes from one kind of store to another.
func TestAcrossStores(t *testing.T) {
	var a, b memory.Store
	require.NoError(t, a.Put(bg, mailbox.Inbox, mailbox.Flags{Keywords: "k"}, "one", "two", "three"))
	src, dst := open(t, &a, mailbox.Inbox), open(t, &b, mailbox.Inbox)
	from, to, err := mailbox.Copy(bg, src, mailbox.SetOf(1, 3, 9), dst)
	require.NoError(t, err)
	assert.Equal(t, "1,3", from.String())
	assert.Equal(t, "1:2", to.String())
	from, to, err = mailbox.Move(bg, other{src}, mailbox.SetOf(2, 3), dst)
	require.NoError(t, err)
	assert.Equal(t, "2:3", from.String())
	assert.Equal(t, "3:4", to.String())
	assert.Equal(t, []string{"one", "three", "two", "three"}, texts(t, dst))
	assert.Equal(t, []string{"one"}, texts(t, src))
	d, err := dst.Changes(bg, 0)
	require.NoError(t, err)
	assert.Equal(t, "k", d.Messages[3].Flags.String())
	uids, exact, err := mailbox.Search(bg, other{src}, mailbox.Query{Among: mailbox.SetOf(1)})
	assert.NoError(t, err)
	assert.False(t, exact)
	assert.Len(t, uids, 1)
	from, to, err = mailbox.Copy(bg, src, nil, dst)
	assert.NoError(t, err)
	assert.Empty(t, append(from, to...))
}

func TestDeliver(t *testing.T) {
	var s memory.Store
	require.NoError(t, s.Put(bg, "Junk", mailbox.Flags{}))
	deliver := func(d mailbox.Delivery) error {
		d.Body = strings.NewReader("Subject: x\r\n\r\ny\r\n")
		return mailbox.Deliver(bg, &s, d)
	}
	require.NoError(t, deliver(mailbox.Delivery{ReturnPath: "ann@example.org", DeliveredTo: "bob@example.net", Received: time.Unix(77, 0)}))
	require.NoError(t, deliver(mailbox.Delivery{Size: 17, Folder: "Junk", Flags: mailbox.Flags{Sys: mailbox.Seen}}))
	require.NoError(t, deliver(mailbox.Delivery{Folder: "Nowhere"}))
	require.NoError(t, deliver(mailbox.Delivery{Folder: "../x"}))
	in := texts(t, open(t, &s, mailbox.Inbox))
	require.Len(t, in, 3)
	assert.Equal(t, "Return-Path: <ann@example.org>\r\nDelivered-To: bob@example.net\r\nSubject: x\r\n\r\ny\r\n", in[0])
	assert.Equal(t, "Return-Path: <>\r\nSubject: x\r\n\r\ny\r\n", in[1])
	assert.Len(t, texts(t, open(t, &s, "Junk")), 1)
	d, err := open(t, &s, mailbox.Inbox).Changes(bg, 0)
	require.NoError(t, err)
	assert.EqualValues(t, 77, d.Messages[0].Received)
}

// TestDeliverInjection: pitfall: nothing in the envelope can begin a field.
func TestDeliverInjection(t *testing.T) {
	var s memory.Store
	for _, bad := range []string{"a\r\nBcc: x", "a\nb", "a\x00", "\u2028"} {
		for _, d := range []mailbox.Delivery{{ReturnPath: bad}, {DeliveredTo: bad}} {
			d.Body = strings.NewReader("x")
			assert.ErrorIs(t, mailbox.Deliver(bg, &s, d), mailbox.ErrCannot)
		}
	}
	assert.Empty(t, texts(t, open(t, &s, mailbox.Inbox)))
}

// TestDeliverOverQuota: what is known not to fit is refused before it is read.
func TestDeliverOverQuota(t *testing.T) {
	s := memory.Store{MaxBytes: 100}
	err := mailbox.Deliver(bg, &s, mailbox.Delivery{Body: iotest.ErrReader(errors.New("read")), Size: 101})
	assert.ErrorIs(t, err, mailbox.ErrOverQuota)
	broken := errors.New("broken")
	err = mailbox.Deliver(bg, &s, mailbox.Delivery{Body: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken))})
	assert.ErrorIs(t, err, broken)
	assert.Empty(t, texts(t, open(t, &s, mailbox.Inbox)))
}

func TestImport(t *testing.T) {
	var s memory.Store
	at := time.Unix(1e9, 0)
	fsys := fstest.MapFS{
		"b.eml":                {Data: []byte("Subject: b\n\n2\n"), ModTime: at},
		"a.eml":                {Data: []byte("Subject: a\r\n\r\n1\r\n"), ModTime: at},
		"README":               {Data: []byte("no mail")},
		"Work/Projects/x.eml":  {Data: []byte("x")},
		"Archive/1999.mbox":    {Data: []byte("From a@b Thu Jan  1 00:00:10 1970\nold\n\nFrom c@d\nolder\n\n")},
		"Archive/notes.txt":    {},
		"Archive/deep/er.mbox": {Data: []byte("From a@b\nz\n")},
		"empty.mbox":           {},
	}
	n, err := mailbox.Import(bg, &s, fsys)
	require.NoError(t, err)
	assert.Equal(t, 6, n)
	var names []string
	all, err := s.Mailboxes(bg)
	require.NoError(t, err)
	for _, i := range all {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	assert.Equal(t, []string{"Archive/1999", "Archive/deep/er", "INBOX", "Work/Projects"}, names)
	in := open(t, &s, mailbox.Inbox)
	assert.Equal(t, []string{"Subject: a\r\n\r\n1\r\n", "Subject: b\r\n\r\n2\r\n"}, texts(t, in))
	d, err := in.Changes(bg, 0)
	require.NoError(t, err)
	assert.EqualValues(t, 1e9, d.Messages[0].Received)
	assert.Equal(t, []string{"old\r\n", "older\r\n"}, texts(t, open(t, &s, "Archive/1999")))

	n, err = mailbox.Import(bg, &s, fstest.MapFS{"a.eml": {Data: []byte("x")}, "b.mbox": {Data: []byte("no mbox")}})
	assert.Error(t, err)
	assert.Equal(t, 1, n)
}

// TestExport: what was imported from an mbox file comes out as it was.
func TestExport(t *testing.T) {
	var s memory.Store
	file := "From ann@example.org Thu Jan  1 00:00:10 1970\nReturn-Path: <ann@example.org>\nSubject: a\n\n>From x\n\n" +
		"From MAILER-DAEMON Thu Jan  1 00:00:20 1970\nSubject: b\n\n\n"
	_, err := mailbox.Import(bg, &s, fstest.MapFS{"x.mbox": {Data: []byte(file)}})
	require.NoError(t, err)
	m := open(t, &s, "x")
	var out bytes.Buffer
	require.NoError(t, mailbox.WriteMbox(bg, &out, m, nil))
	assert.Equal(t, file, out.String())
	out.Reset()
	require.NoError(t, mailbox.WriteMbox(bg, &out, m, mailbox.SetOf(2, 7)))
	assert.Equal(t, file[strings.Index(file, "From MAILER"):], out.String())
	assert.Error(t, mailbox.WriteMbox(bg, failing{}, m, nil))
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
