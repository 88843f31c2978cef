package dirspool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// faults are what a disk may do to a call.
var faults = map[string]safeio.Fault{
	"EIO":                   {Err: syscall.EIO},
	"ENOSPC":                {Err: syscall.ENOSPC},
	"EMFILE":                {Err: syscall.EMFILE},
	"EDQUOT after 30 bytes": {Err: syscall.EDQUOT, Bytes: 30},
	"EIO, but it was done":  {Err: syscall.EIO, Done: true},
}

// TestFaultPlan fails each call of the workload in turn, in each way; then the
// process dies, or the power is cut too, and the next one must find everything
// as it was promised.
func TestFaultPlan(t *testing.T) {
	t.Parallel()
	every := 7
	if long() {
		every = 1
	}
	var all tally
	tried, broken := 0, 0
	for name, fault := range faults {
		for k := 0; ; k++ {
			if (k+len(name))%every != 0 {
				continue
			}
			d := safeio.NewDisk()
			hit := safeio.Call{N: -1}
			d.Fault = func(c safeio.Call) safeio.Fault {
				if c.N != k {
					return safeio.Fault{}
				}
				hit = c
				return fault
			}
			p, err := start(d, 1, 0)
			if err != nil {
				p, err = start(d, 2, 0)
			}
			require.NoError(t, err, "%s at call %d", name, k)
			p.workload()
			if hit.N < 0 {
				break // the workload has no more calls
			}
			tried++
			if errors.Is(p.s.Err(), ErrBroken) {
				broken++
			}
			c := newCutter(1, 1, 1)
			history := fmt.Sprintf("; %s at call %d, %s %s", name, k, hit.Op, hit.Name)
			d.Replay(func(m *safeio.Moment) bool {
				if m.Last {
					c.try(m.Kill(), m.Marks, 1, history)
					c.try(m.Cut(0), m.Marks, 1, history+", then a power cut")
					c.try(m.Cut(uint64(k)), m.Marks, 1, history+", then another power cut")
				}
				return true
			})
			c.broken = append(c.broken, p.bad...)
			all.states += c.states
			all.acked += c.acked
			all.lost += c.lost
			all.again += c.again
			all.window += c.window
			all.broken = append(all.broken, c.broken...)
		}
	}
	report(t, &all)
	t.Logf("%d faults, of which %d left the store broken", tried, broken)
	assert.NotZero(t, broken)
}

// TestFaultsInRecovery fails each call of an Open in turn. Either it works all
// the same, or it says so and the next one works, and nothing was lost by it.
func TestFaultsInRecovery(t *testing.T) {
	t.Parallel()
	// The middle of the workload, after a crash and before another.
	var from []*safeio.Moment
	played(t, nil).Replay(func(m *safeio.Moment) bool {
		if m.Step%9 == 4 || m.Last {
			kept := *m
			kept.Freeze()
			from = append(from, &kept)
		}
		return true
	})
	var all tally
	failed := 0
	for i, m := range from {
		for name, fault := range faults {
			for k := 0; ; k++ {
				d := m.Cut(uint64(i))
				hit := false
				d.Fault = func(c safeio.Call) safeio.Fault {
					if c.N != k {
						return safeio.Fault{}
					}
					hit = true
					return fault
				}
				if !long() && (k+i)%9 != 0 {
					if k > 200 {
						break
					}
					continue
				}
				p, err := start(d, 2, 0)
				if err == nil && p.s.Recovery().Corrupt > 0 {
					all.broken = append(all.broken, fmt.Sprintf("a good file is taken for a damaged one; %s at call %d of the recovery at step %d", name, k, m.Step))
				}
				if !hit {
					require.NoError(t, err)
					break
				}
				if err != nil {
					failed++
				}
				history := fmt.Sprintf("; %s at call %d of the recovery at step %d", name, k, m.Step)
				c := newCutter(1, 1, 1)
				d.Replay(func(after *safeio.Moment) bool {
					if after.Last {
						c.try(after.Kill(), m.Marks, 1, history)
						c.try(after.Cut(uint64(k)), m.Marks, 1, history+", then a power cut")
					}
					return true
				})
				all.states += c.states
				all.acked += c.acked
				all.lost += c.lost
				all.again += c.again
				all.window += c.window
				all.broken = append(all.broken, c.broken...)
			}
		}
	}
	report(t, &all)
	t.Logf("%d recoveries failed", failed)
}

// harness is a process whose disk fails on demand.
type harness struct {
	*process
	disk  *safeio.Disk
	fault func(safeio.Call) safeio.Fault
}

func newHarness(t *testing.T, o Options) *harness {
	h := &harness{disk: safeio.NewDisk()}
	h.process = &process{mark: h.disk.Mark, later: time.Hour, now: day}
	h.disk.Fault = func(c safeio.Call) safeio.Fault {
		if h.fault != nil {
			return h.fault(c)
		}
		return safeio.Fault{}
	}
	o.Now = h.clock
	s, err := open(h.disk, o)
	require.NoError(t, err)
	h.s = s
	return h
}

// failing fails all calls of some kinds on names with a prefix.
func failing(err error, prefix string, ops ...safeio.Op) func(safeio.Call) safeio.Fault {
	return func(c safeio.Call) safeio.Fault {
		for _, op := range ops {
			if c.Op == op && strings.HasPrefix(c.Name, prefix) {
				return safeio.Fault{Err: err}
			}
		}
		return safeio.Fault{}
	}
}

func (h *harness) mail(to string) error {
	return spool.PutItems(context.Background(), h.s, strings.NewReader("x"), message(to, "x", to))
}

// TestFullDisk: 452 whenever something does not fit, nothing left behind, and
// no harm done.
func TestFullDisk(t *testing.T) {
	for _, op := range []safeio.Op{safeio.OpCreate, safeio.OpWrite, safeio.OpSync, safeio.OpRename} {
		for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT} {
			h := newHarness(t, Options{})
			require.NoError(t, h.mail("before@a.example"))
			h.fault = failing(no, "", op)
			err := h.mail("ok@a.example")
			assert.ErrorIs(t, err, spool.ErrFull, op)
			assert.Equal(t, 452, smtp.ReplyTo(err).Code)
			h.fault = nil
			require.NoError(t, h.s.Err(), "%s: the store works on", op)
			list, err := h.disk.ReadDir(shardPath(0))
			require.NoError(t, err)
			assert.Len(t, list, 1, op)
			require.NoError(t, h.mail("ok@a.example"))
			require.NoError(t, h.drain())
			assert.Empty(t, h.bad)
		}
	}
	h := newHarness(t, Options{})
	h.fault = failing(syscall.ENOSPC, "", safeio.OpAllocate)
	_, err := h.s.Begin(t.Context(), 5<<20)
	assert.ErrorIs(t, err, spool.ErrFull, "a large body is refused before it comes")
	h.fault = failing(syscall.EMFILE, queueDir, safeio.OpCreate)
	assert.ErrorIs(t, h.mail("ok@a.example"), spool.ErrBusy, "no descriptors are no lack of space")
}

// TestReserve: mail is refused that would leave less free than the reserve, and
// outcomes and bounces are not.
func TestReserve(t *testing.T) {
	h := newHarness(t, Options{ReserveBytes: 1000, ReserveInodes: 10})
	require.NoError(t, h.mail("fail@a.example"))
	for _, free := range []safeio.Space{{Bytes: 999, Inodes: -1}, {Bytes: -1, Inodes: 10}} {
		h.disk.Free = free
		_, err := h.s.Begin(t.Context(), 0)
		assert.ErrorIs(t, err, spool.ErrFull)
	}
	h.disk.Free = safeio.Space{Bytes: 5000, Inodes: 100}
	_, err := h.s.Begin(t.Context(), 4001)
	assert.ErrorIs(t, err, spool.ErrFull, "the declared size counts")
	w, err := h.s.Begin(t.Context(), 0)
	require.NoError(t, err)
	h.disk.Free.Bytes = 500
	_, err = w.Write(make([]byte, checkEvery))
	assert.ErrorIs(t, err, spool.ErrFull, "what was not declared is noticed while it comes in")
	require.NoError(t, w.Abort())
	require.NoError(t, h.drain())
	assert.Empty(t, h.s.items)
	h.disk.Free = safeio.Space{Bytes: -1, Inodes: -1}
	require.NoError(t, h.mail("ok@a.example"), "a system that does not say")
}

// TestBrokenAfterFailedSync: a failed sync is not tried again, nothing is
// accepted or handed out any more, and opening again finds what is there.
func TestBrokenAfterFailedSync(t *testing.T) {
	for name, fault := range map[string]func(safeio.Call) safeio.Fault{
		"outcome": failing(syscall.EIO, queueDir, safeio.OpSync),
		"name":    failing(syscall.EIO, queueDir, safeio.OpSyncDir),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, Options{})
			require.NoError(t, spool.PutItems(t.Context(), h.s, strings.NewReader("x"), message("m", "x", "ok@a.example", "later@a.example")))
			c, err := h.s.Claim(t.Context(), spool.Query{})
			require.NoError(t, err)
			waiting := make(chan error, 1)
			go func() { waiting <- h.s.Wait(t.Context(), spool.Query{}) }()
			h.fault = fault
			if name == "outcome" {
				err = h.s.Settle(t.Context(), c[0].Lease, []spool.Outcome{{Rcpt: 0}, {Rcpt: 1, Next: h.now.Add(time.Hour)}})
			} else {
				err = h.mail("ok@b.example")
			}
			assert.ErrorIs(t, err, ErrBroken)
			assert.ErrorIs(t, err, syscall.EIO)
			assert.Equal(t, "451 4.3.0", smtp.ReplyTo(err).String()[:9])
			h.fault = nil
			syncs := 0
			h.fault = func(c safeio.Call) safeio.Fault {
				if c.Op == safeio.OpSync || c.Op == safeio.OpSyncDir {
					syncs++
				}
				return safeio.Fault{}
			}
			assert.ErrorIs(t, <-waiting, ErrBroken)
			_, err = h.s.Claim(t.Context(), spool.Query{})
			assert.ErrorIs(t, err, ErrBroken)
			assert.ErrorIs(t, h.mail("ok@c.example"), ErrBroken)
			assert.ErrorIs(t, h.s.Settle(t.Context(), c[0].Lease, nil), ErrBroken)
			assert.ErrorIs(t, h.s.Err(), ErrBroken)
			assert.Zero(t, syncs, "no second try")
			require.NoError(t, h.s.Close())
			h.s, err = open(h.disk, Options{Now: h.clock})
			require.NoError(t, err)
			require.NoError(t, h.s.Err())
			require.NoError(t, h.drain())
		})
	}
}

// TestNoRoomForOutcomes: what could not be written down is not delivered.
func TestNoRoomForOutcomes(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, h.mail("ok@a.example"))
	h.fault = failing(syscall.ENOSPC, queueDir, safeio.OpWrite)
	c, err := h.s.Claim(t.Context(), spool.Query{})
	assert.ErrorIs(t, err, spool.ErrFull)
	assert.Empty(t, c)
	h.fault = nil
	require.NoError(t, h.s.Err())
	h.pass(2 * postponed)
	c, err = h.s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	require.Len(t, c, 1)
	assert.Equal(t, 1, c[0].Due[0].Attempts, "what was not handed out does not count")

	// A Settle that finds no room did nothing, and may be called again.
	out := []spool.Outcome{{Next: h.now.Add(time.Hour)}}
	h.fault = failing(syscall.ENOSPC, queueDir, safeio.OpWrite)
	bounce := func() spool.Followup { return h.bounce(c[0].Item, 0) }
	assert.ErrorIs(t, h.s.Settle(t.Context(), c[0].Lease, out, bounce()), spool.ErrFull)
	h.fault = nil
	require.NoError(t, h.s.Err())
	assert.Len(t, h.s.items, 1, "the bounce was taken back")
	require.NoError(t, h.s.Settle(t.Context(), c[0].Lease, out, bounce()))
	assert.Len(t, h.s.items, 2)
}

// TestBusy: a Put is refused early when the peer would not hear its answer.
func TestBusy(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, h.mail("ok@0.example"))
	h.fault = func(c safeio.Call) safeio.Fault {
		if c.Op == safeio.OpSync || c.Op == safeio.OpSyncDir {
			h.pass(time.Second)
		}
		return safeio.Fault{}
	}
	require.NoError(t, h.mail("ok@a.example"))
	_, err := h.s.Begin(deadline{t.Context(), h.now.Add(time.Second)}, 0)
	assert.ErrorIs(t, err, spool.ErrBusy)
	assert.Equal(t, 451, smtp.ReplyTo(err).Code)
	w, err := h.s.Begin(deadline{t.Context(), h.now.Add(3 * time.Second)}, 0)
	require.NoError(t, err)
	_, err = io.WriteString(w, "x")
	require.NoError(t, err)
	err = w.Commit(deadline{t.Context(), h.now.Add(time.Second)}, message("b", "x", "ok@b.example"))
	assert.ErrorIs(t, err, spool.ErrBusy)
	require.NoError(t, w.Abort())
	assert.Len(t, h.s.items, 2)

	// Those who are refused do not keep it so for ever.
	h.fault = nil
	for range 50 {
		if err = spool.PutItems(deadline{t.Context(), h.now.Add(time.Second)}, h.s, strings.NewReader("x"), message("c", "x", "ok@c.example")); err == nil {
			break
		}
	}
	assert.NoError(t, err)
}

// deadline is a context whose end is by the clock of the test.
type deadline struct {
	context.Context
	at time.Time
}

func (d deadline) Deadline() (time.Time, bool) { return d.at, true }
