package imap

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// views are the indexes that sessions share.
type views struct {
	mu sync.Mutex // guards all below, and refs of each
	m  map[viewKey]*shared
}

type viewKey struct {
	store string
	id    mailbox.ID
}

// shared is the newest index of one mailbox, for all sessions that have it
// selected. Nothing is ever sent into a session: each asks when its protocol
// lets it tell.
type shared struct {
	key  viewKey
	refs int
	bell atomic.Uint64 // how often a watcher was called

	mu   sync.Mutex // guards all below; held while the store is asked, never while a peer is
	head *index
	seen uint64 // the bell when head was made
}

// acquire returns what is shared of a mailbox.
func (v *views) acquire(key viewKey) *shared {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.m[key]
	if s == nil {
		if v.m == nil {
			v.m = make(map[viewKey]*shared)
		}
		s = &shared{key: key, head: emptyIndex}
		v.m[key] = s
	}
	s.refs++
	return s
}

func (v *views) release(s *shared) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.refs--; s.refs == 0 {
		delete(v.m, s.key)
	}
}

// pull returns the newest index. Without quiet, or after the bell rang, the
// store is asked for what changed.
func (s *shared) pull(ctx context.Context, m mailbox.Mailbox, quiet bool) (*index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rung := s.bell.Load()
	if quiet && rung == s.seen && s.head != emptyIndex {
		return s.head, nil
	}
	d, err := m.Changes(ctx, s.head.state.HighestModSeq)
	if err != nil {
		return nil, err
	}
	if d.Full || len(d.Messages) > 0 || len(d.Vanished) > 0 || d.State != s.head.state {
		s.head = s.head.apply(d)
	}
	s.seen = rung
	return s.head, nil
}

// view is the mailbox a session has selected, as far as its client was told.
type view struct {
	mb       mailbox.Mailbox
	sh       *shared
	id       mailbox.ID
	name     string
	base     *index      // what the client knows
	ghosts   mailbox.Set // in base but gone: the client could not be told yet
	recent   mailbox.Set // \Recent in this session (RFC 3501 §2.3.2)
	examine  bool        // EXAMINE: nothing changes
	stop     func()      // of Watch; nil: the store cannot watch
	keywords int         // how many of base.keywords were announced
}

// readOnly reports whether flags and messages stay as they are.
func (v *view) readOnly() bool { return v.examine || v.base.state.ReadOnly }

// bell is how other goroutines tell a connection that there is news.
type bell struct {
	on atomic.Bool // somebody waits for it
}

// ring is called by watchers.
func (c *conn) ring() {
	if c.bell.on.Load() {
		c.r.Nudge()
		_ = c.sc.SetReadDeadline(past)
	}
}

// polls reports whether news must be looked for from time to time.
func (c *conn) polls() bool {
	return c.bell.on.Load() && c.sel != nil && c.sel.stop == nil && c.srv.waits.Poll > 0
}

// open opens a mailbox for this session.
func (c *conn) openView(id mailbox.ID, name string, examine bool) (*view, error) {
	m, err := c.store.Open(c.ctx, id)
	if err != nil {
		return nil, err
	}
	v := &view{mb: m, id: id, name: name, examine: examine, sh: c.srv.views.acquire(viewKey{c.store.Key(), id})}
	v.stop = m.Watch(func() {
		v.sh.bell.Add(1)
		c.ring()
	})
	if v.base, err = v.sh.pull(c.ctx, m, false); err != nil {
		c.closeView(v)
		return nil, err
	}
	return v, nil
}

func (c *conn) closeView(v *view) {
	if v.stop != nil {
		v.stop()
	}
	c.srv.views.release(v.sh)
	if err := v.mb.Close(); err != nil {
		c.warn("mailbox did not close", err)
	}
}

// deselect closes the selected mailbox, if there is one.
func (c *conn) deselect() {
	if c.sel != nil {
		c.closeView(c.sel)
		c.sel, c.saved, c.contexts = nil, nil, nil
	}
}

// claim takes over the messages that no session has seen yet (RFC 3501 §2.3.2).
func (c *conn) claim(v *view) error {
	first, next, err := mailbox.RecentOf(c.ctx, v.mb, !v.readOnly())
	if err != nil || first == next || first == 0 {
		return err
	}
	v.recent.AddRange(first, next-1)
	return nil
}

// recents is how many messages of the view are recent.
func (v *view) recents() (n uint32) {
	for _, r := range v.recent {
		n += v.base.from(r.To+1) - v.base.from(r.From)
		if r.To == mailbox.MaxUID {
			n = v.base.n + 1 - v.base.from(r.From)
		}
	}
	return n
}

// lost ends a session whose mailbox is gone or cannot be followed any more.
func (c *conn) lost(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrNotExist):
		return c.bye("[NONEXISTENT] The selected mailbox was deleted")
	case errors.Is(err, errValidity):
		return c.bye("[UNAVAILABLE] UIDVALIDITY of the selected mailbox changed")
	}
	c.warn("mailbox cannot be followed", err)
	return c.bye("[UNAVAILABLE] The selected mailbox is not available")
}

var (
	errValidity = errors.New("imap: UIDVALIDITY changed under a session")
	errDisorder = errors.New("imap: the store put a message before others")
)
