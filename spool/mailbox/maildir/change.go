package maildir

import (
	"context"
	"errors"
	"io/fs"
	"iter"

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
		var changed []flagging
		var last flagging // most messages have the flags of the one before
		b.idx.each(uids, func(r *rec) {
			if unchangedSince != 0 && r.seq > unchangedSince {
				skipped.Add(r.uid)
				return
			}
			old := b.idx.flags(r)
			if last.rec == nil || b.idx.flags(last.rec) != old {
				last.flags = b.spelling.Fix(op.Apply(old, f), true)
			}
			if last.rec = r; last.flags != old {
				changed = append(changed, last)
			}
		})
		if len(changed) == 0 {
			return nil
		}
		return b.flagAll(t, changed)
	})
	if err != nil {
		return nil, err
	}
	return skipped, nil
}

// flagging is what one message is to have.
type flagging struct {
	rec   *rec
	flags mailbox.Flags
}

// flagAll gives messages other flags, and their files other names. Most stand in
// cur already: that is done in one go.
func (f *folder) flagAll(t *tx, changed []flagging) error {
	seq := t.next()
	for i, c := range changed {
		if i > 0 && c.flags == changed[i-1].flags {
			continue
		}
		if err := f.letters(c.flags); err != nil {
			return err
		}
	}
	var failed error
	err := f.renameIn(t, "cur", func(yield func(from, to string) bool) {
		for _, c := range changed {
			if c.rec.bits&inNew != 0 {
				continue
			}
			m, from, err := f.flagged(c, seq)
			if failed = err; err != nil || m.name != from && !yield(from, m.name) {
				return
			}
			t.put(m)
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return err
	}
	for _, c := range changed {
		if c.rec.bits&inNew == 0 {
			continue
		}
		m, from, err := f.flagged(c, seq)
		if err != nil {
			return err
		}
		t.touch("new")
		t.touch("cur")
		m.bits &^= inNew
		if err := f.fs().Rename(f.at("new", from), f.at("cur", m.name)); err != nil {
			return f.unlessRenamed(err)
		}
		t.put(m)
	}
	return nil
}

// flagged is a message as it will be, and what the name of its file was. The name
// stays the same where a keyword without a letter changes; in cur it always has
// the mark of flags.
func (f *folder) flagged(c flagging, seq mailbox.ModSeq) (m *message, from string, err error) {
	if m, err = f.idx.message(c.rec); err != nil {
		return nil, "", err
	}
	from = m.name
	base, info := splitName(from)
	m.meta.Flags, m.meta.ModSeq = c.flags, seq
	m.name = base + infoMark + f.words.encodeInfo(c.flags, info)
	return m, from, nil
}

// renameIn renames files in a directory of the mailbox.
func (f *folder) renameIn(t *tx, dir string, pairs iter.Seq2[string, string]) error {
	touched := func(yield func(from, to string) bool) {
		for from, to := range pairs {
			t.touch(dir)
			if !yield(from, to) {
				return
			}
		}
	}
	if r, ok := f.fs().(interface {
		RenameIn(string, iter.Seq2[string, string]) error
	}); ok {
		return f.unlessRenamed(r.RenameIn(f.at(dir), touched))
	}
	for from, to := range touched {
		if err := f.fs().Rename(f.at(dir, from), f.at(dir, to)); err != nil {
			return f.unlessRenamed(err)
		}
	}
	return nil
}

// unlessRenamed is an error, which if a file was not there is errRenamed.
func (f *folder) unlessRenamed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return f.renamedMeanwhile()
	}
	return err
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
		if err != nil {
			return f.unlessRenamed(err)
		}
		gone.Add(r.uid)
		f.quota.add(-r.size, -1)
	}
	if len(gone) > 0 {
		t.expunge(gone)
	}
	return nil
}
