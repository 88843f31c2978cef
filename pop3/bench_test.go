package pop3

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// Downloads over TCP, from a store in memory: text with a dot at a line start
// now and then, and base64, which has none.
func BenchmarkRetrieve(b *testing.B) {
	text := strings.Repeat("The quick brown fox. It jumps over the lazy dog, and then some.\r\n", 15)
	base64 := strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 13)
	for _, bc := range []struct {
		name     string
		body     string
		size     int
		messages int
	}{
		{"1000x10KB/text", text + ".dot\r\n", 10 << 10, 1000},
		{"1x50MB/text", text + ".dot\r\n", 50 << 20, 1},
		{"1x50MB/base64", base64, 50 << 20, 1},
	} {
		b.Run(bc.name, func(b *testing.B) {
			m := "Subject: x\r\n\r\n" + strings.Repeat(bc.body, bc.size/len(bc.body))
			store := &memory.Store{User: "mrose"}
			for range bc.messages {
				fill(b, store, m)
			}
			conn, err := clientOf(listen(b, serverOf(store), false)).Connect(b.Context())
			require.NoError(b, err)
			defer conn.Close()
			list, err := conn.List(b.Context())
			require.NoError(b, err)
			b.SetBytes(int64(len(m) * bc.messages))
			b.ReportAllocs()
			for b.Loop() {
				for d, err := range conn.Fetch(b.Context(), list) {
					require.NoError(b, err)
					if _, err := io.Copy(io.Discard, d.Body); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// LIST and UIDL of a large maildrop.
func BenchmarkList(b *testing.B) {
	store := &memory.Store{User: "mrose"}
	box, err := mailbox.OpenName(b.Context(), store, mailbox.Inbox)
	require.NoError(b, err)
	const n = 100_000
	_, err = box.Append(b.Context(), func(yield func(*mailbox.Incoming, error) bool) {
		for range n {
			if !yield(&mailbox.Incoming{Body: strings.NewReader("x\r\n")}, nil) {
				return
			}
		}
	})
	require.NoError(b, err)
	conn, err := clientOf(listen(b, serverOf(store), false)).Connect(b.Context())
	require.NoError(b, err)
	defer conn.Close()
	b.ReportAllocs()
	for b.Loop() {
		list, err := conn.List(b.Context())
		require.NoError(b, err)
		require.Len(b, list, n)
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "messages/s")
}

// What a session costs the server that waits for its next command, with an
// empty maildrop: heap and stack, client side left out.
func BenchmarkIdleMemory(b *testing.B) {
	const conns = 2000
	s := serverOf(nil)
	s.Limits = Limits{Conns: -1, ConnsPerIP: -1}
	s.Open = func(context.Context, string) (mailbox.Store, error) { return &memory.Store{}, nil }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	clients, servers := make([]net.Conn, conns), make([]net.Conn, conns)
	for i := range clients {
		clients[i], err = net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		servers[i], err = l.Accept()
		require.NoError(b, err)
	}
	before := inUse()
	done := make(chan struct{}, conns)
	for _, c := range servers {
		go func() {
			_ = s.ServeConn(context.Background(), c)
			done <- struct{}{}
		}()
	}
	buf := make([]byte, 4096)
	for _, c := range clients {
		for _, say := range []string{"", "USER mrose\r\n", "PASS tanstaaf\r\n"} {
			_, err := io.WriteString(c, say)
			require.NoError(b, err)
			n, err := c.Read(buf)
			require.NoError(b, err)
			require.Equal(b, "+OK", string(buf[:min(n, 3)]))
		}
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
	for range 3 { // stacks shrink by half with each
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
