package mailbox_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// account is a store with two messages in INBOX and an empty Archive.
func account() (*memory.Store, mailbox.Mailbox, mailbox.Mailbox) {
	ctx := context.Background()
	store := &memory.Store{User: "bob"}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: one\n\n1\n", "Subject: two\n\n2\n")
	store.Create(ctx, "Archive")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	archive, _ := mailbox.OpenName(ctx, store, "Archive")
	return store, inbox, archive
}

// Copy asks for a Copier, and reads and appends without one.
func ExampleCopier() {
	_, inbox, archive := account()
	_, ok := inbox.(mailbox.Copier)
	from, to, err := mailbox.Copy(context.Background(), inbox, mailbox.SetOf(1, 2), archive)
	fmt.Println(ok, from, to, err)
	// Output: true 1:2 1:2 <nil>
}

// With a Mover a message is never in both mailboxes.
func ExampleMover() {
	_, inbox, archive := account()
	_, ok := inbox.(mailbox.Mover)
	from, to, err := mailbox.Move(context.Background(), inbox, mailbox.SetOf(2), archive)
	fmt.Println(ok, from, to, err)
	// Output: true 2 1 <nil>
}

// A server keeps what it found out about a message beside it.
func ExampleCacher() {
	_, inbox, _ := account()
	if c, ok := inbox.(mailbox.Cacher); ok {
		c.PutCached(1, []byte("text/plain, 1 line"))
	}
	b, ok := mailbox.Cached(inbox, 1)
	fmt.Printf("%s %t\n", b, ok)
	// Output: text/plain, 1 line true
}

// indexed is a mailbox whose database finds texts.
type indexed struct {
	mailbox.Mailbox
	words map[string]mailbox.Set
}

// Search knows single words of the body; whether they stand there as asked for
// the server finds out.
func (m indexed) Search(_ context.Context, q mailbox.Query) (uids mailbox.Set, exact bool, err error) {
	uids = q.Among
	for _, t := range q.Terms {
		if found, ok := m.words[t.Text]; ok && t.Where == mailbox.InBody && !t.Not {
			uids = uids.Intersect(found)
		}
	}
	return uids, false, nil
}

func ExampleSearcher() {
	var m mailbox.Searcher = indexed{words: map[string]mailbox.Set{"noon": mailbox.SetOf(3, 8)}}
	uids, exact, err := m.Search(context.Background(), mailbox.Query{
		Among: mailbox.Set{{From: 1, To: 5}}, Terms: []mailbox.Term{{Where: mailbox.InBody, Text: "noon"}}})
	fmt.Println(uids, exact, err)
	// Output: 3 false <nil>
}

// headed is a mailbox that keeps headers apart.
type headed struct {
	mailbox.Mailbox
	headers map[mailbox.UID][]byte
}

func (m headed) Header(_ context.Context, uid mailbox.UID) ([]byte, error) {
	if h := m.headers[uid]; h != nil {
		return h, nil
	}
	return nil, mailbox.ErrNotExist
}

func ExampleHeaders() {
	m := headed{headers: map[mailbox.UID][]byte{1: []byte("Subject: one\r\n\r\n")}}
	h, err := mailbox.Header(context.Background(), m, 1) // the message is not opened
	fmt.Printf("%q %v\n", h, err)
	// Output: "Subject: one\r\n\r\n" <nil>
}

func ExampleRecent() {
	store, inbox, _ := account()
	first, next, _ := inbox.(mailbox.Recent).Recent(context.Background(), true)
	fmt.Println(first, next)
	store.Put(context.Background(), mailbox.Inbox, mailbox.Flags{}, "Subject: three\n\n")
	first, next, _ = inbox.(mailbox.Recent).Recent(context.Background(), true)
	fmt.Println(first, next)
	// Output:
	// 1 3
	// 3 4
}

// named is a mailbox whose messages have names and conversations, and unique IDs
// that came with them from an older server.
type named struct{ mailbox.Mailbox }

func (named) EmailID(_ context.Context, uid mailbox.UID) (string, error) {
	return fmt.Sprint("M", uid), nil
}
func (named) ThreadID(context.Context, mailbox.UID) (string, error) { return "T1", nil }
func (named) POP3ID(_ context.Context, uid mailbox.UID) (string, error) {
	return strings.Repeat("0", 8) + fmt.Sprint(uid), nil
}

func ExampleEmailIDs() {
	fmt.Println(mailbox.EmailID(context.Background(), named{}, 7))
	// Output: M7 true <nil>
}

func ExampleThreads() {
	fmt.Println(mailbox.ThreadID(context.Background(), named{}, 7))
	// Output: T1 <nil>
}

func ExamplePOP3IDs() {
	fmt.Println(mailbox.POP3ID(context.Background(), named{}, 1700000000, 7))
	_, inbox, _ := account()
	fmt.Println(mailbox.POP3ID(context.Background(), inbox, 1700000000, 7))
	// Output:
	// 000000007 <nil>
	// 1700000000.7 <nil>
}

// One POP3 session has the maildrop; others are told so.
func ExampleLocker() {
	ctx := context.Background()
	_, inbox, _ := account()
	release, err := mailbox.Lock(ctx, inbox)
	fmt.Println(err)
	_, err = mailbox.Lock(ctx, inbox)
	fmt.Println(err)
	release()
	// Output:
	// <nil>
	// mailbox: mailbox is in use
}

// tabled is a store whose database has an index of names.
type tabled struct {
	mailbox.Store
	byName map[string]mailbox.Info
}

func (s tabled) Find(_ context.Context, name string) (mailbox.Info, error) {
	if i, ok := s.byName[name]; ok {
		return i, nil
	}
	return mailbox.Info{}, mailbox.ErrNotExist
}

func ExampleFinder() {
	store := tabled{byName: map[string]mailbox.Info{"Work": {ID: "w1", Name: "Work"}}}
	i, err := mailbox.Find(context.Background(), store, "Work") // no list is made
	fmt.Println(i.ID, err)
	// Output: w1 <nil>
}

func ExampleCounter() {
	store, _, _ := account()
	i, _ := mailbox.Find(context.Background(), store, mailbox.Inbox)
	c, err := mailbox.Counter(store).Counts(context.Background(), i.ID)
	fmt.Println(c.Messages, err)
	// Output: 2 <nil>
}

func ExampleStoreWatcher() {
	store, _, _ := account()
	stop := store.WatchAll(func(id mailbox.ID) { fmt.Println("changed:", id != "") })
	store.Put(context.Background(), "Archive", mailbox.Flags{}, "Subject: x\n\n")
	stop()
	// Output: changed: true
}

func ExampleQuota() {
	store := &memory.Store{MaxBytes: 1 << 20, MaxMessages: 100}
	store.Put(context.Background(), mailbox.Inbox, mailbox.Flags{}, "Subject: one\n\n")
	roots, err := mailbox.Quota(store).Quotas(context.Background(), "")
	for _, root := range roots {
		for _, r := range root.Resources {
			fmt.Println(r.Name, r.Used, "of", r.Limit)
		}
	}
	fmt.Println(err)
	// Output:
	// STORAGE 16 of 1048576
	// MESSAGE 1 of 100
	// <nil>
}

func ExampleQuotaSetter() {
	ctx := context.Background()
	store := &memory.Store{}
	err := mailbox.QuotaSetter(store).SetQuota(ctx, "", []mailbox.Resource{{Name: mailbox.Messages, Limit: 1}})
	fmt.Println(err)
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: one\n\n")
	fmt.Println(store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: two\n\n"))
	// Output:
	// <nil>
	// mailbox: mailbox is full
}

func ExampleQuotaRoot() {
	root := mailbox.QuotaRoot{Name: "bob", Resources: []mailbox.Resource{{Name: mailbox.Storage, Used: 300, Limit: 1000}}}
	fmt.Println(root.Name, len(root.Resources))
	// Output: bob 1
}

func ExampleResource() {
	r := mailbox.Resource{Name: mailbox.Storage, Used: 300, Limit: 1000}
	fmt.Println(r.Name, r.Limit-r.Used, "octets left")
	// Output: STORAGE 700 octets left
}

func ExampleResourceName() {
	fmt.Println(mailbox.Storage, mailbox.Messages, mailbox.Mailboxes)
	// Output: STORAGE MESSAGE MAILBOX
}

// Bob lets Alice read his archive.
func ExampleACL() {
	ctx := context.Background()
	store, _, _ := account()
	i, _ := mailbox.Find(ctx, store, "Archive")
	fmt.Println(mailbox.ACL(store).Grant(ctx, i.ID, "alice", mailbox.ReplaceFlags, "lr"))
	fmt.Println(mailbox.MyRights(ctx, store.As("alice"), i.ID))
	// Output:
	// <nil>
	// lr <nil>
}

func ExampleGrant() {
	ctx := context.Background()
	store, _, _ := account()
	i, _ := mailbox.Find(ctx, store, "Archive")
	store.Grant(ctx, i.ID, "alice", mailbox.ReplaceFlags, "lr")
	grants, _ := store.Grants(ctx, i.ID)
	for _, g := range grants {
		fmt.Println(g.Who, g.Rights)
	}
	// Output:
	// bob lrswipkxtea
	// alice lr
}

func ExampleMetadata() {
	ctx := context.Background()
	store, _, _ := account()
	var notes mailbox.Metadata = store
	err := notes.SetMetadata(ctx, "", []mailbox.Entry{{Name: "/private/comment", Value: []byte("since 2026")}})
	fmt.Println(err)
	entries, _ := mailbox.MetadataOf(ctx, store, "")
	for _, e := range entries {
		fmt.Printf("%s: %s\n", e.Name, e.Value)
	}
	// Output:
	// <nil>
	// /private/comment: since 2026
}

// A nil Value removes an entry.
func ExampleEntry() {
	ctx := context.Background()
	store, _, _ := account()
	store.SetMetadata(ctx, "", []mailbox.Entry{{Name: "/private/comment", Value: []byte("x")}})
	store.SetMetadata(ctx, "", []mailbox.Entry{{Name: "/Private/Comment"}})
	entries, err := mailbox.MetadataOf(ctx, store, "")
	fmt.Println(len(entries), err)
	// Output: 0 <nil>
}

// A store that keeps messages whole in memory hands them out so.
func ExampleBytes() {
	blob := mailbox.Bytes([]byte("Subject: one\r\n\r\n"))
	var b bytes.Buffer
	b.ReadFrom(&reader{blob, 0})
	fmt.Println(b.Len(), blob.Size())
	// Output: 16 16
}

// reader reads a Blob from its beginning.
type reader struct {
	mailbox.Blob
	at int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.at)
	r.at += int64(n)
	return n, err
}
