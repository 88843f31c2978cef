package maildir

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// store is an account as one session has it.
type store struct {
	*account
	key    string // but for an account of a Tree
	tree   *Tree  // nil: of none
	closed atomic.Bool
}

var (
	_ mailbox.Store        = (*store)(nil)
	_ mailbox.Counter      = (*store)(nil)
	_ mailbox.Finder       = (*store)(nil)
	_ mailbox.StoreWatcher = (*store)(nil)
	_ mailbox.Quota        = (*store)(nil)
)

// Key is the directory of the account.
func (s *store) Key() string {
	if s.tree != nil {
		return "maildir " + s.tree.dirOf(s.user)
	}
	return s.key
}

// Close lets the account go, if nobody else has it open.
func (s *store) Close() error {
	if !s.closed.Swap(true) && s.tree != nil {
		s.tree.leave(s.account)
	}
	return nil
}

// Mailboxes lists them; see [mailbox.Store].
func (s *store) Mailboxes(ctx context.Context) (out []mailbox.Info, err error) {
	err = s.locked(ctx, func() error {
		all, err := s.list()
		if err != nil {
			return err
		}
		names, err := s.subscribed()
		if err != nil {
			return err
		}
		for _, l := range all {
			out = append(out, mailbox.Info{ID: l.id, Name: l.name, Subscribed: slices.Contains(names, l.name), Use: l.use})
			names = slices.DeleteFunc(names, func(n string) bool { return n == l.name })
		}
		for _, n := range names {
			out = append(out, mailbox.Info{Name: n, Subscribed: true})
		}
		return nil
	})
	return out, s.wrap(err)
}

// Create makes a mailbox; see [mailbox.Store].
func (s *store) Create(ctx context.Context, name string, use ...string) (id mailbox.ID, err error) {
	name, err = mailbox.CheckName(name)
	if err != nil {
		return "", err
	}
	dir, err := folderDir(name)
	if err != nil {
		return "", err
	}
	err = s.locked(ctx, func() error {
		if _, there, err := s.named(name); there || err != nil {
			return cmp.Or(err, mailbox.ErrExists)
		}
		id, err = s.make(dir, use)
		return err
	})
	return id, s.wrap(err)
}

// make makes a mailbox under another name, whole, and then gives it its own.
func (a *account) make(dir string, use []string) (mailbox.ID, error) {
	if strings.ContainsAny(strings.Join(use, ""), " \r\n") {
		return "", mailbox.ErrCannot
	}
	id, err := random(a.rand)
	if err != nil {
		return "", err
	}
	h, err := a.newHead()
	if err != nil {
		return "", err
	}
	tmp := newPrefix + id
	if err := a.fs().Mkdir(tmp, 0o700); err != nil {
		return "", err
	}
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := a.fs().Mkdir(path.Join(tmp, d), 0o700); err != nil {
			return "", err
		}
	}
	for name, content := range map[string]string{
		idFile: id + "\n" + strings.Join(use, " ") + "\n", indexFile: string(h.encode()), "maildirfolder": "",
	} {
		if err := a.writeNew(path.Join(tmp, name), []byte(content)); err != nil {
			return "", err
		}
	}
	if err := a.fs().SyncDir(tmp); err != nil {
		return "", err
	}
	// The generation first: whoever looks for this change waits for the lock.
	if err := a.advance(h.validity); err != nil {
		return "", err
	}
	return mailbox.ID(id), a.renameDir(tmp, dir)
}

// renameDir gives a directory of the account another name, durably. After an
// error it has the old one, as far as that can be done.
func (a *account) renameDir(from, to string) error {
	err := a.fs().Rename(from, to)
	if err == nil {
		err = a.fs().SyncDir(".")
	}
	if err == nil {
		return nil
	}
	if _, gone := a.fs().Lstat(from); errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, a.fs().Rename(to, from), a.fs().SyncDir("."))
	}
	return err
}

// newHead is the head of the index of a mailbox that is new.
func (a *account) newHead() (h head, err error) {
	h.validity = a.nextValidity()
	_, err = io.ReadFull(a.rand, h.random[:])
	return h, err
}

// writeNew writes a file, durably but for its name.
func (a *account) writeNew(name string, b []byte) error {
	f, err := a.fs().OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// target finds a mailbox that is to be removed or renamed.
func (a *account) target(id mailbox.ID) (listing, error) {
	l, there, err := a.find(func(l listing) bool { return l.id == id })
	switch {
	case err != nil:
		return l, err
	case !there:
		return l, mailbox.ErrNotExist
	case l.dir == ".":
		return l, mailbox.ErrCannot
	}
	return l, nil
}

// Delete removes a mailbox; see [mailbox.Store].
func (s *store) Delete(ctx context.Context, id mailbox.ID) error {
	return s.wrap(s.locked(ctx, func() error {
		l, err := s.target(id)
		if err != nil {
			return err
		}
		s.quota.lost = true // counted anew below, since the sum is wrong from now on
		if err := s.advance(0); err != nil {
			return err
		}
		r, err := random(s.rand)
		if err != nil {
			return err
		}
		if err := s.renameDir(l.dir, gonePrefix+r); err != nil {
			return err
		}
		s.mu.Lock()
		if f := s.folder(id); f != nil {
			f.gone.Store(true)
			s.wake = append(s.wake, f)
		}
		s.mu.Unlock()
		if err := s.removeAll(gonePrefix + r); err != nil || !s.limited() {
			return err
		}
		_, _, err = s.used(true)
		return err
	}))
}

// Rename renames a mailbox; see [mailbox.Store].
func (s *store) Rename(ctx context.Context, id mailbox.ID, to string) error {
	to, err := mailbox.CheckName(to)
	if err != nil {
		return err
	}
	dir, err := folderDir(to)
	if err != nil {
		return err
	}
	return s.wrap(s.locked(ctx, func() error {
		l, err := s.target(id)
		if err != nil {
			return err
		}
		if _, there, err := s.named(to); there || err != nil {
			return cmp.Or(err, mailbox.ErrExists)
		}
		if err := s.advance(0); err != nil {
			return err
		}
		if err := s.renameDir(l.dir, dir); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if f := s.folder(id); f != nil {
			f.dir.Store(&dir)
		}
		return nil
	}))
}

// Find looks one mailbox up; see [mailbox.Finder]. Deliveries begin with it, so
// it needs the lock only for a mailbox that is new.
func (s *store) Find(ctx context.Context, name string) (i mailbox.Info, err error) {
	if err := ctx.Err(); err != nil {
		return i, err
	}
	l, ok := s.quickly(name)
	if !ok {
		err = s.locked(ctx, func() (err error) {
			if l, ok, err = s.named(name); err == nil && !ok {
				err = mailbox.ErrNotExist
			}
			return err
		})
	}
	if err != nil {
		return i, s.wrap(err)
	}
	names, err := s.subscribed()
	return mailbox.Info{ID: l.id, Name: l.name, Subscribed: slices.Contains(names, l.name), Use: l.use}, s.wrap(err)
}

// Open opens a mailbox; see [mailbox.Store].
func (s *store) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := s.opened(id)
	if f != nil {
		return &box{folder: f}, nil
	}
	err := s.locked(ctx, func() error {
		l, there, err := s.find(func(l listing) bool { return l.id == id })
		if err == nil && !there {
			err = mailbox.ErrNotExist
		}
		if err == nil {
			f = s.folderOf(id, l.dir)
		}
		return err
	})
	if err != nil {
		return nil, s.wrap(err)
	}
	return &box{folder: f}, nil
}

// Counts counts a mailbox; see [mailbox.Counter].
func (s *store) Counts(ctx context.Context, id mailbox.ID) (mailbox.Counts, error) {
	m, err := s.Open(ctx, id)
	if err != nil {
		return mailbox.Counts{}, err
	}
	defer m.Close()
	f := m.(*box).folder
	if err := f.upToDate(ctx); err != nil {
		return mailbox.Counts{}, s.wrap(err)
	}
	var c mailbox.Counts
	err = f.read(ctx, func(x *index) error {
		c = x.sum
		c.State = f.state()
		return nil
	})
	return c, s.wrap(err)
}

// subscriptionFile is the one that others read too: a name on each line, with
// "." between levels.
const (
	subscriptionFile = "subscriptions"
	maxSubscriptions = 4 << 20
)

// subscribed are the names in subscriptionFile.
func (a *account) subscribed() ([]string, error) {
	b, err := safeio.ReadFile(a.fs(), subscriptionFile, maxSubscriptions)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == mailbox.Inbox {
			out = append(out, line)
		} else if n, ok := folderName("." + line); ok {
			out = append(out, n)
		}
	}
	return out, nil
}

// Subscribe marks a name; see [mailbox.Store].
func (s *store) Subscribe(ctx context.Context, name string, on bool) error {
	name, err := mailbox.CheckName(name)
	if err != nil {
		return err
	}
	if _, err := folderDir(name); err != nil {
		return err
	}
	return s.wrap(s.locked(ctx, func() error {
		names, err := s.subscribed()
		if err != nil || slices.Contains(names, name) == on {
			return err
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == name })
		if on {
			names = append(names, name)
		}
		var b strings.Builder
		for _, n := range names {
			dir, err := folderDir(n)
			if err != nil {
				continue
			}
			if dir == "." {
				dir = "." + mailbox.Inbox
			}
			b.WriteString(dir[1:] + "\n")
		}
		if b.Len() > maxSubscriptions {
			return mailbox.ErrLimit
		}
		s.listed = true
		return safeio.Replace(s.fs(), newPrefix+"subscriptions", subscriptionFile, []byte(b.String()), 0o600)
	}))
}
