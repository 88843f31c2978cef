package maildir

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Limits of a mailbox.
const (
	maxCombinations = 60_000   // of keywords
	maxGone         = 64 << 10 // ranges of UIDs that vanished
)

// rec is a message in memory: 64 bytes at most. Its name is in the file.
type rec struct {
	seq      mailbox.ModSeq
	size     int64
	received int64
	nameAt   int64
	cache    cacheRef
	uid      mailbox.UID
	saved    uint32
	nameLen  uint16
	words    uint16 // index in index.words
	sys      uint8
	bits     bits
}

// index is what is known of a mailbox: its file, and what that says. It is
// guarded by the mutex of its folder.
type index struct {
	file  safeio.File
	head  head
	end   int64 // of the good frames
	lost  int64 // bytes behind them
	dead  int64 // bytes of records that others replaced, roughly
	moved bool  // another file stands under the name
	ahead ahead // of file

	state  state
	recs   []rec
	words  []string // combinations of keywords
	wordAt map[string]uint16
	gone   mailbox.History
	stamps stamps
	sum    mailbox.Counts // without State
}

var errDamaged = errors.New("maildir: index is damaged")

// openIndex reads an index file. A head that is damaged is errDamaged; frames
// that are torn are lost.
func openIndex(fsys safeio.FS, name string) (*index, error) {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	x := &index{
		file: f, words: []string{""}, wordAt: map[string]uint16{"": 0},
		gone: mailbox.History{Max: maxGone}, state: state{next: 1, seq: 1, unclaimed: 1},
	}
	if err := x.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, nil
}

// load reads the head and all frames. The list of messages has no room to spare
// then: it is most of what a mailbox takes in memory.
func (x *index) load() error {
	b := make([]byte, headLen)
	if _, err := x.file.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	var ok bool
	if x.head, ok = decodeHead(b); !ok {
		return errDamaged
	}
	x.end = headLen
	if err := x.readOn(); err != nil {
		return err
	}
	x.moved = false // this is the file that was moved to
	x.recs = append(make([]rec, 0, len(x.recs)), x.recs...)
	return nil
}

// readOn takes in what was added to the file.
func (x *index) readOn() error {
	info, err := x.file.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, max(info.Size()-x.end, 0))
	n, err := x.file.ReadAt(b, x.end)
	if err != nil && err != io.EOF {
		return err
	}
	b = b[:n]
	for {
		records, rest, ok := x.head.split(b)
		if !ok {
			break
		}
		if err := x.apply(records, x.end+frameHead); err != nil {
			return err
		}
		x.end += frameHead + int64(len(records))
		b = rest
	}
	x.lost = int64(len(b))
	return nil
}

// apply makes the changes of a frame whose records stand at a place in the file.
func (x *index) apply(records []byte, at int64) error {
	d := &decoder{b: records, at: at}
	for len(d.b) > 0 && !d.bad {
		switch d.byte() {
		case recMessage:
			x.applyMessage(d)
		case recExpunge:
			seq, uids := mailbox.ModSeq(d.uint()), d.set()
			x.remove(uids)
			x.gone.Add(seq, uids)
		case recState:
			x.state = d.state()
			x.gone.Forget(x.state.forgotten)
		case recStamp:
			x.stamps = d.stamps()
			x.dead += 20
		case recMoved:
			x.moved = true
		default:
			d.bad = true
		}
	}
	if d.bad {
		return errors.Join(errDamaged, errRecord)
	}
	return nil
}

// applyMessage takes one message in. Of its name only the place is kept.
func (x *index) applyMessage(d *decoder) {
	var r rec
	r.bits = bits(d.byte())
	r.uid = d.uid()
	r.sys = uint8(d.uint())
	r.seq = mailbox.ModSeq(d.uint())
	r.size = d.int()
	r.received = d.int()
	r.saved = uint32(d.int())
	words := d.bytes()
	name := d.bytes()
	if d.bad || r.uid == 0 || len(name) > maxFile {
		d.bad = true
		return
	}
	r.nameAt, r.nameLen = d.at-int64(len(name)), uint16(len(name))
	w, ok := x.wordAt[string(words)]
	if !ok {
		w = x.addWords(string(words))
	}
	r.words = w
	x.put(r)
}

// addWords remembers a combination of keywords. Beyond the limit, which nobody
// gets to but on purpose, they are none.
func (x *index) addWords(words string) uint16 {
	if len(x.words) >= maxCombinations {
		return 0
	}
	w := uint16(len(x.words))
	x.words = append(x.words, words)
	x.wordAt[words] = w
	return w
}

// put adds a message, or replaces it.
func (x *index) put(r rec) {
	i, there := x.find(r.uid)
	if !there {
		x.count(&r, 1)
		x.recs = slices.Insert(x.recs, i, r)
		return
	}
	old := &x.recs[i]
	x.dead += 40 + int64(old.nameLen)
	r.cache = old.cache
	x.count(old, -1)
	x.count(&r, 1)
	*old = r
}

// remove drops messages.
func (x *index) remove(uids mailbox.Set) {
	if len(uids) == 0 {
		return
	}
	x.recs = slices.DeleteFunc(x.recs, func(r rec) bool {
		gone := uids.Contains(r.uid)
		if gone {
			x.count(&r, -1)
			x.dead += 60 + int64(r.nameLen)
		}
		return gone
	})
}

// count adds a message to the sums, or takes it away.
func (x *index) count(r *rec, n int32) {
	x.sum.Messages += uint32(n)
	x.sum.Size += int64(n) * r.size
	if mailbox.SysFlags(r.sys)&mailbox.Seen == 0 {
		x.sum.Unseen += uint32(n)
	}
	if mailbox.SysFlags(r.sys)&mailbox.Deleted != 0 {
		x.sum.Deleted += uint32(n)
	}
}

// find returns where a message is, or where it would be.
func (x *index) find(uid mailbox.UID) (int, bool) {
	if n := len(x.recs); n == 0 || x.recs[n-1].uid < uid {
		return n, false
	}
	return slices.BinarySearchFunc(x.recs, uid, func(r rec, uid mailbox.UID) int { return cmp.Compare(r.uid, uid) })
}

// each calls f for all messages of uids that exist. It costs what is there, not
// what uids names.
func (x *index) each(uids mailbox.Set, f func(r *rec)) {
	for _, r := range uids {
		for i, _ := x.find(r.From); i < len(x.recs) && x.recs[i].uid <= r.To; i++ {
			f(&x.recs[i])
		}
	}
}

// flags are those of a message; Keywords is one string for all that have the
// same.
func (x *index) flags(r *rec) mailbox.Flags {
	return mailbox.Flags{Sys: mailbox.SysFlags(r.sys), Keywords: x.words[r.words]}
}

// meta is a message as sessions get it.
func (x *index) meta(r *rec) mailbox.Meta {
	return mailbox.Meta{
		UID: r.uid, Flags: x.flags(r), ModSeq: r.seq, Size: r.size, Received: r.received, Saved: int64(r.saved),
	}
}

// message is a message with its name, which is read from the file.
func (x *index) message(r *rec) (*message, error) {
	name, err := x.ahead.read(x.file, r.nameAt, int(r.nameLen), x.end)
	if err != nil {
		return nil, err
	}
	return &message{x.meta(r), r.bits, string(name)}, nil
}

// names are those of all messages, in the order of recs, for the moment.
func (x *index) names() ([]string, error) {
	b := make([]byte, x.end)
	if _, err := x.file.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	all := string(b)
	out := make([]string, len(x.recs))
	for i := range x.recs {
		r := &x.recs[i]
		out[i] = all[r.nameAt : r.nameAt+int64(r.nameLen)]
	}
	return out, nil
}

// compactFrom is how much has to be dead before a file is written anew.
const compactFrom = 256 << 10

// wasteful reports whether three quarters of the file are of changes that later
// ones replaced.
func (x *index) wasteful() bool { return x.dead > compactFrom && x.dead > x.end/4*3 }

// encode is the whole index as a new file with another head.
func (x *index) encode(h head) ([]byte, error) {
	names, err := x.names()
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(h.encode())
	var b []byte
	flush := func() {
		out.Write(h.frame(b))
		b = b[:0]
	}
	s := x.state
	s.forgotten = x.gone.Forgotten()
	b = appendStamps(appendState(b, s), x.stamps)
	for _, c := range x.gone.Entries() {
		b = appendExpunge(b, c.Seq, c.UIDs)
	}
	for i := range x.recs {
		b = appendMessage(b, &message{x.meta(&x.recs[i]), x.recs[i].bits, names[i]})
		if len(b) > 64<<10 {
			flush()
		}
	}
	flush()
	return out.Bytes(), nil
}
