package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// chunkOfCommands is a chunk that would do harm if it were read as commands.
const chunkOfCommands = "RSET\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<v@d.example>\r\nBDAT 4 LAST\r\nevil"

func bdatOf(body string, last bool) string {
	s := "BDAT " + strconv.Itoa(len(body))
	if last {
		s += " LAST"
	}
	return s + "\r\n" + body
}

// Row 3: whatever becomes of a chunk, its octets are never taken for commands.
func TestRow03_BDATKeepsStep(t *testing.T) {
	refuse := func(where string) *Server {
		s := &Server{LineEndings: KeepBare}
		switch where {
		case "size":
			s.Limits.MessageBytes = 50
		case "mail":
			s.Handler.Mail = func(context.Context, *Transaction) error { return Reject(550, "", "no") }
		case "rcpt":
			s.Handler.Rcpt = func(context.Context, *Transaction, *Recipient) error { return Reject(550, "", "no") }
		case "data":
			s.Handler.Data = func(context.Context, *Transaction) error { return Reject(550, "", "no") }
		case "message":
			s.Handler.Message = func(context.Context, *Transaction, io.Reader) error { return errors.New("unread") }
		case "bare":
			s.LineEndings = RejectBare
		case "withheld":
			s.Without = []string{"chunking"}
		}
		return s
	}
	for where, want := range map[string]string{"mail": "503", "rcpt": "554", "data": "550", "message": "451", "size": "552", "bare": "550 5.6.11", "withheld": "502"} {
		for _, last := range []bool{true, false} {
			t.Run(fmt.Sprint(where, last), func(t *testing.T) {
				onBoth(t, func() *Server { return refuse(where) }, func(t *testing.T, p *peer) {
					p.hello()
					body := chunkOfCommands
					if where == "bare" {
						body = "bare\n" + body
					}
					p.send("MAIL FROM:<a@b.example>\r\n")
					p.expect("")
					p.send("RCPT TO:<c@d.example>\r\n")
					p.expect("")
					p.send(bdatOf(body, last))
					p.expect(want)
					// Chunks that were in the pipeline already are dropped too.
					p.send(bdatOf(body, false) + bdatOf(body, true))
					p.expect("503")
					p.expect("503")
					p.inStep()
					p.want("RSET", "250")
				})
			})
		}
	}
}

// Row 3: a message whose chunks end early is never delivered, wherever it ends.
func TestRow03_BDATTruncated(t *testing.T) {
	noLeaks(t)
	whole := "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n" + bdatOf("first\r\n", false) + bdatOf("second\r\n", true)
	for cut := range whole {
		func() {
			var b box
			body := io.ErrUnexpectedEOF
			h := b.handler()
			read := h.Message
			h.Message = func(ctx context.Context, t *Transaction, r io.Reader) error {
				body = read(ctx, t, r)
				return body
			}
			ended := make(chan error, 1)
			h.Close = func(_ *Session, err error) { ended <- err }
			p := servePipe(t, &Server{Handler: h})
			p.hello()
			p.send(whole[:cut] + "\x00")
			go io.Copy(io.Discard, p.r)
			// The NUL is the last thing sent: when it was read all was.
			for done := false; !done; {
				p.mu.Lock()
				done = len(p.out) == 0
				p.mu.Unlock()
			}
			p.close()
			<-ended
			assert.Empty(t, b.got(), "cut at %d", cut)
			assert.Error(t, body)
		}()
	}
}

// Row 3: a BDAT whose size nobody can know ends the connection, in each state.
func TestRow03_MalformedBDATCloses(t *testing.T) {
	for _, line := range []string{
		"BDAT", "BDAT ", "BDAT x", "BDAT -1", "BDAT +1", "BDAT 1 2", "BDAT 1 LAST x", "BDAT  1", "BDAT 1 LA\xc5\xbfT",
		"BDAT 9223372036854775808", "BDAT 18446744073709551617 LAST", "BDAT 0x10", "BDAT 5\xff", "BDAT 5\x00", "BDAT 5\r LAST",
		"bdat 5 LAST" + strings.Repeat(" ", 3000) + "x",
	} {
		for _, state := range []string{"fresh", "greeted", "rcpt", "chunk"} {
			t.Run(fmt.Sprintf("%s %.20q", state, line), func(t *testing.T) {
				noLeaks(t)
				var b box
				p := servePipe(t, &Server{Handler: b.handler()})
				p.expect("220")
				if state != "fresh" {
					p.want("EHLO c", "250")
				}
				if state == "rcpt" || state == "chunk" {
					p.mail()
				}
				if state == "chunk" {
					p.send(bdatOf("a", false))
					p.expect("250")
				}
				p.want(line, "501")
				p.over()
				assert.Empty(t, b.got())
			})
		}
	}
}

func TestRow03_BDATSizes(t *testing.T) {
	onBoth(t, func() *Server { return &Server{Limits: Limits{Commands: 5, Errors: 2}} }, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.send(bdatOf("one\r\n", false))
		p.expect("250 2.0.0 5 octets")
		p.want("DATA", "503")
		p.want("NOOP", "250")
		p.send(bdatOf("", true))
		p.expect("250 2.0.0 OK")
		p.mail()
		p.want(fmt.Sprintf("BDAT %d LAST", int64(math.MaxInt64)), "552")
		p.over()
	})
	onBoth(t, func() *Server { return &Server{Limits: Limits{Commands: 5, Errors: 2}} }, func(t *testing.T, p *peer) {
		p.hello() // the first of five
		p.mail()
		for range 7 { // the first opens the message, four more are allowed, two are mistakes
			p.want("BDAT 0", "250")
		}
		p.expect("421")
		p.over()
	})
}

// A first chunk that is refused for want of a recipient must not leave a
// transaction in which the second chunk counts as the whole message.
func TestRow03_LaterChunkIsNotTheMessage(t *testing.T) {
	var b box
	onBoth(t, func() *Server { return &Server{Handler: b.handler()} }, func(t *testing.T, p *peer) {
		p.hello()
		p.want("MAIL FROM:<a@b.example>", "250")
		p.send(bdatOf("half", false))
		p.expect("554")
		p.want("RCPT TO:<c@d.example>", "503")
		p.send(bdatOf("other half", true))
		p.expect("503")
		assert.Empty(t, b.got())
	})
}

// RFC 2920 §3.2 (7): a client may wait for the replies to MAIL and RCPT before
// it sends the octets it has announced in the same packet.
func TestRow16_RepliesBeforeTheChunk(t *testing.T) {
	var b box
	onBoth(t, func() *Server { return &Server{Handler: b.handler()} }, func(t *testing.T, p *peer) {
		p.hello()
		p.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 4 LAST\r\n")
		p.expect("250 2.1.0")
		p.expect("250 2.1.5")
		p.send("hi\r\n")
		p.expect("250")
	})
	onBoth(t, func() *Server { return &Server{Handler: b.handler()} }, func(t *testing.T, p *peer) {
		p.hello() // and the same for a chunk that is refused
		p.send("RSET\r\nBDAT 4 LAST\r\n")
		p.expect("250")
		p.send("hi\r\n")
		p.expect("503")
		p.inStep()
	})
}
