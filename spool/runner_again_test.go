package spool_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// What is new is delivered without looking whether it is there; what was tried
// before, and what another Runner may have tried, is not.
func TestRunnerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memspool.Store{}
		put := func(to string) {
			env, err := smtp.NewEnvelope("alice@crepes.fr", to)
			require.NoError(t, err)
			require.NoError(t, spool.PutItems(t.Context(), store, strings.NewReader("x"), &spool.Item{Envelope: env}))
			time.Sleep(time.Second) // of the bubble
		}
		again := make(map[string][]bool)
		runner := &spool.Runner{Store: store, Retry: &spool.Schedule{Jitter: -1},
			Deliver: func(ctx context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
				to := env.To[0].Path.Local()
				again[to] = append(again[to], spool.Again(ctx))
				if len(again[to]) == 1 && to == "later" {
					return smtp.Results{{}}
				}
				return smtp.Results{{Status: smtp.Accepted}}
			}}
		put("before@hamburger.edu")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- runner.Run(ctx) }()
		time.Sleep(time.Second)
		put("new@hamburger.edu")
		put("later@hamburger.edu")
		time.Sleep(time.Hour)
		stop()
		require.NoError(t, <-done)
		assert.Equal(t, map[string][]bool{"before": {true}, "new": {false}, "later": {false, true}}, again)
	})
	assert.False(t, spool.Again(t.Context()), "not in a Runner")
}
