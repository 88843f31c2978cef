package smtp

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func send(t *testing.T, c *Client, env Envelope, body string) (*Sent, error) {
	t.Helper()
	return c.Send(t.Context(), env, strings.NewReader(body))
}

func statuses(s *Sent) (list []Status) {
	for _, r := range s.Results {
		list = append(list, r.Status)
	}
	return list
}

// One round trip: MAIL, RCPT and the message leave together.
func TestOneFlight(t *testing.T) {
	c := played(t, ehloAll+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 4 LAST
C: hi
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 250 2.0.0 OK: queued as 4F2D
C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 4 LAST
C: ho
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 250 2.0.0 accepted id=5A
C: QUIT
S: 221 bye
`)
	env := envelope(t, "a@b.example", "c@d.example")
	sent, err := send(t, c, env, "hi\r\n")
	require.NoError(t, err)
	assert.Equal(t, "4F2D", sent.Queued)
	assert.Equal(t, Result{Status: Accepted, Reply: Reply{250, "2.0.0", "OK: queued as 4F2D"}, Host: "mx.example:25", DSN: true}, sent.Results[0])
	sent, err = send(t, c, env, "ho\n") // a bare LF, and the connection is used again
	require.NoError(t, err)
	assert.Equal(t, "5A", sent.Queued)
}

// Without CHUNKING two flights do it.
func TestTwoFlights(t *testing.T) {
	c := played(t, ehloPipelining+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 go
C: ..
C: last
C: .
S: 250 ok
C: QUIT
S: 221 bye
`)
	_, err := send(t, c, envelope(t, "a@b.example", "c@d.example"), ".\nlast")
	require.NoError(t, err)
}

func TestStepByStep(t *testing.T) {
	c := played(t, `S: 220-mx.example
S: 220 hello
C: EHLO client.example
S: 502 what?
C: HELO client.example
S: 250
C: MAIL FROM:<>
S: 250
C: RCPT TO:<c@d.example>
S: 550 5.1.1 nobody here
C: RCPT TO:<e@d.example>
S: 251 will forward
C: DATA
S: 354
C: x
C: .
S: 250
C: QUIT
S: 221
`)
	sent, err := send(t, c, envelope(t, "", "c@d.example", "e@d.example"), "x")
	assert.Equal(t, []Status{Permanent, Accepted}, statuses(sent))
	var p *PartialError
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "smtp: 1 of 2 recipients accepted; 550 5.1.1 nobody here", err.Error())
	assert.Equal(t, 550, ReplyTo(err).Code)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "5.1.1", e.Enhanced)
}

// What is refused is refused for those it concerns, and the dialogue goes on.
func TestRefusals(t *testing.T) {
	c := played(t, ehloPipelining+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: RCPT TO:<e@d.example>
C: DATA
S: 451 4.7.1 greylisted
S: 503 no
S: 503 no
S: 503 no
C: RSET
C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: RCPT TO:<e@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 550 5.1.1 who
S: 450 4.2.2 full
S: 354 go on
C: .
S: 554 no recipients
C: RSET
C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: RCPT TO:<e@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 250 ok
S: 550 5.1.1 who
S: 354 go on
C: x
C: .
S: 554 5.7.1 spam
C: QUIT
S: 221 bye
`)
	env := envelope(t, "a@b.example", "c@d.example", "e@d.example")
	sent, err := send(t, c, env, "x")
	assert.Error(t, err)
	assert.Equal(t, []Status{Temporary, Temporary}, statuses(sent))
	sent, err = send(t, c, env, "x")
	assert.Error(t, err)
	assert.Equal(t, []Status{Permanent, Temporary}, statuses(sent))
	sent, err = send(t, c, env, "x")
	assert.Error(t, err)
	assert.Equal(t, []Status{Permanent, Permanent}, statuses(sent))
	assert.Equal(t, "5.7.1", sent.Results[0].Reply.Enhanced)
	assert.Equal(t, "5.1.1", sent.Results[1].Reply.Enhanced)
}

// Row 17: a reply lost after the end of the message is neither success nor
// failure, and is not tried again.
func TestLostReplyIsUnknown(t *testing.T) {
	for name, tail := range map[string]string{
		"chunk": ehloAll + `C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
-S
`,
		"chunk, no reply at all": ehloAll + `C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 3 LAST
C: x
-S
`,
		"dot": ehloPipelining + `C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: x
C: .
S! "25"
-S
`,
	} {
		t.Run(name, func(t *testing.T) {
			sent, err := send(t, played(t, tail), envelope(t, "a@b.example", "c@d.example"), "x")
			require.Error(t, err)
			require.NotNil(t, sent)
			assert.Equal(t, Unknown, sent.Results[0].Status)
			assert.False(t, sent.Results[0].SafeToRetry())
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}

// Before the end of the message a lost connection is a temporary failure.
func TestLostBeforeTheEnd(t *testing.T) {
	sent, err := send(t, played(t, ehloPipelining+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: DATA
S: 250 ok
-S
`), envelope(t, "a@b.example", "c@d.example"), "x")
	require.Error(t, err)
	assert.Equal(t, Temporary, sent.Results[0].Status)
	assert.True(t, sent.Results[0].SafeToRetry())
}

// Row 17: 421 in a transaction ends the connection and is temporary.
func TestGoodbyeInTransaction(t *testing.T) {
	sent, err := send(t, played(t, ehloAll+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 421 4.3.2 going down
-S
`), envelope(t, "a@b.example", "c@d.example"), "x")
	require.Error(t, err)
	assert.Equal(t, Temporary, sent.Results[0].Status)
	assert.Equal(t, 421, sent.Results[0].Reply.Code)
}

// A connection that went stale in the pool is replaced without a word.
func TestStaleConnectionIsReplaced(t *testing.T) {
	message := `C: MAIL FROM:<a@b.example>
C: RCPT TO:<c@d.example>
C: BDAT 3 LAST
C: x
`
	c := played(t, ehloAll+message+`S: 250 ok
S: 250 ok
S: 250 ok
`+message+`S: 421 4.4.2 you were silent for too long
-S
`, ehloAll+message+`S: 250 ok
S: 250 ok
S: 250 2.0.0 queued as 2
C: QUIT
S: 221 bye
`)
	env := envelope(t, "a@b.example", "c@d.example")
	_, err := send(t, c, env, "x")
	require.NoError(t, err)
	sent, err := send(t, c, env, "x")
	require.NoError(t, err)
	assert.Equal(t, "2", sent.Queued)
}

// LMTP answers for each recipient (RFC 2033 §4.2).
func TestLMTPClient(t *testing.T) {
	c := played(t, `S: 220 mx.example LMTP
C: LHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 CHUNKING
C: MAIL FROM:<a@b.example>
C: RCPT TO:<1@d.example>
C: RCPT TO:<2@d.example>
C: RCPT TO:<3@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
S: 550 5.1.1 nobody
S: 250 ok
S: 250 2.1.5 delivered
S: 452 4.2.2 full
C: QUIT
S: 221 bye
`)
	c.LMTP = true
	sent, err := send(t, c, envelope(t, "a@b.example", "1@d.example", "2@d.example", "3@d.example"), "x")
	require.Error(t, err)
	assert.Equal(t, []Status{Accepted, Permanent, Temporary}, statuses(sent))
}

func TestPRDRClient(t *testing.T) {
	c := played(t, hello+`S: 250-mx.example
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 PRDR
C: MAIL FROM:<a@b.example> PRDR
C: RCPT TO:<1@d.example>
C: RCPT TO:<2@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
S: 250 ok
S: 353 each in turn
S: 250 ok
S: 550 5.7.1 not me
S: 250 queued as 77
C: QUIT
S: 221 bye
`)
	sent, err := send(t, c, envelope(t, "a@b.example", "1@d.example", "2@d.example"), "x")
	require.Error(t, err)
	assert.Equal(t, []Status{Accepted, Permanent}, statuses(sent))
	assert.Equal(t, "77", sent.Queued)
}

// RFC 9422: so many recipients a transaction, so many transactions a connection.
func TestLimitsAreKept(t *testing.T) {
	ehlo := hello + `S: 250-mx.example
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 LIMITS MAILMAX=2 RCPTMAX=1
`
	one := func(rcpt string) string {
		return "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<" + rcpt + ">\nC: BDAT 3 LAST\nC: x\nS: 250 ok\nS: 250 ok\nS: 250 ok\n"
	}
	c := played(t, ehlo+one("1@d.example")+one("2@d.example")+"C: QUIT\nS: 221 bye\n", ehlo+one("3@d.example")+"C: QUIT\nS: 221 bye\n")
	sent, err := send(t, c, envelope(t, "a@b.example", "1@d.example", "2@d.example", "3@d.example"), "x")
	require.NoError(t, err)
	assert.Equal(t, []Status{Accepted, Accepted, Accepted}, statuses(sent))
}

// RFC 9422 again: recipients of so many domains.
func TestDomainLimitIsKept(t *testing.T) {
	c := played(t, hello+`S: 250-mx.example
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 LIMITS RCPTDOMAINMAX=1
C: MAIL FROM:<a@b.example>
C: RCPT TO:<1@d.example>
C: RCPT TO:<2@d.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
S: 250 ok
S: 250 ok
C: MAIL FROM:<a@b.example>
C: RCPT TO:<3@e.example>
C: BDAT 3 LAST
C: x
S: 250 ok
S: 250 ok
S: 250 ok
C: QUIT
S: 221 bye
`)
	_, err := send(t, c, envelope(t, "a@b.example", "1@d.example", "2@d.example", "3@e.example"), "x")
	require.NoError(t, err)
}

// RFC 5321 §4.5.3.1.10: who comes too late gets a transaction of his own.
func TestTooManyRecipients(t *testing.T) {
	c := played(t, ehloPipelining+`C: MAIL FROM:<a@b.example>
C: RCPT TO:<1@d.example>
C: RCPT TO:<2@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 452 4.5.3 enough
S: 354 ok
C: x
C: .
S: 250 ok
C: MAIL FROM:<a@b.example>
C: RCPT TO:<2@d.example>
C: DATA
S: 250 ok
S: 250 ok
S: 354 ok
C: x
C: .
S: 250 ok
C: QUIT
S: 221 bye
`)
	_, err := send(t, c, envelope(t, "a@b.example", "1@d.example", "2@d.example"), "x")
	require.NoError(t, err)
}

// Row 2: a body that ends in an error is never ended on the wire.
func TestHalfMessageIsNeverEnded(t *testing.T) {
	broken := errors.New("disk on fire")
	long := strings.Repeat("0123456789abcde\n", 3*bodyBuffer/16)
	for _, s := range []*Server{{}, {Without: []string{"CHUNKING"}}, {Without: []string{"PIPELINING", "CHUNKING"}}} {
		for _, size := range []int{0, 10, bodyBuffer, 2*bodyBuffer + 7} {
			var b box
			s := &Server{Handler: b.handler(), Without: s.Without}
			c := &Client{Addr: start(t, s), TLS: TLSNone}
			env := envelope(t, "a@b.example", "c@d.example")
			body := io.MultiReader(strings.NewReader(long[:size]), iotest.ErrReader(broken))
			_, err := c.Send(t.Context(), env, body)
			assert.ErrorIs(t, err, broken)
			_, err = c.Send(t.Context(), env, strings.NewReader("whole"))
			assert.NoError(t, err)
			c.Close()
			assert.Equal(t, []string{"whole\r\n"}, b.mail)
		}
	}
}

// A connection that is out of step takes no message, and says so.
func TestSendOverBrokenConnection(t *testing.T) {
	c := played(t, `S: 220 mx.example
C: EHLO client.example
S: 250 mx.example
C: NOOP
S: 421 4.3.2 Going down
`)
	nc, err := c.Dial(t.Context(), "tcp", c.Addr)
	require.NoError(t, err)
	conn, err := NewConn(t.Context(), nc, false, Timeouts{})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Hello(t.Context(), "client.example"))
	require.Error(t, conn.Noop(t.Context()))
	sent, err := conn.Send(t.Context(), envelope(t, "a@b.example", "c@d.example"), strings.NewReader("x"))
	assert.ErrorIs(t, err, errBotched)
	assert.Nil(t, sent)
}
