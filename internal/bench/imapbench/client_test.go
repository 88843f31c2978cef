package imapbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/internal/bench/dovecot"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// TestClientWithDovecot has our client do what users do at a server that is not
// ours: plain and compressed.
func TestClientWithDovecot(t *testing.T) {
	d := dovecot.Start(t)
	d.Give(t)
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprint("compress ", compress), func(t *testing.T) {
			c := &imap.Client{
				Addr: d.IMAP, TLS: imap.TLSNone, Compress: compress, Strict: true, ID: []string{"name", "test"},
				Auth: &sasl.Credentials{User: fmt.Sprint("user", compress), Password: dovecot.Password, Cleartext: true},
			}
			s := &scenario{t: t, client: c, conn: comeIn(t, c)}
			s.folders()
			s.messages()
			s.idle()
			s.sync()
			check(t, s.conn.Logout(t.Context()))
		})
	}
}

// TestClientExtensionsWithDovecot: quotas, access lists, annotations and NOTIFY.
func TestClientExtensionsWithDovecot(t *testing.T) {
	d := dovecot.StartWith(t, dovecot.Extensions)
	d.Give(t)
	c := &imap.Client{
		Addr: d.IMAP, TLS: imap.TLSNone, Strict: true,
		Auth: &sasl.Credentials{User: "bob", Password: dovecot.Password, Cleartext: true},
	}
	s := &scenario{t: t, client: c, conn: comeIn(t, c)}
	for _, name := range []string{"QUOTA", "ACL", "METADATA", "NOTIFY"} {
		if !s.conn.Capabilities().Has(name) {
			t.Skipf("this Dovecot has no %s: its plugin is not installed", name)
		}
	}
	for _, name := range odd {
		check(t, s.conn.Create(t.Context(), name))
	}
	t.Run("quota", func(t *testing.T) { s.t = t; s.quota() })
	t.Run("acl", func(t *testing.T) { s.t = t; s.acl() })
	t.Run("metadata", func(t *testing.T) { s.t = t; s.metadata() })
	t.Run("notify", func(t *testing.T) { s.t = t; s.notify() })
	check(t, s.conn.Logout(t.Context()))
}

// odd are names that are spelled in all the ways there are.
var odd = []string{"Crêpes & more", `a "quoted" \ name`, "[brackets", "NIL", "(list) {3}"}

func (s *scenario) quota() {
	t, ctx, c := s.t, s.t.Context(), s.conn
	_, _, err := c.Append(ctx, "INBOX", imap.Upload{Body: strings.NewReader(menu), Size: int64(len(menu))})
	check(t, err)
	for _, name := range append([]string{"INBOX"}, odd...) {
		roots, err := c.Quota(ctx, name)
		check(t, err)
		same(t, len(roots), 1)
		same(t, roots[0].Name, "User quota")
		used := map[mailbox.ResourceName][2]int64{}
		for _, r := range roots[0].Resources {
			used[r.Name] = [2]int64{r.Used, r.Limit}
		}
		same(t, used[mailbox.Messages], [2]int64{1, 100})
		same(t, used[mailbox.Storage][1], int64(10<<20))
	}
	root, err := c.QuotaRoot(ctx, "User quota")
	check(t, err)
	same(t, len(root.Resources), 2)
	if _, err := c.QuotaRoot(ctx, "another \r\nx LOGOUT"); err == nil {
		t.Error("a root that is not there")
	}
	if _, err := c.SetQuota(ctx, "User quota", mailbox.Resource{Name: mailbox.Messages, Limit: 1}); err == nil {
		t.Error("a user has set his own limit")
	}
}

func (s *scenario) acl() {
	t, ctx, c := s.t, s.t.Context(), s.conn
	for _, name := range odd {
		mine, err := c.MyRights(ctx, name)
		check(t, err)
		same(t, mine, mailbox.AllRights)
		for _, who := range []string{"zoe", "anyone"} {
			check(t, c.SetACL(ctx, name, who, mailbox.ReplaceFlags, "lrs"))
			check(t, c.SetACL(ctx, name, who, mailbox.AddFlags, "wi"))
			check(t, c.SetACL(ctx, name, who, mailbox.RemoveFlags, "r"))
		}
		check(t, c.DeleteACL(ctx, name, "anyone"))
		grants, err := c.ACL(ctx, name)
		check(t, err)
		rights := map[string]mailbox.Rights{}
		for _, g := range grants {
			rights[g.Who] = g.Rights
		}
		same(t, rights, map[string]mailbox.Rights{"bob": mailbox.AllRights, "zoe": "lswi"})
		_, optional, err := c.ListRights(ctx, name, "zoe")
		check(t, err)
		same(t, len(optional) > 5, true)
	}
	if err := c.SetACL(ctx, "NIL", "zoe", mailbox.ReplaceFlags, "Q\r\nx LOGOUT"); err == nil {
		t.Error("rights that there are not")
	}
	check(t, c.Noop(ctx))
}

func (s *scenario) metadata() {
	t, ctx, c := s.t, s.t.Context(), s.conn
	for i, name := range append([]string{""}, odd...) {
		value := []byte(fmt.Sprint("two\r\nlines, \"quotes\" and crêpes ", i))
		comment := mailbox.Entry{Name: "/private/comment", Value: value}
		check(t, c.SetMetadata(ctx, name, comment, mailbox.Entry{Name: "/private/vendor/x/y", Value: []byte("NIL")}))
		got, err := c.Metadata(ctx, name, imap.MetadataOptions{}, "/private/comment")
		check(t, err)
		same(t, got, []mailbox.Entry{comment})
		got, err = c.Metadata(ctx, name, imap.MetadataOptions{Depth: -1}, "/private/vendor/x")
		check(t, err)
		same(t, got, []mailbox.Entry{{Name: "/private/vendor/x/y", Value: []byte("NIL")}})
		got, err = c.Metadata(ctx, name, imap.MetadataOptions{MaxSize: 5}, "/private/comment", "/private/vendor/x/y")
		check(t, err)
		for _, e := range got {
			same(t, len(e.Value) <= 5, true)
		}
		check(t, c.SetMetadata(ctx, name, mailbox.Entry{Name: "/private/comment"}))
		got, err = c.Metadata(ctx, name, imap.MetadataOptions{}, "/private/comment")
		check(t, err)
		for _, e := range got {
			same(t, e.Value == nil, true)
		}
	}
	if err := c.SetMetadata(ctx, "NIL", mailbox.Entry{Name: "/x\r\nx LOGOUT", Value: []byte("x")}); err == nil {
		t.Error("an entry that cannot be")
	}
	check(t, c.Noop(ctx))
}

func (s *scenario) notify() {
	t, c := s.t, s.conn
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	other := comeIn(t, s.client)
	var news []string
	c.Events = imap.Events{
		Status:  func(m *imap.MailboxStatus) { news = append(news, fmt.Sprint("status ", m.Name, " ", m.Messages)) },
		List:    func(m *imap.MailboxInfo) { news = append(news, "list "+m.OldName+" "+m.Name) },
		Message: func(m *imap.Message) { news = append(news, fmt.Sprint("message ", m.UID, " ", m.Flags)) },
	}
	defer func() { c.Events = imap.Events{} }()
	wait := func(want string) {
		t.Helper()
		for !slices.Contains(news, want) {
			if err := c.Idle(ctx, func() bool { return !slices.Contains(news, want) }); err != nil {
				t.Fatalf("%v: %q of %q", err, want, news)
			}
		}
		news = nil
	}
	_, err := c.Select(ctx, "INBOX")
	check(t, err)
	news = nil
	check(t, c.Notify(ctx, imap.NotifyOptions{Status: true},
		imap.NotifyGroup{Events: imap.NotifyFlags, New: imap.Items{Flags: true}},
		imap.NotifyGroup{Filter: imap.FilterMailboxes, Names: odd, Events: imap.NotifyMessages},
		imap.NotifyGroup{Filter: imap.FilterPersonal, Events: imap.NotifyNames}))
	same(t, len(news), len(odd))
	add := func(name string) {
		t.Helper()
		_, _, err := other.Append(ctx, name, imap.Upload{Body: strings.NewReader(menu), Size: int64(len(menu)), Flags: mailbox.Flags{Sys: mailbox.Flagged}})
		check(t, err)
	}
	for _, name := range odd[1:] { // those in ASCII
		add(name)
		wait(fmt.Sprint("status ", name, " 1"))
	}
	status, err := c.Status(ctx, odd[0])
	check(t, err)
	same(t, status.Messages, 0)
	news = nil
	add("INBOX")
	wait("message 2 \\Flagged")
	check(t, other.Create(ctx, "Daily"))
	wait("list  Daily")
	check(t, c.Notify(ctx, imap.NotifyOptions{}))
	var refused *imap.Error
	err = c.Notify(ctx, imap.NotifyOptions{}, imap.NotifyGroup{Filter: imap.FilterPersonal, Events: imap.NotifyMetadata})
	if errors.As(err, &refused) {
		same(t, refused.Code, "BADEVENT")
	} else {
		check(t, err)
	}
}

func comeIn(t *testing.T, c *imap.Client) *imap.Conn {
	t.Helper()
	conn, err := c.Connect(t.Context())
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

const menu = "From: =?utf-8?q?Zo=C3=AB?= <zoe@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: =?utf-8?q?Cr=C3=AApes?=\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <a@crepes.fr>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHere it is.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*=UTF-8''men%C3%BC.pdf\r\n\r\nQUJD\r\n--b--\r\n"

// scenario is one account.
type scenario struct {
	t      *testing.T
	client *imap.Client
	conn   *imap.Conn
}

func (s *scenario) folders() {
	t, ctx, c := s.t, s.t.Context(), s.conn
	check(t, c.Create(ctx, "Crêpes & more"))
	check(t, c.Create(ctx, "Archive"))
	check(t, c.Rename(ctx, "Archive", "Old"))
	check(t, c.Subscribe(ctx, "Old", true))
	list, err := imap.Collect(c.List(ctx, "*", imap.ListOptions{Status: true, Children: true, Subs: true, SpecialUse: true}))
	check(t, err)
	names := map[string]*imap.MailboxInfo{}
	for _, m := range list {
		names[m.Name] = m
		if m.Status == nil {
			t.Errorf("no status of %s", m.Name)
		}
	}
	if names["INBOX"] == nil || names["Crêpes & more"] == nil || names["Old"] == nil || !names["Old"].Has(`\Subscribed`) {
		t.Errorf("folders %v", names)
	}
	subscribed, err := imap.Collect(c.List(ctx, "*", imap.ListOptions{Subscribed: true}))
	check(t, err)
	same(t, len(subscribed), 1)
	ns, err := c.Namespace(ctx)
	check(t, err)
	same(t, len(ns.Personal), 1)
	if _, err := c.Select(ctx, "Nowhere"); err == nil {
		t.Error("a mailbox that is not there")
	}
}

func (s *scenario) messages() {
	t, ctx, c := s.t, s.t.Context(), s.conn
	up := func() imap.Upload {
		return imap.Upload{Body: strings.NewReader(menu), Size: int64(len(menu)), Flags: mailbox.Flags{Sys: mailbox.Seen}, Received: time.Unix(1e9, 0)}
	}
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20_000)
	uids, validity, err := c.Append(ctx, "INBOX", up(), up(), imap.Upload{Body: strings.NewReader(big), Size: int64(len(big))})
	check(t, err)
	same(t, uids, "1:3")
	sel, err := c.Select(ctx, "INBOX")
	check(t, err)
	same(t, sel.State.UIDValidity, validity)
	same(t, sel.Messages, 3)
	header := imap.Section{Fields: []string{"Subject", "From"}}
	for m, err := range c.Fetch(ctx, mailbox.SetOf(1), imap.Items{Flags: true, Envelope: true, Structure: true, Size: true, Received: true, Preview: true, Bodies: []imap.Section{header, {Part: "1"}, {Part: "2", Binary: true}}}) {
		check(t, err)
		same(t, m.Envelope.Subject, "Crêpes")
		same(t, m.Envelope.From[0].Name, "Zoë")
		same(t, m.Size, len(menu))
		same(t, m.Received.Unix(), int64(1e9))
		same(t, m.Structure.Parts[1].Filename(), "menü.pdf")
		if m.Preview != "" {
			same(t, m.Preview, "Here it is.")
		}
		for section, want := range map[string]imap.Section{"Here it is.": {Part: "1"}, "ABC": {Part: "2", Binary: true}} {
			b, ok := m.Body(want)
			same(t, fmt.Sprint(string(b), ok), section+"true")
		}
		if _, ok := m.Body(header); !ok {
			t.Error("no header")
		}
	}
	for d, err := range c.Download(ctx, mailbox.SetOf(3), imap.Section{}) {
		check(t, err)
		b, err := io.ReadAll(d.Body)
		check(t, err)
		same(t, string(b) == big, true)
	}
	for key, want := range map[string]imap.Key{"1:2": imap.Subject("crêpes"), "3": imap.Larger(100_000), "1:3": imap.Or(imap.From("zoe"), imap.Not(imap.From("zoe")))} {
		found, err := c.Search(ctx, want)
		check(t, err)
		same(t, found, key)
	}
	sorted, err := c.Sort(ctx, "REVERSE SIZE")
	check(t, err)
	same(t, sorted[0], 3)
	threads, err := c.Thread(ctx, "REFERENCES")
	check(t, err)
	same(t, len(threads) > 0, true)
	done, err := c.Move(ctx, mailbox.SetOf(1), "Old")
	check(t, err)
	same(t, done.To, "1")
	done, err = c.Copy(ctx, mailbox.SetOf(2, 3), "Crêpes & more")
	check(t, err)
	same(t, done.From, "2:3")
	_, err = c.Store(ctx, mailbox.SetOf(2), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted, Keywords: "$Work"}, 0)
	check(t, err)
	check(t, c.Expunge(ctx, mailbox.SetOf(2)))
	same(t, c.Selected().Messages, 1)
}

func (s *scenario) idle() {
	t, c := s.t, s.conn
	other := comeIn(t, s.client)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := c.Idle(ctx, nil); ctx.Err() == nil {
			t.Error(err)
		}
		cancel()
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := other.Append(t.Context(), "INBOX", imap.Upload{Body: strings.NewReader(menu), Size: int64(len(menu))})
		done <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	check(t, c.Idle(ctx, func() bool { return c.Selected().Messages < 2 }))
	check(t, <-done)
}

func (s *scenario) sync() {
	t, ctx := s.t, s.t.Context()
	first, err := s.conn.Sync(ctx, "INBOX", imap.SyncState{})
	check(t, err)
	same(t, first.State.UIDs, "3:4")
	other := comeIn(t, s.client)
	_, err = other.Select(ctx, "INBOX")
	check(t, err)
	_, err = other.Store(ctx, mailbox.SetOf(3), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0)
	check(t, err)
	check(t, other.Expunge(ctx, mailbox.SetOf(3)))
	_, err = other.Store(ctx, mailbox.SetOf(4), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Flagged}, 0)
	check(t, err)
	check(t, other.CloseMailbox(ctx))
	second, err := s.conn.Sync(ctx, "INBOX", first.State)
	check(t, err)
	same(t, second.Full, false)
	same(t, second.Vanished, "3")
	same(t, second.State.UIDs, "4")
	same(t, len(second.Messages), 1)
	same(t, second.Messages[0].Flags, `\Flagged`)
	check(t, s.conn.Unselect(ctx))
}
