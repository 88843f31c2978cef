package spool_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// TestAliasesAndListsAreReported: what package alias leaves for the queue to tell
// becomes "expanded" and "delivered" (RFC 3461 §5.2.7), and a bounce finds its way
// to the people behind its recipient.
func TestAliasesAndListsAreReported(t *testing.T) {
	table, err := alias.Parse(strings.NewReader("two: ann2, bob\nlist: eve, no\nowner-list: zoe, yves\nteam: x, y\n"), alias.ParseOptions{Domain: "crepes.fr"})
	require.NoError(t, err)
	x := &alias.Expander{Resolver: table}
	inWorld(t, func(w *world) { w.Expand = x.Envelopes }, func(w *world) {
		env := envelope(t, "team@crepes.fr", "two@crepes.fr", "list@crepes.fr")
		for i := range env.To {
			env.To[i].Notify = success | failure
		}
		envs, err := x.Envelopes(w.t.Context(), env)
		require.NoError(t, err)
		_, err = spool.Put(w.t.Context(), &w.Store, strings.NewReader("Subject: hi\r\n\r\n"), envs...)
		require.NoError(t, err)
		w.pass(time.Second)
		want := map[string]int{"ann2": 1, "bob": 1, "eve": 1, "no": 1, "x": 1, "y": 1, "zoe": 1, "yves": 1}
		assert.Equal(t, want, w.tries)
		sender, owner := w.deliveries("x"), w.deliveries("zoe") // each with another behind the same name
		require.Len(w.t, sender, 1)
		require.Len(w.t, owner, 1)
		assert.Equal(t, []string{"two expanded 2.0.0", "list delivered 2.0.0"}, words(readReport(w.t, sender[0])))
		assert.Equal(t, []string{"no failed 5.1.1"}, words(readReport(w.t, owner[0])))
		assert.Empty(t, w.left())
	})
}

// All due recipients of one destination travel together.
func TestOneDeliveryPerDestination(t *testing.T) {
	var calls []string
	inWorld(t, func(w *world) {
		w.Deliver = func(_ context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
			var names []string
			out := make(smtp.Results, len(env.To))
			for i, to := range env.To {
				names, out[i] = append(names, to.Path.Local()), here
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			calls = append(calls, strings.Join(names, "+"))
			return out
		}
	}, func(w *world) {
		w.put("a@one.example", "b@two.example", "c@one.example", "d@one.example", "e@two.example")
		w.pass(time.Second)
		assert.ElementsMatch(t, []string{"a+c+d", "b+e"}, calls)
	})
}
