package smtp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inTime runs f in virtual time against a server on a net.Pipe.
func inTime(t *testing.T, s *Server, f func(t *testing.T, p *peer)) {
	synctest.Test(t, func(t *testing.T) {
		us, them := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- s.ServeConn(context.Background(), us) }()
		f(t, newPeer(t, them))
		them.Close()
		require.NoError(t, <-done)
	})
}

// after expects reply when d has passed, within a second of timers' tolerance.
func (p *peer) after(d time.Duration, reply string) {
	p.t.Helper()
	start := time.Now()
	p.expect(reply)
	assert.InDelta(p.t, d.Seconds(), time.Since(start).Seconds(), d.Seconds()/60+1)
}

func TestCommandTimeout(t *testing.T) {
	inTime(t, &Server{}, func(t *testing.T, p *peer) {
		p.hello()
		p.after(5*time.Minute, "421 4.4.2")
		p.over()
	})
	inTime(t, &Server{Timeouts: Timeouts{Command: time.Minute}}, func(t *testing.T, p *peer) {
		p.hello()
		p.send("NOO") // half a command, and a byte now and then, buy no time for ever
		p.after(time.Minute, "421 4.4.2")
	})
	inTime(t, &Server{Timeouts: Timeouts{Command: -1}}, func(t *testing.T, p *peer) {
		p.hello()
		time.Sleep(1000 * time.Hour)
		p.inStep()
	})
	inTime(t, &Server{Auth: users(), InsecureAuth: true}, func(t *testing.T, p *peer) {
		p.hello()
		p.want("AUTH PLAIN", "334")
		p.after(5*time.Minute, "421 4.4.2")
	})
}

// Row 13: a byte every 59 seconds is cut off, a slow but steady sender is not.
func TestRow13_Slowloris(t *testing.T) {
	trickle := func(s *Server, begin string, pause time.Duration, cut time.Duration) {
		inTime(t, s, func(t *testing.T, p *peer) {
			p.hello()
			p.mail()
			start := time.Now()
			p.send(begin)
			if strings.HasPrefix(begin, "DATA") {
				p.expect("354")
			}
			stop := make(chan struct{})
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(pause):
						p.send("x")
					}
				}
			}()
			p.expect("421 4.4.2")
			p.over()
			close(stop)
			assert.InDelta(t, cut.Seconds(), time.Since(start).Seconds(), 6)
		})
	}
	trickle(&Server{}, "DATA\r\n", 59*time.Second, 3*time.Minute)
	trickle(&Server{Timeouts: Timeouts{DataBlock: 10 * time.Second}}, "DATA\r\n", 11*time.Second, 10*time.Second)
	trickle(&Server{}, "BDAT 1000000\r\n", 59*time.Second, 8*time.Minute) // and five for commands between
	trickle(&Server{Handler: Handler{Data: func(context.Context, *Transaction) error { return Reject(550, "", "no") }}},
		"BDAT 1000000 LAST\r\n", 59*time.Second, 8*time.Minute) // a refused chunk is no hiding place
}

// Chunks of one octet, each a command of its own, buy no more time.
func TestRow13_SlowChunks(t *testing.T) {
	inTime(t, &Server{}, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		start := time.Now()
		for {
			p.send("BDAT 1\r\nx")
			if r := p.reply(); !strings.HasPrefix(r, "250") {
				break // nobody was there to read the 421
			}
			time.Sleep(4 * time.Minute)
		}
		p.over()
		assert.Less(t, time.Since(start), 13*time.Minute)
	})
}

// A client may take its time between two chunks that are worth it.
func TestRow13_PauseBetweenChunks(t *testing.T) {
	inTime(t, &Server{Handler: whole, Timeouts: Timeouts{Handler: time.Minute}}, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.send(bdatOf("one\r\n", false))
		p.expect("250")
		time.Sleep(4*time.Minute + 30*time.Second)
		p.send("BDAT 5 LAST\r\n")
		time.Sleep(2 * time.Minute) // longer than Handler, which is not to blame
		p.send("two\r\n")
		p.expect("250")
	})
}

// Without a limit for the peer, its silence is not held against the handler.
func TestEndlessPatience(t *testing.T) {
	inTime(t, &Server{Handler: whole, Timeouts: Timeouts{DataBlock: -1, Command: -1}}, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.send("BDAT 2 LAST\r\n")
		time.Sleep(100 * time.Hour)
		p.send("\r\n")
		p.expect("250")
		p.mail()
		p.want("DATA", "354")
		time.Sleep(100 * time.Hour)
		p.want(".", "250")
	})
}

// whole takes a message unless its context has ended.
var whole = Handler{Message: func(ctx context.Context, _ *Transaction, body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return errors.Join(err, context.Cause(ctx))
}}

func TestRow13_SteadySender(t *testing.T) {
	const block = 10 << 10
	line := strings.Repeat("x", 78) + "\r\n"
	body := strings.Repeat(line, block/len(line))
	total := 100 << 20
	if testing.Short() {
		total = 10 << 20
	}
	var size int64
	s := &Server{Handler: whole, Limits: Limits{MessageBytes: -1}, Trace: &Trace{Message: func(_ *Transaction, n int64, _ Results, _ time.Duration) { size = n }}}
	inTime(t, s, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.want("DATA", "354")
		blocks := total / len(body)
		for range blocks { // 10 KB/s
			p.send(body)
			time.Sleep(time.Second)
		}
		p.want(".", "250")
		assert.Equal(t, int64(blocks*len(body)), size)
	})
}

func TestBannerTimeout(t *testing.T) {
	inTime(t, &Server{Timeouts: Timeouts{Banner: 5 * time.Second}}, func(t *testing.T, p *peer) {
		p.after(5*time.Second, "220")
		p.want("EHLO c", "250")
	})
	inTime(t, &Server{Timeouts: Timeouts{Banner: 5 * time.Second}}, func(t *testing.T, p *peer) {
		time.Sleep(4 * time.Second)
		p.send("EHLO early\r\n")
		p.expect("554 ")
		p.over()
	})
}

func TestTLSTimeout(t *testing.T) {
	server, _ := bothTLS(t)
	inTime(t, &Server{TLSConfig: server}, func(t *testing.T, p *peer) {
		p.hello()
		p.want("STARTTLS", "220")
		start := time.Now()
		p.over()
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestProxyTimeout(t *testing.T) {
	inTime(t, &Server{Proxy: anybody}, func(t *testing.T, p *peer) {
		p.send("PROXY ")
		start := time.Now()
		p.over()
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestHandlerTimeout(t *testing.T) {
	var causes []error
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		causes = append(causes, context.Cause(ctx))
		return ctx.Err()
	}
	s := &Server{Handler: Handler{
		Rcpt: func(ctx context.Context, _ *Transaction, r *Recipient) error {
			if r.Path.Local() == "slow" {
				return wait(ctx)
			}
			return ctx.Err()
		},
		Message: func(ctx context.Context, _ *Transaction, body io.Reader) error {
			_, _ = io.Copy(io.Discard, body)
			return wait(ctx)
		},
	}}
	inTime(t, s, func(t *testing.T, p *peer) {
		p.hello()
		p.want("MAIL FROM:<a@b.example>", "250")
		p.send("RCPT TO:<slow@d.example>\r\n")
		p.after(5*time.Minute, "451 4.3.0")
		p.want("RCPT TO:<quick@d.example>", "250") // has its own time
		p.want("DATA", "354")
		p.send(".\r\n")
		p.after(5*time.Minute, "451 4.3.0")
		p.inStep()
		for _, err := range causes {
			assert.ErrorIs(t, err, errHandler)
		}
		assert.Len(t, causes, 2)
	})
}

// A peer that does not read its replies is not waited for.
func TestWriteTimeout(t *testing.T) {
	var ended error
	s := &Server{Handler: Handler{Close: func(_ *Session, err error) { ended = err }}}
	synctest.Test(t, func(t *testing.T) {
		us, them := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- s.ServeConn(context.Background(), us) }()
		start := time.Now()
		require.NoError(t, <-done)
		assert.Equal(t, time.Minute, time.Since(start))
		var ne net.Error
		assert.True(t, errors.As(ended, &ne) && ne.Timeout(), ended)
		them.Close()
	})
}

// pipeListener hands out one end of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// When Run's context ends, who is idle is told at once, what runs has the
// grace to finish, and what does not finish is cut.
func TestGrace(t *testing.T) {
	for _, finishes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error, 1)
			s := &Server{Handler: Handler{Message: func(ctx context.Context, _ *Transaction, body io.Reader) error {
				_, err := io.Copy(io.Discard, body)
				return errors.Join(err, ctx.Err())
			}}}
			go func() { done <- s.Run(ctx, l, nil) }()
			connect := func() *peer {
				us, them := net.Pipe()
				l.conns <- us
				return newPeer(t, them)
			}
			quiet, busy := connect(), connect()
			quiet.hello()
			busy.hello()
			busy.mail()
			busy.want("DATA", "354")
			start := time.Now()
			stop()
			quiet.expect("421 4.3.2")
			quiet.over()
			assert.Zero(t, time.Since(start))
			if finishes {
				time.Sleep(29 * time.Second)
				busy.want("x\r\n.", "250")
				busy.expect("421 4.3.2")
				busy.over()
				assert.NoError(t, <-done)
				assert.Equal(t, 29*time.Second, time.Since(start))
				return
			}
			busy.over()
			assert.ErrorIs(t, <-done, context.DeadlineExceeded)
			assert.Equal(t, 30*time.Second, time.Since(start))
		})
	}
}

// Who got 554 at the door has ten seconds to say QUIT (RFC 5321 §3.1).
func TestTurnedAway(t *testing.T) {
	var ended error
	s := func() *Server {
		return &Server{Handler: Handler{
			Connect: func(context.Context, *Session) error { return Reject(550, "5.7.1", "not you") },
			Close:   func(_ *Session, err error) { ended = err },
		}}
	}
	inTime(t, s(), func(t *testing.T, p *peer) {
		p.expect("554 not you")
		for _, line := range []string{"EHLO c", "NOOP", "MAIL FROM:<a@b.example>", "XJUNK"} {
			p.want(line, "503")
		}
		p.send("BDAT 5\r\nQUIT\n")
		p.expect("503")
		p.want("QUIT", "221")
		p.over()
	})
	inTime(t, s(), func(t *testing.T, p *peer) {
		p.expect("554")
		p.after(10*time.Second, "421")
		p.over()
	})
	assert.ErrorContains(t, ended, "refused at connect")
	later := &Server{Handler: Handler{Connect: func(context.Context, *Session) error { return errors.New("database is away") }}}
	inTime(t, later, func(t *testing.T, p *peer) {
		p.expect("421 Try again later")
		p.over()
	})
}
