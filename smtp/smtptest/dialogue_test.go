package smtptest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// wire is a client that says just what a test wants.
type wire struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, srv *smtptest.Server) *wire {
	t.Helper()
	c, err := srv.Dial(t.Context(), "", "")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	w := &wire{t, c, bufio.NewReader(c)}
	w.want("220")
	return w
}

func (w *wire) send(s string) {
	w.t.Helper()
	_, err := io.WriteString(w.c, s)
	require.NoError(w.t, err)
}

// want reads one reply for each code and gives the last.
func (w *wire) want(codes ...string) (text string) {
	w.t.Helper()
	for _, code := range codes {
		text = ""
		for more := true; more; {
			l, err := w.r.ReadString('\n')
			require.NoError(w.t, err, "want %s", code)
			require.True(w.t, strings.HasPrefix(l, code), "want %s, got %s", code, l)
			text += l
			more = len(l) > 3 && l[3] == '-'
		}
	}
	return text
}

func (w *wire) begin() {
	w.t.Helper()
	w.send("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n")
	w.want("250", "250", "250")
}

// gone reports that the server has hung up.
func (w *wire) gone() {
	w.t.Helper()
	_, err := w.r.ReadByte()
	require.Error(w.t, err)
	_, timeout := err.(net.Error)
	require.False(w.t, timeout && err.(net.Error).Timeout())
}

// Every command has a stage of its own.
func TestStages(t *testing.T) {
	for st, line := range map[smtptest.Stage]string{
		smtptest.EHLO: "EHLO a", smtptest.HELO: "helo a", smtptest.AUTH: "AUTH PLAIN AGEAYg==", smtptest.MAIL: "MAIL FROM:<x@y.z>",
		smtptest.RCPT: "RCPT TO:<x@y.z>", smtptest.DATA: "DATA", smtptest.RSET: "RSET", smtptest.NOOP: "NOOP", smtptest.VRFY: "EXPN x",
		smtptest.QUIT: "QUIT", smtptest.STARTTLS: "STARTTLS", smtptest.Other: "XFOO bar",
	} {
		t.Run(st.String(), func(t *testing.T) {
			srv := smtptest.NewPipe(t)
			srv.On(st).Reply(499, "4.9.9", "here\nand there").Times(1)
			w := dial(t, srv)
			if st != smtptest.EHLO {
				w.begin0(st)
			}
			w.send(line + "\r\n")
			assert.Equal(t, "499-4.9.9 here\r\n499 4.9.9 and there\r\n", w.want("499"))
			w.send("HELP\r\n") // still in step
			w.want("214")
		})
	}
	assert.Equal(t, "Stage(200)", smtptest.Stage(200).String())
}

// begin0 says hello by what the stage leaves alone.
func (w *wire) begin0(st smtptest.Stage) {
	hello := "EHLO a\r\n"
	if st == smtptest.HELO {
		hello = "EHLO b\r\n"
	}
	w.send(hello)
	w.want("250")
}

func TestPipelinedRepliesLeaveTogether(t *testing.T) {
	srv := smtptest.New(t)
	w := dial(t, srv)
	w.begin()
	w.send("RSET\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i>\r\nDATA\r\n")
	_, err := w.r.Peek(1)
	require.NoError(t, err)
	b, _ := w.r.Peek(w.r.Buffered())
	assert.Equal(t, 5, strings.Count(string(b), "\r\n"), "%q", b)
}

func TestChunksOfOneMessage(t *testing.T) {
	srv := smtptest.NewPipe(t)
	srv.On(smtptest.DATA).Arg("3").Reply(452, "4.3.1", "not this one")
	srv.On(smtptest.Body).At(5).Delay(time.Millisecond)
	w := dial(t, srv)
	w.begin()
	w.send("BDAT 4\r\nhi\r\nBDAT 0\r\nBDAT 6 LAST\r\nthere\n")
	w.want("250", "250", "550") // a bare LF
	w.begin()
	w.send("BDAT 4\r\nhi\r\nBDAT 7 LAST\r\nthere\r\n")
	w.want("250", "250")
	assert.Equal(t, "hi\r\nthere\r\n", string(srv.Wait(1)[0].Data))
	w.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 3\r\nhi\nBDAT 2 LAST\r\n\r\n")
	w.want("250", "250", "452", "250")
	assert.Equal(t, "\r\n", string(srv.Wait(2)[1].Data), "the refused chunk never came to the server")
}

func TestEarlyReplyInTheMiddleOfAMessage(t *testing.T) {
	srv := smtptest.NewPipe(t)
	srv.On(smtptest.Body).At(3).Reply(552, "5.3.4", "too large").Times(1)
	w := dial(t, srv)
	w.begin()
	w.send("DATA\r\nabc")
	w.want("354", "552")
	w.send("def\r\n.\r\nNOOP\r\n") // read, dropped, and not answered again
	w.want("250")
	assert.Empty(t, srv.Messages())
	w.begin()
	w.send("DATA\r\nabc\r\n.\r\n")
	w.want("354", "250")
	assert.Len(t, srv.Messages(), 1)
}

// TestFalsePromise has DATA accepted although the server has no recipient.
func TestFalsePromise(t *testing.T) {
	srv := smtptest.NewPipe(t)
	srv.On(smtptest.RCPT).Reply(550, "5.1.1", "no such user")
	srv.On(smtptest.DATA).RawReply([]byte("354 go on\r\n"))
	w := dial(t, srv)
	w.send("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n")
	w.want("250", "250", "550", "354")
	w.send(".\r\nNOOP\r\n")
	w.want("554", "250") // RFC 2920 §3.1
	assert.Empty(t, srv.Messages())
}

func TestUnaskedRepliesPutTheClientOutOfStep(t *testing.T) {
	srv := smtptest.NewPipe(t)
	srv.On(smtptest.MAIL).EarlyReply(250, "2.0.0", "nobody asked")
	w := dial(t, srv)
	w.send("EHLO a\r\nMAIL FROM:<a@b.c>\r\n")
	w.want("250", "250")
	assert.Equal(t, "250 2.1.0 Sender OK\r\n", w.want("250"))
}

func TestAuthIsHidden(t *testing.T) {
	srv := smtptest.NewPipe(t, inTheClear(true))
	w := dial(t, srv)
	w.send("EHLO a\r\nAUTH LOGIN\r\n")
	w.want("250", "334")
	w.send("dXNlcg==\r\n")
	w.want("334")
	w.send("c2VjcmV0\r\n")
	w.want("235")
	w.send("QUIT\r\n")
	w.want("221")
	assert.Contains(t, srv.Transcript(), "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: [hidden]\nS: 334 UGFzc3dvcmQ6\nC: [hidden]\nS: 235 2.7.0")
}

// The server's own timeouts and limits come through.
func TestServersOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := smtptest.NewPipe(t, func(s *smtp.Server) { s.Limits.Errors = 3 })
		w := dial(t, srv)
		begun := time.Now()
		w.want("421")
		assert.Equal(t, 5*time.Minute, time.Since(begun))
		w.gone()
		w = dial(t, srv)
		w.begin()
		w.send("DATA\r\nhalf a mess")
		w.want("354", "421")
		w.gone()
		w = dial(t, srv)
		w.send("A\r\nB\r\nC\r\n")
		w.want("500", "500", "500", "421")
		w.gone()
		assert.Equal(t, 3, strings.Count(srv.Transcript(), "-S\n"))
		assert.Contains(t, srv.Transcript(), "# connection 3\n")
		assert.ErrorContains(t, srv.Compare(""), "3 connections")
	})
}

// A client that hangs up ends the context of the handler that works for it.
func TestHandlerHearsOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan error, 1)
		srv := smtptest.NewPipe(t, func(s *smtp.Server) {
			s.Handler.Message = func(ctx context.Context, _ *smtp.Transaction, body io.Reader) error {
				if _, err := io.Copy(io.Discard, body); err != nil {
					return err
				}
				<-ctx.Done()
				over <- context.Cause(ctx)
				return ctx.Err()
			}
		})
		w := dial(t, srv)
		w.begin()
		w.send("DATA\r\n.\r\n")
		w.want("354")
		w.c.Close()
		assert.Error(t, <-over)
		assert.Empty(t, srv.Messages())
	})
}

func TestOwnHandlerRefuses(t *testing.T) {
	srv := smtptest.NewPipe(t, func(s *smtp.Server) {
		s.Handler.Message = func(_ context.Context, tx *smtp.Transaction, body io.Reader) error {
			switch tx.To[0].Path.Local() {
			case "never":
				return smtp.Reject(554, "5.7.1", "spam")
			case "some":
				r := smtp.Failed(2, nil)
				r[1] = smtp.Failed(1, smtp.Reject(452, "4.2.2", "full"))[0]
				return r.Err()
			}
			return nil // without reading a word
		}
	})
	c := srv.Client()
	for _, to := range [][]string{{"never@x.y"}, {"some@x.y", "other@x.y"}, {"fine@x.y"}} {
		_, _ = send(t, c, to...)
	}
	got := srv.Messages()
	require.Len(t, got, 2)
	assert.Len(t, got[0].Envelope.To, 1)
	assert.Equal(t, text, string(got[1].Data))
}

// TestWaitFails is Wait where nothing comes.
func TestWaitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &failing{TB: t}
		srv := smtptest.NewPipe(fake)
		defer fake.done()
		begun := time.Now()
		func() {
			defer func() { _ = recover() }()
			srv.Wait(1)
		}()
		assert.Equal(t, 5*time.Second, time.Since(begun))
		assert.Contains(t, fake.said, "0 of 1 messages came")
	})
}

// failing is a test that fails and tells about it.
type failing struct {
	testing.TB
	test
	said string
}

func (f *failing) Helper()          {}
func (f *failing) Cleanup(c func()) { f.test.Cleanup(c) }
func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(f.said)
}

func TestGoldenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "golden.txt")
	fake := &failing{TB: t}
	srv := smtptest.NewPipe(fake)
	defer fake.done()
	w := dial(t, srv)
	w.send("NOOP\r\nQUIT\r\n")
	w.want("250", "221")
	srv.Golden(path, true)
	srv.Golden(path, false)
	require.NoError(t, os.WriteFile(path, []byte("S: 220 *\nC: NOOP\nS: 250 * OK\nC: QUIT\n"), 0o600))
	assert.Panics(t, func() { srv.Golden(path, false) })
	assert.Contains(t, fake.said, "golden.txt:3: the dialogue differs")
	assert.Panics(t, func() { srv.Golden(path+".none", false) })
	assert.Panics(t, func() { srv.Golden(filepath.Dir(path), true) })
}

func TestLargeMessageInTheTranscript(t *testing.T) {
	srv := smtptest.New(t, chunking(false))
	body := strings.Repeat("0123456789abcdef0123456789abcde\r\n", 1<<16)
	require.Equal(t, accepted, deliver(t.Context(), t, srv.Client(), body).Status)
	assert.Len(t, srv.Wait(1)[0].Data, len(body))
	assert.Less(t, len(srv.Transcript()), 100_000)
	assert.Contains(t, srv.Transcript(), "C: [the rest is not shown]\nS: 250 2.0.0 OK\n")
}

// TestManyAtOnce: each message once, whatever the others do; and no goroutine
// is left behind.
func TestManyAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("senders", func(t *testing.T) {
		srv := smtptest.New(t)
		srv.On(smtptest.RCPT).Arg("slow@").Delay(time.Millisecond)
		c := srv.Client()
		var wg sync.WaitGroup
		var failed atomic.Int32
		for i := range 50 {
			wg.Go(func() {
				to := "fast@x.y"
				if i%5 == 0 {
					to = "slow@x.y"
				}
				env, _ := smtp.NewEnvelope("alice@crepes.fr", to)
				if _, err := c.Send(context.Background(), env, strings.NewReader(fmt.Sprintf("Subject: %d\r\n\r\n", i))); err != nil {
					failed.Add(1)
				}
				_ = srv.Transcript()
			})
		}
		wg.Wait()
		assert.Zero(t, failed.Load())
		seen := map[string]bool{}
		for _, m := range srv.Wait(50) {
			seen[string(m.Data)] = true
		}
		assert.Len(t, seen, 50)
		stalled := dial(t, srv) // and one that is left open
		srv.On(smtptest.NOOP).Stall()
		stalled.send("NOOP\r\n")
	})
	// The goodbyes of the client's last connections end by themselves.
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond)
}
