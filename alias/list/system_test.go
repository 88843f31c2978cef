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
