package maildir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// box is a folder as one session has it.
type box struct {
	*folder
	closed atomic.Bool
}

var (
	_ mailbox.Mailbox  = (*box)(nil)
	_ mailbox.Copier   = (*box)(nil)
	_ mailbox.Mover    = (*box)(nil)
	_ mailbox.Cacher   = (*box)(nil)
	_ mailbox.Recent   = (*box)(nil)
	_ mailbox.EmailIDs = (*box)(nil)
	_ mailbox.Locker   = (*box)(nil)
)

// Close ends the session.
func (b *box) Close() error {
	if !b.closed.Swap(true) {
		b.release(b.folder)
	}
	return nil
}

// check looks whether the session and the mailbox are still there.
func (b *box) check(ctx context.Context) error {
	switch {
	case b.closed.Load():
		return mailbox.ErrClosed
	case b.gone.Load():
		return mailbox.ErrNotExist
	}
	return ctx.Err()
}

// do runs a change. A file that is not where it was a moment ago was renamed by
// another program: the directories are read again, and it is tried again.
func (b *box) do(ctx context.Context, change func(t *tx) error) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	var err error
	for range 5 {
		if err = b.update(ctx, change); !errors.Is(err, errRenamed) {
			break
		}
	}
	return b.wrap(err)
}

// errRenamed says that a file is not under the name that the index has.
var errRenamed = errors.New("file was renamed meanwhile")

// renamedMeanwhile has the directories read anew.
func (f *folder) renamedMeanwhile() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.sure = stamps{-1, -1}, false
	return errRenamed
}

// Changes tells what happened; see [mailbox.Mailbox].
func (b *box) Changes(ctx context.Context, since mailbox.ModSeq) (d mailbox.Delta, err error) {
	if err := b.check(ctx); err != nil {
		return d, err
	}
	if err := b.upToDate(ctx); err != nil {
		return d, b.wrap(err)
	}
	err = b.read(ctx, func(x *index) error {
		d = b.changes(x, since)
		return nil
	})
	return d, b.wrap(err)
}

// changes is Changes as far as the index has them; mu is held.
func (f *folder) changes(x *index, since mailbox.ModSeq) (d mailbox.Delta) {
	d.State = f.state()
	gone, ok := x.gone.Since(since)
	switch {
	case since == x.state.seq:
		return d
	case since == 0 || since > x.state.seq || !ok:
		d.Full, since = true, 0
		d.Messages = make([]mailbox.Meta, 0, len(x.recs))
	default:
		d.Vanished = gone
	}
	for i := range x.recs {
		if x.recs[i].seq > since {
			d.Messages = append(d.Messages, x.meta(&x.recs[i]))
		}
	}
	return d
}

// read runs do with the index, which is read anew if it rests. mu is held.
func (f *folder) read(ctx context.Context, do func(x *index) error) error {
	try := func() (done bool, err error) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		if f.idx == nil {
			return false, nil
		}
		f.use()
		return true, do(f.idx)
	}
	for range 5 {
		if done, err := try(); done {
			return err
		}
		if err := f.upToDate(ctx); err != nil {
			return err
		}
	}
	return errDamaged // each change since then failed to read it
}

// lookup finds a message as the index has it.
func (b *box) lookup(ctx context.Context, uid mailbox.UID) (m *message, err error) {
	if err := b.check(ctx); err != nil {
		return nil, err
	}
	err = b.read(ctx, func(x *index) error {
		i, ok := x.find(uid)
		if !ok {
			return mailbox.ErrNotExist
		}
		m, err = x.message(&x.recs[i])
		return err
	})
	return m, err
}

// Message opens a message; see [mailbox.Mailbox].
func (b *box) Message(ctx context.Context, uid mailbox.UID) (mailbox.Blob, error) {
	for range 5 {
		m, err := b.lookup(ctx, uid)
		if err != nil {
			return nil, b.wrap(err)
		}
		blob, err := b.openBlob(ctx, m)
		if !errors.Is(err, fs.ErrNotExist) {
			return blob, b.wrap(err)
		}
		// Somebody renamed it, or removed it.
		b.renamedMeanwhile()
		if err := b.upToDate(ctx); err != nil {
			return nil, b.wrap(err)
		}
	}
	return nil, b.wrap(errRenamed)
}

// Recent hands out what was not claimed; see [mailbox.Recent].
func (b *box) Recent(ctx context.Context, claim bool) (first, next mailbox.UID, err error) {
	err = b.do(ctx, func(t *tx) error {
		first, next = t.state.unclaimed, t.state.next
		if claim {
			t.state.unclaimed = next
		}
		return nil
	})
	return first, next, err
}

// EmailID is made of the unique part of the file name, which stays with a
// message when it is moved, and when it is copied to another mailbox; see
// [mailbox.EmailIDs].
func (b *box) EmailID(ctx context.Context, uid mailbox.UID) (string, error) {
	m, err := b.lookup(ctx, uid)
	if err != nil {
		return "", b.wrap(err)
	}
	base, _ := splitName(m.name)
	unique, _, _ := strings.Cut(base, ",")
	sum := sha256.Sum256([]byte(unique))
	return hex.EncodeToString(sum[:16]), nil
}

// Lock is for one POP3 session, among all processes; see [mailbox.Locker].
func (b *box) Lock(ctx context.Context) (release func(), err error) {
	if err := b.check(ctx); err != nil {
		return nil, err
	}
	l, err := b.fs().Lock(b.at(popFile))
	if errors.Is(err, safeio.ErrLocked) {
		return nil, mailbox.ErrInUse
	}
	if err != nil {
		return nil, b.wrap(err)
	}
	var once atomic.Bool
	return func() {
		if !once.Swap(true) {
			l.Close()
		}
	}, nil
}
