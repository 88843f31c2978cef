package list_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// TestListBehindAQueue: a post over the queue to the list, over the queue to its
// members, and a bounce over the queue to the list again. The poster hears that
// his message was delivered (RFC 3461 §5.2.7.1).
func TestListBehindAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		store, members := &memspool.Store{}, &list.Memory{}
		team := path(t, "team@hamburger.edu")
		for _, name := range []string{"ann@crepes.fr", "bob@hamburger.edu", "gone@hamburger.edu"} {
			require.NoError(t, members.Update(ctx, team, path(t, name), func(x *list.Member) error { x.State = list.Subscribed; return nil }))
		}
		lists := &list.Manager{Lists: []*list.List{{Address: team}}, Members: members,
			Rewriter: &alias.Rewriter{Keys: [][]byte{[]byte("0123456789abcdef")}},
			Post: func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
				_, err := spool.Put(ctx, store, body, envs...)
				return err
			}}
		require.NoError(t, lists.Check())
		var mu sync.Mutex
		mail := map[string][]string{}
		box := func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
			out := make(smtp.Results, len(env.To))
			raw, err := io.ReadAll(body)
			mu.Lock()
			defer mu.Unlock()
			for i, to := range env.To {
				if out[i] = smtp.Failed(1, err)[0]; to.Path.Local() == "gone" {
					out[i] = smtp.Failed(1, smtp.Reject(550, "5.1.1", "no such user"))[0]
				}
				mail[to.Path.Local()] = append(mail[to.Path.Local()], string(raw))
			}
			return out
		}
		routes := smtp.Mux{{Match: lists.Owns, Deliver: lists.Deliver}, {Deliver: box}}
		runner := &spool.Runner{Store: store, Deliver: routes.Deliver, Name: "hamburger.edu"}
		ended := make(chan error)
		go func() { ended <- runner.Run(ctx) }()

		env, err := smtp.NewEnvelope("ann@crepes.fr", team.Address())
		require.NoError(t, err)
		env.To[0].Notify = smtp.NotifySuccess | smtp.NotifyFailure
		_, err = spool.Put(ctx, store, strings.NewReader("From: ann@crepes.fr\r\nTo: team@hamburger.edu\r\nSubject: hi\r\n\r\nhello\r\n"), env)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()

		mu.Lock()
		defer mu.Unlock()
		require.Len(t, mail["bob"], 1)
		assert.Contains(t, mail["bob"][0], "List-Id: <team.hamburger.edu>\r\n")
		require.Len(t, mail["ann"], 1, "no copy, no bounce of a member's, one report")
		dsn, ok := mime.ParseDSN(mime.Parse([]byte(mail["ann"][0])))
		require.True(t, ok)
		assert.Equal(t, "delivered", dsn.Recipients[0].Action)
		assert.Equal(t, team.Address(), dsn.Recipients[0].Final)
		bounced := 0
		for x, err := range members.All(ctx, team) {
			require.NoError(t, err)
			if x.Path.Local() == "gone" {
				bounced = x.Bounces
			}
		}
		assert.Equal(t, 1, bounced, "the bounce came home, to the list")
		stop()
		require.NoError(t, <-ended)
	})
}

func path(t testing.TB, s string) smtp.Path {
	p, err := smtp.ParsePath(s)
	require.NoError(t, err)
	return p
}

// BenchmarkPost is one post to a thousand members, into a queue in memory.
func BenchmarkPost(b *testing.B) {
	members := &list.Memory{}
	team := path(b, "team@hamburger.edu")
	for i := range 1000 {
		who := path(b, fmt.Sprintf("member%d@host%d.example", i, i%100))
		require.NoError(b, members.Update(b.Context(), team, who, func(x *list.Member) error { x.State = list.Subscribed; return nil }))
	}
	m := &list.Manager{Lists: []*list.List{{Address: team, Post: list.AnyonePosts}}, Members: members, URL: "https://lists.hamburger.edu/",
		Rewriter: &alias.Rewriter{Keys: [][]byte{[]byte("0123456789abcdef")}},
		Post: func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
			store := &memspool.Store{}
			_, err := spool.Put(ctx, store, body, envs...)
			return err
		}}
	body := strings.NewReader("From: ann@crepes.fr\r\nTo: team@hamburger.edu\r\nSubject: hi\r\n\r\n" + strings.Repeat("hello hello\r\n", 800))
	env := smtp.Envelope{From: path(b, "ann@crepes.fr"), To: []smtp.Recipient{{Path: team}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Deliver(b.Context(), env, io.NewSectionReader(body, 0, body.Size())).Err(); err != nil {
			b.Fatal(err)
		}
	}
}

// cutOff is a store that one worker cannot reach any more when it has delivered
// the first message.
type cutOff struct {
	*memspool.Store
	first spool.ID
}

func (c *cutOff) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	if l.ID == c.first {
		return spool.ErrClosed
	}
	return c.Store.Settle(ctx, l, out, next...)
}

// TestPostOnceAcrossACrash: the worker dies when the Manager has posted and the
// message it came by is not settled. With Next nobody gets it twice; with Post
// alone all do, which shows that the test looks.
func TestPostOnceAcrossACrash(t *testing.T) {
	for name, want := range map[string]int{"Next": 1, "Post": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, members, team := &memspool.Store{}, &list.Memory{}, path(t, "team@hamburger.edu")
				require.NoError(t, members.Update(t.Context(), team, path(t, "bob@crepes.fr"), func(x *list.Member) error { x.State = list.Subscribed; return nil }))
				lists := &list.Manager{Lists: []*list.List{{Address: team, Post: list.AnyonePosts}}, Members: members, Next: spool.Next,
					Post: func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
						_, err := spool.Put(ctx, store, body, envs...)
						return err
					}}
				if name == "Post" {
					lists.Next = nil
				}
				var mu sync.Mutex
				got := 0
				box := func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
					mu.Lock()
					defer mu.Unlock()
					raw, err := io.ReadAll(body)
					if assert.Contains(t, string(raw), "List-Id: <team.hamburger.edu>\r\n"); assert.Contains(t, string(raw), "hello\r\n") {
						got += len(env.To)
					}
					return smtp.Failed(len(env.To), err)
				}
				env, err := smtp.NewEnvelope("ann@crepes.fr", team.Address())
				require.NoError(t, err)
				first, err := spool.Put(t.Context(), store, strings.NewReader("From: ann@crepes.fr\r\nTo: team@hamburger.edu\r\nSubject: hi\r\n\r\nhello\r\n"), env)
				require.NoError(t, err)
				for _, s := range []spool.Store{&cutOff{store, first}, store} {
					ctx, stop := context.WithTimeout(t.Context(), time.Minute) // less than a lease
					r := &spool.Runner{Store: s, Deliver: smtp.Mux{{Match: lists.Owns, Deliver: lists.Deliver}, {Deliver: box}}.Deliver}
					_ = r.Run(ctx) // the first one says what it could not record
					stop()
					time.Sleep(spool.DefaultLease)
				}
				assert.Equal(t, want, got)
			})
		})
	}
}
