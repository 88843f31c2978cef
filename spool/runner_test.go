package spool_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

func TestRunnerDelivers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		id := w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
			e.Prefix, e.Params.EnvID = []byte("Received: here\r\n"), "42"
		}, "bob@hamburger.edu", "eve@hamburger.edu", "tom@example.com")
		w.pass(time.Second)
		require.Len(t, w.got, 2, "one delivery for each destination")
		d := w.deliveries("bob")[0]
		assert.Len(t, d.env.To, 2, "which carries all its recipients")
		assert.Equal(t, string(id), d.env.ID)
		assert.Equal(t, "42", d.env.Params.EnvID)
		assert.True(t, strings.HasPrefix(d.body, "Received: here\r\nSubject: crepes\r\n"), "the prefix is on top: %s", d.body)
		assert.Empty(t, w.left())
		assert.ElementsMatch(t, []string{"bob", "eve", "tom"}, w.sent)
	})
}

func TestRunnerRetries(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("twice@hamburger.edu")
		w.pass(24 * time.Hour)
		assert.Equal(t, []int{0, 5, 15}, w.times("twice"))
		assert.Equal(t, []string{"twice", "twice"}, w.deferred)
		assert.Equal(t, []string{"twice"}, w.sent)
		assert.Empty(t, w.reports(), "the sender hears nothing of what went well in the end")
	})
}

func TestRunnerTemporaryThenPermanent(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("then@hamburger.edu")
		w.pass(time.Hour)
		require.Len(t, w.reports(), 1)
		d := w.reports()[0]
		assert.Equal(t, []string{"then failed 5.1.1"}, words(d))
		assert.Equal(t, "550 5.1.1 no such user", d.Recipients[0].Diagnostic)
		assert.Equal(t, "mx.hamburger.edu", d.Recipients[0].Remote, "a host, without its port")
		assert.Equal(t, "crepes.fr", d.Reporting)
		assert.Equal(t, []string{"then"}, w.failed)
		assert.Empty(t, w.left())
	})
}

// Half the recipients of one delivery fail in every possible way: each is on its
// own from then on.
func TestRunnerPartialResults(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("ok@hamburger.edu", "no@hamburger.edu", "twice@hamburger.edu", "no-2@hamburger.edu", "odd@hamburger.edu")
		w.pass(time.Second)
		assert.Equal(t, []string{"odd", "twice"}, w.left(), "a status that does not exist is temporary")
		require.Len(t, w.reports(), 1, "one report tells of all")
		assert.Equal(t, []string{"no failed 5.1.1", "no-2 failed 5.1.1"}, words(w.reports()[0]))
		w.pass(time.Hour)
		assert.Equal(t, 1, w.tries["ok"])
		assert.Equal(t, 1, w.tries["no"])
		assert.Equal(t, 3, w.tries["twice"])
	})
}

func TestRunnerMissingAndSurplusResults(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("short@hamburger.edu", "a@hamburger.edu", "b@hamburger.edu")
		w.put("long@example.com", "c@example.com")
		w.pass(time.Second)
		assert.Equal(t, []string{"a", "b"}, w.left(), "nobody spoke of them: try again")
		w.pass(time.Hour)
		assert.Empty(t, w.left())
	})
}

func TestRunnerPanicInDeliverIsTemporary(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("panic@hamburger.edu")
		w.put("bob@example.com")
		w.pass(time.Second)
		assert.Equal(t, []string{"panic"}, w.left())
		assert.Equal(t, []string{"bob"}, w.sent)
		assert.Contains(t, w.log.String(), "oh no: panic")
		assert.Contains(t, w.log.String(), "runner_world_test.go", "the log has the stack")
		w.pass(6 * 24 * time.Hour)
		assert.Empty(t, w.left())
		last := w.reports()[len(w.reports())-1]
		assert.Equal(t, []string{"panic failed 4.3.0"}, words(last))
		assert.NotContains(t, w.deliveries("ann")[0].body, "oh no", "what went wrong inside is nobody's business")
	})
}

// An unknown outcome is tried again, as RFC 5321 §4.5.3.2.6 has it, and a report
// that comes of it in the end is a failure.
func TestRunnerUnknownIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) { w.Retry = &spool.Schedule{Jitter: -1, Expire: time.Hour, WarnAfter: -1} }, func(w *world) {
		w.put("lost@hamburger.edu")
		w.pass(2 * time.Hour)
		assert.Equal(t, []int{0, 5, 15, 35, 60}, w.times("lost"), "the last time when it expires")
		require.Len(t, w.reports(), 1)
		assert.Equal(t, []string{"lost failed 4.4.7"}, words(w.reports()[0]))
	})
}

func TestRunnerNotBefore(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) { e.Params.HoldUntil = time.Now().Add(90 * time.Minute) }, "bob@hamburger.edu")
		w.pass(3 * time.Hour)
		assert.Equal(t, []int{90}, w.times("bob"))
	})
}

// What comes while the Runner waits is delivered at once: nothing is polled for.
func TestRunnerWakesForNewMail(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.pass(10*time.Minute + 300*time.Millisecond)
		w.put("bob@hamburger.edu")
		w.pass(0)
		require.Len(t, w.got, 1)
		assert.Equal(t, 10*time.Minute+300*time.Millisecond, w.got[0].at)
	})
}

func TestRunnerNeedsStoreAndDeliver(t *testing.T) {
	assert.ErrorIs(t, (&spool.Runner{}).Run(t.Context()), spool.ErrInvalid)
}

// A store that was closed ends the Runner; one that only fails does not.
func TestRunnerStoreErrors(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, claim: untilThen(10 * time.Second), wait: untilThen(20 * time.Second)}
	}, func(w *world) {
		w.put("bob@hamburger.edu")
		w.pass(time.Minute)
		assert.Equal(t, []string{"bob"}, w.sent)
		assert.Less(t, strings.Count(w.log.String(), "disk on fire"), 12, "the pauses grow")
	})
	inWorld(t, nil, func(w *world) {
		require.NoError(t, w.Store.Close())
		assert.ErrorIs(t, <-w.ended, spool.ErrClosed)
		w.stop()
		w.stop = nil
	})
}

// A message that cannot be read waits for somebody to mend it, and in the end its
// sender is told without it.
func TestRunnerUnreadableBody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Retry = &spool.Schedule{Jitter: -1, Expire: time.Hour, WarnAfter: -1}
		w.Runner.Store = &troubled{Store: &w.Store, open: func() error {
			if time.Since(epoch) <= time.Hour {
				return spool.ErrCorrupt
			}
			return nil
		}}
	}, func(w *world) {
		w.put("bob@hamburger.edu")
		w.pass(59 * time.Minute)
		assert.Equal(t, []string{"bob"}, w.left())
		assert.Contains(t, w.log.String(), "cannot read a message")
		w.pass(3 * time.Hour)
		assert.Empty(t, w.deliveries("bob"))
		require.Len(t, w.reports(), 1)
		assert.Equal(t, []string{"bob failed 4.3.0"}, words(w.reports()[0]))
		assert.NotContains(t, w.deliveries("ann")[0].body, "crepes\r\n")
	})
}

// While an outcome cannot be recorded nothing else is begun: after a crash it
// would all come twice.
func TestRunnerDoesNotDeliverWhatItCannotRecord(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, settle: untilThen(time.Hour)}
	}, func(w *world) {
		w.put("bob@hamburger.edu")
		w.pass(time.Second)
		for range 5 {
			w.put("eve@hamburger.edu")
			w.put("tom@example.com")
			w.pass(time.Minute)
		}
		assert.Len(t, w.got, 1)
		assert.Empty(t, w.sent, "nobody is told of what is not safe")
		w.pass(time.Hour)
		assert.Len(t, w.got, 11)
		assert.Equal(t, 1, w.tries["bob"], "and its lease was kept all the time")
	})
}

// An outcome that was never recorded is an error of Run.
func TestRunnerLostOutcome(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, settle: func() error { return errDisk }}
	}, func(w *world) {
		id := w.put("bob@hamburger.edu")
		w.pass(time.Second)
		began := time.Now()
		err := w.end()
		assert.ErrorIs(t, err, errDisk)
		assert.ErrorContains(t, err, string(id))
		assert.LessOrEqual(t, time.Since(began), 31*time.Second)
		assert.Equal(t, []string{"bob"}, w.left())
	})
}

// A report that the store refuses is dropped, and the outcome is recorded: the
// store would refuse it for ever.
func TestRunnerReportRefusedByStore(t *testing.T) {
	refusals := 0
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, settle: func() error {
			if refusals++; refusals == 1 {
				return spool.ErrInvalid
			}
			return nil
		}}
	}, func(w *world) {
		w.put("no@hamburger.edu")
		w.pass(time.Hour)
		assert.Empty(t, w.left())
		assert.Empty(t, w.reports())
		assert.Equal(t, []string{"no"}, w.failed)
		assert.True(t, strings.Contains(w.log.String(), "refused by the store"))
	})
}

// errors of Settle that have to do with the message itself must not hold up the
// report: a second try does without it.
func TestRunnerReportWithoutTheMessage(t *testing.T) {
	tries := 0
	inWorld(t, func(w *world) {
		w.Runner.Store = &troubled{Store: &w.Store, settle: func() error {
			if tries++; tries == 1 {
				return errors.New("cannot read the body")
			}
			return nil
		}}
	}, func(w *world) {
		w.put("no@hamburger.edu")
		w.pass(time.Minute)
		require.Len(t, w.reports(), 1)
		assert.NotContains(t, w.deliveries("ann")[0].body, "X-Line")
	})
}
