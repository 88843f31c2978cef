package smtp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countConn counts writes.
type countConn struct {
	net.Conn
	n *atomic.Int32
}

func (c countConn) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

// counted connects to s and counts what it takes s to answer.
func counted(t *testing.T, s *Server) (*peer, *atomic.Int32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := dial(t, l.Addr().String())
	us, err := l.Accept()
	require.NoError(t, err)
	l.Close()
	n := &atomic.Int32{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(context.Background(), countConn{us, n})
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return p, n
}

// RFC 2920 §3.2: the replies to a batch go out in one write, and nobody waits
// for a reply that must not be held back.
func TestRepliesToABatchAreOneWrite(t *testing.T) {
	noLeaks(t)
	p, n := counted(t, &Server{})
	writes := func(send string, replies ...string) int32 {
		before := n.Load()
		p.send(send)
		for _, r := range replies {
			p.expect(r, send)
		}
		return n.Load() - before
	}
	p.expect("220")
	assert.EqualValues(t, 1, writes("EHLO c\r\n", "250-"))
	batch := "MAIL FROM:<a@b.example>\r\n" + strings.Repeat("RCPT TO:<c@d.example>\r\n", 10)
	assert.EqualValues(t, 1, writes(batch+"DATA\r\n", append(strings.Split(strings.Repeat("250 ", 11), " ")[:11], "354")...))
	// The reply to a message is not held back either: who does not get it sends twice.
	assert.EqualValues(t, 2, writes("x\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250", "250", "250", "354"))
	assert.EqualValues(t, 2, writes(".\r\nRSET\r\n", "250", "250"))
	// One flight for a message, and one write for all its replies.
	assert.EqualValues(t, 1, writes("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"+bdatOf("hi\r\n", true), "250", "250", "250"))
	assert.EqualValues(t, 1, writes("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"+bdatOf("hi\r\n", false)+bdatOf("ho\r\n", true), "250", "250", "250", "250"))
	// These are not held back for the sake of what follows (5), (6).
	assert.EqualValues(t, 3, writes("NOOP\r\nXJUNK\r\nVRFY x\r\n", "250", "500", "252"))
	// A batch whose replies are large goes out in parts.
	assert.Greater(t, writes(strings.Repeat("RSET x\r\n", 15)+"MAIL FROM:<a@b.example>\r\n"+strings.Repeat("RCPT TO:<c@d.example>\r\n", 400), strings.Split(strings.Repeat("501 ", 15)+strings.Repeat("250 ", 401), " ")[:416]...), int32(1))
}

// LMTP answers for each recipient, in the order of RCPT (RFC 2033 §4.2).
func TestLMTPReplies(t *testing.T) {
	results := Results{{Status: Accepted}, {Status: Permanent, Reply: Reply{550, "5.1.1", "gone"}}, {}, {Status: Temporary, Reply: Reply{421, "4.3.2", "next host is closing"}}}
	s := &Server{Profile: LMTP, Handler: Handler{Message: func(_ context.Context, tx *Transaction, body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		tx.Queued, tx.To = "Q1", nil // what the handler does to To changes no reply
		return errors.Join(err, results.Err())
	}}}
	onBoth(t, func() *Server { return &Server{Profile: LMTP, Handler: s.Handler} }, func(t *testing.T, p *peer) {
		p.expect("220 localhost LMTP")
		p.want("EHLO c", "500")
		p.want("HELO c", "500")
		p.want("LHLO c", "250-")
		for _, send := range []string{"DATA\r\n", bdatOf("x", true), bdatOf("x", false) + bdatOf("y", true)} {
			p.want("MAIL FROM:<a@b.example>", "250")
			for range 4 {
				p.want("RCPT TO:<c@d.example>", "250") // the same four times has four replies
			}
			p.send(send)
			switch {
			case send[:4] == "DATA":
				p.expect("354")
				p.send(".\r\n")
			case strings.Contains(send, "y"):
				p.expect("250 2.0.0 1 octets")
			}
			p.expect("250 2.0.0 OK: queued as Q1")
			p.expect("550 5.1.1 gone")
			p.expect("451 4.3.0")
			p.expect("451 4.3.2 next host is closing")
			p.inStep()
		}
		// RFC 2033 §4.2 and §4.3: without recipients
		p.want("MAIL FROM:<a@b.example>", "250")
		p.want("DATA", "503")
		p.send(bdatOf("x", true)) // zero replies
		p.inStep()
		p.want("MAIL FROM:<a@b.example>", "250")
		p.send(bdatOf("x", false))
		p.expect("554")
		p.inStep()
	})
	onBoth(t, func() *Server {
		return &Server{Profile: LMTP, Limits: Limits{MessageBytes: 10}, Handler: Handler{Data: func(_ context.Context, tx *Transaction) error {
			if tx.From.Local() == "spam" {
				return Reject(554, "", "no")
			}
			return nil
		}}}
	}, func(t *testing.T, p *peer) {
		p.expect("220")
		p.want("LHLO c", "250")
		begin := func(from string) {
			p.want("MAIL FROM:<"+from+"@b.example>", "250")
			p.want("RCPT TO:<c@d.example>", "250")
			p.want("RCPT TO:<e@f.example>", "250")
		}
		begin("spam")
		p.want("DATA", "554") // once
		begin("spam")
		p.send(bdatOf("x", true)) // the last chunk: for each
		p.expect("554")
		p.expect("554")
		begin("a")
		p.send(bdatOf("x", false))
		p.expect("250")
		p.send(bdatOf(strings.Repeat("x", 20), false)) // not the last: once
		p.expect("552")
		p.inStep()
		begin("a")
		p.send(bdatOf(strings.Repeat("x", 20), true))
		p.expect("552")
		p.expect("552")
		p.inStep()
	})
}

// What becomes of a message that not every recipient gets.
func TestPartialResults(t *testing.T) {
	mixed := Results{{Status: Accepted}, {Status: Permanent, Reply: Reply{550, "5.1.1", "gone"}}}
	refused := Results{{Status: Permanent, Reply: Reply{550, "5.1.1", "gone"}}, {Status: Temporary, Reply: Reply{421, "4.2.2", "full"}}}
	var told Results
	server := func(results Results, partial bool) func() *Server {
		return func() *Server {
			s := &Server{Extensions: ExtPRDR, Handler: Handler{Message: func(_ context.Context, _ *Transaction, body io.Reader) error {
				_, err := io.Copy(io.Discard, body)
				return errors.Join(err, results.Err())
			}}}
			if partial {
				s.Handler.Partial = func(_ context.Context, _ *Transaction, r Results) { told = r }
			}
			return s
		}
	}
	send := func(p *peer, param string) {
		p.hello()
		p.want("MAIL FROM:<a@b.example>"+param, "250")
		p.want("RCPT TO:<c@d.example>", "250")
		p.want("RCPT TO:<e@f.example>", "250")
		p.want("DATA", "354")
		p.send(".\r\n")
	}
	onBoth(t, server(mixed, false), func(t *testing.T, p *peer) {
		send(p, "")
		p.expect("451 4.3.0") // nobody would tell the sender
		p.inStep()
	})
	onBoth(t, server(mixed, true), func(t *testing.T, p *peer) {
		told = nil
		send(p, "")
		p.expect("250")
		assert.Equal(t, mixed, told)
		p.inStep()
	})
	onBoth(t, server(mixed, true), func(t *testing.T, p *peer) {
		told = nil
		send(p, " PRDR")
		p.expect("353")
		p.expect("250")
		p.expect("550 5.1.1 gone")
		p.expect("250")
		assert.Nil(t, told, "everybody was told in the dialogue")
		p.inStep()
	})
	for _, param := range []string{"", " PRDR"} {
		onBoth(t, server(refused, true), func(t *testing.T, p *peer) {
			send(p, param)
			p.expect("451 4.2.2 full") // and the connection stays open
			p.inStep()
		})
		onBoth(t, server(nil, true), func(t *testing.T, p *peer) {
			send(p, param)
			p.expect("250")
			p.inStep()
		})
	}
}

// The traps of RFC correctness that others have fallen into.
func TestTraps(t *testing.T) {
	var b box
	onBoth(t, func() *Server { return &Server{Handler: b.handler(), Limits: Limits{Errors: -1}} }, func(t *testing.T, p *peer) {
		p.expect("220")
		for line, code := range map[string]string{"MAIL FROM:<a@b.example>": "503", "RCPT TO:<a@b.example>": "503", "DATA": "503", "STARTTLS": "503", "RSET": "250", "NOOP x": "250", "HELP": "214", "VRFY x": "252", "EXPN x": "502"} {
			p.want(line, code) // RFC 5321 §4.1.4: some verbs need no EHLO
		}
		p.want("HELO c", "250 Hello c, pleased to meet you")
		p.want("MAIL FROM:<a@b.example>", "250 Sender OK") // no codes without EHLO
		p.want("EHLO c", "250-")                           // resets
		p.want("RCPT TO:<c@d.example>", "503 5.5.1")
		p.mail()
		p.want("MAIL FROM:<x@y.example>", "503 5.5.1 Nested") // and keeps what there is
		p.want("VRFY x", "252")                               // in a transaction too
		p.want("HELO", "501")                                 // a refused hello changes nothing
		p.want("DATA x", "501")
		p.want("QUIT x", "501")
		p.want("RSET x", "501")
		p.want("DATA", "354")
		p.want("one\r\n.", "250")
		assert.Equal(t, "<a@b.example>", b.envelopes()[len(b.envelopes())-1].From.String())
		p.want("DATA", "503")
		p.want("MAIL FROM: <a@b.example> ", "250") // as textbooks write it
		p.want("DATA", "554")
		p.want("RCPT TO:<@x.example:postMASTER>", "250")
		p.want("RCPT TO:<c@d.example> XUNKNOWN", "555")
		p.want("RSET", "250")
		p.want("HELO c", "250") // after EHLO
		p.mail2()
		p.want("BDAT 3 LAST\r\nx", "250")
		p.want("QUIT", "221")
		p.over()
	})
	onBoth(t, func() *Server {
		return &Server{Handler: Handler{Hello: func(_ context.Context, s *Session) error {
			if s.Hello == "bad" {
				return Reject(550, "5.7.1", "bad name")
			}
			return nil
		}}}
	}, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.want("HELO bad", "550 5.7.1") // RFC 5321 §4.1.4: all stays as it was
		p.want("RCPT TO:<e@f.example>", "250 2.1.5")
	})
}

// mail2 opens a transaction after HELO.
func (p *peer) mail2() {
	p.t.Helper()
	p.want("MAIL FROM:<a@b.example>", "250")
	p.want("RCPT TO:<c@d.example>", "250")
}

// A trailing CR, and text without a last line end, through each policy.
func TestBDATLineEnds(t *testing.T) {
	for policy, want := range map[LineEndings]string{NormalizeBare: "a\r\nb\r\nc\r\n", KeepBare: "a\nb\rc\r"} {
		var b box
		onBoth(t, func() *Server { return &Server{Handler: b.handler(), LineEndings: policy} }, func(t *testing.T, p *peer) {
			p.hello()
			p.mail()
			p.send(bdatOf("a\nb", false) + bdatOf("\rc\r", false) + bdatOf("", true))
			p.expect("250")
			p.expect("250")
			p.expect("250")
			got := b.got()
			assert.Equal(t, want, got[len(got)-1])
		})
	}
	for _, last := range []string{"a\r", "a\n", "\r\r\n"} {
		var b box
		onBoth(t, func() *Server { return &Server{Handler: b.handler()} }, func(t *testing.T, p *peer) {
			p.hello()
			p.mail()
			p.send(bdatOf(last, true))
			p.expect("550 5.6.11")
			assert.Empty(t, b.got())
		})
	}
}
