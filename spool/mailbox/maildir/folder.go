package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// folder is a mailbox that is open in this process, for all its sessions.
type folder struct {
	*account
	id        mailbox.ID
	dir       atomic.Pointer[string] // in the account
	gone      atomic.Bool            // it was deleted
	refs      int                    // guarded by account.mu
	idleSince time.Time              // guarded by account.mu

	mu       sync.RWMutex // guards all below; what changes them holds the lock too
	idx      *index       // nil until it is loaded
	words    keywords
	spelling mailbox.Spelling
	seen     stamps // what the directories looked like when we last read them
	sure     bool   // nothing can have happened that the stamps do not tell
	since    time.Time
	rewrite  bool // the file of the index is not to be trusted
	polling  bool // by a timer, as there are watchers

	watchers mailbox.Watchers[struct{}]
	appends  appends
	cached   cache
}

// at is the path of something in the mailbox.
func (f *folder) at(parts ...string) string {
	name := strings.Join(parts, "/")
	if dir := *f.dir.Load(); dir != "." {
		name = dir + "/" + name
	}
	return name
}

// state is what Changes says; mu is held.
func (f *folder) state() mailbox.State {
	s := f.idx.state
	return mailbox.State{
		UIDValidity: f.idx.head.validity, UIDNext: s.next, HighestModSeq: s.seq,
		NoNewKeywords: f.spelling.Len() >= maxKeywords,
	}
}

// maxKeywords is how many keywords a mailbox has.
const maxKeywords = 1_000

// close lets the files go.
func (f *folder) close() {
	f.flushCache()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unload()
}

// unload closes the files; the next call reads them again. mu is held.
func (f *folder) unload() {
	f.cached.close()
	if f.idx != nil {
		f.idx.file.Close()
		f.idx = nil
	}
}

// look returns what the directories look like now. A time that is not known is
// 0.
func (f *folder) look() (s stamps, err error) {
	for i, d := range []string{"new", "cur"} {
		info, err := f.fs().Lstat(f.at(d))
		if err != nil {
			return s, err
		}
		if t := info.ModTime(); !t.IsZero() {
			s[i] = t.UnixNano()
		}
	}
	return s, nil
}

// unsure is how long after a change of a directory another may still leave it
// with the same time: file systems count in steps, and clocks differ.
const unsure = 2 * time.Second

// trusted reports whether stamps that were taken before a directory was read can
// tell of every change since.
func (f *folder) trusted(s stamps) bool {
	now := f.now().UnixNano()
	return now-s[0] > int64(unsure) && now-s[1] > int64(unsure)
}

// current reports whether all that can be known is, without the lock.
func (f *folder) current() bool {
	if g, err := f.generation(); err != nil || g != *f.gen.Load() || f.gone.Load() {
		return false
	}
	s, err := f.look()
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err != nil || f.idx == nil || f.rewrite || s != f.seen || !f.sure && f.now().Sub(f.since) >= unsure {
		return false
	}
	info, err := f.idx.file.Stat()
	return err == nil && info.Size() == f.idx.end
}

// upToDate takes in what others changed.
func (f *folder) upToDate(ctx context.Context) error {
	if f.current() {
		return ctx.Err()
	}
	return f.update(ctx, func(*tx) error { return nil })
}

// update runs do with the lock, all that others changed taken in, and commits
// what it did.
func (f *folder) update(ctx context.Context, do func(t *tx) error) error {
	return f.locked(ctx, func() error { return f.change(do) })
}

// change is update with the lock held.
func (f *folder) change(do func(t *tx) error) error {
	if err := f.refresh(); err != nil {
		return err
	}
	t := f.begin()
	if err := do(t); err != nil {
		t.abort()
		return err
	}
	return t.commit()
}

// refresh takes in what others changed. The lock is held.
func (f *folder) refresh() error {
	if !f.gone.Load() && !f.stillAt(f) {
		// Another program renamed or removed it.
		if err := f.relocate(); err != nil {
			return err
		}
	}
	if f.gone.Load() {
		return mailbox.ErrNotExist
	}
	err := f.reload()
	if errors.Is(err, errDamaged) {
		err = f.rebuild()
	}
	if err != nil {
		return err
	}
	s, err := f.look()
	if err != nil {
		return err
	}
	if s == f.seen && (f.sure || f.now().Sub(f.since) < unsure) {
		return nil
	}
	return f.scan(s)
}

// reload brings the index up to date with its file.
func (f *folder) reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var before mailbox.State
	if f.idx != nil {
		before = f.state()
	}
	err := f.readAgain()
	if err == nil && f.state() != before {
		f.wake = append(f.wake, f) // another process did something
	}
	return err
}

// readAgain reads what was added to the file of the index, or all of it where
// another took its place. mu is held.
func (f *folder) readAgain() error {
	if f.idx != nil {
		// Also if the file is to be written anew: another process may have gone on
		// with it meanwhile.
		if err := f.idx.readOn(); err != nil {
			f.unload()
		} else if f.idx.moved || f.shrunk() {
			f.unload()
			f.rewrite = false // somebody did it
		}
	}
	if f.idx == nil {
		if err := f.load(); err != nil {
			return err
		}
	}
	if f.idx.lost > 0 {
		f.burn()
	}
	if f.rewrite || f.idx.wasteful() {
		return f.renew()
	}
	return nil
}

// shrunk reports whether the file is shorter than what was read of it.
func (f *folder) shrunk() bool {
	info, err := f.idx.file.Stat()
	return err != nil || info.Size() < f.idx.end
}

// load opens the index. A mailbox that has none gets one.
func (f *folder) load() error {
	x, err := openIndex(f.fs(), f.at(indexFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = errDamaged
	}
	if err != nil {
		return err
	}
	words, err := f.readKeywords()
	if err != nil {
		x.file.Close()
		return err
	}
	f.words = words
	f.install(x)
	f.cleanTmp()
	return nil
}

// install begins to work with an index that was just read; mu is held.
func (f *folder) install(x *index) {
	f.unload()
	f.idx = x
	f.seen, f.sure = x.stamps, x.stamps != stamps{}
	for _, w := range x.words {
		f.spelling.Fix(mailbox.Flags{Keywords: w}, true)
	}
	f.cached.ready = false
}

// burn takes numbers out of use that a frame which is lost may have given out:
// somebody may have seen them.
func (f *folder) burn() {
	x := f.idx
	n := x.lost/16 + 1
	x.state.seq += mailbox.ModSeq(n)
	if left := int64(mailbox.MaxUID) - int64(x.state.next); x.state.next != 0 {
		x.state.next += mailbox.UID(min(n, left))
	}
	f.rewrite, x.lost = true, 0
	f.seen, f.sure = stamps{}, false
}

// rebuild makes a new index for a mailbox whose own is damaged or not there. Its
// messages get new UIDs, under a new UIDVALIDITY.
func (f *folder) rebuild() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unload()
	name := f.at(indexFile)
	if _, err := f.fs().Lstat(name); err == nil {
		if err := f.fs().Rename(name, name+".damaged"); err != nil {
			return err
		}
	}
	h, err := f.newHead()
	if err != nil {
		return err
	}
	if err := f.advance(h.validity); err != nil {
		return err
	}
	if err := safeio.Replace(f.fs(), f.at(newPrefix+"index"), name, h.encode(), 0o600); err != nil {
		return err
	}
	return f.load()
}

// renew writes the index into a new file. Those who have the old one open are
// told by its last frame, before the new one is there: nobody else has the lock.
func (f *folder) renew() error {
	x := f.idx
	h := head{validity: x.head.validity}
	if _, err := io.ReadFull(f.rand, h.random[:]); err != nil {
		return err
	}
	b, err := x.encode(h)
	if err != nil {
		return err
	}
	if _, err := x.file.WriteAt(x.head.frame([]byte{recMoved}), x.end); err != nil {
		return err
	}
	f.rewrite = true // until it worked
	if err := safeio.Replace(f.fs(), f.at(newPrefix+"index"), f.at(indexFile), b, 0o600); err != nil {
		return err
	}
	y, err := openIndex(f.fs(), f.at(indexFile))
	if err != nil {
		return err
	}
	y.stamps = x.stamps
	seen, sure := f.seen, f.sure
	f.install(y)
	f.seen, f.sure, f.rewrite = seen, sure, false
	return nil
}
