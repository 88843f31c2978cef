package pop3bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/internal/bench/dovecot"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// The server runs in a process of its own, as Dovecot does: the test binary
// starts itself with the directory of the Maildirs in this variable.
const serverEnv = "POP3BENCH_DIR"

// inMemory stands in the place of a directory for mail that is nowhere else.
const inMemory = "memory"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		serve(dir)
		return
	}
	os.Exit(m.Run())
}

// serve serves until its input ends. For each line of input it collects garbage
// and prints its resident bytes.
func serve(dir string) {
	if os.Getenv(profileEnv) != "" {
		runtime.MemProfileRate = 64
	}
	open := func(_ context.Context, user string) (mailbox.Store, error) { return &memory.Store{User: user}, nil }
	if dir != inMemory {
		tree, err := maildir.Open(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		open = tree.Open
	}
	s := &pop3.Server{
		Auth: &sasl.Authenticator{Password: func(_ context.Context, _ sasl.Login, password string) error {
			if password != dovecot.Password {
				return sasl.ErrCredentials
			}
			return nil
		}},
		InsecureAuth: true, Open: open, KeepUnseen: true,
		Limits: pop3.Limits{Conns: -1, ConnsPerIP: -1},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if name := os.Getenv(cpuEnv); name != "" {
		if f, err := os.Create(name); err == nil {
			_ = pprof.StartCPUProfile(f)
			defer pprof.StopCPUProfile()
		}
	}
	go s.Serve(l)
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		for range 3 { // stacks shrink by half with each
			runtime.GC()
		}
		debug.FreeOSMemory()
		fmt.Println(resident())
		profile()
	}
}

// cpuEnv names a file for a profile of the server's CPU.
const cpuEnv = "POP3BENCH_CPU"

// profileEnv names a file for a profile of the heap at the last measurement.
const profileEnv = "POP3BENCH_PROFILE"

func profile() {
	name := os.Getenv(profileEnv)
	if name == "" {
		return
	}
	if f, err := os.Create(name); err == nil {
		_ = pprof.WriteHeapProfile(f)
		f.Close()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(os.Stderr, "heap", m.HeapAlloc, "in use", m.HeapInuse, "stacks", m.StackInuse, "goroutines", runtime.NumGoroutine())
	}
}

// resident is the process's RSS in bytes.
func resident() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}

// child is our server's process.
type child struct {
	addr string
	in   io.Writer
	out  *bufio.Reader
}

func start(b *testing.B, dir string) *child {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	c := &child{in: in, out: bufio.NewReader(out)}
	c.addr = c.line(b)
	return c
}

func (c *child) line(b *testing.B) string {
	s, err := c.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(s)
}

func (c *child) memory(b *testing.B) int64 {
	fmt.Fprintln(c.in)
	n, err := strconv.ParseInt(c.line(b), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// fill makes a Maildir of a user, by our own store.
func fill(b *testing.B, dir, user string, messages, size int) {
	b.Helper()
	tree, err := maildir.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer tree.Close()
	if err := tree.Create(user); err != nil {
		b.Fatal(err)
	}
	store, err := tree.Open(b.Context(), user)
	if err != nil {
		b.Fatal(err)
	}
	defer mailbox.Close(store)
	m, err := mailbox.OpenName(b.Context(), store, mailbox.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	text := "From: a@crepes.fr\r\nTo: b@hamburger.edu\r\nSubject: x\r\n\r\n"
	text += strings.Repeat("The quick brown fox. It jumps over the lazy dog, and then some.\r\n", (size-len(text))/66)
	_, err = m.Append(b.Context(), func(yield func(*mailbox.Incoming, error) bool) {
		for range messages {
			if !yield(&mailbox.Incoming{Body: strings.NewReader(text)}, nil) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Changes(b.Context(), 0); err != nil { // there is an index from now on
		b.Fatal(err)
	}
}

// download fetches everything, by our client, and gives the octets.
func download(b *testing.B, addr, user string) (octets int64) {
	c := &pop3.Client{Addr: addr, TLS: pop3.TLSNone, Auth: &sasl.Credentials{User: user, Password: dovecot.Password, Cleartext: true}}
	conn, err := c.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	list, err := conn.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for d, err := range conn.Fetch(b.Context(), list) {
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, d.Body)
		if err != nil {
			b.Fatal(err)
		}
		octets += n
	}
	if err := conn.Quit(b.Context()); err != nil {
		b.Fatal(err)
	}
	return octets
}

// BenchmarkRetrieve downloads the same mail from both servers, turn by turn,
// with login and all, on the same file system.
func BenchmarkRetrieve(b *testing.B) {
	for _, bc := range []struct {
		name           string
		messages, size int
	}{
		{"1000x10KB", 1000, 10 << 10},
		{"1x50MB", 1, 50 << 20},
	} {
		b.Run(bc.name, func(b *testing.B) {
			theirs := dovecot.Start(b)
			fill(b, theirs.Mail, "bob", bc.messages, bc.size)
			ourDir := filepath.Join(filepath.Dir(theirs.Mail), "ours")
			if err := os.Mkdir(ourDir, 0o700); err != nil {
				b.Fatal(err)
			}
			fill(b, ourDir, "bob", bc.messages, bc.size)
			theirs.Give(b)
			ours := start(b, ourDir)
			addrs := []string{ours.addr, theirs.POP3}
			var spent [2]time.Duration
			var octets [2]int64
			for _, a := range addrs { // their caches are warm
				download(b, a, "bob")
			}
			b.ResetTimer()
			for range b.N {
				for i, a := range addrs {
					begun := time.Now()
					octets[i] += download(b, a, "bob")
					spent[i] += time.Since(begun)
				}
			}
			if octets[0] != octets[1] {
				b.Fatalf("%d octets from us, %d from them", octets[0], octets[1])
			}
			rate := func(i int) float64 { return float64(octets[i]) / 1e6 / spent[i].Seconds() }
			b.ReportMetric(rate(0), "ours-MB/s")
			b.ReportMetric(rate(1), "dovecot-MB/s")
			b.ReportMetric(rate(0)/rate(1), "ratio")
		})
	}
}

// BenchmarkIdle is what a session that waits costs, in the clear, after garbage
// collections: the difference of the resident memory over 2,000 sessions, each
// of another user, with their mail in memory (none) and in Maildirs.
func BenchmarkIdle(b *testing.B) {
	b.Run("memory", func(b *testing.B) { idle(b, inMemory) })
	b.Run("maildir", func(b *testing.B) {
		dir := b.TempDir()
		for i := range sessions {
			fill(b, dir, fmt.Sprint("user", i), 0, 1<<10)
		}
		b.ResetTimer()
		idle(b, dir)
	})
}

const sessions = 2000

// resting is how long a session has done nothing when it is measured: stores
// close what they do not need by then.
const resting = 12 * time.Second

func idle(b *testing.B, dir string) {
	for b.Loop() {
		c := start(b, dir)
		before := c.memory(b)
		var conns []net.Conn
		for i := range sessions {
			conns = append(conns, login(b, c.addr, fmt.Sprint("user", i)))
		}
		time.Sleep(resting)
		b.ReportMetric(float64(c.memory(b)-before)/sessions, "B/session")
		for _, nc := range conns {
			nc.Close()
		}
	}
}

// login leaves a session that waits for its next command.
func login(b *testing.B, addr, user string) net.Conn {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fprintf(nc, "USER %s\r\nPASS %s\r\n", user, dovecot.Password); err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(nc)
	for range 3 {
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "+OK") {
			b.Fatal(line, err)
		}
	}
	return nc
}
