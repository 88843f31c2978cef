package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// envProgram makes the test binary the program itself.
const envProgram = "POSTILION_MAILSERVER"

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// long reports that counts are to be run whole.
func long() bool { return os.Getenv("POSTILION_LONG") == "1" }

// process is the server as a process of its own, which can be killed and started
// again in the same directory and on the same ports.
type process struct {
	world
	args   []string
	stderr *os.File
	cmd    *exec.Cmd
}

// newProcess chooses the ports. They are below those that a system gives to
// connections: a client that dials a port where nobody listens might else be
// given that port, and be connected to itself.
func newProcess(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{world: world{t: t, dir: dir, addr: make(map[string]string)}}
	for _, s := range services {
		l := listenLow(t)
		p.addr[s.name] = l.Addr().String()
		defer l.Close()
	}
	p.args = append([]string{"-dir", p.dir, "-hostname", "mail.hamburger.edu", "-domain", "hamburger.edu"}, args...)
	for name, addr := range p.addr {
		p.args = append(p.args, "-"+name, addr)
	}
	var err error
	p.stderr, err = os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	t.Cleanup(func() { p.kill(); p.stderr.Close() })
	return p
}

// memoryDir is a directory in memory, where the system has that at the usual
// place: for tests that ask nothing of the disk.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mailserver")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listenLow(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000))); err == nil {
			return l
		}
	}
	t.Fatal("no port is free")
	return nil
}

// start waits until the server says that it is ready.
func (p *process) start() {
	p.t.Helper()
	line, _ := bufio.NewReader(p.begin()).ReadString('\n')
	require.True(p.t, strings.HasPrefix(line, "ready "), "%s%s", line, p.said())
}

// begin does not wait.
func (p *process) begin() (out io.Reader) {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(os.Environ(), envProgram+"=1")
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Start())
	return out
}

// kill is SIGKILL: the process can do nothing about it.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.cmd = nil
}

// end asks the process to end, which it does by itself, and well.
func (p *process) end() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	err, said := p.cmd.Wait(), p.said()
	p.cmd = nil
	assert.NoError(p.t, err, "it ends cleanly; it said last: %s", said[max(0, len(said)-2000):])
	assert.False(p.t, strings.Contains(said, "panic") || strings.Contains(said, "DATA RACE"))
}

// said is what it wrote to standard error, or the last of it.
func (p *process) said() string {
	info, err := p.stderr.Stat()
	require.NoError(p.t, err)
	b, err := io.ReadAll(io.NewSectionReader(p.stderr, max(0, info.Size()-1<<20), 1<<20))
	require.NoError(p.t, err)
	return string(b)
}

// resident is the most memory that the process ever had, in bytes; 0 where the
// system does not tell.
func (p *process) resident() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kilobytes int64
	fmt.Sscan(rest, &kilobytes)
	return kilobytes << 10
}
