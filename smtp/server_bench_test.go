package smtp

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw is a loader that costs next to nothing itself: it writes what is prepared
// and counts the lines that come back.
type raw struct {
	c   net.Conn
	r   *bufio.Reader
	out []byte
}

func loader(b testing.TB, addr string) *raw {
	c, err := net.Dial("tcp", addr)
	require.NoError(b, err)
	b.Cleanup(func() { c.Close() })
	l := &raw{c: c, r: bufio.NewReader(c)}
	l.say(b, "", 1)
	l.say(b, "HELO c\r\n", 1)
	return l
}

// say writes s in one packet and reads so many lines of reply.
func (l *raw) say(b testing.TB, s string, lines int) {
	if s != "" {
		l.out = append(l.out[:0], s...)
		if _, err := l.c.Write(l.out); err != nil {
			b.Fatal(err)
		}
	}
	for range lines {
		line, err := l.r.ReadSlice('\n')
		if err != nil || line[0] != '2' && line[0] != '3' {
			b.Fatalf("%q: %q %v", s, line, err)
		}
	}
}

const mailRcpt = "MAIL FROM:<ann@crepes.example>\r\nRCPT TO:<bob@hamburger.example>\r\n"

// A message on a warm connection costs the server: the two commands with
// arguments, the transaction with room for a recipient, its context and its ID.
func TestTransactionAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := loader(t, start(t, &Server{Limits: Limits{Messages: -1}}))
	n := testing.AllocsPerRun(200, func() {
		l.say(t, mailRcpt+"DATA\r\n", 3)
		l.say(t, "x\r\n.\r\n", 1)
	})
	assert.LessOrEqual(t, n, 8.0)
}

// A transaction with 1 KB on a warm connection: one command a packet, or
// pipelined, or all in one flight with BDAT. The handler reads the message.
func BenchmarkServerTransaction(b *testing.B) {
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 13)
	flight := mailRcpt + bdatOf(body, true)
	for _, c := range []struct {
		name string
		run  func(l *raw)
	}{
		{"steps", func(l *raw) {
			l.say(b, "MAIL FROM:<ann@crepes.example>\r\n", 1)
			l.say(b, "RCPT TO:<bob@hamburger.example>\r\n", 1)
			l.say(b, "DATA\r\n", 1)
			l.say(b, body+".\r\n", 1)
		}},
		{"pipelined", func(l *raw) {
			l.say(b, mailRcpt+"DATA\r\n", 3)
			l.say(b, body+".\r\n", 1)
		}},
		{"bdat", func(l *raw) { l.say(b, flight, 3) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := loader(b, start(b, &Server{Limits: Limits{Messages: -1}}))
			b.ReportAllocs()
			for b.Loop() {
				c.run(l)
			}
		})
	}
}

// The content of messages on its way through DATA and BDAT, by its kind.
func BenchmarkServerData(b *testing.B) {
	const size = 16 << 20
	for name, line := range map[string]string{
		"base64": strings.Repeat("QUFB", 19) + "\r\n", "short": "a b\r\n", "dots": "..x\r\n", "long": strings.Repeat("x", 60000) + "\r\n",
	} {
		body := strings.Repeat(line, size/len(line))
		b.Run("DATA/"+name, func(b *testing.B) {
			l := loader(b, start(b, &Server{Limits: Limits{Messages: -1}}))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				l.say(b, mailRcpt+"DATA\r\n", 3)
				l.say(b, body, 0)
				l.say(b, ".\r\n", 1)
			}
		})
		if name != "base64" {
			continue
		}
		chunk := bdatOf(body, true)
		b.Run("BDAT/"+name, func(b *testing.B) {
			l := loader(b, start(b, &Server{Limits: Limits{Messages: -1}}))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				l.say(b, mailRcpt, 2)
				l.say(b, chunk, 1)
			}
		})
	}
}

// What a connection costs the server that waits for its next command: heap and
// stack, client side left out.
func BenchmarkServerIdleMemory(b *testing.B) {
	const conns = 2000
	s := &Server{Limits: Limits{Conns: -1, ConnsPerIP: -1}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	clients := make([]net.Conn, conns)
	servers := make([]net.Conn, conns)
	for i := range clients {
		clients[i], err = net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		servers[i], err = l.Accept()
		require.NoError(b, err)
	}
	defer l.Close()
	before := inUse()
	done := make(chan struct{}, conns)
	for _, c := range servers {
		go func() {
			_ = s.ServeConn(context.Background(), c)
			done <- struct{}{}
		}()
	}
	buf := make([]byte, 4096)
	read := func(c net.Conn, end string) {
		for got := ""; !strings.HasSuffix(got, end); {
			n, err := c.Read(buf)
			require.NoError(b, err)
			got += string(buf[:n])
		}
	}
	for _, c := range clients {
		read(c, "ESMTP\r\n")
		_, err := io.WriteString(c, "EHLO c\r\n")
		require.NoError(b, err)
		read(c, "250 HELP\r\n")
	}
	for b.Loop() {
		b.ReportMetric(float64(inUse()-before)/conns, "B/conn")
	}
	for _, c := range clients {
		c.Close()
	}
	for range conns {
		<-done
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
