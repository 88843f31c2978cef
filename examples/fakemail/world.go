package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// world is all the mail there is: a list of messages for JSON and the page, and
// for POP3 and IMAP a mailbox for each recipient and one for all. Its methods may
// be called concurrently. No lock is held while a peer is read from or written
// to.
type world struct {
	keep      int
	keepBytes int64
	now       func() time.Time

	adding sync.Mutex // one message at a time is in memory before there is room for it

	mu       sync.Mutex // guards all below
	epoch    string     // another one after each start, and after messages were deleted
	deleted  int
	started  int64
	last     int64 // ID
	uidValid uint32
	entries  []*entry // oldest first
	bytes    int64    // sum of their costs
	boxes    map[string]*box
	all      *box
	changed  chan struct{} // closed at the next change
}

// entry is one kept message. It does not change.
type entry struct {
	summary
	source []byte
	search string // in lower case
	cost   int64
	copies []copied
}

// copied says where a message lies for POP3 and IMAP.
type copied struct {
	box *box
	uid mailbox.UID
}

// box is the mailbox of one address.
type box struct {
	store *memory.Store
	inbox mailbox.Mailbox
	live  int // messages of the list that have a copy in it
}

// maxBoxes is how many mailboxes without mail are remembered: who is logged in
// to one shall see the next message.
const maxBoxes = 10_000

// errNoRoom is the reply to a message that does not fit however much else is
// thrown away (RFC 3463 §3.4).
var errNoRoom = smtp.Reject(452, "4.3.1", "The message with its copies is larger than -keep-bytes")

func newWorld(keep int, keepBytes int64, now func() time.Time) (w *world, err error) {
	w = &world{keep: keep, keepBytes: keepBytes, now: now, boxes: make(map[string]*box), changed: make(chan struct{})}
	w.started = now().UnixNano()
	w.uidValid = uint32(now().Unix())
	w.newEpoch()
	w.all, err = w.newBox("all")
	return w, err
}

func (w *world) newEpoch() {
	w.epoch = fmt.Sprintf("%x.%d", w.started, w.deleted)
	w.deleted++
}

// newBox makes a mailbox. One that is made anew for an address has another
// UIDVALIDITY than the one before (RFC 9051 §2.3.1.1).
func (w *world) newBox(user string) (*box, error) {
	w.uidValid++
	s := &memory.Store{User: user, UIDValidity: w.uidValid, MaxBytes: 2 * w.keepBytes, MaxMessage: -1, Now: w.now}
	inbox, err := mailbox.OpenName(context.Background(), s, mailbox.Inbox)
	return &box{store: s, inbox: inbox}, err
}

// open gives POP3 and IMAP the mail of a login.
func (w *world) open(_ context.Context, user string) (mailbox.Store, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.boxes[strings.ToLower(user)]; b != nil {
		return b.store, nil
	}
	return w.all.store, nil
}

// add keeps a message, and throws away the oldest until it fits.
func (w *world) add(ctx context.Context, t *smtp.Transaction, body *io.SectionReader) error {
	users := addressees(t.To)
	// It is in memory for the list, for all, and for each recipient.
	if w.keepBytes/int64(2+len(users)) < body.Size() {
		return errNoRoom
	}
	w.adding.Lock() // body is held already: no peer sets the pace
	defer w.adding.Unlock()
	top := "Return-Path: " + t.From.String() + "\r\n" // RFC 5321 §4.4
	source := make([]byte, len(top)+int(body.Size()))
	copy(source, top)
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.ReadFull(body, source[len(top):]); err != nil {
		return err
	}
	e := &entry{source: source}
	e.summary, e.search = summarize(t, source, w.now())
	e.cost = int64(len(source))*int64(2+len(users)) + int64(len(e.search))

	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.entries) > 0 && (len(w.entries) >= w.keep || w.bytes+e.cost > w.keepBytes) {
		w.forget(w.entries[:1])
		w.entries = slices.Delete(w.entries, 0, 1)
	}
	if err := w.deliver(ctx, e, users); err != nil {
		w.uncopy(e)
		return err
	}
	w.last++
	e.ID = w.last
	w.entries = append(w.entries, e)
	w.bytes += e.cost
	w.prune()
	w.tell()
	t.Queued = fmt.Sprint(e.ID)
	return nil
}

// deliver puts a message into all its mailboxes, which are made where they are
// not there.
func (w *world) deliver(ctx context.Context, e *entry, users []string) error {
	if err := w.copy(ctx, w.all, e); err != nil {
		return err
	}
	for _, user := range users {
		b := w.boxes[user]
		if b == nil {
			var err error
			if b, err = w.newBox(user); err != nil {
				return err
			}
			w.boxes[user] = b
		}
		if err := w.copy(ctx, b, e); err != nil {
			return err
		}
	}
	return nil
}

// addressees are the recipients in the form in which mailboxes are named, each
// once.
func addressees(to []smtp.Recipient) (users []string) {
	for _, r := range to {
		if u := strings.ToLower(r.Path.Address()); !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	return users
}

// copy puts a message into a mailbox.
func (w *world) copy(ctx context.Context, b *box, e *entry) error {
	uids, err := b.inbox.Append(ctx, mailbox.One(&mailbox.Incoming{Body: bytes.NewReader(e.source), Size: int64(len(e.source)), Received: e.Received}))
	if err != nil {
		return err
	}
	e.copies = append(e.copies, copied{b, uids[0]})
	b.live++
	return nil
}

// uncopy takes a message out of the mailboxes, if its readers have not done so.
func (w *world) uncopy(e *entry) {
	for _, c := range e.copies {
		_ = c.box.inbox.Expunge(context.Background(), mailbox.SetOf(c.uid)) // memory cannot fail here
		c.box.live--
	}
	e.copies = nil
}

// forget takes messages out of everything but the list.
func (w *world) forget(entries []*entry) {
	for _, e := range entries {
		w.uncopy(e)
		w.bytes -= e.cost
	}
}

// prune forgets mailboxes that have no mail, when there are many.
func (w *world) prune() {
	if len(w.boxes) <= maxBoxes+w.keep {
		return
	}
	for user, b := range w.boxes {
		if b.live == 0 {
			delete(w.boxes, user)
		}
	}
}

// tell wakes all who wait for a change.
func (w *world) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// state is what a reader of events must know to drop what is gone.
type state struct {
	Epoch  string `json:"epoch"`  // another one: read the list again
	Oldest int64  `json:"oldest"` // all messages before this one are gone
}

// look gives the messages that f wants, oldest first, and a channel that is
// closed when looking again is worth it.
func (w *world) look(f filter) (found []*entry, s state, changed <-chan struct{}) {
	w.mu.Lock()
	entries := slices.Clone(w.entries)
	s, changed = state{Epoch: w.epoch, Oldest: w.last + 1}, w.changed
	w.mu.Unlock()
	if len(entries) > 0 {
		s.Oldest = entries[0].ID
	}
	for _, e := range entries {
		if f.matches(e) {
			found = append(found, e)
		}
	}
	return found, s, changed
}

// find gives one message, or nil.
func (w *world) find(id int64) *entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := slices.BinarySearchFunc(w.entries, id, func(e *entry, id int64) int { return cmp.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return w.entries[i]
}

// remove forgets the messages that f wants and says how many.
func (w *world) remove(f filter) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []*entry
	for _, e := range w.entries {
		if !f.matches(e) {
			left = append(left, e)
			continue
		}
		w.forget([]*entry{e})
		n++
	}
	w.entries = left
	if n > 0 {
		w.newEpoch()
		w.tell()
	}
	return n
}
