package spool_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
)

// by makes a sender want delivery within d.
func by(d time.Duration, mode string) func(*smtp.Envelope) {
	return func(e *smtp.Envelope) {
		b := smtp.DeliverBy{Time: epoch.Add(d)}
		for _, c := range mode {
			b.Return, b.Trace = b.Return || c == 'R', b.Trace || c == 'T'
		}
		e.Params.DeliverBy = b
	}
}

// RFC 2852 §4.1.3: at the time of mode R the message is returned, and not tried
// again.
func TestDeliverByReturn(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", by(12*time.Minute, "R"), "later@hamburger.edu", "x@hamburger.edu")
		w.pass(11 * time.Minute)
		assert.Empty(t, w.reports())
		w.pass(time.Minute)
		assert.Equal(t, []int{0, 5}, w.times("later"), "the third try would be at 15")
		require.Len(t, w.reports(), 1)
		d := w.reports()[0]
		assert.Equal(t, []string{"later failed 5.4.7"}, words(d))
		assert.Equal(t, epoch.Add(12*time.Minute), d.DeliverBy.UTC(), "RFC 2852 §5")
		assert.Empty(t, d.Recipients[0].Diagnostic, "no host said so")
		assert.Empty(t, w.left())
	})
}

// A reason of its own comes before the time.
func TestDeliverByFailsForAnotherReason(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", by(time.Hour, "R"), "no@hamburger.edu")
		w.pass(time.Second)
		require.Len(t, w.reports(), 1)
		assert.Equal(t, []string{"no failed 5.1.1"}, words(w.reports()[0]))
	})
}

// What is late before it is tried at all is not tried. An attempt that takes too
// long is the last.
func TestDeliverByReturnDuringAnAttempt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Deliver = func(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
			time.Sleep(20 * time.Minute)
			return w.deliver(ctx, env, body)
		}
	}, func(w *world) {
		w.putAs("ann@crepes.fr", by(-time.Minute, "R"), "late@hamburger.edu")
		w.putAs("ann@crepes.fr", by(10*time.Minute, "R"), "later@hamburger.edu")
		w.pass(time.Hour)
		assert.Empty(t, w.deliveries("late@"))
		assert.Equal(t, []int{20}, w.times("later"))
		require.Len(t, w.reports(), 2)
		assert.Equal(t, []string{"late failed 5.4.7"}, words(w.reports()[0]))
		assert.Equal(t, []string{"later failed 5.4.7"}, words(w.reports()[1]))
	})
}

// RFC 2852 §4.1.3: in mode N the sender is told at the time, once, and the tries
// go on.
func TestDeliverByNotify(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", by(12*time.Minute, "N"), "later@hamburger.edu", "twice@hamburger.edu")
		w.pass(2 * 24 * time.Hour)
		require.Len(t, w.reports(), 1)
		assert.Equal(t, []string{"later delayed 4.4.7"}, words(w.reports()[0]))
		assert.Equal(t, 12*time.Minute, w.deliveries("ann")[0].at)
		assert.Equal(t, []string{"later"}, w.left())
		w.pass(4 * 24 * time.Hour)
		assert.Equal(t, []string{"later failed 4.7.1"}, words(w.reports()[1]))
	})
	inWorld(t, nil, func(w *world) { // he said when he wants to hear: not after four hours
		w.putAs("ann@crepes.fr", by(48*time.Hour, "N"), "later@hamburger.edu")
		w.pass(47 * time.Hour)
		assert.Empty(t, w.reports())
		w.pass(2 * time.Hour)
		assert.Len(t, w.reports(), 1)
	})
	inWorld(t, nil, func(w *world) { // nor at all
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
			by(time.Minute, "N")(e)
			e.To[0].Notify = failure
		}, "later@hamburger.edu")
		w.pass(24 * time.Hour)
		assert.Empty(t, w.reports())
	})
}

// RFC 2852 §4.1.4: who hears that the message went to another host.
func TestDeliverByRelayed(t *testing.T) {
	knows := there
	knows.By = true
	for name, c := range map[string]struct {
		mode   string
		notify smtp.Notify
		result smtp.Result
		told   bool
	}{
		"the host keeps the time":       {"N", 0, knows, false},
		"a trace":                       {"NT", 0, knows, true},
		"a trace in mode R":             {"RT", failure, knows, true},
		"a trace for who wants nothing": {"NT", never, knows, false},
		"the host knows of no time":     {"N", failure, there, true},
		"the same, and never":           {"N", never, there, false},
		"into a mailbox here":           {"NT", failure, here, false},
	} {
		inWorld(t, func(w *world) {
			w.Deliver = func(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
				if env.From.IsNull() {
					return w.deliver(ctx, env, body)
				}
				return smtp.Results{c.result}
			}
		}, func(w *world) {
			w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
				by(time.Hour, c.mode)(e)
				e.To[0].Notify = c.notify
			}, "bob@hamburger.edu")
			w.pass(time.Second)
			if !c.told {
				assert.Empty(t, w.reports(), name)
			} else if assert.Len(t, w.reports(), 1, name) {
				assert.Equal(t, []string{"bob relayed 2.1.5"}, words(w.reports()[0]), name)
			}
		})
	}
}

// RFC 6710 §4.6: a report has the priority of what it is about.
func TestReportHasPriority(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) { e.Params.Priority = 4 }, "no@hamburger.edu")
		w.pass(time.Second)
		require.Len(t, w.deliveries("ann"), 1)
		assert.EqualValues(t, 4, w.deliveries("ann")[0].env.Params.Priority)
	})
}
