package maildir

import (
	"maps"
	"slices"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// tx is a change of one mailbox, with the lock held. First the directories are
// changed and synced, then a frame goes into the index and is synced, and only
// then does anybody see it: after a crash in between, the next scan finds in the
// directories what the index does not have yet.
type tx struct {
	f       *folder
	state   state
	records []byte
	touched map[string]bool // directories to sync, as parts below the mailbox
	stamped bool            // the frame has stamps alone: it need not be durable
	undo    []func()        // for names that came, should the change fail
	dirty   bool            // something was changed in the directories
}

func (f *folder) begin() *tx {
	return &tx{f: f, state: f.idx.state, touched: map[string]bool{}}
}

// next takes a ModSeq.
func (t *tx) next() mailbox.ModSeq {
	t.state.seq++
	return t.state.seq
}

// uid takes a UID. The error is ErrLimit when they are used up.
func (t *tx) uid() (mailbox.UID, error) {
	u := t.state.next
	if u == 0 {
		return 0, mailbox.ErrLimit
	}
	t.state.next++ // to 0 after MaxUID
	return u, nil
}

// put is a message that is new or other.
func (t *tx) put(m *message) { t.records = appendMessage(t.records, m) }

func (t *tx) expunge(uids mailbox.Set) {
	t.records = appendExpunge(t.records, t.next(), uids)
}

// touch says that names changed in a directory.
func (t *tx) touch(dir string) { t.touched[dir], t.dirty = true, true }

// stamp remembers what the directories looked like; it alone need not be
// durable.
func (t *tx) stamp(s stamps) {
	t.stamped = len(t.records) == 0 && t.state == t.f.idx.state
	t.records = appendStamps(t.records, s)
}

// abort takes back what can be, and has the directories read anew.
func (t *tx) abort() {
	for _, u := range slices.Backward(t.undo) {
		u()
	}
	if t.dirty {
		// Nobody should find after a crash what was refused, or miss what the next
		// scan sees. If this fails too, a message may come although its sender was
		// told that it did not.
		for d := range t.touched {
			_ = t.f.fs().SyncDir(t.f.at(d))
		}
	}
	if t.dirty {
		t.f.mu.Lock()
		t.f.seen, t.f.sure = stamps{}, false
		t.f.mu.Unlock()
	}
}

// commit makes it durable and visible.
func (t *tx) commit() error {
	frame, err := t.prepare()
	if err != nil || frame == nil {
		return err
	}
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.apply(frame)
}

// prepare makes it durable. A nil frame says that there is nothing to apply.
func (t *tx) prepare() (frame []byte, err error) {
	if len(t.records) == 0 && t.state == t.f.idx.state {
		if t.dirty {
			t.abort()
		}
		return nil, nil
	}
	for _, d := range slices.Sorted(maps.Keys(t.touched)) {
		if err := t.f.fs().SyncDir(t.f.at(d)); err != nil {
			t.abort()
			return nil, err
		}
	}
	if frame, err = t.write(); err != nil {
		t.fail()
	}
	return frame, err
}

// write appends the frame and syncs it.
func (t *tx) write() ([]byte, error) {
	x := t.f.idx
	if t.state != x.state {
		t.records = appendState(t.records, t.state)
	}
	b := x.head.frame(t.records)
	if _, err := x.file.WriteAt(b, x.end); err != nil {
		return nil, err
	}
	if t.stamped {
		return b, nil
	}
	return b, x.file.Datasync()
}

// apply makes it visible; mu of the folder is held.
func (t *tx) apply(frame []byte) error {
	f, x := t.f, t.f.idx
	if t.dirty {
		// What somebody else did between our scan and now has the same stamps:
		// another scan must follow.
		s, err := f.look()
		if err != nil {
			s = stamps{}
		}
		f.seen, f.sure, f.since = s, s == stamps{}, f.now()
	}
	if t.state != x.state {
		f.wake = append(f.wake, f)
	}
	err := x.apply(t.records, x.end+frameHead)
	x.end += int64(len(frame))
	return err
}

// fail is for a frame of which nobody knows what is on the disk. A sync that
// failed proves nothing when it is tried again, so the file is written anew
// before the next change, with the numbers left out that the frame gave out.
func (t *tx) fail() {
	t.abort()
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	// Nobody else is to read it either. If this fails too, whoever does finds no
	// files for it.
	_ = t.f.idx.file.Truncate(t.f.idx.end)
	t.f.rewrite = true
	t.f.idx.state = t.state
}
