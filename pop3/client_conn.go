package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// Conn is one session with a server. [Client.Connect] makes one that is logged
// in; [NewConn], Capabilities, StartTLS and Auth are the steps it goes through.
// It is used by one goroutine at a time.
//
// Every method is bounded by its ctx and by Timeouts. After an error that is no
// *[Error] the session is out of step: [Conn.Botched] reports it, and only
// Close is left. Deletions happen at Quit and nowhere else.
type Conn struct {
	nc       net.Conn
	r        wire.Reader
	out      []byte // commands not yet sent
	state    *tls.ConnectionState
	waits    Timeouts
	greeting string
	stamp    string // of APOP; "" none
	caps     Capabilities
	body     *Body  // being read; nil none
	fetch    *fetch // the loop that runs; nil none
	botched  bool
	bounds   wire.Bounds // of the call under way
}

// NewConn reads the greeting of a server on nc, which Conn owns from now on. A
// refusal is an *[Error].
func NewConn(ctx context.Context, nc net.Conn, t Timeouts) (*Conn, error) {
	c := &Conn{nc: nc, waits: t.forClient()}
	if tc, ok := nc.(*tls.Conn); ok {
		state := tc.ConnectionState()
		c.state = &state
	}
	c.r.Deadline = c.deadline
	c.r.Reset(nc)
	defer c.bound(ctx)()
	text, err := c.status("")
	if err != nil {
		nc.Close()
		return nil, cause(ctx, err)
	}
	c.greeting, c.stamp = text, timestamp(text)
	return c, nil
}

// timestamp finds what APOP digests: the msg-id in the greeting (RFC 1939 §7).
func timestamp(greeting string) string {
	from := strings.IndexByte(greeting, '<')
	if from < 0 {
		return ""
	}
	to := strings.IndexByte(greeting[from:], '>')
	if to < 0 || !strings.Contains(greeting[from:from+to], "@") {
		return ""
	}
	return greeting[from : from+to+1]
}

// Greeting is what the server said first, without its +OK.
func (c *Conn) Greeting() string { return c.greeting }

// TLS is the state of the connection's TLS, nil without.
func (c *Conn) TLS() *tls.ConnectionState { return c.state }

// Botched reports that the dialogue is out of step and cannot go on.
func (c *Conn) Botched() bool { return c.botched }

// bound makes the calls that follow end with ctx; the func it returns lifts
// that.
func (c *Conn) bound(ctx context.Context) func() {
	return c.bounds.Begin(ctx, c.nc, &c.r, &c.botched)
}

// cause tells why: the context's cause rather than the deadline it set.
func cause(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err // the server's word
	}
	return wire.Cause(ctx, err)
}

// deadline is that of the next read.
func (c *Conn) deadline() time.Time { return c.bounds.Within(c.waits.Command) }

var errStopped = errors.New("pop3: stopped")

// flush sends what was gathered in out.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.nc.SetWriteDeadline(c.bounds.Within(c.waits.Write))
	err := errStopped
	if !c.bounds.Stopped() {
		_, err = c.nc.Write(c.out)
	}
	c.out = c.out[:0]
	if err != nil {
		c.botched = true
	}
	return err
}

// ask sends one command and reads the first line of its reply. arg must hold
// no control character: see check.
func (c *Conn) ask(ctx context.Context, verb, arg string) (string, error) {
	if err := c.ready(); err != nil {
		return "", err
	}
	defer c.bound(ctx)()
	if err := c.queue(verb, arg); err != nil {
		return "", err
	}
	text, err := c.status(verb)
	return text, cause(ctx, err)
}

// ready reports why no command can be sent now.
func (c *Conn) ready() error {
	switch {
	case c.botched:
		return errBotched
	case c.fetch != nil:
		return errors.New("pop3: only Delete may be called while a Fetch runs")
	case c.body != nil:
		return errors.New("pop3: the last message was not read to its end or closed")
	}
	return nil
}

// queue adds a command to the batch. What a caller passes on may not begin
// another one.
func (c *Conn) queue(verb, arg string) error {
	if strings.ContainsAny(arg, "\r\n\x00") {
		return fmt.Errorf("pop3: control character in the argument of %s", verb)
	}
	c.out = append(c.out, verb...)
	if arg != "" || verb == "PASS" {
		c.out = append(append(c.out, ' '), arg...)
	}
	c.out = append(c.out, '\r', '\n')
	return nil
}

// maxPeerLine is how long a line of a reply may be; RFC 2449 §4 allows 512.
const maxPeerLine = 8192

// status sends the batch and reads the first line of a reply. -ERR is an
// *Error; all others leave the session out of step.
func (c *Conn) status(verb string) (string, error) {
	line, err := c.line()
	if err != nil {
		return "", err
	}
	status, text, _ := strings.Cut(string(line), " ")
	switch strings.ToUpper(status) {
	case "+OK":
		return cleanText([]byte(text)), nil
	case "-ERR":
		code, text := cutCode(cleanText([]byte(text)))
		return "", &Error{Command: verb, Code: code, Text: text}
	}
	c.botched = true
	return "", ProtocolError(fmt.Sprintf("not a reply: %.80q", line))
}

// line sends the batch and reads one line.
func (c *Conn) line() ([]byte, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	line, err := c.r.ReadLine(maxPeerLine)
	switch {
	case err == nil, errors.Is(err, wire.ErrBareLF): // lenient: it cannot hide a reply
		return line, nil
	case errors.Is(err, wire.ErrLineTooLong):
		err = ProtocolError("line too long")
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	c.botched = true
	return nil, err
}

// cutCode splits an extended response code off (RFC 2449 §8).
func cutCode(text string) (code, rest string) {
	if !strings.HasPrefix(text, "[") {
		return "", text
	}
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return "", text
	}
	return text[1:end], strings.TrimLeft(text[end+1:], " ")
}

// maxPeerLines bounds a list: no maildrop of more messages can be downloaded
// one by one.
const maxPeerLines = 10_000_000

// lines reads a multi-line reply behind its status.
func (c *Conn) lines(each func(line string) error) error {
	for range maxPeerLines {
		b, err := c.line()
		if err != nil {
			return err
		}
		line := string(b)
		if line == "." {
			return nil
		}
		if err := each(strings.TrimPrefix(line, ".")); err != nil {
			c.botched = true
			return err
		}
	}
	c.botched = true
	return ProtocolError("endless list")
}

// Noop asks whether the server is still there.
func (c *Conn) Noop(ctx context.Context) error {
	_, err := c.ask(ctx, "NOOP", "")
	return err
}

// Quit ends the session: what was deleted goes now (RFC 1939 §6). An *[Error]
// says that some was not. The connection is closed in any case.
func (c *Conn) Quit(ctx context.Context) error {
	defer c.Close()
	_, err := c.ask(ctx, "QUIT", "")
	return err
}

// Close closes the connection at once. Nothing is deleted.
func (c *Conn) Close() error {
	if tc, ok := c.nc.(*tls.Conn); ok && c.botched {
		tc.NetConn().Close() // or it would wait to say goodbye, to a peer that may not read
	}
	c.botched, c.body = true, nil
	err := c.nc.Close()
	c.r.Release()
	return err
}
