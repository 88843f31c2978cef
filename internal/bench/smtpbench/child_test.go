package smtpbench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/postilion-mail/postilion/smtp"
)

// The servers run in a process of their own, so that what is counted is theirs
// alone: the test binary starts itself with the server's name in this variable.
const serverEnv = "SMTPBENCH_SERVER"

// profileEnv names a file; each server writes its CPU profile to it.
const profileEnv = "SMTPBENCH_PROFILE"

func TestMain(m *testing.M) {
	if name := os.Getenv(serverEnv); name != "" {
		serveChild(name)
		return
	}
	os.Exit(m.Run())
}

// serveChild serves until its input ends. For each line of input it collects
// garbage and prints its CPU seconds and resident bytes.
func serveChild(name string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if file := os.Getenv(profileEnv); file != "" {
		f, err := os.Create(file + "." + name)
		if err == nil {
			_ = pprof.StartCPUProfile(f)
			defer pprof.StopCPUProfile()
		}
	}
	go servers[name](l)
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var ru syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
		if in.Text() == "memory" {
			for range 3 { // stacks shrink by half with each
				runtime.GC()
			}
			debug.FreeOSMemory()
		}
		fmt.Println(time.Duration(ru.Utime.Nano()+ru.Stime.Nano()).Seconds(), resident())
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

var servers = map[string]func(net.Listener){
	"postilion": func(l net.Listener) {
		h := smtp.Handler{ // as much as session has
			Mail: func(context.Context, *smtp.Transaction) error { return nil },
			Rcpt: func(context.Context, *smtp.Transaction, *smtp.Recipient) error { return nil },
			Message: func(_ context.Context, _ *smtp.Transaction, body io.Reader) error {
				_, err := io.Copy(io.Discard, body)
				return err
			},
		}
		s := &smtp.Server{Handler: h, Limits: smtp.Limits{MessageBytes: -1, Conns: -1, ConnsPerIP: -1, Messages: -1}}
		_ = s.Serve(l)
	},
	"go-smtp": func(l net.Listener) {
		s := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return session{}, nil }))
		s.Domain = "localhost"
		s.MaxMessageBytes = 0
		_ = s.Serve(l)
	},
}

// session takes everything and drops it.
type session struct{}

func (session) Mail(string, *gosmtp.MailOptions) error { return nil }
func (session) Rcpt(string, *gosmtp.RcptOptions) error { return nil }
func (session) Data(r io.Reader) error                 { _, err := io.Copy(io.Discard, r); return err }
func (session) Reset()                                 {}
func (session) Logout() error                          { return nil }

// child is a server process.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func startChild(b *testing.B, name string) *child {
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), serverEnv+"="+name)
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.in.Close()
		_ = c.cmd.Wait()
	})
	line, err := c.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

// ask gives the CPU seconds used and the resident bytes; "memory" collects
// garbage first.
func (c *child) ask(b *testing.B, what string) (cpu float64, rss int64) {
	fmt.Fprintln(c.in, what)
	line, err := c.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &cpu, &rss); err != nil {
		b.Fatal(err)
	}
	return cpu, rss
}
