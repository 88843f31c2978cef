package list

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"io/fs"
	"iter"
	"sync"

	"github.com/postilion-mail/postilion/smtp"
)

// Memory keeps members and held posts in memory, for tests and for lists that are
// filled at each start. The zero value is empty and ready.
type Memory struct {
	MaxHeld int64 // octets of held posts; 0 means 16 MiB. More is refused with 452

	mu      sync.Mutex // guards all below
	members map[string]map[string]Member
	held    map[string]heldPost
	bytes   int64
}

type heldPost struct {
	env  smtp.Envelope
	body []byte
}

var (
	_ Members = (*Memory)(nil)
	_ Held    = (*Memory)(nil)
)

// errHeldFull is RFC 3463 §3.4.
var errHeldFull = smtp.Reject(452, "4.3.1", "Too many messages wait for the owners")

// All yields the members in the order of their addresses; see [Members].
func (s *Memory) All(ctx context.Context, list smtp.Path) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		s.mu.Lock()
		all := sorted(s.members[key(list)])
		s.mu.Unlock()
		each(ctx, all, yield)
	}
}

// each yields members until ctx ends.
func each(ctx context.Context, all []Member, yield func(Member, error) bool) {
	for _, x := range all {
		if err := ctx.Err(); err != nil {
			yield(Member{}, err)
			return
		}
		if !yield(x, nil) {
			return
		}
	}
}

// Update changes a member; see [Members].
func (s *Memory) Update(ctx context.Context, list, member smtp.Path, fn func(*Member) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.members[key(list)]
	x, ok := l[key(member)]
	if !ok {
		x = Member{Path: member}
	}
	if err := fn(&x); err != nil {
		return err
	}
	if x.State == "" {
		delete(l, key(member))
		return nil
	}
	if l == nil {
		l = map[string]Member{}
		if s.members == nil {
			s.members = map[string]map[string]Member{}
		}
		s.members[key(list)] = l
	}
	l[key(member)] = x
	return nil
}

// Hold keeps a post; see [Held].
func (s *Memory) Hold(ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
	limit := cmp.Or(s.MaxHeld, 16<<20)
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.held[id]; ok {
		return nil
	}
	if s.bytes+int64(len(b)) > limit {
		return errHeldFull
	}
	if s.held == nil {
		s.held = map[string]heldPost{}
	}
	s.held[id] = heldPost{env.Clone(), b}
	s.bytes += int64(len(b))
	return nil
}

// Open gives a post; see [Held].
func (s *Memory) Open(_ context.Context, id string) (smtp.Envelope, Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.held[id]
	if !ok {
		return smtp.Envelope{}, nil, fs.ErrNotExist
	}
	return p.env, memoryBlob{bytes.NewReader(p.body)}, nil
}

// Drop forgets a post; see [Held].
func (s *Memory) Drop(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= int64(len(s.held[id].body))
	delete(s.held, id)
	return nil
}

type memoryBlob struct{ *bytes.Reader }

// Close does nothing.
func (memoryBlob) Close() error { return nil }
