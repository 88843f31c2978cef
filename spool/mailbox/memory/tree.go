package memory

import (
	"context"
	"sync"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Tree is the accounts of several users. The zero value has none; all methods
// may be called concurrently.
type Tree struct {
	New func(user string) *Store // makes an account; nil means a Store with User set

	mu    sync.Mutex // guards users
	users map[string]*Store
}

// Open returns the account of a user, as the servers and the local delivery
// agent want it. The error is [mailbox.ErrNotExist] for one that Create did not
// make.
func (t *Tree) Open(ctx context.Context, user string) (mailbox.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.users[user]; s != nil {
		return s, nil
	}
	return nil, mailbox.ErrNotExist
}

// Create makes an account. The error is [mailbox.ErrExists] if there is one, and
// [mailbox.ErrCannot] for the name "".
func (t *Tree) Create(user string) (*Store, error) {
	if user == "" {
		return nil, mailbox.ErrCannot
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users[user] != nil {
		return nil, mailbox.ErrExists
	}
	if t.users == nil {
		t.users = map[string]*Store{}
	}
	s := &Store{User: user}
	if t.New != nil {
		s = t.New(user)
	}
	t.users[user] = s
	return s, nil
}
