package maildir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// defaultMaxMessage is the MaxMessage of a zero Tree.
const defaultMaxMessage = 64 << 20

// defaultMaxIdle is the MaxIdle of a zero Tree.
const defaultMaxIdle = 64

// Tree is the mail of many users: a directory with one directory for each. It
// shares what it knows of open mailboxes between sessions. The fields must not
// change after the first call; all methods may be called concurrently.
type Tree struct {
	Dir string // must exist, belong to the user of this process, and be writable by nobody else

	MaxMessage  int64         // bytes of one message; 0 means 64 MiB, negative no limit
	MaxBytes    int64         // of all messages of a user; 0 means no limit
	MaxMessages int64         // of a user; 0 means no limit
	MaxIdle     int           // accounts that stay open without a session; 0 means 64
	Poll        time.Duration // how often a watched mailbox is looked at for what other programs do; 0 means 1 s
	Rest        time.Duration // how long files and indexes stay open that nobody uses, up to twice that; 0 means 5 s

	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // read by several goroutines at a time; nil means crypto/rand

	mu     sync.Mutex // guards all below
	users  map[string]*account
	shared *options // of all accounts
	rest   resting
	closed bool
}

// Open returns a Tree for a directory, which must exist.
func Open(dir string) (*Tree, error) {
	t := &Tree{Dir: dir}
	return t, t.check()
}

// errOpen says that others may get at mail.
var errOpen = errors.New("accessible to others")

// check looks whether the directory is there and safe.
func (t *Tree) check() error {
	if runtime.GOOS == "windows" {
		// A colon, which stands in the name of every message with flags, means
		// something else there.
		return fmt.Errorf("maildir: windows: %w", errors.ErrUnsupported)
	}
	info, err := os.Stat(t.Dir)
	if err != nil {
		return err
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("maildir: %s: not a directory", t.Dir)
	case info.Mode().Perm()&0o022 != 0 || !ours(info):
		return fmt.Errorf("maildir: %s: %w", t.Dir, errOpen)
	}
	return nil
}

// checkUser looks whether the directory of a user is for this user alone.
func checkUser(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mailbox.ErrNotExist
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("maildir: %s: not a directory", dir)
	case info.Mode().Perm()&0o077 != 0 || !ours(info):
		return fmt.Errorf("maildir: %s: %w", dir, errOpen)
	}
	return nil
}

// Open returns the account of a user, as the servers and the local delivery
// agent want it. The error is [mailbox.ErrNotExist] for a user without a
// directory. A Store that is closed when its session ends lets the account be
// closed when it is idle; that it is not loses nothing.
func (t *Tree) Open(ctx context.Context, user string) (mailbox.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := userDir(user)
	if err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := checkUser(filepath.Join(t.Dir, name)); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, mailbox.ErrClosed
	}
	a := t.users[user]
	if a == nil {
		if t.users == nil {
			t.users = map[string]*account{}
			t.shared = t.options()
			t.rest.after = cmp.Or(t.Rest, defaultRest)
		}
		open := func() (safeio.FS, error) { return safeio.OpenRoot(t.dirOf(user)) }
		if a, err = newAccount(user, t.shared, open); err != nil {
			return nil, err
		}
		a.resting = &t.rest
		t.users[user] = a
	}
	a.refs++
	return &store{account: a, tree: t}, nil
}

// dirOf is the directory of a user that has one.
func (t *Tree) dirOf(user string) string {
	name, _ := userDir(user)
	return filepath.Join(t.Dir, name)
}

// options are the fields with their defaults.
func (t *Tree) options() *options {
	o := &options{
		now: t.Now, rand: t.Rand, poll: t.Poll,
		maxMessage: cmp.Or(t.MaxMessage, defaultMaxMessage), maxBytes: t.MaxBytes, maxMessages: t.MaxMessages,
	}
	o.fill()
	return o
}

// leave ends a session, and closes an account if too many are idle.
func (t *Tree) leave(a *account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.refs--; a.refs > 0 {
		return
	}
	a.idleSince = a.now()
	var oldest *account
	idle := 0
	for _, x := range t.users {
		if x.refs == 0 {
			idle++
			if oldest == nil || x.idleSince.Before(oldest.idleSince) {
				oldest = x
			}
		}
	}
	if idle > cmp.Or(t.MaxIdle, defaultMaxIdle) && oldest.unused() {
		delete(t.users, oldest.user)
		oldest.close()
	}
}

// Create makes the directory of a user. The error is [mailbox.ErrExists] if it is
// there.
func (t *Tree) Create(user string) error {
	name, err := userDir(user)
	if err != nil {
		return mailbox.ErrCannot
	}
	if err := t.check(); err != nil {
		return err
	}
	fsys, err := safeio.OpenRoot(t.Dir)
	if err != nil {
		return err
	}
	defer fsys.Close()
	if err := fsys.Mkdir(name, 0o700); errors.Is(err, fs.ErrExist) {
		return mailbox.ErrExists
	} else if err != nil {
		return err
	}
	return fsys.SyncDir(".")
}

// Close closes all accounts. Sessions that are open get errors from then on.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.rest.stop()
	var errs []error
	for _, a := range t.users {
		errs = append(errs, a.close())
	}
	t.users = nil
	return errors.Join(errs...)
}
