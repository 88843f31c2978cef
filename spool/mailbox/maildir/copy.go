package maildir

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Copy copies within the account by links; see [mailbox.Copier].
func (b *box) Copy(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return b.transfer(ctx, uids, dst, false)
}

// Move moves within the account; see [mailbox.Mover]. All who look see it in one
// step. A crash in the middle can leave a message in both mailboxes.
func (b *box) Move(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
	return b.transfer(ctx, uids, dst, true)
}

// transfer works within one account of one process; other kinds are for the
// fallback of package mailbox.
func (b *box) transfer(ctx context.Context, uids mailbox.Set, dst mailbox.Mailbox, move bool) (from, to mailbox.Set, err error) {
	d, ok := dst.(*box)
	if !ok || d.account != b.account {
		return nil, nil, errors.ErrUnsupported
	}
	if err := errors.Join(b.check(ctx), d.check(ctx)); err != nil {
		return nil, nil, err
	}
	for range 5 {
		err = b.locked(ctx, func() error {
			from, to, err = transfer(b.folder, d.folder, uids, move)
			return err
		})
		if !errors.Is(err, errRenamed) {
			break
		}
	}
	if err != nil {
		return nil, nil, b.wrap(err)
	}
	return from, to, nil
}

// transfer copies or moves, with the lock.
func transfer(src, dst *folder, uids mailbox.Set, move bool) (from, to mailbox.Set, err error) {
	if err := errors.Join(src.refresh(), dst.refresh()); err != nil {
		return nil, nil, err
	}
	t := dst.begin()
	if from, to, err = dst.take(t, src, uids, move); err != nil || len(from) == 0 {
		t.abort()
		return nil, nil, err
	}
	switch {
	case !move:
		return from, to, t.commit()
	case src == dst:
		if err := src.remove(t, from); err != nil {
			t.abort()
			return nil, nil, err
		}
		return from, to, t.commit()
	}
	return from, to, commitMove(t, src, from)
}

// commitMove commits what came to one mailbox, and takes it out of another.
func commitMove(t *tx, src *folder, from mailbox.Set) error {
	frame, err := t.prepare()
	if err != nil {
		return err
	}
	s := src.begin()
	gone, err := []byte(nil), src.remove(s, from)
	if err != nil {
		s.abort()
	} else {
		gone, err = s.prepare()
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if err == nil && gone != nil {
		err = s.apply(gone)
	}
	return errors.Join(t.apply(frame), err)
}

// take links messages of another mailbox, or of its own, into this one.
func (f *folder) take(t *tx, src *folder, uids mailbox.Set, move bool) (from, to mailbox.Set, err error) {
	var recs []*rec
	var bytes int64
	src.idx.each(uids, func(r *rec) {
		recs = append(recs, r)
		bytes += r.size
	})
	if len(recs) == 0 {
		return nil, nil, nil
	}
	if !move {
		if err := f.room(bytes, int64(len(recs))); err != nil {
			return nil, nil, err
		}
	}
	seq := t.next()
	for _, r := range recs {
		u, err := f.takeOne(t, src, r, seq)
		if err != nil {
			return nil, nil, err
		}
		from.Add(r.uid)
		to.Add(u)
	}
	return from, to, nil
}

// takeOne links one message into this mailbox. The unique part of its name stays
// if it is free here, and with it the EmailID.
func (f *folder) takeOne(t *tx, src *folder, r *rec, seq mailbox.ModSeq) (mailbox.UID, error) {
	m, err := src.idx.message(r)
	if err != nil {
		return 0, err
	}
	path := src.at(dirOf(m.bits), m.name)
	base, _ := splitName(m.name)
	m.meta.Flags = f.spelling.Fix(m.meta.Flags, true)
	if err := f.letters(m.meta.Flags); err != nil {
		return 0, err
	}
	if m.meta.UID, err = t.uid(); err != nil {
		return 0, err
	}
	m.meta.ModSeq, m.meta.Saved, m.bits = seq, f.now().Unix(), m.bits&^inNew
	info := infoMark + f.words.encodeInfo(m.meta.Flags, "")
	if f == src || f.has(base) {
		// The unique part is taken: it gets another.
		if base, err = f.another(base, m.meta.Received); err != nil {
			return 0, err
		}
	}
	m.name = base + info
	err = f.enterFile(t, path, m)
	if errors.Is(err, fs.ErrNotExist) {
		err = src.renamedMeanwhile()
	}
	return m.meta.UID, err
}

// has reports whether a message of this unique part may be in the mailbox.
func (f *folder) has(base string) bool { return f.known(base) != nil }

// another makes a new unique part with the sizes of an old one.
func (f *folder) another(base string, received int64) (string, error) {
	r, err := random(f.rand)
	if err != nil {
		return "", err
	}
	out, _, _ := strings.Cut(newBase(received, r, 0), ",")
	if _, sizes, ok := strings.Cut(base, ","); ok {
		out += "," + sizes
	}
	return out, nil
}
