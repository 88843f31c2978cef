package mailboxtest

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

type ctx = context.Context

// mutant is a good store of which some methods were replaced by broken ones.
type mutant struct {
	*memory.Store
	mu        sync.Mutex // for those mutants that remember something
	key       func() string
	list      func(ctx ctx) ([]mailbox.Info, error)
	create    func(ctx ctx, name string, use ...string) (mailbox.ID, error)
	delete    func(ctx ctx, id mailbox.ID) error
	rename    func(ctx ctx, id mailbox.ID, to string) error
	subscribe func(ctx ctx, name string, on bool) error
	open      func(ctx ctx, id mailbox.ID) (mailbox.Mailbox, error)
	counts    func(ctx ctx, id mailbox.ID) (mailbox.Counts, error)
	watchAll  func(fn func(mailbox.ID)) (stop func())
	quotas    func(ctx ctx, id mailbox.ID) ([]mailbox.QuotaRoot, error)
	setQuota  func(ctx ctx, root string, limits []mailbox.Resource) error
	metadata  func(ctx ctx, id mailbox.ID) ([]mailbox.Entry, error)
	box       func(m *mutantBox)
}

func (m *mutant) Key() string {
	if m.key != nil {
		return m.key()
	}
	return m.Store.Key()
}

func (m *mutant) Mailboxes(ctx ctx) ([]mailbox.Info, error) {
	if m.list != nil {
		return m.list(ctx)
	}
	return m.Store.Mailboxes(ctx)
}

func (m *mutant) Create(ctx ctx, name string, use ...string) (mailbox.ID, error) {
	if m.create != nil {
		return m.create(ctx, name, use...)
	}
	return m.Store.Create(ctx, name, use...)
}

func (m *mutant) Delete(ctx ctx, id mailbox.ID) error {
	if m.delete != nil {
		return m.delete(ctx, id)
	}
	return m.Store.Delete(ctx, id)
}

func (m *mutant) Rename(ctx ctx, id mailbox.ID, to string) error {
	if m.rename != nil {
		return m.rename(ctx, id, to)
	}
	return m.Store.Rename(ctx, id, to)
}

func (m *mutant) Subscribe(ctx ctx, name string, on bool) error {
	if m.subscribe != nil {
		return m.subscribe(ctx, name, on)
	}
	return m.Store.Subscribe(ctx, name, on)
}

func (m *mutant) Counts(ctx ctx, id mailbox.ID) (mailbox.Counts, error) {
	if m.counts != nil {
		return m.counts(ctx, id)
	}
	return m.Store.Counts(ctx, id)
}

func (m *mutant) WatchAll(fn func(mailbox.ID)) (stop func()) {
	if m.watchAll != nil {
		return m.watchAll(fn)
	}
	return m.Store.WatchAll(fn)
}

func (m *mutant) Quotas(ctx ctx, id mailbox.ID) ([]mailbox.QuotaRoot, error) {
	if m.quotas != nil {
		return m.quotas(ctx, id)
	}
	return m.Store.Quotas(ctx, id)
}

func (m *mutant) SetQuota(ctx ctx, root string, limits []mailbox.Resource) error {
	if m.setQuota != nil {
		return m.setQuota(ctx, root, limits)
	}
	return m.Store.SetQuota(ctx, root, limits)
}

func (m *mutant) Metadata(ctx ctx, id mailbox.ID) ([]mailbox.Entry, error) {
	if m.metadata != nil {
		return m.metadata(ctx, id)
	}
	return m.Store.Metadata(ctx, id)
}

func (m *mutant) Open(ctx ctx, id mailbox.ID) (mailbox.Mailbox, error) {
	if m.open != nil {
		return m.open(ctx, id)
	}
	good, err := m.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	b := &mutantBox{full: good.(full)}
	if m.box != nil {
		m.box(b)
	}
	return b, nil
}

// full is what a mailbox in memory can do.
type full interface {
	mailbox.Mailbox
	mailbox.Copier
	mailbox.Mover
	mailbox.Cacher
	mailbox.Headers
	mailbox.Recent
	mailbox.EmailIDs
	mailbox.Locker
}

// mutantBox is a good mailbox with some methods replaced.
type mutantBox struct {
	full
	changes  func(ctx ctx, since mailbox.ModSeq) (mailbox.Delta, error)
	append   func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error)
	setFlags func(ctx ctx, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, since mailbox.ModSeq) (mailbox.Set, error)
	expunge  func(ctx ctx, uids mailbox.Set) error
	message  func(ctx ctx, uid mailbox.UID) (mailbox.Blob, error)
	watch    func(fn func()) func()
	close    func() error
	copy     func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error)
	move     func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error)
	cached   func(uid mailbox.UID) ([]byte, bool)
	header   func(ctx ctx, uid mailbox.UID) ([]byte, error)
	recent   func(ctx ctx, claim bool) (first, next mailbox.UID, err error)
	emailID  func(ctx ctx, uid mailbox.UID) (string, error)
	lock     func(ctx ctx) (func(), error)
}

func (b *mutantBox) Changes(ctx ctx, since mailbox.ModSeq) (mailbox.Delta, error) {
	if b.changes != nil {
		return b.changes(ctx, since)
	}
	return b.full.Changes(ctx, since)
}

func (b *mutantBox) Append(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
	if b.append != nil {
		return b.append(ctx, msgs)
	}
	return b.full.Append(ctx, msgs)
}

func (b *mutantBox) SetFlags(ctx ctx, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, since mailbox.ModSeq) (mailbox.Set, error) {
	if b.setFlags != nil {
		return b.setFlags(ctx, uids, op, f, since)
	}
	return b.full.SetFlags(ctx, uids, op, f, since)
}

func (b *mutantBox) Expunge(ctx ctx, uids mailbox.Set) error {
	if b.expunge != nil {
		return b.expunge(ctx, uids)
	}
	return b.full.Expunge(ctx, uids)
}

func (b *mutantBox) Message(ctx ctx, uid mailbox.UID) (mailbox.Blob, error) {
	if b.message != nil {
		return b.message(ctx, uid)
	}
	return b.full.Message(ctx, uid)
}

func (b *mutantBox) Watch(fn func()) func() {
	if b.watch != nil {
		return b.watch(fn)
	}
	return b.full.Watch(fn)
}

func (b *mutantBox) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.full.Close()
}

func good(dst mailbox.Mailbox) mailbox.Mailbox { return dst.(*mutantBox).full }

func (b *mutantBox) Copy(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	if b.copy != nil {
		return b.copy(ctx, uids, dst)
	}
	return b.full.Copy(ctx, uids, good(dst))
}

func (b *mutantBox) Move(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	if b.move != nil {
		return b.move(ctx, uids, dst)
	}
	return b.full.Move(ctx, uids, good(dst))
}

func (b *mutantBox) Cached(uid mailbox.UID) ([]byte, bool) {
	if b.cached != nil {
		return b.cached(uid)
	}
	return b.full.Cached(uid)
}

func (b *mutantBox) Header(ctx ctx, uid mailbox.UID) ([]byte, error) {
	if b.header != nil {
		return b.header(ctx, uid)
	}
	return b.full.Header(ctx, uid)
}

func (b *mutantBox) Recent(ctx ctx, claim bool) (first, next mailbox.UID, err error) {
	if b.recent != nil {
		return b.recent(ctx, claim)
	}
	return b.full.Recent(ctx, claim)
}

func (b *mutantBox) EmailID(ctx ctx, uid mailbox.UID) (string, error) {
	if b.emailID != nil {
		return b.emailID(ctx, uid)
	}
	return b.full.EmailID(ctx, uid)
}

func (b *mutantBox) Lock(ctx ctx) (func(), error) {
	if b.lock != nil {
		return b.lock(ctx)
	}
	return b.full.Lock(ctx)
}

// delta makes Changes of every mailbox wrong in one thing.
func delta(wrong func(since mailbox.ModSeq, d *mailbox.Delta)) func(*mutant) {
	return inBox(func(b *mutantBox) {
		b.changes = func(ctx ctx, since mailbox.ModSeq) (mailbox.Delta, error) {
			d, err := b.full.Changes(ctx, since)
			wrong(since, &d)
			return d, err
		}
	})
}

func inBox(wrong func(b *mutantBox)) func(*mutant) { return func(m *mutant) { m.box = wrong } }

// TestMutants shows that the cases can fail: each store is wrong in one thing,
// and the cases that are about it must say so.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range m.want {
				skip, err := find(t, name).run(t, func(testing.TB) mailbox.Store {
					s := &mutant{Store: &memory.Store{}}
					m.wrong(s)
					return s
				}, 2*time.Second)
				assert.Error(t, err, "%s did not notice", name)
				assert.Empty(t, skip)
			}
		})
	}
}

// TestGoodMutant: without anything wrong no case says so.
func TestGoodMutant(t *testing.T) {
	Run(t, func(testing.TB) mailbox.Store { return &mutant{Store: &memory.Store{}} })
}

// TestEachCaseCanFail: every case has a store that it refuses.
func TestEachCaseCanFail(t *testing.T) {
	var noticed []string
	for _, m := range mutants {
		noticed = append(noticed, m.want...)
	}
	for _, c := range cases {
		assert.Contains(t, noticed, c.name)
	}
}

// TestRules: a case without a rule says nothing, two of one name hide each other.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		assert.NotEmpty(t, c.rule, c.name)
		assert.False(t, seen[c.name], c.name)
		seen[c.name] = true
	}
}

func find(t *testing.T, name string) testCase {
	i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
	require.GreaterOrEqual(t, i, 0, "no case %q", name)
	return cases[i]
}

// lf is a blob whose line ends were changed.
func lf(ctx ctx, b *mutantBox, uid mailbox.UID) (mailbox.Blob, error) {
	blob, err := b.full.Message(ctx, uid)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	text, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	return mailbox.Bytes([]byte(strings.ReplaceAll(string(text), "\n", "\r\n"))), err
}
