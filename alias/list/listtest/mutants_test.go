package listtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/smtp"
)

// members is a good store with broken methods in its place.
type members struct {
	list.Memory
	mu     sync.Mutex // for those mutants that hold one
	all    func(s *members, ctx context.Context, name smtp.Path) iter.Seq2[list.Member, error]
	update func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error
}

func (s *members) All(ctx context.Context, name smtp.Path) iter.Seq2[list.Member, error] {
	if s.all != nil {
		return s.all(s, ctx, name)
	}
	return s.Memory.All(ctx, name)
}

func (s *members) Update(ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
	if s.update != nil {
		return s.update(s, ctx, name, member, fn)
	}
	return s.Memory.Update(ctx, name, member, fn)
}

// after changes a member behind fn.
func after(change func(*list.Member)) func(*members, context.Context, smtp.Path, smtp.Path, func(*list.Member) error) error {
	return func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
		return s.Memory.Update(ctx, name, member, func(m *list.Member) error {
			err := fn(m)
			change(m)
			return err
		})
	}
}

// membersMutants are broken stores, each under the case that must find it out.
var membersMutants = map[string][]*members{
	"members/new": {
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			return s.Memory.Update(ctx, name, member, func(m *list.Member) error {
				if m.State == "" {
					m.Path = smtp.Path{}
				}
				return fn(m)
			})
		}},
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			return s.Memory.Update(ctx, name, member, func(m *list.Member) error {
				if m.State == "" {
					m.State = list.Disabled // as if he were one
				}
				return fn(m)
			})
		}},
	},
	"members/kept": {
		{update: after(func(m *list.Member) { m.Moderated = false })},
		{update: after(func(m *list.Member) { m.Probed = time.Time{} })},
		{update: after(func(m *list.Member) { m.Bounces = 0 })},
	},
	"members/case": {
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			if local := member.Local(); local != strings.ToLower(local) {
				member = path("other-" + local)
			}
			return s.Memory.Update(ctx, name, member, fn)
		}},
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			return s.Memory.Update(ctx, name, path(strings.ToLower(member.Address())), fn)
		}},
	},
	"members/lists": {{all: func(s *members, ctx context.Context, _ smtp.Path) iter.Seq2[list.Member, error] {
		return s.Memory.All(ctx, path("team"))
	}}},
	"members/error": {
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			var err error
			return errors.Join(s.Memory.Update(ctx, name, member, func(m *list.Member) error { err = fn(m); return nil }), err)
		}},
		{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			if err := s.Memory.Update(ctx, name, member, fn); err != nil {
				return errors.New("no")
			}
			return nil
		}},
	},
	"members/removed": {{all: func(s *members, ctx context.Context, name smtp.Path) iter.Seq2[list.Member, error] {
		return func(yield func(list.Member, error) bool) {
			for m, err := range s.Memory.All(ctx, name) {
				if !yield(m, err) {
					return
				}
			}
			yield(list.Member{Path: path("bob")}, nil)
		}
	}}},
	"members/once": {{all: func(s *members, ctx context.Context, name smtp.Path) iter.Seq2[list.Member, error] {
		return func(yield func(list.Member, error) bool) {
			for m, err := range s.Memory.All(ctx, name) {
				if !yield(m, err) {
					return
				}
				if !yield(m, err) { // again
					return
				}
			}
		}
	}}},
	"members/no lock": {locked(true), locked(false)},
	"members/context": {
		{update: func(s *members, _ context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			return s.Memory.Update(context.Background(), name, member, fn)
		}},
		{all: func(s *members, _ context.Context, name smtp.Path) iter.Seq2[list.Member, error] {
			return s.Memory.All(context.Background(), name)
		}},
	},
	"members/atomic": {{update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
		var m list.Member
		stop := errors.New("stop")
		if err := s.Memory.Update(ctx, name, member, func(x *list.Member) error { m = *x; return stop }); !errors.Is(err, stop) {
			return err
		}
		if err := fn(&m); err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // a round trip to a database
		return s.Memory.Update(ctx, name, member, func(x *list.Member) error { *x = m; return nil })
	}}},
}

// locked is a store that holds a lock while it gives members, and perhaps for
// ever when its caller has had enough.
func locked(unlocks bool) *members {
	return &members{
		all: func(s *members, ctx context.Context, name smtp.Path) iter.Seq2[list.Member, error] {
			return func(yield func(list.Member, error) bool) {
				if unlocks {
					s.mu.Lock()
					defer s.mu.Unlock()
				}
				for m, err := range s.Memory.All(ctx, name) {
					if !yield(m, err) {
						if !unlocks {
							s.mu.Lock()
						}
						return
					}
				}
			}
		},
		update: func(s *members, ctx context.Context, name, member smtp.Path, fn func(*list.Member) error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.Memory.Update(ctx, name, member, fn)
		},
	}
}

// held is a good store with broken methods in its place.
type held struct {
	list.Memory
	kept map[string]smtp.Envelope // by those mutants that keep it themselves
	hold func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error
	open func(s *held, ctx context.Context, id string) (smtp.Envelope, list.Blob, error)
	drop func(s *held, ctx context.Context, id string) error
}

func (s *held) Hold(ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
	if s.hold != nil {
		return s.hold(s, ctx, id, env, body)
	}
	return s.Memory.Hold(ctx, id, env, body)
}

func (s *held) Open(ctx context.Context, id string) (smtp.Envelope, list.Blob, error) {
	if s.open != nil {
		return s.open(s, ctx, id)
	}
	return s.Memory.Open(ctx, id)
}

func (s *held) Drop(ctx context.Context, id string) error {
	if s.drop != nil {
		return s.drop(s, ctx, id)
	}
	return s.Memory.Drop(ctx, id)
}

// blob is one with another way to read.
type blob struct {
	list.Blob
	read func(p []byte, at int64) (int, error)
}

func (b blob) ReadAt(p []byte, at int64) (int, error) { return b.read(p, at) }

// reading replaces how a blob is read.
func reading(read func(b list.Blob) func(p []byte, at int64) (int, error)) *held {
	return &held{open: func(s *held, ctx context.Context, id string) (smtp.Envelope, list.Blob, error) {
		env, b, err := s.Memory.Open(ctx, id)
		if err == nil {
			b = blob{b, read(b)}
		}
		return env, b, err
	}}
}

var heldMutants = map[string][]*held{
	"held/unknown": {
		{open: func(s *held, ctx context.Context, id string) (smtp.Envelope, list.Blob, error) {
			env, b, err := s.Memory.Open(ctx, id)
			if err != nil {
				err = errors.New("no such row")
			}
			return env, b, err
		}},
		{drop: func(*held, context.Context, string) error { return fs.ErrNotExist }},
	},
	"held/whole": {
		{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			b, _ := io.ReadAll(body)
			return s.Memory.Hold(ctx, id, env, bytes.NewReader(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))))
		}},
		{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			env.To[0].Notify = 0
			return s.Memory.Hold(ctx, id, env, body)
		}},
		{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			env.Prefix = nil
			return s.Memory.Hold(ctx, id, env, body)
		}},
	},
	"held/own": {{
		hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			s.kept = map[string]smtp.Envelope{id: env}
			return s.Memory.Hold(ctx, id, env, body)
		},
		open: func(s *held, ctx context.Context, id string) (smtp.Envelope, list.Blob, error) {
			_, b, err := s.Memory.Open(ctx, id)
			return s.kept[id], b, err
		},
	}},
	"held/first stays": {{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
		_ = s.Memory.Drop(ctx, id)
		return s.Memory.Hold(ctx, id, env, body)
	}}},
	"held/half": {
		{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			b, err := io.ReadAll(body)
			return errors.Join(s.Memory.Hold(ctx, id, env, bytes.NewReader(b)), err)
		}},
		{hold: func(s *held, ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
			if s.Memory.Hold(ctx, id, env, body) != nil {
				return errors.New("no")
			}
			return nil
		}},
	},
	"held/context": {{hold: func(s *held, _ context.Context, id string, env smtp.Envelope, body io.Reader) error {
		return s.Memory.Hold(context.Background(), id, env, body)
	}}},
	"held/drop": {
		{drop: func(*held, context.Context, string) error { return nil }},
		{drop: func(s *held, ctx context.Context, _ string) error {
			return errors.Join(s.Memory.Drop(ctx, idA), s.Memory.Drop(ctx, idB))
		}},
		{open: func(s *held, ctx context.Context, id string) (smtp.Envelope, list.Blob, error) {
			env, b, err := s.Memory.Open(ctx, id)
			if err != nil {
				return env, b, err
			}
			return env, blob{b, func(p []byte, at int64) (int, error) {
				if _, _, err := s.Memory.Open(ctx, id); err != nil {
					return 0, err
				}
				return b.ReadAt(p, at)
			}}, nil
		}},
	},
	"held/anywhere": {
		reading(func(b list.Blob) func([]byte, int64) (int, error) {
			return func(p []byte, at int64) (int, error) { return b.ReadAt(p, max(0, at-1)) }
		}),
		reading(func(b list.Blob) func([]byte, int64) (int, error) { // as a file with one position is read
			var mu sync.Mutex
			var pos int64
			return func(p []byte, at int64) (int, error) {
				mu.Lock()
				pos = at
				mu.Unlock()
				time.Sleep(time.Microsecond)
				mu.Lock()
				defer mu.Unlock()
				return b.ReadAt(p, pos)
			}
		}),
	},
}

// TestMutants: each case finds out its broken stores, and each case has one.
func TestMutants(t *testing.T) {
	for _, c := range membersCases {
		assert.NotEmpty(t, membersMutants[c.name], c.name)
		for i, m := range membersMutants[c.name] {
			err := c.within(t, func(testing.TB) list.Members { return m }, time.Second)
			assert.Error(t, err, "%s: mutant %d was not found out", c.name, i)
		}
	}
	for _, c := range heldCases {
		assert.NotEmpty(t, heldMutants[c.name], c.name)
		for i, m := range heldMutants[c.name] {
			err := c.within(t, func(testing.TB) list.Held { return m }, 10*time.Second)
			assert.Error(t, err, "%s: mutant %d was not found out", c.name, i)
		}
	}
}
