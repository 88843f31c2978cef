package spool_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// A delivery that takes an hour keeps its lease of five minutes: no other worker
// gets the message.
func TestRunnerExtendsLeases(t *testing.T) {
	extended := 0
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, extend: func() error { extended++; return nil }}
	}, func(w *world) {
		w.put("slow@hamburger.edu")
		for range 59 {
			w.pass(time.Minute)
			claims, err := w.Claim(w.t.Context(), spool.Query{})
			require.NoError(t, err)
			require.Empty(t, claims)
		}
		w.pass(2 * time.Minute)
		assert.Equal(t, []string{"slow"}, w.sent)
		assert.Contains(t, []int{35, 36}, extended, "each third of the lease")
	})
}

// A lease that is lost ends the delivery, and nothing of it is recorded: somebody
// else may have begun.
func TestRunnerLostLeaseCancelsDelivery(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, extend: func() error { return spool.ErrLost }}
	}, func(w *world) {
		w.put("slow@hamburger.edu")
		w.pass(99 * time.Second)
		assert.Equal(t, 1, w.running["hamburger.edu"])
		w.pass(2 * time.Second)
		assert.Equal(t, 2, len(w.got), "it is given back, and begun again")
		assert.Empty(t, w.deferred)
	})
}

// A store that cannot extend for a moment has a second chance.
func TestRunnerLeaseSecondChance(t *testing.T) {
	calls := 0
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, extend: func() error {
			if calls++; calls%2 == 1 {
				return errDisk
			}
			return nil
		}}
	}, func(w *world) {
		w.put("slow@hamburger.edu")
		w.pass(61 * time.Minute)
		assert.Equal(t, []string{"slow"}, w.sent)
		assert.Len(t, w.got, 1)
	})
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, extend: func() error { return errDisk }}
	}, func(w *world) {
		w.put("slow@hamburger.edu")
		w.pass(4 * time.Minute)
		assert.Len(t, w.got, 2, "but not a third one")
	})
}

// What another worker settled meanwhile is not told as ours.
func TestRunnerOutcomeAfterTheLease(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, settle: func() error { return spool.ErrLost }}
	}, func(w *world) {
		w.put("no@hamburger.edu")
		w.pass(time.Second)
		assert.Empty(t, w.failed)
		assert.Contains(t, w.log.String(), "lease lost")
	})
}

// When ctx ends, what runs may finish within the grace.
func TestRunnerGrace(t *testing.T) {
	for _, c := range []struct {
		name  string
		grace time.Duration
		want  time.Duration // until Run returns
		sent  []string
		left  []string
	}{
		{"enough", 2 * time.Hour, 59 * time.Minute, []string{"slow"}, []string{"next"}},
		{"default", 0, 30 * time.Second, nil, []string{"next", "slow"}},
		{"none", -1, 0, nil, []string{"next", "slow"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) { w.Grace, w.Workers = c.grace, 1 }, func(w *world) {
				w.put("slow@hamburger.edu")
				w.pass(time.Second)
				w.put("next@hamburger.edu")
				w.pass(59 * time.Second)
				began := time.Now()
				require.NoError(t, w.end())
				assert.Equal(t, c.want, time.Since(began))
				assert.Equal(t, c.sent, w.sent)
				assert.Equal(t, c.left, w.left(), "nothing new is begun, and what was cut short is still there")
				assert.Empty(t, w.deferred)
				claims, err := w.Claim(w.t.Context(), spool.Query{Max: 10})
				require.NoError(t, err)
				for _, claim := range claims {
					assert.Equal(t, 1, claim.Due[0].Attempts, "and counts as not tried")
				}
			})
		})
	}
}

// A delivery that was through when its time was over is recorded.
func TestRunnerRecordsWhatWasDoneAtTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Deliver = func(ctx context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
			<-ctx.Done()
			return smtp.Results{here, refusal, {Err: ctx.Err()}, {Status: smtp.Unknown}}
		}
	}, func(w *world) {
		w.put("a@hamburger.edu", "b@hamburger.edu", "c@hamburger.edu", "d@hamburger.edu")
		w.pass(time.Second)
		require.NoError(t, w.end())
		assert.Equal(t, []string{"a"}, w.sent)
		assert.Equal(t, []string{"b"}, w.failed)
		assert.Equal(t, []string{"d"}, w.deferred)
		assert.Equal(t, []string{"ann", "c", "d"}, w.left())
	})
}

// A claim that could not be given back loses nothing: its lease runs out.
func TestRunnerCannotGiveBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Grace = -1
		w.Runner.Store = &troubled{Store: &w.Store, settle: func() error { return errDisk }}
	}, func(w *world) {
		w.put("slow@hamburger.edu")
		w.pass(time.Second)
		assert.NoError(t, w.end())
		w.pass(spool.DefaultLease)
		claims, err := w.Claim(w.t.Context(), spool.Query{})
		require.NoError(t, err)
		assert.Len(t, claims, 1)
	})
}

// Two Runners over one store share the work.
func TestRunnersShareAStore(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		second := spool.Runner{Store: &w.Store, Deliver: w.deliver, Worker: "second"}
		ctx, stop := context.WithCancel(w.t.Context())
		ended := make(chan error)
		go func() { ended <- second.Run(ctx) }()
		for range 50 {
			w.put("bob@hamburger.edu", "tom@example.com")
		}
		w.pass(time.Minute)
		stop()
		require.NoError(t, <-ended)
		assert.Equal(t, 50, w.tries["bob"])
		assert.Equal(t, 50, w.tries["tom"])
	})
}
