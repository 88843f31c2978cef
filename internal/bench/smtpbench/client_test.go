package smtpbench

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/postilion-mail/postilion/smtp"
)

// sink is a server that does as little as it can.
func sink(b *testing.B, keywords ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	ehlo := "250-sink\r\n"
	for _, k := range keywords {
		ehlo += "250-" + k + "\r\n"
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(c, ehlo+"250 SIZE\r\n")
		}
	}()
	return l.Addr().String()
}

func swallow(c net.Conn, ehlo string) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	w.WriteString("220 sink\r\n")
	for {
		if r.Buffered() == 0 {
			w.Flush()
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch line[0] {
		case 'E':
			w.WriteString(ehlo)
		case 'D':
			w.WriteString("354 go\r\n")
			w.Flush()
			for !bytes.Equal(line, []byte(".\r\n")) {
				if line, err = r.ReadSlice('\n'); err != nil {
					return
				}
			}
			w.WriteString("250 2.0.0 OK\r\n")
		case 'B':
			size, _, _ := strings.Cut(strings.TrimSpace(string(line[5:])), " ")
			n, _ := strconv.Atoi(size)
			if _, err := r.Discard(n); err != nil {
				return
			}
			w.WriteString("250 2.0.0 OK\r\n")
		default:
			w.WriteString("250 2.1.0 OK\r\n")
		}
	}
}

// BenchmarkClient sends 1 KB messages over one connection, turn by turn with
// both clients, and reports messages a second and their ratio.
func BenchmarkClient(b *testing.B) {
	for name, keywords := range map[string][]string{
		"chunking": {"PIPELINING", "CHUNKING", "8BITMIME"}, "no-chunking": {"PIPELINING", "8BITMIME"},
	} {
		b.Run(name, func(b *testing.B) {
			addr := sink(b, keywords...)
			ours, theirs := ourSender(b, addr), theirSender(b, addr)
			const batch, rounds = 2000, 5
			for range b.N {
				var spent [2]time.Duration
				for range rounds {
					for i, send := range []func(){ours, theirs} {
						start := time.Now()
						for range batch {
							send()
						}
						spent[i] += time.Since(start)
					}
				}
				b.ReportMetric(batch*rounds/spent[0].Seconds(), "ours-msg/s")
				b.ReportMetric(batch*rounds/spent[1].Seconds(), "go-smtp-msg/s")
				b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ratio")
			}
			b.ReportMetric(testing.AllocsPerRun(1000, ours), "ours-allocs/msg")
			b.ReportMetric(testing.AllocsPerRun(1000, theirs), "go-smtp-allocs/msg")
		})
	}
}

func ourSender(b *testing.B, addr string) func() {
	c := &smtp.Client{Addr: addr, TLS: smtp.TLSNone, Pool: smtp.Pool{MaxMessages: -1}}
	b.Cleanup(func() { c.Close() })
	env, err := smtp.NewEnvelope("a@bench.example", "b@bench.example")
	if err != nil {
		b.Fatal(err)
	}
	r := strings.NewReader(oneKB)
	return func() {
		r.Reset(oneKB)
		if _, err := c.Send(context.Background(), env, r); err != nil {
			b.Fatal(err)
		}
	}
}

func theirSender(b *testing.B, addr string) func() {
	c, err := gosmtp.Dial(addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	r := strings.NewReader(oneKB)
	return func() {
		r.Reset(oneKB)
		if err := c.SendMail("a@bench.example", []string{"b@bench.example"}, r); err != nil {
			b.Fatal(err)
		}
	}
}
