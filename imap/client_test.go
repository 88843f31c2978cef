package imap_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/imap/imaptest"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

const lunch = "From: =?utf-8?q?Zo=C3=AB?= <zoe@crepes.fr>\r\nTo: Bob <bob@hamburger.edu>\r\nSubject: =?utf-8?q?Cr=C3=AApes?=\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <lunch@crepes.fr>\r\n\r\nAt noon?\r\n"

const withFile = "From: a@crepes.fr\r\nSubject: menu\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHere it is.\r\n--b\r\nContent-Type: application/pdf; name=menu.pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=menu.pdf\r\n\r\nQUJD\r\n--b--\r\n"

// connect logs in to a fake server.
func connect(t *testing.T, srv *imaptest.Server) *imap.Conn {
	t.Helper()
	conn, err := srv.Client().Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// open is connect with INBOX selected.
func open(t *testing.T, srv *imaptest.Server) *imap.Conn {
	t.Helper()
	conn := connect(t, srv)
	_, err := conn.Select(t.Context(), "INBOX")
	require.NoError(t, err)
	return conn
}

// The client comes in by each way to TLS and each kind of login.
func TestClientConnects(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *imaptest.Server{
		"STARTTLS":     func(t *testing.T) *imaptest.Server { return imaptest.New(t) },
		"implicit TLS": func(t *testing.T) *imaptest.Server { return imaptest.NewTLS(t) },
		"memory":       func(t *testing.T) *imaptest.Server { return imaptest.NewPipe(t) },
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, start(t))
			assert.NotNil(t, conn.TLS())
			assert.True(t, conn.Capabilities().Has("IDLE"))
			assert.NoError(t, conn.Noop(t.Context()))
			assert.NoError(t, conn.Logout(t.Context()))
		})
	}
	for _, mechanism := range []string{"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"} {
		t.Run(mechanism, func(t *testing.T) {
			srv := imaptest.New(t, func(s *imap.Server) {
				s.Auth.Secret = func(context.Context, sasl.Login) (sasl.Secret, error) { return sasl.Secret{Plain: "password"}, nil }
			})
			c := srv.Client()
			c.Auth = &sasl.Credentials{User: "any body", Password: "password", Mechanisms: []string{mechanism}}
			c.ID = []string{"name", "test"}
			conn, err := c.Connect(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			assert.NotContains(t, srv.Transcript(), "password")
			id, err := conn.ID(t.Context())
			require.NoError(t, err)
			assert.NotEmpty(t, id["name"])
		})
	}
}

func TestClientFetches(t *testing.T) {
	srv := imaptest.New(t)
	srv.Deliver("INBOX", lunch, withFile)
	conn := open(t, srv)
	ctx := t.Context()
	s := conn.Selected()
	assert.EqualValues(t, 2, s.Messages)
	assert.NotZero(t, s.State.UIDValidity)
	assert.NotZero(t, s.State.HighestModSeq)
	assert.False(t, s.State.ReadOnly)

	var got []*imap.Message
	header := imap.Section{Fields: []string{"Subject", "From"}}
	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Flags: true, Envelope: true, Structure: true, Size: true, Received: true, Preview: true,
		Saved: true, EmailID: true, Bodies: []imap.Section{header, {Part: "1"}, {Offset: 2, Octets: 3}}}) {
		require.NoError(t, err)
		got = append(got, m)
		assert.Error(t, conn.Noop(ctx), "not within the loop")
	}
	require.Len(t, got, 2)
	m := got[0]
	assert.Equal(t, "Crêpes", m.Envelope.Subject)
	assert.Equal(t, "Zoë", m.Envelope.From[0].Name)
	assert.Equal(t, "zoe@crepes.fr", m.Envelope.From[0].Addr)
	assert.Equal(t, "<lunch@crepes.fr>", m.Envelope.MessageID)
	assert.True(t, m.Envelope.Date.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	assert.EqualValues(t, len(lunch), m.Size)
	assert.Equal(t, "At noon?", m.Preview)
	assert.WithinDuration(t, time.Now(), m.Received, time.Minute)
	b, ok := m.Body(header)
	assert.True(t, ok)
	assert.Equal(t, "From: =?utf-8?q?Zo=C3=AB?= <zoe@crepes.fr>\r\nSubject: =?utf-8?q?Cr=C3=AApes?=\r\n\r\n", string(b))
	b, ok = m.Body(imap.Section{Offset: 2, Octets: 3})
	assert.True(t, ok)
	assert.Equal(t, lunch[2:5], string(b))
	assert.Equal(t, "text/plain", m.Structure.MediaType())

	p := got[1].Structure
	assert.Equal(t, "multipart/mixed", p.MediaType())
	require.Len(t, p.Parts, 2)
	assert.Equal(t, "2", p.Parts[1].Number)
	assert.Equal(t, "menu.pdf", p.Parts[1].Filename())
	assert.Equal(t, "attachment", p.Parts[1].Disposition)
	b, _ = got[1].Body(imap.Section{Part: "1"})
	assert.Equal(t, "Here it is.", string(b))

	for range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Flags: true}) {
		break
	}
	assert.NoError(t, conn.Noop(ctx), "a loop that was left")
}

// Bodies of any size stream; those that are not read are dropped.
func TestClientDownloads(t *testing.T) {
	srv := imaptest.New(t)
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 40_000)
	srv.Deliver("INBOX", lunch, big, withFile)
	conn := open(t, srv)
	ctx := t.Context()
	var sizes []int64
	for d, err := range conn.Download(ctx, imap.AllUIDs(), imap.Section{}) {
		require.NoError(t, err)
		if d.UID == 2 {
			var b bytes.Buffer
			_, err := b.ReadFrom(d.Body)
			require.NoError(t, err)
			assert.Equal(t, big, b.String())
		}
		sizes = append(sizes, d.Size)
	}
	assert.Equal(t, []int64{int64(len(lunch)), int64(len(big)), int64(len(withFile))}, sizes)
	for range conn.Download(ctx, imap.AllUIDs(), imap.Section{Part: "1"}) {
		break
	}
	// Three megabytes were still to come: the connection was given up, or not,
	// but it says so.
	if err := conn.Noop(ctx); err != nil {
		assert.True(t, conn.Botched())
	}
	// Nothing in a body is taken for a response.
	srv.Deliver("INBOX", "Subject: x\r\n\r\n* BYE\r\na99 OK\r\n* 1 FETCH (UID 7 BODY[] {3}\r\n")
	conn = open(t, srv)
	n := 0
	for d, err := range conn.Download(ctx, mailbox.SetOf(4), imap.Section{}) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.Contains(t, string(b), "* BYE")
		n++
	}
	assert.Equal(t, 1, n)
	assert.NoError(t, conn.Noop(ctx))
}

func TestClientChanges(t *testing.T) {
	srv := imaptest.New(t)
	srv.Deliver("INBOX", lunch, lunch, lunch)
	srv.Deliver("Archive")
	conn := open(t, srv)
	ctx := t.Context()
	var changed []mailbox.UID
	var gone []uint32
	conn.Events.Message = func(m *imap.Message) { changed = append(changed, m.UID) }
	conn.Events.Expunge = func(seq uint32) { gone = append(gone, seq) }

	seen := mailbox.Flags{Sys: mailbox.Seen, Keywords: "$Work"}
	skipped, err := conn.Store(ctx, mailbox.SetOf(1, 2), mailbox.AddFlags, seen, 0)
	require.NoError(t, err)
	assert.Empty(t, skipped)
	assert.Equal(t, []mailbox.UID{1, 2}, changed)
	skipped, err = conn.Store(ctx, mailbox.SetOf(1, 3), mailbox.RemoveFlags, seen, 2)
	require.NoError(t, err)
	assert.Equal(t, "1", skipped.String())

	done, err := conn.Copy(ctx, mailbox.SetOf(1, 3), "Archive")
	require.NoError(t, err)
	assert.Equal(t, "1,3", done.From.String())
	assert.Equal(t, "1:2", done.To.String())
	_, err = conn.Copy(ctx, mailbox.SetOf(1), "Nowhere")
	e, ok := errors.AsType[*imap.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "TRYCREATE", e.Code)
	assert.False(t, conn.Botched())

	done, err = conn.Move(ctx, mailbox.SetOf(2), "Archive")
	require.NoError(t, err)
	assert.Equal(t, "3", done.To.String())
	assert.Equal(t, []uint32{2}, gone)
	_, err = conn.Store(ctx, mailbox.SetOf(1, 3), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0)
	require.NoError(t, err)
	require.NoError(t, conn.Expunge(ctx, mailbox.SetOf(3)))
	require.NoError(t, conn.Expunge(ctx, nil))
	assert.Zero(t, conn.Selected().Messages)
	require.NoError(t, conn.CloseMailbox(ctx))
	assert.Nil(t, conn.Selected())
}

// A server without MOVE, UIDPLUS or MULTIAPPEND is worked around.
func TestClientWorksAround(t *testing.T) {
	srv := imaptest.New(t, func(s *imap.Server) {
		s.Without = append(s.Without, "MOVE", "IMAP4rev2", "MULTIAPPEND", "ESEARCH", "LIST-STATUS", "LIST-EXTENDED", "LITERAL+", "LITERAL-", "IDLE", "CONDSTORE", "QRESYNC")
	})
	srv.Deliver("INBOX", lunch)
	conn := open(t, srv)
	ctx := t.Context()
	require.NoError(t, conn.Create(ctx, "Crêpes"))
	uids, _, err := conn.Append(ctx, "Crêpes", upload(lunch), upload(withFile))
	require.NoError(t, err)
	assert.Equal(t, "1:2", uids.String())
	_, err = conn.Move(ctx, mailbox.SetOf(1), "Crêpes")
	require.NoError(t, err)
	found, err := conn.Search(ctx)
	require.NoError(t, err)
	assert.Empty(t, found)
	list, err := imap.Collect(conn.List(ctx, "*", imap.ListOptions{Status: true}))
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, m := range list {
		require.NotNil(t, m.Status, m.Name)
		assert.Equal(t, map[string]uint32{"INBOX": 0, "Crêpes": 3}[m.Name], m.Status.Messages)
	}
	ch, err := conn.Sync(ctx, "Crêpes", imap.SyncState{})
	require.NoError(t, err)
	assert.Len(t, ch.Messages, 3)
	again, err := conn.Sync(ctx, "Crêpes", ch.State)
	require.NoError(t, err)
	assert.True(t, again.Full)
	assert.Len(t, again.Messages, 3)
}

func upload(text string) imap.Upload {
	return imap.Upload{Body: strings.NewReader(text), Size: int64(len(text)), Flags: mailbox.Flags{Sys: mailbox.Seen}, Received: time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}
}

func TestClientAppends(t *testing.T) {
	srv := imaptest.New(t)
	conn := open(t, srv)
	ctx := t.Context()
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20_000)
	uids, validity, err := conn.Append(ctx, "INBOX", upload(lunch), upload(big))
	require.NoError(t, err)
	assert.Equal(t, "1:2", uids.String())
	assert.Equal(t, conn.Selected().State.UIDValidity, validity)
	for m, err := range conn.Fetch(ctx, uids, imap.Items{Flags: true, Size: true, Received: true}) {
		require.NoError(t, err)
		assert.True(t, m.Flags.Has(`\Seen`))
		assert.Equal(t, 2020, m.Received.Year())
	}
	_, _, err = conn.Append(ctx, "Nowhere", upload(lunch))
	e, ok := errors.AsType[*imap.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "TRYCREATE", e.Code)
	assert.NoError(t, conn.Noop(ctx))
	// A body that is too short cannot be made good.
	_, _, err = conn.Append(ctx, "INBOX", imap.Upload{Body: strings.NewReader("short"), Size: 100})
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.True(t, conn.Botched())
}

func TestClientSearches(t *testing.T) {
	srv := imaptest.New(t)
	srv.Deliver("INBOX", lunch, withFile, "Subject: Re: Cr=?utf-8?q?=C3=AA?=pes\r\nIn-Reply-To: <lunch@crepes.fr>\r\nReferences: <lunch@crepes.fr>\r\n\r\n\"quoted\" \\ and {5}\r\n")
	conn := open(t, srv)
	ctx := t.Context()
	for _, tc := range []struct {
		keys []imap.Key
		want string
	}{
		{nil, "1:3"},
		{[]imap.Key{imap.From("zoe@")}, "1"},
		{[]imap.Key{imap.Subject("Crêpes")}, "1,3"},
		{[]imap.Key{imap.Or(imap.Subject("menu"), imap.Text(`"quoted" \`))}, "2:3"},
		{[]imap.Key{imap.Not(imap.From("crepes"))}, "3"},
		{[]imap.Key{imap.BodyText("noon"), imap.WithoutFlags(mailbox.Flags{Sys: mailbox.Seen})}, "1"},
		{[]imap.Key{imap.UIDs(mailbox.SetOf(2, 3, 9)), imap.Larger(10), imap.Smaller(1 << 20)}, "2:3"},
		{[]imap.Key{imap.Field("In-Reply-To", "")}, "3"},
		{[]imap.Key{imap.Since(time.Now().Add(-48 * time.Hour)), imap.Before(time.Now().Add(48 * time.Hour))}, "1:3"},
		{[]imap.Key{imap.SentSince(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), imap.SentBefore(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)), imap.To("bob"), imap.Not(imap.Cc("x"))}, "1"},
		{[]imap.Key{imap.And(imap.WithFlags(mailbox.Flags{Keywords: "$None"}), imap.Key{})}, ""},
		{[]imap.Key{imap.UIDs(nil)}, ""},
		{[]imap.Key{imap.Text("line\r\nbreak")}, ""},
	} {
		found, err := conn.Search(ctx, tc.keys...)
		require.NoError(t, err, "%v", tc.keys)
		assert.Equal(t, tc.want, found.String(), "%v", tc.keys)
	}
	sorted, err := conn.Sort(ctx, "REVERSE SIZE")
	require.NoError(t, err)
	assert.Len(t, sorted, 3)
	threads, err := conn.Thread(ctx, "REFERENCES")
	require.NoError(t, err)
	require.Len(t, threads, 2)
	assert.EqualValues(t, 1, threads[0].UID)
	assert.EqualValues(t, 3, threads[0].Answers[0].UID)
}

func TestClientFolders(t *testing.T) {
	srv := imaptest.New(t)
	conn := connect(t, srv)
	ctx := t.Context()
	ns, err := conn.Namespace(ctx)
	require.NoError(t, err)
	assert.Equal(t, []imap.Namespace{{Prefix: "", Separator: "/"}}, ns.Personal)
	for _, name := range []string{"Sent", "Crêpes/Straße", `odd "name" \ & ~`, "日本語"} {
		require.NoError(t, conn.Create(ctx, name), name)
	}
	require.NoError(t, conn.Create(ctx, "Trash", `\Trash`))
	require.NoError(t, conn.Rename(ctx, "日本語", "日本"))
	require.NoError(t, conn.Subscribe(ctx, "日本", true))
	require.NoError(t, conn.Delete(ctx, "Sent"))
	list, err := imap.Collect(conn.List(ctx, "*", imap.ListOptions{Status: true, Subs: true, Children: true, SpecialUse: true}))
	require.NoError(t, err)
	names := map[string]*imap.MailboxInfo{}
	for _, m := range list {
		names[m.Name] = m
		assert.NotNil(t, m.Status, m.Name)
	}
	assert.Contains(t, names, "Crêpes/Straße")
	assert.Contains(t, names, `odd "name" \ & ~`)
	assert.True(t, names["日本"].Has(`\Subscribed`))
	assert.True(t, names["Trash"].Has(`\trash`))
	assert.NotContains(t, names, "Sent")
	subs, err := imap.Collect(conn.List(ctx, "*", imap.ListOptions{Subscribed: true}))
	require.NoError(t, err)
	require.Len(t, subs, 1)
	assert.Equal(t, "日本", subs[0].Name)
	st, err := conn.Status(ctx, "inbox")
	require.NoError(t, err)
	assert.Equal(t, "INBOX", st.Name)
	_, err = conn.Status(ctx, "nowhere")
	assert.Error(t, err)

	on, err := conn.Enable(ctx, "UTF8=ACCEPT")
	require.NoError(t, err)
	assert.Contains(t, on, "UTF8=ACCEPT")
	sel, err := conn.Select(ctx, "日本")
	require.NoError(t, err)
	assert.NotEmpty(t, sel.MailboxID)
	assert.NoError(t, conn.Unselect(ctx))
}

// Idle tells of new mail as it comes, and ends in order.
func TestClientIdles(t *testing.T) {
	srv := imaptest.New(t)
	conn := open(t, srv)
	var seen []uint32
	conn.Events.Exists = func(n uint32) { seen = append(seen, n) }
	go func() {
		srv.AwaitIdle(1)
		srv.Deliver("INBOX", lunch)
	}()
	require.NoError(t, conn.Idle(t.Context(), func() bool { return len(seen) == 0 }))
	assert.Equal(t, []uint32{1}, seen)

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() { srv.AwaitIdle(1); cancel(why) }()
	assert.ErrorIs(t, conn.Idle(ctx, nil), why)
	assert.False(t, conn.Botched())
	assert.NoError(t, conn.Noop(t.Context()))
}
