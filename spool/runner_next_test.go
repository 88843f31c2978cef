package spool_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// team is an agent: mail to "team" goes on to ann and bob at members.example,
// all other is counted.
type team struct {
	store spool.Store
	put   bool // by Put instead of Next
	// after is called when the mail was given, and says what to answer.
	after func(n int) smtp.Status

	mu    sync.Mutex
	id    spool.ID // of the message to it
	given int
	again bool // what Next said
	got   map[string]int
	body  map[string]string
	ctx   context.Context // of the last post
}

func (a *team) deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	out := make(smtp.Results, len(env.To))
	for i, to := range env.To {
		out[i] = smtp.Result{Status: smtp.Accepted}
		if to.Path.Local() == "team" {
			out[i].Status = a.post(ctx, to.Path, body)
			continue
		}
		raw, _ := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		a.mu.Lock()
		a.got[to.Path.Local()]++
		a.body[to.Path.Local()] = string(raw)
		a.mu.Unlock()
	}
	return out
}

func (a *team) post(ctx context.Context, to smtp.Path, body *io.SectionReader) smtp.Status {
	ann, _ := smtp.NewEnvelope("team-bounces@hamburger.edu", "ann@members.example")
	bob, _ := smtp.NewEnvelope("team-bounces@hamburger.edu", "bob@members.example")
	all := func() (io.Reader, error) { return io.NewSectionReader(body, 0, body.Size()), nil }
	a.mu.Lock()
	a.ctx = ctx
	a.given++
	n := a.given
	a.mu.Unlock()
	if a.put {
		r, _ := all()
		if _, err := spool.Put(ctx, a.store, r, ann, bob); err != nil {
			return smtp.Temporary
		}
	} else if ok := spool.Next(ctx, to, all, ann, bob); !ok {
		return smtp.Permanent
	}
	if a.after != nil {
		return a.after(n)
	}
	return smtp.Accepted
}

// severed is a store that is out of reach when one item is settled, or that has no
// room for what comes of another.
type severed struct {
	spool.Store
	die  spool.ID
	full bool
}

func (c *severed) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	if c.die == l.ID {
		return spool.ErrClosed
	}
	if c.full && len(next) > 0 {
		return spool.ErrFull
	}
	return c.Store.Settle(ctx, l, out, next...)
}

// runTeam runs a Runner for a time, over the store that is given.
func runTeam(t *testing.T, a *team, s spool.Store, d time.Duration) {
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	r := spool.Runner{Store: s, Deliver: a.deliver, Retry: &spool.Schedule{Jitter: -1}}
	_ = r.Run(ctx) // one that was cut off says so
}

func newTeam(t *testing.T, store spool.Store, to ...string) *team {
	env, err := smtp.NewEnvelope("carl@crepes.fr", to...)
	require.NoError(t, err)
	id, err := spool.Put(t.Context(), store, strings.NewReader("hello"), env)
	require.NoError(t, err)
	return &team{id: id, store: store, got: map[string]int{}, body: map[string]string{}}
}

// TestNextOnceAcrossACut: the worker is lost between what its agent did and the
// Settle. What the agent gave by Next goes out once; the same by Put goes out
// twice, which shows that the test looks.
func TestNextOnceAcrossACut(t *testing.T) {
	for name, want := range map[string]int{"Next": 1, "Put": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &memspool.Store{}
				a := newTeam(t, store, "team@hamburger.edu")
				a.put = name == "Put"
				runTeam(t, a, &severed{Store: store, die: a.id}, time.Second)
				runTeam(t, a, store, time.Hour)
				assert.Equal(t, 2, a.given, "the agent was asked again")
				assert.Equal(t, map[string]int{"ann": want, "bob": want}, a.got)
				assert.Equal(t, "hello", a.body["ann"])
			})
		})
	}
}

// TestNextStoreFull: what does not fit is tried again, and who was delivered to in
// the same claim is not.
func TestNextStoreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memspool.Store{}
		a := newTeam(t, store, "team@hamburger.edu", "zoe@hamburger.edu")
		runTeam(t, a, &severed{Store: store, full: true}, time.Minute)
		assert.Equal(t, map[string]int{"zoe": 1}, a.got)
		runTeam(t, a, store, 24*time.Hour)
		assert.Equal(t, map[string]int{"ann": 1, "bob": 1, "zoe": 1}, a.got)
	})
}

// TestNextNotAccepted: what was given for somebody who was not accepted in the
// end, or before a panic, is not queued.
func TestNextNotAccepted(t *testing.T) {
	for name, fail := range map[string]func() smtp.Status{
		"temporary": func() smtp.Status { return smtp.Temporary },
		"panic":     func() smtp.Status { panic("agent") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &memspool.Store{}
				a := newTeam(t, store, "team@hamburger.edu")
				a.after = func(n int) smtp.Status {
					if n < 3 {
						return fail()
					}
					return smtp.Accepted
				}
				runTeam(t, a, store, 24*time.Hour)
				assert.Equal(t, map[string]int{"ann": 1, "bob": 1}, a.got)
				assert.Equal(t, 3, a.given)
			})
		})
	}
}

// TestNextElsewhere: only the ctx of a Deliver that runs will do, and only what a
// store would take.
func TestNextElsewhere(t *testing.T) {
	body := func() (io.Reader, error) { return strings.NewReader(""), nil }
	env, err := smtp.NewEnvelope("a@crepes.fr", "b@crepes.fr")
	require.NoError(t, err)
	assert.False(t, spool.Next(t.Context(), env.To[0].Path, body, env), "no Runner")
	synctest.Test(t, func(t *testing.T) {
		store := &memspool.Store{}
		a := newTeam(t, store, "team@hamburger.edu")
		a.after = func(int) smtp.Status {
			assert.False(t, spool.Next(a.ctx, env.To[0].Path, body), "nothing to queue")
			assert.False(t, spool.Next(a.ctx, env.To[0].Path, body, smtp.Envelope{}), "nobody to send it to")
			assert.False(t, spool.Next(a.ctx, env.To[0].Path, nil, env), "no body")
			return smtp.Accepted
		}
		runTeam(t, a, store, time.Hour)
		assert.False(t, spool.Next(a.ctx, env.To[0].Path, body, env), "too late")
		assert.Equal(t, map[string]int{"ann": 1, "bob": 1}, a.got)
	})
}
