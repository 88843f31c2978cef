package smtpbench

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const sessions = 10

var oneKB = strings.Repeat(strings.Repeat("x", 76)+"\r\n", 13)

// loader is one client connection.
type loader struct {
	net.Conn
	r *bufio.Reader
}

func dial(b *testing.B, addr string) *loader {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	l := &loader{c, bufio.NewReader(c)}
	l.reply(b)
	l.say(b, "EHLO bench.example\r\n", 1)
	return l
}

// reply reads one reply.
func (l *loader) reply(b *testing.B) {
	for {
		line, err := l.r.ReadSlice('\n')
		if err != nil {
			b.Error(err)
			return
		}
		if line[0] > '3' {
			b.Errorf("refused: %s", line)
		}
		if line[3] == ' ' {
			return
		}
	}
}

// say sends text in one packet and reads so many replies.
func (l *loader) say(b *testing.B, text string, replies int) {
	if _, err := io.WriteString(l, text); err != nil {
		b.Error(err)
		return
	}
	for range replies {
		l.reply(b)
	}
}

// byCommand sends a message the way smtp-source does: one command a packet.
func byCommand(b *testing.B, l *loader) {
	l.say(b, "MAIL FROM:<a@bench.example>\r\n", 1)
	l.say(b, "RCPT TO:<b@bench.example>\r\n", 1)
	l.say(b, "DATA\r\n", 1)
	l.say(b, oneKB+".\r\n", 1)
}

func pipelined(b *testing.B, l *loader) {
	l.say(b, "MAIL FROM:<a@bench.example>\r\nRCPT TO:<b@bench.example>\r\nDATA\r\n", 3)
	l.say(b, oneKB+".\r\n", 1)
}

// compare runs work against both servers, turn by turn, and reports the server
// CPU of each for one unit of work, and the ratio of the medians' sums.
func compare(b *testing.B, unit string, rounds int, work func(b *testing.B, addr string) (units float64)) {
	ours, theirs := startChild(b, "postilion"), startChild(b, "go-smtp")
	for range b.N {
		var cpu [2]float64
		var units float64
		for range rounds {
			for i, c := range []*child{ours, theirs} {
				before, _ := c.ask(b, "cpu")
				n := work(b, c.addr)
				after, _ := c.ask(b, "cpu")
				cpu[i] += after - before
				if i == 0 {
					units += n
				}
			}
		}
		b.ReportMetric(cpu[0]/units, "ours-cpu-s/"+unit)
		b.ReportMetric(cpu[1]/units, "go-smtp-cpu-s/"+unit)
		b.ReportMetric(cpu[0]/cpu[1], "ratio")
	}
}

// small sends messages of 1 KB over ten sessions and gives the thousands.
func small(send func(*testing.B, *loader)) func(*testing.B, string) float64 {
	const perSession = 500
	return func(b *testing.B, addr string) float64 {
		var wg sync.WaitGroup
		for range sessions {
			l := dial(b, addr)
			wg.Go(func() {
				defer l.Close()
				for range perSession {
					send(b, l)
				}
			})
		}
		wg.Wait()
		return sessions * perSession / 1000.0
	}
}

// source runs Postfix's load generator, if it is there.
func source(b *testing.B, addr string) float64 {
	const messages = 5000
	cmd := exec.Command("smtp-source", "-d", "-s", strconv.Itoa(sessions), "-l", "1024", "-m", strconv.Itoa(messages),
		"-f", "a@bench.example", "-t", "b@bench.example", "inet:"+addr)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return messages / 1000.0
}

func BenchmarkServerSmall(b *testing.B) {
	b.Run("smtp-source", func(b *testing.B) {
		if _, err := exec.LookPath("smtp-source"); err != nil {
			b.Skip("smtp-source is not installed")
		}
		compare(b, "1000msg", 5, source)
	})
	b.Run("command-a-packet", func(b *testing.B) { compare(b, "1000msg", 5, small(byCommand)) })
	b.Run("pipelined", func(b *testing.B) { compare(b, "1000msg", 5, small(pipelined)) })
}

func BenchmarkServerData(b *testing.B) {
	const size = 256 << 20
	block := bytes.Repeat([]byte(strings.Repeat("QUFB", 19)+"\r\n"), 64<<10/78)
	compare(b, "GB", 3, func(b *testing.B, addr string) float64 {
		l := dial(b, addr)
		defer l.Close()
		l.say(b, "MAIL FROM:<a@bench.example>\r\nRCPT TO:<b@bench.example>\r\nDATA\r\n", 3)
		sent := 0
		for ; sent < size; sent += len(block) {
			if _, err := l.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		l.say(b, ".\r\n", 1)
		return float64(sent) / 1e9
	})
}

// BenchmarkServerIdle counts the memory of a connection that has said EHLO.
func BenchmarkServerIdle(b *testing.B) {
	const conns = 2000
	for _, name := range []string{"postilion", "go-smtp"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				c := startChild(b, name)
				// The first connections pay for what all share.
				warm := make([]*loader, 50)
				for i := range warm {
					warm[i] = dial(b, c.addr)
				}
				_, before := c.ask(b, "memory")
				idle := make([]*loader, conns)
				for i := range idle {
					idle[i] = dial(b, c.addr)
				}
				_, after := c.ask(b, "memory")
				for _, l := range append(idle, warm...) {
					l.Close()
				}
				b.ReportMetric(float64(after-before)/conns, "B/conn")
			}
		})
	}
}
