package dirspool

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

// long is set for the long version of the tests.
func long() bool { return os.Getenv("POSTILION_LONG") == "1" }

// cutter cuts the power of a disk after each step, opens what is left, delivers
// it, and judges. It does the same with the disks that come of it, as deep as
// levels says.
type cutter struct {
	tally
	lie     func(p *process, c safeio.Call) bool // a sync that the disk only pretends to do
	levels  int
	seeds   int                         // of each moment
	pick    func(level, state int) bool // the states that are tried
	process uint64                      // number of the next one
	count   map[int]int                 // states by level
	kinds   map[spool.ID][]string
	stop    bool
}

// moments goes through the disk of a process that has come to its end.
func (c *cutter) moments(d *safeio.Disk, before []any, level int, history string) {
	d.Replay(func(m *safeio.Moment) bool {
		marks := append(slices.Clip(before), m.Marks...)
		for seed := range c.seeds {
			c.count[level]++
			if c.stop || !c.pick(level, c.count[level]) {
				continue
			}
			// One of the seeds is the death of the process alone.
			next := m.Kill
			if seed > 0 {
				next = func() *safeio.Disk { return m.Cut(uint64(c.states + seed - 1)) }
			}
			if seed <= 4 && seed > 0 {
				next = func() *safeio.Disk { return m.Cut(uint64(seed - 1)) }
			}
			c.try(next(), marks, level, fmt.Sprintf("%s; cut at step %d with seed %d", history, m.Step, seed))
		}
		return !c.stop
	})
}

// try lets the next process take over a disk.
func (c *cutter) try(d *safeio.Disk, marks []any, level int, history string) {
	c.states++
	c.process++
	at := new(*process)
	if c.lie != nil {
		d.Lie = func(call safeio.Call) bool { return c.lie(*at, call) }
	}
	p, err := start(d, c.process, level+1)
	*at = p
	if err == nil {
		err = p.drain()
	}
	if err != nil {
		c.broken = append(c.broken, fmt.Sprint(err, history))
		return
	}
	if n := p.s.Recovery().Corrupt; n > 0 {
		c.broken = append(c.broken, fmt.Sprintf("a crash made %d files that count as damaged", n)+history)
	}
	var mine []any
	d.Replay(func(m *safeio.Moment) bool { mine = m.Marks; return true })
	c.broken = append(c.broken, p.bad...)
	c.judge(append(slices.Clip(marks), mine...), c.kinds, func() string { return history })
	if level+1 < c.levels {
		c.moments(d, marks, level+1, history)
	}
}

func newCutter(levels, seeds, everySecond int) *cutter {
	return &cutter{levels: levels, seeds: seeds, process: 1, count: map[int]int{}, kinds: kinds(), pick: func(level, state int) bool {
		return level == 0 || state%everySecond == 0
	}}
}

// played is the workload on a disk of its own.
func played(t testing.TB, lie func(*process, safeio.Call) bool) *safeio.Disk {
	d := safeio.NewDisk()
	at := new(*process)
	if lie != nil {
		d.Lie = func(c safeio.Call) bool { return lie(*at, c) }
	}
	p, err := start(d, 1, 0)
	require.NoError(t, err)
	*at = p
	p.workload()
	require.Empty(t, p.bad)
	return d
}

// TestPowerCut is the proof of the promises in doc.go: after every step of the
// workload the power is cut, and after every step of what follows again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	c := newCutter(2, 8, 211)
	if long() {
		c = newCutter(3, 24, 11)
		c.pick = func(level, state int) bool { return level == 0 || level == 1 && state%101 == 0 || state%2003 == 0 }
	}
	c.moments(played(t, nil), nil, 0, "")
	report(t, &c.tally)
	assert.Greater(t, c.states, 1000)
	assert.NotZero(t, c.window, "a cut between a delivery and its Settle is among them")
}

func report(t *testing.T, c *tally) {
	t.Helper()
	for _, b := range c.broken[:min(len(c.broken), 5)] {
		t.Error(b)
	}
	assert.Empty(t, len(c.broken), "broken promises")
	t.Log(c)
}

// TestPowerCutTogether is the same with many at once, who share syncs.
func TestPowerCutTogether(t *testing.T) {
	t.Parallel()
	rounds := 1
	if long() {
		rounds = 40
	}
	var all tally
	for range rounds {
		d := safeio.NewDisk()
		p, err := start(d, 1, 0)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for i := range 4 {
					name := fmt.Sprintf("w%d-%d", w, i)
					p.put(bodyOf(name, 200), message(name, bodyOf(name, 200), "ok@a.example", "ok@b.example"))
					if w%2 == 0 {
						p.work(2)
					}
				}
			})
		}
		wg.Wait()
		require.Empty(t, p.bad)
		c := newCutter(1, 6, 1)
		c.moments(d, nil, 0, "")
		all.states += c.states
		all.acked += c.acked
		c.everyone(d)
		all.broken = append(all.broken, c.broken...)
		all.lost += c.lost
	}
	report(t, &all)
}

// everyone wants each message that was acknowledged, and not delivered since, to
// be on what is left of the disk in the worst case.
func (c *cutter) everyone(d *safeio.Disk) {
	d.Replay(func(m *safeio.Moment) bool {
		p, err := start(m.Cut(0), 2, 1)
		if err != nil {
			c.broken = append(c.broken, err.Error())
			return false
		}
		got := map[delivery]bool{}
		for _, mark := range m.Marks {
			if h, ok := mark.(handed); ok {
				got[h.key] = true // its Settle may have begun
			}
		}
		for _, mark := range m.Marks {
			a, ok := mark.(acked)
			if !ok {
				continue
			}
			c.acked++
			e := p.s.items[a.id]
			for i := range 2 {
				if !got[delivery{a.id, i}] && (e == nil || e.rcpts[i].done) {
					c.lost++
					c.broken = append(c.broken, fmt.Sprintf("recipient %d of %s is lost", i, a.id))
				}
			}
		}
		return true
	})
}

// TestTeeth: the test above fails when any kind of sync is taken away. One that
// stays green would prove nothing. What recovery syncs is needed where a process
// died first and the power went later.
func TestTeeth(t *testing.T) {
	t.Parallel()
	file := func(c safeio.Call, suffix string) bool {
		return c.Op == safeio.OpSync && strings.HasPrefix(c.Name, queueDir) && path.Ext(c.Name) == suffix
	}
	names := func(c safeio.Call) bool { return c.Op == safeio.OpSyncDir && path.Dir(c.Name) == queueDir }
	opening := func(p *process) bool { return p == nil }
	again := map[string]int{} // syncs of a directory by one recovery
	for name, lie := range map[string]func(p *process, c safeio.Call) bool{
		"of a new file":        func(_ *process, c safeio.Call) bool { return file(c, tmpSuffix) },
		"of an outcome":        func(p *process, c safeio.Call) bool { return file(c, "") && !opening(p) },
		"of the names in q/xx": func(p *process, c safeio.Call) bool { return names(c) && !opening(p) },
		"of a new directory":   func(_ *process, c safeio.Call) bool { return c.Op == safeio.OpSyncDir && c.Name == queueDir },
		"of the top":           func(_ *process, c safeio.Call) bool { return c.Op == safeio.OpSyncDir && c.Name == "." },
		"of VERSION":           func(_ *process, c safeio.Call) bool { return c.Op == safeio.OpSync && c.Name == versionName+tmpSuffix },
		"of q/xx, in recovery": func(p *process, c safeio.Call) bool { return names(c) && opening(p) },
		"of a follow-up taken back, in recovery": func(p *process, c safeio.Call) bool {
			if again[c.Name]++; !opening(p) {
				clear(again)
			}
			return names(c) && again[c.Name] > 1
		},
		"of an outcome, in recovery": func(p *process, c safeio.Call) bool { return file(c, "") && opening(p) },
	} {
		t.Run(name, func(t *testing.T) {
			// The death of the process, and the power cut that leaves nothing, are
			// enough for it.
			c := newCutter(2, 2, 6)
			c.lie = lie
			c.pick = func(level, state int) bool {
				c.stop = len(c.broken) > 0
				return level == 0 && (!strings.HasSuffix(name, "recovery") || state%2 == 1) || level == 1 && state%6 == 0
			}
			c.moments(played(t, lie), nil, 0, "")
			assert.NotEmpty(t, c.broken, "nothing was noticed in %d states", c.states)
			if len(c.broken) > 0 {
				t.Logf("after %d states: %s", c.states, c.broken[0])
			}
		})
	}
}
