package mailboxtest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// mutants are wrong in one thing each; want names cases that must notice.
var mutants = []struct {
	name  string
	wrong func(m *mutant)
	want  []string
}{
	{"has no INBOX", func(m *mutant) {
		m.list = func(ctx ctx) ([]mailbox.Info, error) {
			all, err := m.Store.Mailboxes(ctx)
			return all[1:], err
		}
	}, []string{"names/INBOX"}},
	{"creates what is there", func(m *mutant) {
		m.create = func(ctx ctx, name string, use ...string) (mailbox.ID, error) {
			if i, err := mailbox.Find(ctx, m.Store, name); err == nil {
				return i.ID, nil
			}
			return m.Store.Create(ctx, name, use...)
		}
	}, []string{"names/create", "names/INBOX", "race/create"}},
	{"folds the case of names", func(m *mutant) {
		m.create = func(ctx ctx, name string, use ...string) (mailbox.ID, error) {
			if name != mailbox.Inbox {
				name = strings.ToLower(name)
			}
			return m.Store.Create(ctx, name, use...)
		}
	}, []string{"names/odd"}},
	{"takes any name", func(m *mutant) {
		m.create = func(ctx ctx, name string, use ...string) (mailbox.ID, error) {
			if _, err := mailbox.CheckName(name); err != nil {
				name = fmt.Sprintf("%.20x", "x"+name)
			}
			return m.Store.Create(ctx, name, use...)
		}
	}, []string{"names/bad"}},
	{"deletes children too", func(m *mutant) {
		m.delete = func(ctx ctx, id mailbox.ID) error {
			all, _ := m.Store.Mailboxes(ctx)
			for _, i := range all {
				if strings.Contains(i.Name, "/") {
					m.Store.Delete(ctx, i.ID)
				}
			}
			return m.Store.Delete(ctx, id)
		}
	}, []string{"names/flat"}},
	{"deletes nothing", func(m *mutant) {
		m.delete = func(ctx ctx, id mailbox.ID) error { return nil }
	}, []string{"names/delete", "names/delete and create", "names/subscribe", "names/INBOX", "names/unknown"}},
	{"has one UIDVALIDITY for all", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) { d.State.UIDValidity = 5 }),
		[]string{"names/delete and create"}},
	{"renames by copying", func(m *mutant) {
		m.rename = func(ctx ctx, id mailbox.ID, to string) error {
			src, err := m.Store.Open(ctx, id)
			if err != nil {
				return err
			}
			dst, err := m.Store.Create(ctx, to)
			if err != nil {
				return err
			}
			d, _ := m.Store.Open(ctx, dst)
			mailbox.Move(ctx, src, everything(), d)
			return m.Store.Delete(ctx, id)
		}
	}, []string{"names/rename", "names/rename while open"}},
	{"forgets subscriptions with the mailbox", func(m *mutant) {
		m.delete = func(ctx ctx, id mailbox.ID) error {
			all, _ := m.Store.Mailboxes(ctx)
			for _, i := range all {
				if i.ID == id {
					m.Store.Subscribe(ctx, i.Name, false)
				}
			}
			return m.Store.Delete(ctx, id)
		}
	}, []string{"names/subscribe"}},
	{"ignores special use", func(m *mutant) {
		m.create = func(ctx ctx, name string, _ ...string) (mailbox.ID, error) { return m.Store.Create(ctx, name) }
	}, []string{"names/use"}},
	{"changes line ends", inBox(func(b *mutantBox) {
		b.message = func(ctx ctx, uid mailbox.UID) (mailbox.Blob, error) { return lf(ctx, b, uid) }
	}), []string{"append/round trip", "append/large", "race/appends", "expunge/open blob"}},
	{"drops flags of new mail", inBox(func(b *mutantBox) {
		b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
			return b.full.Append(ctx, func(yield func(*mailbox.Incoming, error) bool) {
				for in, err := range msgs {
					if in != nil {
						in.Flags = mailbox.Flags{}
					}
					if !yield(in, err) {
						return
					}
				}
			})
		}
	}), []string{"append/meta"}},
	{"appends one by one", inBox(func(b *mutantBox) {
		b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) (uids []mailbox.UID, err error) {
			for in, err := range msgs {
				if err != nil {
					return uids, err
				}
				u, err := b.full.Append(ctx, mailbox.One(in))
				if err != nil {
					return uids, err
				}
				uids = append(uids, u...)
			}
			return uids, nil
		}
	}), []string{"append/several", "append/all or none", "optional/quota limit"}},
	{"takes what came before an error", inBox(func(b *mutantBox) {
		b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
			return b.full.Append(ctx, func(yield func(*mailbox.Incoming, error) bool) {
				for in, err := range msgs {
					if err != nil {
						return
					}
					in.Body, in.Size = forgiving{in.Body}, 0
					if !yield(in, nil) {
						return
					}
				}
			})
		}
	}), []string{"append/body fails", "append/all or none", "append/size"}},
	{"counts an empty Append as a change", inBox(func(b *mutantBox) {
		b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
			uids, err := b.full.Append(ctx, msgs)
			if err == nil && len(uids) == 0 {
				b.full.SetFlags(ctx, everything(), mailbox.AddFlags, mailbox.Flags{Keywords: "touched"}, 0)
			}
			return uids, err
		}
	}), []string{"append/nothing"}},
	{"gives UIDs out again", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) {
		d.State.UIDNext = 1
		for _, m := range d.Messages {
			d.State.UIDNext = m.UID + 1
		}
	}), []string{"append/UIDs grow"}},
	{"locks while a body is read", func(m *mutant) {
		var mu sync.Mutex
		m.box = func(b *mutantBox) {
			b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
				mu.Lock()
				defer mu.Unlock()
				return b.full.Append(ctx, msgs)
			}
		}
	}, []string{"append/stalled body"}},
	{"does not look at the context", inBox(func(b *mutantBox) {
		b.append = func(_ ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
			return b.full.Append(context.Background(), msgs)
		}
	}), []string{"append/context ended", "append/context ends"}},
	{"adds when told to remove", inBox(func(b *mutantBox) {
		b.setFlags = func(ctx ctx, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, since mailbox.ModSeq) (mailbox.Set, error) {
			return b.full.SetFlags(ctx, uids, mailbox.AddFlags, f, since)
		}
	}), []string{"flags/operations", "flags/keywords"}},
	{"counts every SetFlags as a change", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) {
		d.State.HighestModSeq += mailbox.ModSeq(time.Now().UnixNano())
	}), []string{"flags/no change", "flags/missing", "changes/nothing new", "expunge/missing", "append/several"}},
	{"ignores unchangedSince", inBox(func(b *mutantBox) {
		b.setFlags = func(ctx ctx, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, _ mailbox.ModSeq) (mailbox.Set, error) {
			return b.full.SetFlags(ctx, uids, op, f, 0)
		}
	}), []string{"flags/unchanged since", "race/flags"}},
	{"sets flags one by one", inBox(func(b *mutantBox) {
		b.setFlags = func(ctx ctx, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, since mailbox.ModSeq) (skipped mailbox.Set, err error) {
			for u := range uids.Intersect(mailbox.Set{{From: 1, To: 1000}}).All() {
				s, err := b.full.SetFlags(ctx, mailbox.SetOf(u), op, f, since)
				if err != nil {
					return nil, err
				}
				skipped = skipped.Union(s)
			}
			return skipped, nil
		}
	}), []string{"flags/one ModSeq"}},
	{"makes keywords lower case", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) {
		for i := range d.Messages {
			d.Messages[i].Flags.Keywords = strings.ToLower(d.Messages[i].Flags.Keywords)
		}
	}), []string{"flags/keywords", "flags/operations", "append/meta"}},
	{"has room for 26 keywords", func(m *mutant) { m.Store.MaxKeywords = 26 }, []string{"flags/many keywords"}},
	{"keeps flags in the session", func(m *mutant) {
		opened := 0
		m.box = func(b *mutantBox) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if opened++; opened == 1 {
				return
			}
			b.changes = func(ctx ctx, since mailbox.ModSeq) (mailbox.Delta, error) {
				d, err := b.full.Changes(ctx, since)
				for i := range d.Messages {
					d.Messages[i].Flags = mailbox.Flags{}
				}
				return d, err
			}
		}
	}, []string{"flags/survive"}},
	{"expunges what has \\Deleted", inBox(func(b *mutantBox) {
		b.expunge = func(ctx ctx, uids mailbox.Set) error {
			var deleted mailbox.Set
			d, err := b.full.Changes(ctx, 0)
			for _, m := range d.Messages {
				if m.Flags.Has(`\Deleted`) {
					deleted.Add(m.UID)
				}
			}
			if err != nil {
				return err
			}
			return b.full.Expunge(ctx, uids.Intersect(deleted))
		}
	}), []string{"expunge/exact", "expunge/gone"}},
	{"empties blobs of expunged messages", func(m *mutant) {
		m.box = func(b *mutantBox) {
			b.message = func(ctx ctx, uid mailbox.UID) (mailbox.Blob, error) {
				blob, err := b.full.Message(ctx, uid)
				return weak{blob, b.full, uid}, err
			}
		}
	}, []string{"expunge/open blob"}},
	{"gives messages that are gone as empty ones", inBox(func(b *mutantBox) {
		b.message = func(ctx ctx, uid mailbox.UID) (mailbox.Blob, error) {
			blob, err := b.full.Message(ctx, uid)
			if err != nil && ctx.Err() == nil {
				return mailbox.Bytes(nil), nil
			}
			return blob, err
		}
	}), []string{"expunge/gone", "names/delete"}},
	{"begins with UIDNext 0", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) {
		if len(d.Messages) == 0 {
			d.State.UIDNext = 0
		}
	}), []string{"changes/empty"}},
	{"begins with ModSeq 0", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) { d.State.HighestModSeq-- }),
		[]string{"changes/empty"}},
	{"names changes one too early", delta(func(since mailbox.ModSeq, d *mailbox.Delta) {
		if !d.Full {
			d.Messages = slices.DeleteFunc(d.Messages, func(m mailbox.Meta) bool { return m.ModSeq == since+1 })
		}
	}), []string{"changes/since", "append/several", "race/sessions"}},
	{"loses what vanished", delta(func(_ mailbox.ModSeq, d *mailbox.Delta) { d.Vanished = nil }),
		[]string{"changes/since", "expunge/exact", "move/other", "race/sessions"}},
	{"knows nothing of unknown ModSeqs", delta(func(since mailbox.ModSeq, d *mailbox.Delta) {
		if since > d.State.HighestModSeq {
			d.Full, d.Messages = false, nil
		}
	}), []string{"changes/unknown"}},
	{"shows each session its own mailbox", func(m *mutant) {
		m.box = func(b *mutantBox) {
			var first *mailbox.Delta
			b.changes = func(ctx ctx, since mailbox.ModSeq) (mailbox.Delta, error) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if first == nil {
					d, err := b.full.Changes(ctx, 0)
					if first = &d; err != nil {
						return d, err
					}
				}
				return *first, nil
			}
		}
	}, []string{"changes/others"}},
	{"counts nothing", func(m *mutant) {
		m.counts = func(ctx ctx, id mailbox.ID) (mailbox.Counts, error) { return mailbox.Counts{}, nil }
		m.list = func(ctx ctx) ([]mailbox.Info, error) {
			all, err := m.Store.Mailboxes(ctx)
			for i := range all {
				all[i].Counts = nil
			}
			return all, err
		}
	}, []string{"changes/counts"}},
	{"never rings", inBox(func(b *mutantBox) {
		b.watch = func(func()) func() { return func() {} }
	}), []string{"watch/change"}},
	{"rings for ever", inBox(func(b *mutantBox) {
		b.watch = func(fn func()) func() { b.full.Watch(fn); return func() {} }
	}), []string{"watch/change"}},
	{"copies without flags", inBox(func(b *mutantBox) {
		b.copy = func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
			from, to, err = b.full.Copy(ctx, uids, good(dst))
			good(dst).SetFlags(ctx, to, mailbox.ReplaceFlags, mailbox.Flags{}, 0)
			return from, to, err
		}
	}), []string{"copy/other", "copy/self"}},
	{"copies what is not there", inBox(func(b *mutantBox) {
		b.copy = func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
			_, to, err = b.full.Copy(ctx, uids, good(dst))
			return uids, to, err
		}
	}), []string{"copy/missing"}},
	{"does not copy into itself", inBox(func(b *mutantBox) {
		b.copy = func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
			if dst == mailbox.Mailbox(b) {
				return uids, uids, nil
			}
			return b.full.Copy(ctx, uids, good(dst))
		}
		b.move = b.copy
	}), []string{"copy/self", "move/self"}},
	{"moves by copying", inBox(func(b *mutantBox) {
		b.move = func(ctx ctx, uids mailbox.Set, dst mailbox.Mailbox) (from, to mailbox.Set, err error) {
			return b.full.Copy(ctx, uids, good(dst))
		}
	}), []string{"move/other", "move/self", "race/moves"}},
	{"gives the whole message as header", inBox(func(b *mutantBox) {
		b.header = func(ctx ctx, uid mailbox.UID) ([]byte, error) { return []byte("Subject: a\r\n"), nil }
	}), []string{"optional/header"}},
	{"caches for messages that are gone", func(m *mutant) {
		m.box = func(b *mutantBox) {
			b.cached = func(mailbox.UID) ([]byte, bool) { return []byte("one"), true }
		}
	}, []string{"optional/cache"}},
	{"hands recent messages out twice", inBox(func(b *mutantBox) {
		b.recent = func(ctx ctx, _ bool) (first, next mailbox.UID, err error) { return b.full.Recent(ctx, false) }
	}), []string{"optional/recent"}},
	{"locks nobody out", inBox(func(b *mutantBox) {
		b.lock = func(ctx) (func(), error) { return func() {}, nil }
	}), []string{"optional/lock"}},
	{"makes EmailIDs of UIDs", inBox(func(b *mutantBox) {
		b.emailID = func(ctx ctx, uid mailbox.UID) (string, error) {
			_, err := b.full.EmailID(ctx, uid)
			return fmt.Sprint("e", uid), err
		}
	}), []string{"optional/email IDs"}},
	{"watches nothing", func(m *mutant) {
		m.watchAll = func(func(mailbox.ID)) func() { return func() {} }
	}, []string{"optional/watch all"}},
	{"counts no bytes", func(m *mutant) {
		m.quotas = func(ctx ctx, id mailbox.ID) ([]mailbox.QuotaRoot, error) {
			return []mailbox.QuotaRoot{{Resources: []mailbox.Resource{{Name: mailbox.Storage, Limit: 1e9}}}}, nil
		}
	}, []string{"optional/quota"}},
	{"forgets limits", func(m *mutant) {
		m.setQuota = func(ctx, string, []mailbox.Resource) error { return nil }
	}, []string{"optional/quota limit"}},
	{"has no annotations", func(m *mutant) {
		m.metadata = func(ctx, mailbox.ID) ([]mailbox.Entry, error) { return nil, nil }
	}, []string{"optional/metadata"}},
	{"gives a UID out twice", func(m *mutant) {
		calls := 0
		m.box = func(b *mutantBox) {
			b.append = func(ctx ctx, msgs iter.Seq2[*mailbox.Incoming, error]) ([]mailbox.UID, error) {
				uids, err := b.full.Append(ctx, msgs)
				m.mu.Lock()
				defer m.mu.Unlock()
				if calls++; calls == 20 {
					uids[0]--
				}
				return uids, err
			}
		}
	}, []string{"race/appends"}},
}

// forgiving is a reader whose errors are ends.
type forgiving struct{ io.Reader }

func (f forgiving) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// weak is a blob that goes with its message.
type weak struct {
	mailbox.Blob
	m   mailbox.Mailbox
	uid mailbox.UID
}

func (w weak) ReadAt(p []byte, off int64) (int, error) {
	again, err := w.m.Message(context.Background(), w.uid)
	if err != nil {
		return 0, err
	}
	defer again.Close()
	return again.ReadAt(p, off)
}
