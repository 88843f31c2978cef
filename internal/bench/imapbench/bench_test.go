// Package imapbench measures the IMAP server beside others, with one client for
// all, and compares what they say.
package imapbench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"github.com/postilion-mail/postilion/internal/bench/dovecot"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// benchText is a message of 4 KB with two parts.
func benchText(i int) []byte {
	line := strings.Repeat("Hello Joe, do you think we can meet?\r\n", 45)
	return fmt.Appendf(nil, "Received: from a.example by b.example; Mon, 7 Feb 1994 21:52:25 -0800\r\nDate: Mon, 7 Feb 1994 21:52:%02d -0800\r\nFrom: Fred Foobar <foobar@blurdybloop.example>\r\n"+
		"To: Joe <mooch@owatagu.siam.edu.example>, b@c.example\r\nSubject: afternoon meeting %d\r\nMessage-Id: <%d@blurdybloop.example>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>%s</p>\r\n--b1--\r\n",
		i%60, i, i, line, line)
}

// server is one of those that are measured.
type server struct {
	name string
	// start serves an account of n messages of benchText.
	start func(t testing.TB, n int) (addr string)
}

// servers are ours and those beside it. Dovecot and we over a Maildir are run
// on the same file system.
var servers = []server{
	{"postilion/memory", startMemory},
	{"go-imap/memory", startGoIMAP},
	{"postilion/maildir", startMaildir},
	{"dovecot/maildir", startDovecot},
}

func startMemory(t testing.TB, n int) string {
	store := &memory.Store{User: "bob", MaxBytes: -1, MaxMessages: -1}
	mb, err := mailbox.OpenName(context.Background(), store, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b := benchText(i)
		if _, err := mb.Append(context.Background(), mailbox.One(&mailbox.Incoming{Body: bytes.NewReader(b), Size: int64(len(b))})); err != nil {
			t.Fatal(err)
		}
	}
	return ourServer(t, store)
}

func startGoIMAP(t testing.TB, n int) string {
	mem := imapmemserver.New()
	user := imapmemserver.NewUser("bob", dovecot.Password)
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := user.Append("INBOX", bytes.NewReader(benchText(i)), &goimap.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mem.AddUser(user)
	s := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		InsecureAuth: true,
		Caps:         goimap.CapSet{goimap.CapIMAP4rev1: {}, goimap.CapIMAP4rev2: {}},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// fillMaildir writes bob's messages as a delivery agent does.
func fillMaildir(t testing.TB, dir string, n int) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "bob", sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := fmt.Sprintf("%d.M%06dP1.host:2,", 1700000000+i, i)
		if err := os.WriteFile(filepath.Join(dir, "bob", "cur", name), bytes.ReplaceAll(benchText(i), []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func startMaildir(t testing.TB, n int) string {
	dir, err := os.MkdirTemp("", "imapbench")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fillMaildir(t, dir, n)
	tree, err := maildir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := tree.Open(context.Background(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	return ourServer(t, store)
}

func startDovecot(t testing.TB, n int) string {
	d := dovecot.Start(t)
	fillMaildir(t, d.Mail, n)
	d.Give(t)
	return d.IMAP
}

// counts is how many messages; POSTILION_LONG measures 100,000 too.
func counts() []int {
	if os.Getenv("POSTILION_LONG") != "" {
		return []int{10_000, 100_000}
	}
	return []int{10_000}
}

// drain is a client that costs little: it looks at the first octets of each line
// alone.
type drain struct {
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *drain {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	d := &drain{c, bufio.NewReaderSize(c, 256<<10)}
	if _, err := d.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	d.do(t, "x LOGIN bob "+dovecot.Password)
	d.do(t, "x SELECT INBOX")
	return d
}

// do sends a command tagged x and reads up to its reply. It returns how many
// untagged responses began.
func (d *drain) do(t testing.TB, command string) (untagged int) {
	if _, err := io.WriteString(d, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	for whole := true; ; {
		l, err := d.r.ReadSlice('\n')
		begins := whole
		if whole = err == nil; err != nil && err != bufio.ErrBufferFull {
			t.Fatal(err)
		}
		switch {
		case !begins:
		case bytes.HasPrefix(l, []byte("* ")):
			untagged++
		case bytes.HasPrefix(l, []byte("x ")):
			if !bytes.HasPrefix(l, []byte("x OK")) {
				t.Fatalf("%.100s: %s", command, l)
			}
			return untagged
		}
	}
}

// works are what is measured: commands, and how many responses each has for each
// message.
var works = []struct {
	name     string
	commands []string
	each     bool
}{
	{"FetchFlags", []string{"x FETCH 1:* FLAGS"}, true},
	{"FetchStructure", []string{"x FETCH 1:* (ENVELOPE BODYSTRUCTURE)"}, true},
	{"FetchBody", []string{"x FETCH 1:* BODY.PEEK[]"}, true},
	{"SearchText", []string{"x SEARCH TEXT nothing"}, false},
	{"SearchSubject", []string{"x SEARCH SUBJECT nothing"}, false},
	{"Store", []string{`x STORE 1:* +FLAGS (\Flagged)`, `x STORE 1:* -FLAGS (\Flagged)`}, true},
}

// BenchmarkServers has one line for each work and each server: what a client
// waits for it.
func BenchmarkServers(b *testing.B) {
	for _, n := range counts() {
		for _, s := range servers {
			b.Run(fmt.Sprintf("%d/%s", n, s.name), func(b *testing.B) {
				addr := s.start(b, n)
				for _, w := range works {
					b.Run(w.name, func(b *testing.B) {
						c := dial(b, addr)
						run := func() {
							for _, command := range w.commands {
								if got := c.do(b, command); w.each && got < n {
									b.Fatalf("%s: %d responses", command, got)
								}
							}
						}
						run() // warm
						for b.Loop() {
							run()
						}
					})
				}
			})
		}
	}
}

// BenchmarkCold fetches structures of a mailbox of which nobody has asked for any
// before.
func BenchmarkCold(b *testing.B) {
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				c := dial(b, s.start(b, 10_000))
				b.StartTimer()
				c.do(b, "x FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
			}
		})
	}
}

// BenchmarkTen fetches envelopes by ten connections at once.
func BenchmarkTen(b *testing.B) {
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) {
			addr := s.start(b, 10_000)
			var conns []*drain
			for range 10 {
				conns = append(conns, dial(b, addr))
			}
			conns[0].do(b, "x FETCH 1:* ENVELOPE") // warm
			for b.Loop() {
				var wg sync.WaitGroup
				for _, c := range conns {
					wg.Go(func() { c.do(b, "x FETCH 1:* ENVELOPE") })
				}
				wg.Wait()
			}
		})
	}
}

// BenchmarkAppend appends one message after the other.
func BenchmarkAppend(b *testing.B) {
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) {
			c := dial(b, s.start(b, 1))
			text := string(benchText(1))
			for b.Loop() {
				if _, err := fmt.Fprintf(c, "x APPEND INBOX {%d}\r\n", len(text)); err != nil {
					b.Fatal(err)
				}
				for l := []byte(nil); !bytes.HasPrefix(l, []byte("+")); {
					var err error
					if l, err = c.r.ReadSlice('\n'); err != nil {
						b.Fatal(err)
					}
				}
				c.do(b, text)
			}
		})
	}
}

// TestClientOfGoIMAP lets the client of go-imap do what clients do.
func TestClientOfGoIMAP(t *testing.T) {
	c, err := imapclient.DialInsecure(startMemory(t, 20), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check("login", c.Login("bob", dovecot.Password).Wait())
	box, err := c.Select("INBOX", nil).Wait()
	check("select", err)
	if box.NumMessages != 20 {
		t.Fatalf("%d messages", box.NumMessages)
	}
	check("create", c.Create("Work/2024", nil).Wait())
	list, err := c.List("", "*", &goimap.ListOptions{ReturnStatus: &goimap.StatusOptions{NumMessages: true}}).Collect()
	check("list", err)
	if len(list) != 2 {
		t.Errorf("%d mailboxes", len(list))
	}
	set := goimap.SeqSetNum(1, 2, 3)
	msgs, err := c.Fetch(set, &goimap.FetchOptions{UID: true, Envelope: true, BodyStructure: &goimap.FetchItemBodyStructure{Extended: true},
		BodySection: []*goimap.FetchItemBodySection{{Part: []int{2}, Peek: true}}}).Collect()
	check("fetch", err)
	if len(msgs) != 3 || msgs[0].Envelope.Subject != "afternoon meeting 0" || len(msgs[0].BodySection) != 1 {
		t.Errorf("%+v", msgs)
	}
	check("store", c.Store(set, &goimap.StoreFlags{Op: goimap.StoreFlagsAdd, Flags: []goimap.Flag{goimap.FlagSeen}}, nil).Close())
	data, err := c.Search(&goimap.SearchCriteria{Flag: []goimap.Flag{goimap.FlagSeen}}, &goimap.SearchOptions{ReturnAll: true, ReturnCount: true}).Wait()
	check("search", err)
	if data.Count != 3 {
		t.Errorf("%d seen", data.Count)
	}
	move, err := c.Move(set, "Work/2024").Wait()
	check("move", err)
	if move.UIDValidity == 0 {
		t.Error("no COPYUID")
	}
	text := benchText(1)
	add := c.Append("Work/2024", int64(len(text)), &goimap.AppendOptions{Flags: []goimap.Flag{goimap.FlagDraft}})
	_, _ = add.Write(text)
	check("append", add.Close())
	added, err := add.Wait()
	check("append", err)
	if added.UID != 4 {
		t.Errorf("UID %d", added.UID)
	}
	wait, err := c.Idle()
	check("idle", err)
	check("idle", wait.Close())
	check("idle", wait.Wait())
	check("logout", c.Logout().Wait())
}

// childEnv makes the test binary serve instead of testing, so that its memory is
// that of a server and nothing else.
const childEnv = "IMAPBENCH_SERVER"

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	for _, s := range servers {
		if s.name == name {
			child(s)
		}
	}
}

// forever is the test of a process that serves until it is killed.
type forever struct{ testing.TB }

func (forever) Cleanup(func()) {}
func (forever) Helper()        {}

// child prints its address and then, for each line of input, its resident
// memory after a garbage collection.
func child(s server) {
	fmt.Println(s.start(forever{}, 3))
	b := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(b); err != nil {
			return
		}
		debug.FreeOSMemory()
		debug.FreeOSMemory()
		fmt.Println(resident())
	}
}

func resident() int {
	b, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// BenchmarkIdle measures what a connection in IDLE adds to the resident memory
// of a server that runs in a process of its own: a 2,000th of what 2,000 add.
func BenchmarkIdle(b *testing.B) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		b.Skip("no /proc")
	}
	const n = 2000
	for _, name := range []string{"postilion/memory", "go-imap/memory"} {
		b.Run(strings.TrimSuffix(name, "/memory"), func(b *testing.B) {
			for b.Loop() {
				addr, ask := process(b, name)
				idle(b, addr, 50) // pools and tables are there
				before := ask()
				idle(b, addr, n)
				b.ReportMetric(float64(ask()-before)/n, "B/conn")
			}
		})
	}
}

// process starts a server in a process that ends with the benchmark. ask gives
// its resident memory.
func process(b *testing.B, name string) (addr string, ask func() (bytes int)) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name)
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
	if _, err := fmt.Fscan(out, &addr); err != nil {
		b.Fatal(err)
	}
	return addr, func() (bytes int) {
		_, _ = io.WriteString(in, "x")
		_, _ = fmt.Fscan(out, &bytes)
		return bytes
	}
}

// idle brings n connections into IDLE, where they stay.
func idle(t testing.TB, addr string, n int) {
	t.Helper()
	for range n {
		l := dialLines(t, addr, 4<<10)
		l.do(t, "LOGIN bob "+dovecot.Password)
		l.do(t, "SELECT INBOX")
		if _, err := io.WriteString(l.conn, "x IDLE\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.r.ReadByte(); err != nil {
			t.Fatal(err)
		}
	}
}
