package maildir

import (
	"context"
	"errors"
	"io/fs"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// SetFlags changes flags; see [mailbox.Mailbox].
func (b *box) SetFlags(ctx context.Context, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, unchangedSince mailbox.ModSeq) (skipped mailbox.Set, err error) {
	err = b.do(ctx, func(t *tx) error {
		skipped = nil
		if op != mailbox.RemoveFlags {
			if n := b.spelling.Unknown(f); n > 0 && b.spelling.Len()+n > maxKeywords {
				return mailbox.ErrLimit
			}
		}
		f := b.spelling.Fix(f, op != mailbox.RemoveFlags)
		var changed []*rec
		b.idx.each(uids, func(r *rec) {
			if unchangedSince != 0 && r.seq > unchangedSince {
				skipped.Add(r.uid)
			} else if old := b.idx.flags(r); b.spelling.Fix(op.Apply(old, f), true) != old {
				changed = append(changed, r)
			}
		})
		if len(changed) == 0 {
			return nil
		}
		seq := t.next()
		for _, r := range changed {
			if err := b.flag(t, r, b.spelling.Fix(op.Apply(b.idx.flags(r), f), true), seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return skipped, nil
}

// flag gives a message other flags, and its file another name.
func (f *folder) flag(t *tx, r *rec, flags mailbox.Flags, seq mailbox.ModSeq) error {
	m, err := f.idx.message(r)
	if err != nil {
		return err
	}
	if err := f.letters(flags); err != nil {
		return err
	}
	base, info := splitName(m.name)
	from := f.at(dirOf(m.bits), m.name)
	old := dirOf(m.bits)
	m.meta.Flags, m.meta.ModSeq = flags, seq
	name := base + infoMark + f.words.encodeInfo(flags, info)
	if name == m.name {
		t.put(m) // a keyword without a letter
		return nil
	}
	m.name, m.bits = name, m.bits&^inNew
	t.touch("cur")
	t.touch(old)
	if err := f.fs().Rename(from, f.at("cur", name)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = f.renamedMeanwhile()
		}
		return err
	}
	t.put(m)
	return nil
}

// Expunge removes messages; see [mailbox.Mailbox].
func (b *box) Expunge(ctx context.Context, uids mailbox.Set) error {
	return b.do(ctx, func(t *tx) error { return b.remove(t, uids) })
}

// remove removes messages and their files.
func (f *folder) remove(t *tx, uids mailbox.Set) error {
	var gone mailbox.Set
	var recs []*rec
	f.idx.each(uids, func(r *rec) { recs = append(recs, r) })
	for _, r := range recs {
		m, err := f.idx.message(r)
		if err != nil {
			return err
		}
		t.touch(dirOf(m.bits))
		err = f.fs().Remove(f.at(dirOf(m.bits), m.name))
		if errors.Is(err, fs.ErrNotExist) {
			return f.renamedMeanwhile()
		}
		if err != nil {
			return err
		}
		gone.Add(r.uid)
		f.quota.add(-r.size, -1)
	}
	if len(gone) > 0 {
		t.expunge(gone)
	}
	return nil
}
