package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

const (
	notSaid = smtp.Notify(0)
	success = smtp.NotifySuccess
	failure = smtp.NotifyFailure
	delay   = smtp.NotifyDelay
	never   = smtp.NotifyNever
)

// TestRunnerNotify is the table of RFC 3461 §5.2: who is told what.
func TestRunnerNotify(t *testing.T) {
	for _, c := range []struct {
		rcpt   string
		notify smtp.Notify
		want   string // in the end, of all reports; "" none
	}{
		{"ok", notSaid, ""}, // §5.2.3 (c)
		{"ok", success, "ok delivered 2.0.0"},
		{"ok", failure | delay, ""},
		{"far", success, "far relayed 2.1.5"}, // §5.2.2 (b)
		{"far", notSaid, ""},                  // §5.2.2 (e)
		{"dsn", success | failure, ""},        // the next host answers for it
		{"no", notSaid, "no failed 5.1.1"},    // §5.2.2 (f)
		{"no", failure, "no failed 5.1.1"},
		{"no", success | delay, ""},
		{"no", never, ""}, // §5.2.2 (d)
		{"ok", never, ""},
		{"later", never, ""},
		{"later", notSaid, "later delayed 4.7.1, later failed 4.7.1"},
		{"later", failure, "later failed 4.7.1"},
		{"later", delay, "later delayed 4.7.1"},
		{"silent", notSaid, "silent delayed 4.0.0, silent failed 4.4.7"},
	} {
		t.Run(fmt.Sprint(c.rcpt, c.notify), func(t *testing.T) {
			inWorld(t, func(w *world) { w.Retry = &spool.Schedule{Jitter: -1, Expire: 8 * time.Hour} }, func(w *world) {
				w.putAs("ann@crepes.fr", func(e *smtp.Envelope) { e.To[0].Notify = c.notify }, c.rcpt+"@hamburger.edu")
				w.pass(9 * time.Hour)
				var got []string
				for _, d := range w.reports() {
					got = append(got, words(d)...)
				}
				assert.Equal(t, c.want, strings.Join(got, ", "))
				assert.Empty(t, w.left())
			})
		})
	}
}

// What aliases and lists took is only reported, and not delivered.
func TestRunnerExpandedAndDelivered(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
			e.To[0].Expanded, e.To[0].Notify = true, success
			e.To[1].Delivered, e.To[1].Notify, e.To[1].ORcpt = true, success|failure, "rfc822;old@crepes.fr"
			e.To[2].Expanded, e.To[2].Notify = true, failure
		}, "team@hamburger.edu", "list@hamburger.edu", "quiet@hamburger.edu", "bob@hamburger.edu")
		w.pass(time.Second)
		require.Len(t, w.deliveries("bob"), 1)
		assert.Len(t, w.deliveries("bob")[0].env.To, 1)
		require.Len(t, w.reports(), 1)
		d := w.reports()[0]
		assert.Equal(t, []string{"team expanded 2.0.0", "list delivered 2.0.0"}, words(d))
		assert.Equal(t, "rfc822;old@crepes.fr", d.Recipients[1].Original)
		assert.Empty(t, w.left())
	})
	inWorld(t, nil, func(w *world) { // alone, even where nothing can be delivered to
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) { e.To[0].Expanded, e.To[0].Notify = true, success }, "panic@hamburger.edu")
		w.pass(time.Second)
		assert.Equal(t, []string{"panic expanded 2.0.0"}, words(w.reports()[0]))
	})
}

// TestRunnerNullSenderIsNeverBounced: no report of a report (RFC 5321 §4.5.5), and
// the log tells of it instead.
func TestRunnerNullSenderIsNeverBounced(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("", func(e *smtp.Envelope) { e.To[0].Notify = success | failure | delay }, "no@hamburger.edu", "far@hamburger.edu", "later@example.com")
		w.pass(48 * time.Hour)
		for _, d := range w.got {
			assert.NotContains(t, d.body, "multipart/report")
		}
		assert.Contains(t, w.log.String(), "double bounce")
		assert.NotContains(t, w.log.String(), "report was refused", "not even tried")
		assert.NotContains(t, w.log.String(), "cannot make a report")
		assert.ElementsMatch(t, []string{"no", "later"}, w.failed)
		assert.Empty(t, w.left(), "a null sender's mail expires after a day")
	})
	inWorld(t, nil, func(w *world) { // the bounce of a bounce, with all three hops here
		w.putAs("no@crepes.fr", func(*smtp.Envelope) {}, "no-2@hamburger.edu")
		w.pass(time.Hour)
		assert.Len(t, w.got, 2)
		assert.Empty(t, w.left())
	})
}

func TestRunnerDelayIsToldOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.put("later@hamburger.edu")
		w.pass(4*24*time.Hour + 12*time.Hour)
		require.Len(t, w.reports(), 1)
		d := w.reports()[0]
		assert.Equal(t, []string{"later delayed 4.7.1"}, words(d))
		assert.Equal(t, epoch.Add(5*24*time.Hour), d.Recipients[0].RetryUntil.UTC(), "it says how long it will be tried")
		assert.GreaterOrEqual(t, w.deliveries("ann")[0].at, 4*time.Hour)
		w.pass(24 * time.Hour)
		assert.Len(t, w.reports(), 2)
		assert.Equal(t, []string{"later failed 4.7.1"}, words(w.reports()[1]))
	})
}

func TestRunnerReportFields(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
			e.Params.EnvID, e.To[0].ORcpt = "QQ 314+159", "rfc822;Bob+x@alias.example"
			e.To = append(e.To, smtp.Recipient{Path: e.To[1].Path, Notify: never})
		}, "no@hamburger.edu", "no-2@hamburger.edu")
		w.pass(time.Second)
		require.Len(t, w.reports(), 1)
		d := w.reports()[0]
		assert.Equal(t, "QQ 314+159", d.OriginalEnvID)
		require.Len(t, d.Recipients, 2, "who asked for nothing is not named")
		assert.Equal(t, "rfc822;Bob+x@alias.example", d.Recipients[0].Original)
		assert.Empty(t, d.Recipients[1].Original, "RFC 3461 §6.3 (d)")
		assert.Equal(t, epoch, d.Arrival.UTC())
		m := mime.Parse([]byte(w.deliveries("ann")[0].body))
		assert.Equal(t, "auto-replied", m.Header().Get("Auto-Submitted"))
		assert.Contains(t, m.Header().Get("From"), "MAILER-DAEMON@crepes.fr")
		assert.Equal(t, "ann@crepes.fr", w.deliveries("ann")[0].env.To[0].Path.Address())
	})
}

// TestRunnerReturn is RET: of failures the message if it was asked for, else its
// header (RFC 3461 §6.2).
func TestRunnerReturn(t *testing.T) {
	full := func(p *smtp.MailParams) { p.RetFull = true }
	for _, c := range []struct {
		name string
		rcpt string
		set  func(*smtp.MailParams)
		body bool
	}{
		{"nothing said", "no", func(*smtp.MailParams) {}, false},
		{"RET=HDRS", "no", func(p *smtp.MailParams) { p.RetHeaders = true }, false},
		{"RET=FULL", "no", full, true},
		{"RET=FULL of what was relayed", "far", full, false},
		{"RET=FULL with REQUIRETLS", "no", func(p *smtp.MailParams) { p.RetFull, p.RequireTLS = true, true }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
					c.set(&e.Params)
					e.To[0].Notify = success | failure
				}, c.rcpt+"@hamburger.edu")
				w.pass(time.Second)
				require.Len(t, w.deliveries("ann"), 1)
				d := w.deliveries("ann")[0]
				assert.Equal(t, c.body, strings.Contains(d.body, "\r\nhello\r\n"), "%s", d.body)
				assert.Contains(t, d.body, "X-Line: 2\r\n", "the header comes back in any case")
				var p smtp.MailParams
				c.set(&p)
				assert.Equal(t, p.RequireTLS, d.env.Params.RequireTLS, "RFC 8689 §5")
				assert.False(t, d.env.Params.RetFull || d.env.Params.RetHeaders, "RFC 3461 §6.1")
			})
		})
	}
}

// TestRunnerReturnIsCutAtALine: what goes back is bounded, and no line is torn.
func TestRunnerReturnIsCutAtALine(t *testing.T) {
	big := "Subject: big\r\n\r\n" + strings.Repeat("0123456789abcdef 0123456789abcdef\r\n", 20_000)
	inWorld(t, func(w *world) { w.ReturnBytes = 10_000 }, func(w *world) {
		env := envelope(t, "ann@crepes.fr", "no@hamburger.edu")
		env.Params.RetFull = true
		_, err := spool.Put(w.t.Context(), &w.Store, strings.NewReader(big), env)
		require.NoError(t, err)
		w.pass(time.Second)
		body := w.deliveries("ann")[0].body
		assert.InDelta(t, 11_000, len(body), 1500)
		for line := range strings.SplitSeq(body, "\r\n") {
			if strings.HasPrefix(line, "0123456789") {
				require.Len(t, line, 33)
			}
		}
	})
}

// TestRunnerReportUTF8: addresses beyond ASCII bring the forms of RFC 6533, and
// the report needs SMTPUTF8 then.
func TestRunnerReportUTF8(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.putAs("ann@crepes.fr", func(e *smtp.Envelope) {
			e.Params.UTF8, e.To[0].ORcpt = true, "utf-8;jürgen@alias.example"
		}, "no-jürgen@hamburger.edu")
		w.pass(time.Second)
		d := w.deliveries("ann")[0]
		assert.Contains(t, d.body, "message/global-delivery-status")
		assert.Contains(t, d.body, "Final-Recipient: utf-8; no-jürgen@hamburger.edu")
		assert.Equal(t, smtp.Body8BitMIME, d.env.Params.Body)
		assert.Equal(t, "utf-8;jürgen@alias.example", readReport(t, d).Recipients[0].Original)
	})
	inWorld(t, nil, func(w *world) {
		w.putAs("jürgen@crepes.fr", func(e *smtp.Envelope) { e.Params.UTF8 = true }, "no@hamburger.edu")
		w.pass(time.Second)
		require.Len(t, w.deliveries("jürgen"), 1)
		assert.True(t, w.deliveries("jürgen")[0].env.Params.UTF8)
	})
}

func TestRunnerOwnReport(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Report = func(_ context.Context, r spool.Report) (*mime.Draft, error) {
			switch r.Item.Envelope.To[0].Path.Domain() {
			case "quiet.example":
				return nil, nil
			case "broken.example":
				return nil, errors.New("no words")
			}
			d := r.DSN()
			d.Text = "C'est la vie.\n"
			return r.DraftOf(d)
		}
	}, func(w *world) {
		w.put("no@hamburger.edu")
		w.put("no@quiet.example")
		w.pass(time.Second)
		require.Len(t, w.reports(), 1)
		assert.Contains(t, w.deliveries("ann")[0].body, "C'est la vie.")
		w.put("no@broken.example")
		w.pass(time.Second)
		require.Len(t, w.reports(), 2, "better in other words than not at all")
	})
}

// A bounce's recipient may be an alias or a list.
func TestRunnerExpandsReports(t *testing.T) {
	calls := 0
	inWorld(t, func(w *world) {
		w.Expand = func(_ context.Context, env smtp.Envelope) ([]smtp.Envelope, error) {
			calls++
			assert.True(t, env.From.IsNull())
			switch env.To[0].Path.Local() {
			case "team":
				two := envelope(t, "", "x@hamburger.edu", "y@example.com")
				list := envelope(t, "owner@crepes.fr", "z@hamburger.edu")
				list.Prefix = []byte("List-Id: <team.crepes.fr>\r\n")
				return []smtp.Envelope{two, list}, nil
			case "down":
				if calls < 4 {
					return nil, errors.New("no alias table")
				}
			case "loop":
				return nil, smtp.Reject(550, "5.4.6", "loop")
			case "void":
				return nil, nil
			}
			return []smtp.Envelope{env}, nil
		}
	}, func(w *world) {
		w.putAs("ann@crepes.fr", func(*smtp.Envelope) {}, "no@hamburger.edu")
		w.pass(0)
		assert.Len(t, w.reports(), 1, "who is no alias gets it as it is")
		w.putAs("team@crepes.fr", func(*smtp.Envelope) {}, "no@hamburger.edu")
		w.pass(0)
		for _, name := range []string{"x", "y", "z"} {
			require.Len(t, w.deliveries(name), 1, name)
			readReport(t, w.deliveries(name)[0])
		}
		assert.True(t, strings.HasPrefix(w.deliveries("z")[0].body, "List-Id: <team.crepes.fr>\r\n"))
		calls = 0
		w.putAs("down@crepes.fr", func(*smtp.Envelope) {}, "no@hamburger.edu")
		w.pass(time.Minute)
		assert.Empty(t, w.deliveries("down"))
		assert.Equal(t, []string{"down"}, w.left(), "the report waits, the outcome is settled")
		w.pass(time.Hour)
		require.Len(t, w.deliveries("down"), 1)
		for _, lost := range []string{"loop", "void"} {
			w.putAs(lost+"@crepes.fr", func(*smtp.Envelope) {}, "no@hamburger.edu")
		}
		w.pass(time.Hour)
		assert.Empty(t, w.left())
		assert.Contains(t, w.failed, "loop", "a double bounce")
	})
}

// An attempt that is told twice, since its Settle was not known to have worked,
// is one report all the same.
func TestRunnerReportHasOneID(t *testing.T) {
	failed := false
	inWorld(t, func(w *world) {
		w.Runner.Store = &ambiguous{Store: &w.Store, fail: func() bool { defer func() { failed = true }(); return !failed }}
	}, func(w *world) {
		w.put("no@hamburger.edu")
		w.pass(time.Hour)
		assert.True(t, failed)
		assert.Len(t, w.reports(), 1)
	})
}

// ambiguous does what Settle asks for and says that it did not.
type ambiguous struct {
	spool.Store
	fail func() bool
}

func (s *ambiguous) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	err := s.Store.Settle(ctx, l, out, next...)
	if err == nil && s.fail() {
		return io.ErrUnexpectedEOF
	}
	return err
}
