package maildir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Our own files in a directory of others.
const (
	lockFile    = "postilion.lock"
	accountFile = "postilion.account"
	idFile      = "postilion.id"
	indexFile   = "postilion.index"
	cacheFile   = "postilion.cache"
	popFile     = "postilion.pop3"
	newPrefix   = "postilion.new." // files and directories that are being made
	gonePrefix  = "postilion.gone."
)

// options are those of a [Tree], for all its accounts.
type options struct {
	now                               func() time.Time
	rand                              io.Reader
	maxMessage, maxBytes, maxMessages int64
	poll                              time.Duration
}

func (o *options) fill() {
	if o.now == nil {
		o.now = time.Now
	}
	if o.rand == nil {
		o.rand = rand.Reader
	}
}

// account is the directory of one user. Everything that changes something, or
// takes in what others changed, holds the lock, in this process by a channel and
// among processes by a file. It is never held while a body is read.
type account struct {
	*options
	user string
	open func() (safeio.FS, error) // the directory anew, when others renamed in it

	turn chan struct{} // has one element while nobody holds the lock
	fsys atomic.Pointer[safeio.FS]
	gen  atomic.Pointer[string] // what accountFile had when we last looked

	validity uint32    // the last that was given out; with the lock
	wake     []*folder // whose watchers are called when the lock is released
	listed   bool      // so are those of the list

	mu      sync.Mutex // guards folders and the counts of references in them
	folders []*folder

	refs      int       // open stores; guarded by Tree.mu
	idleSince time.Time // guarded by Tree.mu

	resting *resting    // nil: it never rests
	active  atomic.Bool // used since resting looked
	awake   bool        // guarded by resting.mu

	watchers mailbox.Watchers[mailbox.ID]
	quota    quota // with the lock
}

// newAccount opens an account whose directory exists.
func newAccount(user string, o *options, open func() (safeio.FS, error)) (*account, error) {
	fsys, err := open()
	if err != nil {
		return nil, err
	}
	a := &account{options: o, user: user, open: open, turn: make(chan struct{}, 1)}
	a.turn <- struct{}{}
	a.fsys.Store(&fsys)
	none := ""
	a.gen.Store(&none)
	return a, nil
}

// fs is the directory of the account.
func (a *account) fs() safeio.FS {
	a.use()
	return *a.fsys.Load()
}

// How long to wait between two looks at a lock that another process holds.
const (
	firstWait = 500 * time.Microsecond
	longWait  = 50 * time.Millisecond
)

// locked runs do with the lock, and then calls those who watch.
func (a *account) locked(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-a.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := a.withFile(ctx, do)
	if qerr := a.quota.flush(a); qerr != nil && err == nil {
		a.quota.lost = true // the next who asks counts again
	}
	wake, listed := a.wake, a.listed
	a.wake, a.listed = nil, false
	a.turn <- struct{}{}
	for _, f := range wake {
		f.watchers.Call(struct{}{})
		a.watchers.Call(f.id)
	}
	if listed {
		a.watchers.Call("")
	}
	return err
}

// withFile holds the lock among processes.
func (a *account) withFile(ctx context.Context, do func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		l, err := a.fs().Lock(lockFile)
		if err == nil {
			defer l.Close()
			break
		}
		if !errors.Is(err, safeio.ErrLocked) {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	if err := a.sync(); err != nil {
		return err
	}
	return do()
}

// sleep waits, but not longer than ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// generation is what accountFile has: it changes with each mailbox that is made,
// renamed or removed.
func (a *account) generation() (string, error) {
	b, err := safeio.ReadFile(a.fs(), accountFile, 100)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// sync finds out what others did to the list of mailboxes since we last looked.
func (a *account) sync() error {
	g, err := a.generation()
	if err != nil {
		return err
	}
	if g == *a.gen.Load() && g != "" {
		return nil
	}
	if g == "" {
		return a.begin()
	}
	return a.resync(g)
}

// begin makes what an account needs and is not there: all of it at first.
func (a *account) begin() error {
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := safeio.MkdirSync(a.fs(), d, 0o700); err != nil {
			return err
		}
	}
	if err := a.sweep(); err != nil {
		return err
	}
	return a.advance(0)
}

// resync follows mailboxes that others renamed or removed.
func (a *account) resync(g string) error {
	_, last, _ := strings.Cut(strings.TrimSpace(g), " ")
	n, err := strconv.ParseUint(last, 10, 32)
	if err != nil {
		n = 0 // damaged: the time takes its place
	}
	a.validity = max(a.validity, uint32(n))
	if *a.gen.Load() != "" {
		// Directories that are kept open may have other names by now.
		fsys, err := a.open()
		if err != nil {
			return err
		}
		a.fsys.Store(&fsys)
	} else if err := a.sweep(); err != nil {
		return err
	}
	a.gen.Store(&g)
	a.listed = true
	return a.relocate()
}

// advance writes a new generation, durably. validity is one that was given out.
func (a *account) advance(validity uint32) error {
	a.validity = max(a.validity, validity)
	r, err := random(a.rand)
	if err != nil {
		return err
	}
	g := r + " " + strconv.FormatUint(uint64(a.validity), 10) + "\n"
	if err := safeio.Replace(a.fs(), newPrefix+"account", accountFile, []byte(g), 0o600); err != nil {
		return err
	}
	a.gen.Store(&g)
	a.listed = true
	return nil
}

// nextValidity is a UIDVALIDITY that was never used in this account: the time,
// or more. It counts when advance wrote it.
func (a *account) nextValidity() uint32 {
	return max(a.validity+1, uint32(max(a.now().Unix(), 1)))
}

// sweep removes what a process left that died while it made or removed a
// mailbox.
func (a *account) sweep() error {
	all, err := a.fs().ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range all {
		if n := e.Name(); strings.HasPrefix(n, newPrefix) || strings.HasPrefix(n, gonePrefix) {
			if err := a.removeAll(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeAll removes a file, or a directory with all in it.
func (a *account) removeAll(name string) error {
	info, err := a.fs().Lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		all, err := a.fs().ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := a.removeAll(name + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	return a.fs().Remove(name)
}

// folder returns the one that is open, or nil. There are not many: a session has
// one, and some are kept. mu is held.
func (a *account) folder(id mailbox.ID) *folder {
	i := slices.IndexFunc(a.folders, func(f *folder) bool { return f.id == id })
	if i < 0 {
		return nil
	}
	return a.folders[i]
}

// folderOf returns the folder of a mailbox, one for all sessions, and counts a
// reference. The lock is held.
func (a *account) folderOf(id mailbox.ID, dir string) *folder {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.folder(id)
	if f == nil {
		f = &folder{account: a, id: id}
		f.appends.group.Do = f.appendAll
		a.folders = append(a.folders, f)
	}
	f.dir.Store(&dir)
	f.refs++
	return f
}

// maxIdle is how many folders of an account stay open without a session.
const maxIdle = 32

// release gives back a reference.
func (a *account) release(f *folder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.refs--; f.refs > 0 {
		return
	}
	f.idleSince = a.now()
	idle := 0
	var oldest *folder
	for _, x := range a.folders {
		if x.refs == 0 {
			idle++
			if oldest == nil || x.idleSince.Before(oldest.idleSince) {
				oldest = x
			}
		}
	}
	if idle > maxIdle || f.gone.Load() {
		if f.gone.Load() {
			oldest = f
		}
		a.folders = slices.DeleteFunc(a.folders, func(x *folder) bool { return x == oldest })
		oldest.close()
	}
}

// relocate finds the directories of open folders again. Those without one were
// deleted.
func (a *account) relocate() error {
	a.mu.Lock()
	none := len(a.folders) == 0
	a.mu.Unlock()
	if none {
		return nil // nor will there be one before the lock is released
	}
	at := map[mailbox.ID]string{}
	list, err := a.list()
	if err != nil {
		return err
	}
	for _, e := range list {
		at[e.id] = e.dir
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.folders {
		dir, ok := at[f.id]
		if ok {
			f.dir.Store(&dir)
		} else {
			f.gone.Store(true)
			a.wake = append(a.wake, f)
		}
	}
	return nil
}

// close gives back what the account holds.
func (a *account) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.folders {
		f.close()
	}
	a.folders = nil
	return a.fs().Close()
}

// wrap says where an error comes from.
func (a *account) wrap(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("maildir: account %q: %w", a.user, err)
}
