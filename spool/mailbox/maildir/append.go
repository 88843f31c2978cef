package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// staged is a message in tmp: whole, and synced.
type staged struct {
	tmp      string // its name there
	unique   string
	size     int64
	received int64
	flags    mailbox.Flags
}

// appending is one Append whose messages are staged.
type appending struct {
	ctx  context.Context
	msgs []staged
	uids []mailbox.UID
	err  error
}

// appends collects those that are to be committed: all that came while one
// commit was under way share the next, with its three syncs.
type appends struct {
	group safeio.Group[struct{}]

	mu    sync.Mutex // guards queue
	queue []*appending
}

// Append adds messages; see [mailbox.Mailbox].
func (b *box) Append(ctx context.Context, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
	if err := b.check(ctx); err != nil {
		return nil, err
	}
	a := &appending{ctx: ctx}
	defer func() {
		for _, s := range a.msgs {
			b.fs().Remove(b.at("tmp", s.tmp))
		}
	}()
	for in, err := range msgs {
		if err != nil {
			return nil, err
		}
		s, err := b.stage(ctx, in)
		if err != nil {
			return nil, b.wrap(err)
		}
		a.msgs = append(a.msgs, s)
	}
	if len(a.msgs) == 0 {
		return nil, nil
	}
	b.appends.mu.Lock()
	b.appends.queue = append(b.appends.queue, a)
	b.appends.mu.Unlock()
	if err := b.appends.group.Sync(struct{}{}); err != nil && a.err == nil && a.uids == nil {
		a.err = err
	}
	if a.err != nil {
		return nil, b.wrap(a.err)
	}
	return a.uids, nil
}

// reserveFrom is from which size on room on the disk is reserved before a message
// is received. For small ones it costs more than it tells.
const reserveFrom = 1 << 20

// stage writes one message to tmp. No lock is held.
func (f *folder) stage(ctx context.Context, in *mailbox.Incoming) (s staged, err error) {
	if f.maxMessage >= 0 && in.Size > f.maxMessage {
		return s, mailbox.ErrTooBig
	}
	if s.unique, err = random(f.rand); err != nil {
		return s, err
	}
	s.flags, s.received = in.Flags, in.Received.Unix()
	if in.Received.IsZero() {
		s.received = f.now().Unix()
	}
	s.tmp = newBase(f.now().Unix(), s.unique, 0)
	name := f.at("tmp", s.tmp)
	w, err := f.fs().OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return s, err
	}
	if in.Size > reserveFrom {
		err = w.Allocate(in.Size)
	}
	if err == nil {
		s.size, err = f.fill(ctx, w, in)
	}
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		f.fs().Remove(name)
	}
	return s, err
}

// fill copies a body into a file.
func (f *folder) fill(ctx context.Context, w io.Writer, in *mailbox.Incoming) (n int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, err := readFull(in.Body, buf)
		n += int64(got)
		if f.maxMessage >= 0 && n > f.maxMessage {
			return n, mailbox.ErrTooBig
		}
		if _, err := w.Write(buf[:got]); err != nil {
			return n, full(err)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
	}
	if in.Size > 0 && n != in.Size {
		return n, fmt.Errorf("body of %d bytes, %d were announced: %w", n, in.Size, io.ErrUnexpectedEOF)
	}
	return n, nil
}

// readFull fills buf as far as r goes; unlike io.ReadFull it keeps the error.
func readFull(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// appendAll commits what is in the queue.
func (f *folder) appendAll(struct{}) error {
	f.appends.mu.Lock()
	queue := f.appends.queue
	f.appends.queue = nil
	f.appends.mu.Unlock()
	// Nobody's context alone may end what is done for all.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := f.update(ctx, func(t *tx) error {
		for _, a := range queue {
			if a.err = f.enter(t, a); a.err != nil {
				a.uids = nil
			}
		}
		return nil
	})
	if err != nil {
		for _, a := range queue {
			a.uids, a.err = nil, errors.Join(a.err, err)
		}
	}
	return err
}

// enter gives the messages of one Append their names. If one fails the others
// lose theirs again.
func (f *folder) enter(t *tx, a *appending) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	if err := f.admit(a); err != nil {
		return err
	}
	mark, state, undo := len(t.records), t.state, len(t.undo)
	seq := t.next()
	for _, s := range a.msgs {
		uid, err := f.link(t, s, seq)
		if err != nil {
			for _, u := range t.undo[undo:] {
				u()
			}
			t.records, t.state, t.undo = t.records[:mark], state, t.undo[:undo]
			return full(err)
		}
		a.uids = append(a.uids, uid)
	}
	return nil
}

// admit looks whether there is room for an Append.
func (f *folder) admit(a *appending) error {
	var bytes int64
	unknown := 0
	for _, s := range a.msgs {
		bytes += s.size
		unknown += f.spelling.Unknown(s.flags)
	}
	if unknown > 0 && f.spelling.Len()+unknown > maxKeywords {
		return mailbox.ErrLimit
	}
	return f.room(bytes, int64(len(a.msgs)))
}

// link gives a message its name: in new, or in cur if it has flags. A name that
// is taken is never replaced.
func (f *folder) link(t *tx, s staged, seq mailbox.ModSeq) (mailbox.UID, error) {
	uid, err := t.uid()
	if err != nil {
		return 0, err
	}
	flags := f.spelling.Fix(s.flags, true)
	if err := f.letters(flags); err != nil {
		return 0, err
	}
	m := &message{name: newBase(s.received, s.unique, s.size), meta: mailbox.Meta{
		UID: uid, Flags: flags, ModSeq: seq, Size: s.size, Received: s.received, Saved: f.now().Unix(),
	}}
	if info := f.words.encodeInfo(flags, ""); info == "" {
		m.bits = inNew
	} else {
		m.name += infoMark + info
	}
	return uid, f.enterFile(t, f.at("tmp", s.tmp), m)
}

// enterFile links a file into the mailbox and puts the message into the change.
func (f *folder) enterFile(t *tx, from string, m *message) error {
	dir := dirOf(m.bits)
	to := f.at(dir, m.name)
	t.touch(dir)
	if err := f.fs().Link(from, to); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			f.fs().Remove(to) // it may have been done all the same
		}
		return err
	}
	t.undo = append(t.undo, func() {
		f.fs().Remove(to)
		f.quota.add(-m.meta.Size, -1)
	})
	t.put(m)
	f.quota.add(m.meta.Size, 1)
	return nil
}

// full says so if an error is of a disk without room.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &mailbox.Error{Code: "OVERQUOTA", Err: err}
	}
	return err
}

// oldTmp is how long a file in tmp must be there before it is removed: the rule of
// Maildir, since other programs write there too.
const oldTmp = 36 * time.Hour

// cleanTmp removes what somebody left in tmp long ago.
func (f *folder) cleanTmp() {
	all, err := f.fs().ReadDir(f.at("tmp"))
	if err != nil {
		return
	}
	for _, e := range all {
		info, err := f.fs().Lstat(f.at("tmp", e.Name()))
		if err != nil || info.Mode()&fs.ModeType != 0 || info.ModTime().IsZero() || f.now().Sub(info.ModTime()) < oldTmp {
			continue
		}
		f.fs().Remove(f.at("tmp", e.Name()))
	}
}
