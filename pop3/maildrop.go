package pop3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// maildrop is a user's INBOX as it was when he logged in (RFC 1939 §4): other
// mail may come meanwhile, and messages may go, but numbers stay.
type maildrop struct {
	store    mailbox.Store
	box      mailbox.Mailbox // nil: the store has no INBOX, and so no mail
	validity uint32
	messages []message
	unlock   func() // of the store's lock, which other processes see; nil: not locked
	release  func() // of this server's
}

type message struct {
	uid     mailbox.UID
	size    int64 // octets with CRLF line ends (RFC 1939 §11)
	deleted bool
	seen    bool // was retrieved in this session
}

var (
	errInUse  = errors.New("pop3: maildrop is in use")
	errUnseen = errors.New("pop3: messages were not marked as seen")
)

// enter locks and reads the maildrop.
func (s *Server) enter(ctx context.Context, user string) (*maildrop, error) {
	if s.Open == nil {
		return nil, errors.New("pop3: Server.Open is not set")
	}
	if d := s.waits.Store; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	store, err := s.Open(ctx, user)
	if err != nil {
		return nil, err
	}
	d := &maildrop{store: store}
	if err := s.drops.lock(d, store.Key()); err != nil {
		_ = mailbox.Close(store)
		return nil, err
	}
	if err := d.open(ctx); err != nil {
		d.leave()
		return nil, err
	}
	return d, nil
}

// open reads the index of INBOX.
func (d *maildrop) open(ctx context.Context) error {
	var err error
	d.box, err = mailbox.OpenName(ctx, d.store, mailbox.Inbox)
	if errors.Is(err, mailbox.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.unlock, err = mailbox.Lock(ctx, d.box); err != nil {
		return err
	}
	delta, err := d.box.Changes(ctx, 0)
	if err != nil {
		return err
	}
	d.validity = delta.State.UIDValidity
	d.messages = make([]message, len(delta.Messages))
	for i, m := range delta.Messages {
		d.messages[i] = message{uid: m.UID, size: m.Size}
	}
	return nil
}

// leave gives the maildrop back.
func (d *maildrop) leave() {
	if d.unlock != nil {
		d.unlock()
	}
	if d.box != nil {
		_ = d.box.Close()
	}
	d.release()
	_ = mailbox.Close(d.store)
}

// total counts what is not deleted (RFC 1939 §5, STAT).
func (d *maildrop) total() (n int, size int64) {
	for i := range d.messages {
		if m := &d.messages[i]; !m.deleted {
			n, size = n+1, size+m.size
		}
	}
	return n, size
}

// find takes a message number, which counts from 1 and is none once the
// message is deleted.
func (d *maildrop) find(arg string) (*message, reply) {
	n, err := strconv.ParseUint(arg, 10, 31)
	switch {
	case err != nil || arg[0] == '+':
		return nil, fail("", "Syntax: message number")
	case n == 0 || n > uint64(len(d.messages)):
		return nil, fail("", "No such message")
	case d.messages[n-1].deleted:
		return nil, fail("", "Message is deleted")
	}
	return &d.messages[n-1], reply{}
}

// drops knows who is at which maildrop, and who was there last. Its zero value
// is ready.
type drops struct {
	mu    sync.Mutex // guards all below
	taken map[string]struct{}
	last  map[string]time.Time // of LoginDelay
	swept time.Time
}

// lock gives one session the maildrop of this key (RFC 1939 §4).
func (ds *drops) lock(d *maildrop, key string) error {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if _, taken := ds.taken[key]; taken {
		return errInUse
	}
	if ds.taken == nil {
		ds.taken = make(map[string]struct{})
	}
	ds.taken[key] = struct{}{}
	d.release = func() {
		ds.mu.Lock()
		defer ds.mu.Unlock()
		delete(ds.taken, key)
	}
	return nil
}

// tooSoon tells how long the user still has to wait.
func (ds *drops) tooSoon(user string, now time.Time, delay time.Duration) time.Duration {
	if delay <= 0 {
		return 0
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	last, ok := ds.last[user]
	if !ok {
		return 0
	}
	return delay - now.Sub(last)
}

// entered notes a login. Those that no longer matter are forgotten once in a
// delay, so that the memory is that of the logins of two delays.
func (ds *drops) entered(user string, now time.Time, delay time.Duration) {
	if delay <= 0 {
		return
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.last == nil {
		ds.last = make(map[string]time.Time)
	}
	if now.Sub(ds.swept) >= delay {
		ds.swept = now
		for u, t := range ds.last {
			if now.Sub(t) >= delay {
				delete(ds.last, u)
			}
		}
	}
	ds.last[user] = now
}

// update removes what was deleted and marks what was retrieved: the UPDATE
// state (RFC 1939 §6).
func (d *maildrop) update(ctx context.Context, keepUnseen bool) error {
	var gone, seen mailbox.Set
	for i := range d.messages {
		switch m := &d.messages[i]; {
		case m.deleted:
			gone.Add(m.uid)
		case m.seen && !keepUnseen:
			seen.Add(m.uid)
		}
	}
	if len(gone) > 0 {
		if err := d.box.Expunge(ctx, gone); err != nil {
			return fmt.Errorf("pop3: removing deleted messages: %w", err)
		}
	}
	if len(seen) > 0 {
		if _, err := d.box.SetFlags(ctx, seen, mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0); err != nil {
			return fmt.Errorf("%w: %w", errUnseen, err)
		}
	}
	return nil
}
