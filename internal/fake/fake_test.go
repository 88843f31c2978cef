package fake

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/memnet"
)

// echo is a protocol of one word and one answer, "+" ahead of what is asked for.
var echo = Protocol{
	Stage: func(u []byte) (string, string) {
		verb, arg, _ := strings.Cut(strings.TrimSpace(string(u)), " ")
		return verb, arg
	},
	Status: func(_, _, u []byte) Status {
		if bytes.HasPrefix(u, []byte("+")) {
			return Asks
		}
		return Over
	},
	Shown: func(command, u []byte, answer bool) string {
		if answer {
			return "[hidden]\r\n"
		}
		return string(u)
	},
	Upgrades: func(command, _ []byte) bool { return false },
	Last:     func(command, _ []byte) bool { return bytes.HasPrefix(command, []byte("QUIT")) },
}

// serveEcho is the real server.
func serveEcho(_ context.Context, c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	_, _ = io.WriteString(c, "hello\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "ASK") {
			_, _ = io.WriteString(c, "+ go\r\n")
			if line, err = r.ReadString('\n'); err != nil {
				return
			}
		}
		_, _ = fmt.Fprintf(c, "ok %s", line)
		if line == "QUIT\r\n" {
			return
		}
	}
}

// begin starts a fake and connects to it.
func begin(t *testing.T, change func(f *Fake)) (*Fake, net.Conn, *bufio.Reader) {
	t.Helper()
	f := &Fake{T: t, Protocol: echo, Serve: serveEcho}
	if change != nil {
		change(f)
	}
	f.Listen("echo.example.org:1")
	f.Start()
	c, err := f.Dial(t.Context(), "", "")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return f, c, bufio.NewReader(c)
}

// line says something, in lines that end in CRLF, and reads a line.
func line(t *testing.T, c net.Conn, r *bufio.Reader, say string) string {
	t.Helper()
	if say != "" {
		_, err := io.WriteString(c, strings.ReplaceAll(say, "\n", "\r\n"))
		require.NoError(t, err)
	}
	got, _ := r.ReadString('\n')
	return strings.ReplaceAll(got, "\r", "")
}

func TestFakePassesAllOn(t *testing.T) {
	f, c, r := begin(t, func(f *Fake) {
		f.Edit = func(u []byte) []byte { return bytes.ReplaceAll(u, []byte("x"), []byte("y")) }
	})
	assert.Equal(t, "hello\n", line(t, c, r, ""))
	assert.Equal(t, "ok NOOP y\n", line(t, c, r, "NOOP x\n"))
	assert.Equal(t, "+ go\n", line(t, c, r, "ASK\n"))
	assert.Equal(t, "ok secret\n", line(t, c, r, "secret\n"))
	assert.Equal(t, "ok QUIT\n", line(t, c, r, "QUIT\n"))
	_, err := r.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
	want := "S: hello\nC: NOOP x\nS: ok NOOP y\nC: ASK\nS: + go\nC: [hidden]\nS: ok secret\nC: QUIT\nS: ok QUIT\n"
	assert.Equal(t, want, f.Transcript())
	assert.NoError(t, f.Compare("x", "S: *\nC: NOOP *\nS: ok NOOP y\nC: ASK\nS: + go\nC: [hidden]\nS: ok secret\nC: QUIT\nS: ok QUIT\n"))
	assert.Error(t, f.Compare("x", "S: hello\nC: OTHER\n"))
	path := filepath.Join(t.TempDir(), "x.txt")
	f.Golden(path, true)
	f.Golden(path, false)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(b))
}

// Each fault does what it says, and no more often.
func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(x *Fault)
		want []string // answers to NOOP, one after the other
	}{
		"in place":    {func(x *Fault) { x.Output, x.Text, x.Left = Scripted, []byte("no\r\n"), 1 }, []string{"no\n", "ok NOOP 1\n"}},
		"refuses":     {func(x *Fault) { x.Output, x.Text, x.Refuses = Scripted, []byte("no\r\n"), true }, []string{"no\n", "no\n"}},
		"ahead":       {func(x *Fault) { x.Early, x.Left = []byte("early\r\n"), 1 }, []string{"early\n"}},
		"other":       {func(x *Fault) { x.Output, x.Text, x.Prefix = Scripted, []byte("no\r\n"), "2" }, []string{"ok NOOP 1\n", "ok NOOP 1\n"}},
		"prefix":      {func(x *Fault) { x.Output, x.Text, x.Prefix = Scripted, []byte("no\r\n"), "1" }, []string{"no\n"}},
		"used up":     {func(x *Fault) { x.Output, x.Text, x.Left = Scripted, []byte("no\r\n"), 0 }, []string{"ok NOOP 1\n"}},
		"half, drops": {func(x *Fault) { x.Output, x.Ending = Half, DropFIN }, []string{"ok NO", ""}},
		"first 3":     {func(x *Fault) { x.Output, x.N, x.Ending = First, 3, DropFIN }, []string{"ok ", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			f, c, r := begin(t, nil)
			f.On("NOOP").Set(tc.set)
			line(t, c, r, "")
			for i, want := range tc.want {
				say := "NOOP 1\n"
				if want == "" && i > 0 {
					say = ""
				}
				assert.Equal(t, want, line(t, c, r, say))
			}
		})
	}
	f, c, r := begin(t, nil)
	f.On("NOOP").End(DropRST)
	line(t, c, r, "")
	assert.Empty(t, line(t, c, r, "NOOP\n"))
	f, c, r = begin(t, func(f *Fake) { f.On(Connect).End(DropFIN) })
	assert.Empty(t, line(t, c, r, ""))
	assert.NotNil(t, f)
}

// Delay and Stall take their time, which in a bubble is none.
func TestFaultsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c, r := begin(t, nil)
		f.On("NOOP").Set(func(x *Fault) { x.Delay = time.Hour })
		f.On("WAIT").End(Stall)
		begun := time.Now()
		line(t, c, r, "")
		assert.Equal(t, "ok NOOP\n", line(t, c, r, "NOOP\n"))
		assert.Equal(t, time.Hour, time.Since(begun))
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
		assert.Empty(t, line(t, c, r, "WAIT\n"))
		assert.Equal(t, 2*time.Hour, time.Since(begun))
	})
}

// The hooks count what the server waits for.
func TestAskedAndAnswered(t *testing.T) {
	var mu sync.Mutex
	var got []string
	note := func(what string) func(string) {
		return func(stage string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, what+stage)
		}
	}
	_, c, r := begin(t, func(f *Fake) { f.Asked, f.Answered = note("+"), note("-") })
	line(t, c, r, "")
	line(t, c, r, "ASK\n")
	line(t, c, r, "x\n")
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"+ASK", "-ASK"}, got)
}

// Drop ends every connection, also one that waits.
func TestDrop(t *testing.T) {
	f, c, r := begin(t, nil)
	line(t, c, r, "")
	other, err := f.Dial(t.Context(), "", "")
	require.NoError(t, err)
	defer other.Close()
	_, err = bufio.NewReader(other).ReadString('\n')
	require.NoError(t, err)
	f.Drop()
	assert.Empty(t, line(t, c, r, ""))
	assert.Contains(t, f.Transcript(), "# connection 2")
	assert.Error(t, f.Compare("x", ""), "of two none can be compared")
}

// A feed gives units as they come, in whatever pieces, and loses nothing to who
// takes over.
func TestFeed(t *testing.T) {
	near, far := memnet.Pair(memnet.Addr("a"), memnet.Addr("b"))
	defer near.Close()
	defer far.Close()
	var mu sync.Mutex
	f := &Feed{Cond: sync.NewCond(&mu), Cut: Line}
	f.Start(near)
	go func() {
		for _, b := range []byte("one\ntwo\nthr") {
			_, _ = far.Write([]byte{b})
		}
	}()
	unit := func() string {
		mu.Lock()
		defer mu.Unlock()
		for {
			if u, ok := f.Unit(); ok {
				return string(u)
			}
			f.Cond.Wait()
		}
	}
	assert.Equal(t, "one\n", unit())
	assert.Equal(t, "two\n", unit())
	mu.Lock()
	for len(f.Buf) < 3 {
		f.Cond.Wait()
	}
	assert.False(t, f.HasUnit())
	mu.Unlock()
	f.Pause()
	_, err := io.WriteString(far, "ee\n")
	require.NoError(t, err)
	f.Start(near)
	assert.Equal(t, "three\n", unit())
	near.Close()
	f.Stop()
	mu.Lock()
	defer mu.Unlock()
	_, ok := f.Unit()
	assert.False(t, ok)
	assert.Error(t, f.Err)
}
