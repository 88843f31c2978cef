package smtp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sink is a server that does as little as it can, so that what a benchmark
// measures is the client.
func sink(t testing.TB, ehlo string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(c, ehlo)
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
		switch {
		case err != nil:
			return
		case line[0] == 'E':
			w.WriteString(ehlo)
		case line[0] == 'D':
			w.WriteString("354 go\r\n")
			w.Flush()
			for !bytes.Equal(line, []byte(".\r\n")) {
				if line, err = r.ReadSlice('\n'); err != nil {
					return
				}
			}
			w.WriteString("250 2.0.0 OK: queued as 12345\r\n")
		case line[0] == 'B':
			size, _, _ := strings.Cut(strings.TrimSpace(string(line[5:])), " ") // on the stack
			n, _ := strconv.Atoi(size)
			if _, err := r.Discard(n); err != nil {
				return
			}
			w.WriteString("250 2.0.0 OK: queued as 12345\r\n")
		default:
			w.WriteString("250 2.1.0 OK\r\n")
		}
	}
}

// BenchmarkClientSend sends 1 KB messages over one connection.
func BenchmarkClientSend(b *testing.B) {
	body := bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 13)
	for _, ehlo := range []string{"PIPELINING CHUNKING", "PIPELINING", ""} {
		b.Run(fmt.Sprintf("ehlo=%q", ehlo), func(b *testing.B) {
			lines := "250-sink\r\n"
			for _, k := range strings.Fields(ehlo) {
				lines += "250-" + k + "\r\n"
			}
			c := &Client{Addr: sink(b, lines+"250 SIZE\r\n"), TLS: TLSNone}
			defer c.Close()
			env := envelope(b, "a@b.c", "d@e.f")
			r := bytes.NewReader(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r.Reset(body)
				if _, err := c.Send(context.Background(), env, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
