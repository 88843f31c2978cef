package imap

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// benchText is a message of 4 KB with two parts.
func benchText(i int) string {
	return fmt.Sprintf("Received: from a.example by b.example; Mon, 7 Feb 1994 21:52:25 -0800\r\nDate: Mon, 7 Feb 1994 21:52:%02d -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.example>\r\n"+
		"To: Joe <mooch@owatagu.siam.edu.example>, b@c.example\r\nSubject: afternoon meeting %d\r\nMessage-Id: <%d@Blurdybloop.example>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>%s</p>\r\n--b1--\r\n",
		i%60, i, i, strings.Repeat("Hello Joe, do you think we can meet?\r\n", 45), strings.Repeat("Hello Joe, do you think we can meet?\r\n", 45))
}

// benchStore has n messages in INBOX.
func benchStore(b testing.TB, n int) *memory.Store {
	b.Helper()
	store := &memory.Store{User: "alice", MaxBytes: -1, MaxMessages: -1}
	mb, err := mailbox.OpenName(context.Background(), store, "INBOX")
	if err != nil {
		b.Fatal(err)
	}
	_, err = mb.Append(context.Background(), func(yield func(*mailbox.Incoming, error) bool) {
		for i := range n {
			text := benchText(i)
			if !yield(&mailbox.Incoming{Body: strings.NewReader(text), Size: int64(len(text))}, nil) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// benchConn is a client over TCP that reads as fast as it can.
type benchConn struct {
	net.Conn
	r *bufio.Reader
}

func benchDial(b testing.TB, s *Server) *benchConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go s.Serve(l)
	b.Cleanup(func() { s.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	bc := &benchConn{c, bufio.NewReaderSize(c, 256<<10)}
	if _, err := bc.r.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	bc.do(b, "x LOGIN alice secret")
	bc.do(b, "x SELECT INBOX")
	return bc
}

// do sends a command tagged x and reads up to its reply.
func (c *benchConn) do(b testing.TB, command string) (n int64) {
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		b.Fatal(err)
	}
	for {
		l, err := c.r.ReadSlice('\n')
		n += int64(len(l))
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		if bytes.HasPrefix(l, []byte("x ")) {
			if !bytes.HasPrefix(l, []byte("x OK")) {
				b.Fatalf("%s: %s", command, l)
			}
			return n
		}
	}
}

func BenchmarkServer(b *testing.B) {
	const n = 10_000
	store := benchStore(b, n)
	for _, bench := range []struct{ name, command string }{
		{"FetchFlags", "x FETCH 1:* FLAGS"},
		{"FetchUIDFlags", "x UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)"},
		{"FetchStructure", "x FETCH 1:* (ENVELOPE BODYSTRUCTURE)"},
		{"FetchHeaderFields", "x FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]"},
		{"FetchBody", "x FETCH 1:* BODY.PEEK[]"},
		{"SearchFlag", "x SEARCH UNSEEN"},
		{"SearchSubject", "x SEARCH SUBJECT nothing"},
		{"SearchText", "x SEARCH TEXT nothing"},
		{"Sort", "x SORT (SUBJECT) UTF-8 ALL"},
		{"Thread", "x THREAD REFERENCES UTF-8 ALL"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := benchDial(b, serverOf(store))
			b.SetBytes(c.do(b, bench.command))
			b.ReportAllocs()
			for b.Loop() {
				c.do(b, bench.command)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/message")
		})
	}
	b.Run("Store", func(b *testing.B) {
		c := benchDial(b, serverOf(store))
		sign := "+"
		for b.Loop() {
			c.do(b, "x STORE 1:* "+sign+"FLAGS (\\Flagged)")
			sign = map[string]string{"+": "-", "-": "+"}[sign]
		}
	})
}

// BenchmarkCold parses every message.
func BenchmarkCold(b *testing.B) {
	store := benchStore(b, 10_000)
	hidden := struct{ mailbox.Store }{plainStore{store}}
	s := serverOf(hidden)
	s.Limits.CacheBytes = -1
	c := benchDial(b, s)
	b.ReportAllocs()
	for b.Loop() {
		c.do(b, "x FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
	}
}

// plainStore has mailboxes without optional interfaces.
type plainStore struct{ mailbox.Store }

func (p plainStore) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	m, err := p.Store.Open(ctx, id)
	return struct{ mailbox.Mailbox }{m}, err
}

func BenchmarkAppend(b *testing.B) {
	store := &memory.Store{User: "alice", MaxBytes: -1, MaxMessages: -1}
	c := benchDial(b, serverOf(store))
	text := benchText(1)
	command := fmt.Sprintf("x APPEND INBOX {%d+}\r\n%s", len(text), text)
	b.ReportAllocs()
	for b.Loop() {
		c.do(b, command)
	}
}
