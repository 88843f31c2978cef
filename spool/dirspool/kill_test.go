package dirspool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool"
)

// The helper process finds its directory and its number here.
const (
	envDir    = "POSTILION_DIRSPOOL_DIR"
	envNumber = "POSTILION_DIRSPOOL_NUMBER"
)

// TestHelperProcess is the process that is killed. It puts and delivers as fast
// as it can and says on its output what it said to others; each line is one
// write, so that what was written before the kill is whole.
func TestHelperProcess(t *testing.T) {
	dir := os.Getenv(envDir)
	if dir == "" {
		t.Skip("this is for TestKill")
	}
	fmt.Fprintln(os.Stdout, "begin")
	s, err := Open(dir, Options{MaxCrashes: -1, ReserveBytes: -1, perShard: 50})
	require.NoError(t, err)
	fmt.Fprintln(os.Stdout, "open", s.Recovery().Corrupt)
	p := &process{s: s, mark: say, later: 20 * time.Millisecond}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s-%d-%d", os.Getenv(envNumber), w, i)
				body := bodyOf(name, 100+i%7*9000)
				if err := p.put(body, message(name, body, "ok@a.example", "fail@b.example", "later@c.example")); err != nil {
					say(err)
				}
			}
		})
		wg.Go(func() {
			for {
				n, err := p.work(3)
				if err != nil {
					say(err)
				}
				if n == 0 {
					s.Wait(context.Background(), spool.Query{})
				}
				for _, b := range p.bad {
					say(errors.New(b))
				}
			}
		})
	}
	wg.Wait()
}

// say writes a mark.
func say(mark any) {
	line := ""
	switch m := mark.(type) {
	case acked:
		line = fmt.Sprintf("acked %s", m.id)
	case handed:
		line = fmt.Sprintf("handed %s %d", m.key.id, m.key.rcpt)
	case ended:
		line = fmt.Sprintf("ended %s %d", m.key.id, m.key.rcpt)
	case bounced:
		line = fmt.Sprintf("bounced %s %d %s", m.of.id, m.of.rcpt, m.by.id)
	case error:
		line = "error " + strings.ReplaceAll(m.Error(), "\n", " ")
	default:
		return
	}
	io.WriteString(os.Stdout, line+"\n")
}

// hear is say the other way round.
func hear(line string) (mark any, err error) {
	var word string
	var a, b spool.ID
	var n int
	fmt.Sscan(line, &word, &a, &n, &b)
	switch word {
	case "acked":
		return acked{a}, nil
	case "handed":
		return handed{delivery{a, n}}, nil
	case "ended":
		return ended{delivery{a, n}}, nil
	case "bounced":
		return bounced{delivery{a, n}, delivery{b, 0}}, nil
	case "error":
		return nil, errors.New(line)
	}
	return nil, nil
}

// killed runs a helper for a while, and gives the marks that it left.
func killed(t *testing.T, dir string, number int, rnd *rand.Rand) (marks []any, opened bool) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$", "-test.v")
	cmd.Env = append(os.Environ(), envDir+"="+dir, fmt.Sprintf("%s=%d", envNumber, number))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	in := bufio.NewScanner(out)
	kill := func() { cmd.Process.Kill() }
	early := rnd.IntN(4) == 0 // in the recovery
	for in.Scan() {
		line := in.Text()
		switch {
		case line == "begin" && early:
			time.AfterFunc(time.Duration(rnd.IntN(8000))*time.Microsecond, kill)
		case strings.HasPrefix(line, "open "):
			opened = true
			if !early {
				time.AfterFunc(time.Duration(1+rnd.IntN(300))*time.Millisecond, kill)
			}
			assert.Equal(t, "open 0", line, "a crash made files that count as damaged")
		case strings.Contains(line, "FAIL"):
			t.Errorf("helper %d: %s", number, line)
		}
		mark, err := hear(line)
		assert.NoError(t, err, "helper %d", number)
		if mark != nil {
			marks = append(marks, mark)
		}
	}
	cmd.Wait()
	return marks, opened
}

// TestKill kills a process with SIGKILL again and again while it puts, delivers
// and recovers, then delivers what is left. What the kernel has survives that,
// so it proves nothing of syncs; it does of everything else, with a real file
// system.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 10
	if long() {
		rounds = 200
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var marks []any
	opened := 0
	for number := range rounds {
		got, ok := killed(t, dir, number, rnd)
		marks = append(marks, got...)
		if ok {
			opened++
		}
	}
	var mu sync.Mutex
	s, err := Open(dir, Options{MaxCrashes: -1, ReserveBytes: -1, perShard: 50})
	require.NoError(t, err)
	assert.Zero(t, s.Recovery().Corrupt)
	p := &process{s: s, later: time.Nanosecond, mark: func(m any) {
		mu.Lock()
		defer mu.Unlock()
		marks = append(marks, m)
	}}
	drainNow(t, p)
	require.NoError(t, s.Close())
	assert.Empty(t, p.bad)
	all := tally{states: rounds}
	want := map[spool.ID][]string{}
	for _, m := range marks {
		if a, ok := m.(acked); ok {
			want[a.id] = []string{"ok", "fail", "later"}
		}
	}
	all.judge(marks, want, func() string { return "" })
	report(t, &all)
	t.Logf("%d kills, %d of them after the recovery", rounds, opened)
	assert.NotZero(t, all.acked)
	left, err := os.ReadDir(dir + "/" + corruptDir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// drainNow delivers all there is by the real clock.
func drainNow(t *testing.T, p *process) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				n, err := p.work(20)
				if !assert.NoError(t, err) {
					return
				}
				p.s.mu.Lock()
				empty := len(p.s.items) == 0
				p.s.mu.Unlock()
				if n == 0 && empty {
					return
				}
				if n == 0 {
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					p.s.Wait(ctx, spool.Query{})
					cancel()
				}
			}
		})
	}
	wg.Wait()
}
