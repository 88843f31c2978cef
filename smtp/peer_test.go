package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
)

// peer is a client that says exactly what a test wants it to.
type peer struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader

	mu   sync.Mutex // guards all below
	more *sync.Cond
	out  []byte
	end  bool
}

// newPeer talks over c. It writes in the background, since a net.Pipe has no
// room for what the other side has not read.
func newPeer(t testing.TB, c net.Conn) *peer {
	p := &peer{t: t, c: c, r: bufio.NewReader(c)}
	p.more = sync.NewCond(&p.mu)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.write()
	}()
	t.Cleanup(func() {
		p.close()
		<-done
	})
	return p
}

func (p *peer) write() {
	for {
		p.mu.Lock()
		for len(p.out) == 0 && !p.end {
			p.more.Wait()
		}
		b, end, c := p.out, p.end, p.c
		p.out = nil
		p.mu.Unlock()
		if end {
			return
		}
		_, _ = c.Write(b) // who hangs up is seen at the next reply
	}
}

func (p *peer) close() {
	p.mu.Lock()
	p.end = true
	p.more.Broadcast()
	p.mu.Unlock()
	p.c.Close()
}

// send says s as it is and waits for nothing.
func (p *peer) send(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, s...)
	p.more.Broadcast()
}

// reply reads one reply, its lines joined by "\n"; "" at the end.
func (p *peer) reply() string {
	p.t.Helper()
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			if len(lines) > 0 || line != "" {
				p.t.Errorf("half a reply: %q %q", lines, line)
			}
			return ""
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(text, "\r\x00") || len(text) > maxReplyLine || len(text) < 4 {
			p.t.Errorf("malformed reply line %q", line)
			return ""
		}
		lines = append(lines, text)
		if text[3] == ' ' {
			return strings.Join(lines, "\n")
		}
	}
}

// want says line and expects a reply that begins with prefix.
func (p *peer) want(line, prefix string) string {
	p.t.Helper()
	p.send(line + "\r\n")
	return p.expect(prefix, line)
}

// expect expects a reply that begins with prefix.
func (p *peer) expect(prefix string, to ...string) string {
	p.t.Helper()
	got := p.reply()
	if !strings.HasPrefix(got, prefix) {
		require.Failf(p.t, "wrong reply", "to %.200q: got %q, want %q", to, got, prefix)
	}
	return got
}

// over expects the server to hang up, with nothing more to say.
func (p *peer) over() {
	p.t.Helper()
	rest, _ := io.ReadAll(p.r)
	assert.Empty(p.t, string(rest), "said after the end")
}

// hello is the greeting and EHLO.
func (p *peer) hello() string {
	p.t.Helper()
	p.expect("220 ")
	return p.want("EHLO client.example", "250-")
}

// mail opens a transaction with a recipient.
func (p *peer) mail() {
	p.t.Helper()
	p.want("MAIL FROM:<a@b.example>", "250 2.1.0")
	p.want("RCPT TO:<c@d.example>", "250 2.1.5")
}

// inStep shows that the next line is taken for a command, and no other.
func (p *peer) inStep() {
	p.t.Helper()
	p.want("NOOP", "250 ")
	p.want("XNONE", "500 ")
}

// startTLS wraps the connection, without a word.
func (p *peer) startTLS(c *tls.Config) *tls.Conn {
	p.t.Helper()
	tc := tls.Client(p.c, c)
	require.NoError(p.t, tc.Handshake())
	p.mu.Lock()
	p.c = tc
	p.mu.Unlock()
	p.r.Reset(tc)
	return tc
}

// serveTCP and servePipe connect to s over real TCP and over a net.Pipe.
func serveTCP(t testing.TB, s *Server) *peer {
	return dial(t, start(t, s))
}

func dial(t testing.TB, addr string) *peer {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return newPeer(t, c)
}

func servePipe(t testing.TB, s *Server) *peer {
	us, them := net.Pipe()
	require.NoError(t, them.SetReadDeadline(time.Now().Add(10*time.Second)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(context.Background(), us)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return newPeer(t, them)
}

// onBoth runs f over both, with a server of its own, and looks for goroutines
// left behind.
func onBoth(t *testing.T, server func() *Server, f func(t *testing.T, p *peer)) {
	for name, connect := range map[string]func(testing.TB, *Server) *peer{"tcp": serveTCP, "pipe": servePipe} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			f(t, connect(t, server()))
		})
	}
}

// noLeaks fails the test if a goroutine of a server is there after it. It must
// be called before the server starts, so that it looks last.
func noLeaks(t testing.TB) {
	before := ours()
	t.Cleanup(func() {
		var left []string
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
			if left = ours(); len(left) <= len(before) {
				return
			}
		}
		t.Errorf("%d goroutines left:\n%s", len(left), strings.Join(left, "\n\n"))
	})
}

// ours gives the stacks of the goroutines that serve.
func ours() (list []string) {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	for stack := range strings.SplitSeq(string(b), "\n\n") {
		for _, f := range []string{"smtp.(*conn)", "smtp.(*Server)", "smtp.startScan", "wire.(*Reader)", "serve.(*Server)"} {
			if strings.Contains(stack, f) {
				list = append(list, stack)
				break
			}
		}
	}
	return list
}

// bothTLS gives the configurations of a server and of a client that trusts it.
func bothTLS(t testing.TB) (server, client *tls.Config) {
	ca, err := testcert.New("mx.example")
	require.NoError(t, err)
	return ca.Server(), ca.Client()
}

// got is what the box has, each message on its own.
func (b *box) got() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.mail...)
}

func (b *box) envelopes() []Envelope {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Envelope(nil), b.envs...)
}
