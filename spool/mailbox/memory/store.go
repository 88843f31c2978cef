package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// What the zero Store holds at most.
const (
	defaultMaxBytes     = 256 << 20
	defaultMaxMessages  = 1_000_000
	defaultMaxMailboxes = 10_000
	defaultMaxMessage   = 64 << 20
	defaultMaxKeywords  = 1_000

	maxGone = 64 << 10 // ranges of UIDs that vanished
)

// Store is one account in memory. The zero value has an empty INBOX; its fields
// must not change after the first call, and it must not be copied. All its
// methods may be called concurrently.
type Store struct {
	User         string           // what Key returns, and the owner for ACLs; "" means the Store is of its own
	MaxBytes     int64            // of all messages; 0 means 256 MiB, negative no limit
	MaxMessages  int64            // 0 means 1,000,000, negative no limit
	MaxMessage   int64            // bytes of one message; 0 means 64 MiB, negative no limit
	MaxMailboxes int              // 0 means 10,000, negative no limit
	MaxKeywords  int              // of one mailbox; 0 means 1,000, negative none can be added
	UIDValidity  uint32           // of INBOX; those created later count on; 0 means the seconds of Now
	Now          func() time.Time // nil means time.Now

	mu         sync.RWMutex // guards all below and every box and message
	boxes      []*box       // in the order of creation; nil before the first call
	lastID     uint64       // of mailboxes and messages
	validity   uint32       // the last that was given out
	subscribed map[subscription]bool
	bytes      int64 // of bodies, also of those being read; a body counts once for each message
	messages   int64
	limits     map[mailbox.ResourceName]int64 // set by SetQuota; nil means the fields
	entries    map[mailbox.ID]annotations
	watchers   mailbox.Watchers[mailbox.ID]
}

var (
	_ mailbox.Store        = (*Store)(nil)
	_ mailbox.Counter      = (*Store)(nil)
	_ mailbox.StoreWatcher = (*Store)(nil)
	_ mailbox.QuotaSetter  = (*Store)(nil)
	_ mailbox.ACL          = (*Store)(nil)
	_ mailbox.Metadata     = (*Store)(nil)
)

// now is the time of the Store.
func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// limit is the value of a field; less than 0 means none.
func limit(field, zero int64) int64 { return cmp.Or(field, zero) }

// lock takes the mutex for a change, if there is still something to do.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.begin()
	return nil
}

// rlock takes the mutex to read.
func (s *Store) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	if s.boxes != nil {
		return nil
	}
	s.mu.RUnlock()
	s.mu.Lock()
	s.begin()
	s.mu.Unlock()
	s.mu.RLock()
	return nil
}

// begin gives a new Store its INBOX.
func (s *Store) begin() {
	if s.boxes != nil {
		return
	}
	s.validity = s.UIDValidity - 1
	if s.UIDValidity == 0 {
		s.validity = uint32(max(s.now().Unix(), 1))
	}
	s.subscribed = map[subscription]bool{}
	s.entries = map[mailbox.ID]annotations{}
	s.add(mailbox.Inbox, nil)
}

// add makes a mailbox.
func (s *Store) add(name string, use []string) *box {
	s.validity++
	b := &box{
		store: s, name: name, use: slices.Clone(use), id: mailbox.ID("m" + s.nextID()),
		validity: s.validity, next: 1, seq: 1, unclaimed: 1,
		gone: mailbox.History{Max: maxGone},
	}
	s.boxes = append(s.boxes, b)
	return b
}

// nextID numbers mailboxes and messages: none is used twice in an account.
func (s *Store) nextID() string {
	s.lastID++
	return strconv.FormatUint(s.lastID, 10)
}

// byID and byName find a mailbox; nil if there is none.
func (s *Store) byID(id mailbox.ID) *box {
	return s.find(func(b *box) bool { return b.id == id })
}

func (s *Store) byName(name string) *box {
	return s.find(func(b *box) bool { return b.name == name })
}

// find returns the first mailbox that f wants.
func (s *Store) find(f func(b *box) bool) *box {
	if i := slices.IndexFunc(s.boxes, f); i >= 0 {
		return s.boxes[i]
	}
	return nil
}

// Key is User, or one that no other Store has; see [mailbox.Store].
func (s *Store) Key() string {
	if s.User != "" {
		return s.User
	}
	return fmt.Sprintf("memory %p", s)
}

// Mailboxes lists them in the order of creation; see [mailbox.Store].
func (s *Store) Mailboxes(ctx context.Context) ([]mailbox.Info, error) { return s.list(ctx, "") }

// list is Mailboxes with the subscriptions of one user.
func (s *Store) list(ctx context.Context, who string) ([]mailbox.Info, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	out := make([]mailbox.Info, 0, len(s.boxes))
	for _, b := range s.boxes {
		c := b.counts()
		out = append(out, mailbox.Info{
			ID: b.id, Name: b.name, Subscribed: s.subscribed[subscription{who, b.name}],
			Use: slices.Clone(b.use), Counts: &c,
		})
	}
	for sub := range s.subscribed {
		if sub.who == who && s.byName(sub.name) == nil {
			out = append(out, mailbox.Info{Name: sub.name, Subscribed: true})
		}
	}
	return out, nil
}

// Create makes a mailbox; see [mailbox.Store].
func (s *Store) Create(ctx context.Context, name string, use ...string) (mailbox.ID, error) {
	name, err := mailbox.CheckName(name)
	if err != nil {
		return "", err
	}
	id, err := s.create(ctx, name, use)
	if err == nil {
		s.changed("") // who watches hears of what has happened, and without our lock
	}
	return id, err
}

func (s *Store) create(ctx context.Context, name string, use []string) (mailbox.ID, error) {
	if err := s.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	if s.byName(name) != nil {
		return "", mailbox.ErrExists
	}
	if n := limit(int64(s.MaxMailboxes), defaultMaxMailboxes); n >= 0 && int64(len(s.boxes)) >= n {
		return "", mailbox.ErrLimit
	}
	return s.add(name, use).id, nil
}

// Delete removes a mailbox; see [mailbox.Store].
func (s *Store) Delete(ctx context.Context, id mailbox.ID) error {
	b, err := s.remove(ctx, id)
	if err == nil {
		b.watchers.Call(struct{}{})
		s.changed("")
	}
	return err
}

// remove takes a mailbox out of the list. Sessions that have it open find out
// by its mark.
func (s *Store) remove(ctx context.Context, id mailbox.ID) (*box, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	b := s.byID(id)
	switch {
	case b == nil:
		return nil, mailbox.ErrNotExist
	case b.name == mailbox.Inbox:
		return nil, mailbox.ErrCannot
	}
	b.clear()
	b.deleted = true
	delete(s.entries, id)
	s.boxes = slices.DeleteFunc(s.boxes, func(x *box) bool { return x == b })
	return b, nil
}

// Rename renames a mailbox; see [mailbox.Store].
func (s *Store) Rename(ctx context.Context, id mailbox.ID, to string) error {
	to, err := mailbox.CheckName(to)
	if err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.changed("")
	defer s.mu.Unlock()
	b := s.byID(id)
	switch {
	case b == nil:
		return mailbox.ErrNotExist
	case b.name == mailbox.Inbox:
		return mailbox.ErrCannot
	case s.byName(to) != nil:
		return mailbox.ErrExists
	}
	b.name = to
	return nil
}

// maxSubscribed bounds the names that are subscribed without a mailbox.
const maxSubscribed = 10_000

// subscription is a name that somebody subscribed.
type subscription struct{ who, name string }

// Subscribe marks a name; see [mailbox.Store]. Beyond 10,000 names the error is
// [mailbox.ErrLimit].
func (s *Store) Subscribe(ctx context.Context, name string, on bool) error {
	return s.subscribe(ctx, subscription{"", name}, on)
}

// subscribe marks a name for one user.
func (s *Store) subscribe(ctx context.Context, sub subscription, on bool) (err error) {
	if sub.name, err = mailbox.CheckName(sub.name); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.changed("")
	defer s.mu.Unlock()
	switch {
	case !on:
		delete(s.subscribed, sub)
	case len(s.subscribed) >= maxSubscribed && !s.subscribed[sub]:
		return mailbox.ErrLimit
	default:
		s.subscribed[sub] = true
	}
	return nil
}

// Open opens a mailbox; see [mailbox.Store].
func (s *Store) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	b := s.byID(id)
	if b == nil {
		return nil, mailbox.ErrNotExist
	}
	return &handle{box: b}, nil
}

// Counts counts a mailbox; see [mailbox.Counter].
func (s *Store) Counts(ctx context.Context, id mailbox.ID) (mailbox.Counts, error) {
	if err := s.rlock(ctx); err != nil {
		return mailbox.Counts{}, err
	}
	defer s.mu.RUnlock()
	if b := s.byID(id); b != nil {
		return b.counts(), nil
	}
	return mailbox.Counts{}, mailbox.ErrNotExist
}
