package pop3

import (
	"bytes"
	"errors"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// maxAuthLine is what a response of SASL may take: RFC 5034 §4 sets no limit,
// RFC 4954 §4 this one.
const maxAuthLine = 12288

// past is a deadline that has passed on every clock.
var past = time.Unix(1, 0)

// beforeRead is called before each read that may wait: it sends what the peer
// may be waiting for, which makes one write of the replies to a pipelined
// batch (RFC 2449 §6.6), and tells how long to wait.
func (c *conn) beforeRead() time.Time {
	if c.flush() != nil {
		return past // who does not read our replies has nothing more to say
	}
	var until time.Time
	if wait := c.srv.waits.Command; wait > 0 {
		until = time.Now().Add(wait)
	}
	if wait := c.srv.waits.Login; wait > 0 && c.drop == nil {
		if all := c.began.Add(wait); until.IsZero() || all.Before(until) {
			return all
		}
	}
	return until
}

// A badLine is a line that is no command whatever it says.
type badLine struct{ reply }

func (e *badLine) Error() string { return "pop3: " + e.text }

// readLine reads a line that is to be a command. It may end with
// [wire.ErrParked].
func (c *conn) readLine() ([]byte, error) {
	if err := c.r.Ready(); err != nil {
		return nil, err
	}
	limit := c.srv.limits.CommandLine
	longest := limit
	if c.drop == nil && c.srv.Auth != nil {
		longest = max(longest, maxAuthLine) // clients put whole tokens behind AUTH
	}
	line, err := c.r.ReadLine(longest)
	if err == nil && len(line) > limit && !isAuth(line) {
		err = wire.ErrLineTooLong
	}
	return checkLine(line, err)
}

func isAuth(line []byte) bool {
	verb, _, _ := bytes.Cut(line, []byte{' '})
	return len(verb) == 4 && bytes.EqualFold(verb, []byte("AUTH"))
}

// checkLine makes a *badLine of lines that cannot be read.
func checkLine(line []byte, err error) ([]byte, error) {
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return nil, &badLine{fail("", "Line too long")}
	case errors.Is(err, wire.ErrBareLF):
		return nil, &badLine{fail("", "Lines end in CRLF")} // RFC 1939 §3
	case err == nil && bytes.ContainsAny(line, "\x00\r"):
		return nil, &badLine{fail("", "Control character in command")}
	}
	return line, err
}

// unread answers what readLine could not.
func (c *conn) unread(err error) error {
	if bad, ok := errors.AsType[*badLine](err); ok {
		c.trace("", "")
		c.put(bad.reply)
		return c.countError()
	}
	return c.readError(err)
}

// readError gives a timeout and the end of the server a last word.
func (c *conn) readError(err error) error {
	switch {
	case c.unsent != nil:
		return c.unsent
	case errors.Is(err, wire.ErrWoken):
		return c.goodbye(errStopping)
	case wire.IsTimeout(err):
		return c.goodbye(errTimeout)
	}
	return err
}
