package smtp

import (
	"bytes"
	"errors"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// phase is what the next read is for, and so how long it may take.
type phase uint8

const (
	inCommand phase = iota
	inSilence       // before the greeting
	inData          // a block of a message
	inChunks        // the command between two chunks
)

// maxTurnedAway bounds how long a peer that got 554 at the door may take to
// say QUIT.
const maxTurnedAway = 10 * time.Second

// past is a deadline that has passed on every clock.
var past = time.Unix(1, 0)

// beforeRead is called before each read that may wait: it sends what the peer
// may be waiting for (RFC 2920 §3.2 (7)) and tells how long to wait.
func (c *conn) beforeRead() time.Time {
	if c.flush() != nil {
		return past // who does not read our replies has nothing more to say
	}
	now := time.Now()
	wait := c.srv.waits.Command
	switch {
	case c.phase == inSilence:
		return c.dataStart
	case c.phase != inCommand:
		return c.dataDeadline(now)
	case c.state == turnedAway && (wait == 0 || wait > maxTurnedAway):
		wait = maxTurnedAway
	case wait == 0:
		return time.Time{}
	}
	return now.Add(wait)
}

// dataDeadline gives each block its time, and the whole as much as its size
// deserves: a peer that sends a byte a minute is not kept for ever, whether it
// waits within a chunk or between two.
func (c *conn) dataDeadline(now time.Time) time.Time {
	block, command := c.srv.waits.DataBlock, c.srv.waits.Command
	wait := block
	if c.phase == inChunks {
		wait = command
	}
	if wait == 0 {
		c.hook.progress(time.Time{})
		return time.Time{}
	}
	until := now.Add(wait)
	c.hook.progress(until)
	rate := int64(c.srv.limits.MinRate)
	if rate == 0 || block == 0 {
		return until
	}
	if _, ok := c.source.(*bdat); ok {
		block += command
	}
	earned := time.Duration(c.source.Size()/rate) * time.Second
	if all := c.dataStart.Add(block + earned); all.Before(until) {
		return all
	}
	return until
}

// awaitLine is readLine where nothing of the dialogue lies on the stack. It may
// end with [wire.ErrParked].
func (c *conn) awaitLine() (line []byte, bad Reply, err error) {
	if err = c.r.Ready(); err != nil {
		return nil, Reply{}, err
	}
	return c.readLine()
}

// readLine reads a line that is to be a command. bad answers a line that is
// none whatever it says.
func (c *conn) readLine() (line []byte, bad Reply, err error) {
	limit := c.srv.limits.CommandLine
	longest := limit
	if c.mayLogin() {
		longest = max(longest, maxAuthLine) // clients put whole tokens behind AUTH
	}
	if c.r.Buffered() == 0 {
		if err = c.r.Fill(0); err != nil {
			return nil, Reply{}, err
		}
	}
	chunk := startsBDAT(c.r.Peek())
	line, err = c.r.ReadLine(longest)
	if err == nil && len(line) > limit && !hasVerb(line, "AUTH") {
		err = wire.ErrLineTooLong
	}
	if bad, err = badLine(line, err); bad.Code == 0 {
		return line, bad, err
	}
	if chunk && (bad == lineTooLong || hasVerb(line, "BDAT")) {
		return nil, Reply{}, c.lastWord(badBDAT)
	}
	return line, bad, nil
}

var lineTooLong = Reply{500, "5.5.6", "Line too long"} // RFC 5321 §4.5.3.1.9

// badLine answers lines that are no commands whatever they say, and passes on
// the errors that are not about the line.
func badLine(line []byte, err error) (Reply, error) {
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return lineTooLong, nil
	case errors.Is(err, wire.ErrBareLF):
		return Reply{500, "5.5.2", "Lines end in CRLF"}, nil // RFC 5321 §2.3.8
	case err == nil && (bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0):
		return Reply{501, "5.5.2", "Control character in command"}, nil
	}
	return Reply{}, err
}

// startsBDAT reports whether the line that begins with b may be BDAT: octets
// follow that are no commands, and if the line cannot be read nobody knows how
// many.
func startsBDAT(b []byte) bool {
	for i := range min(len(b), len("BDAT")) {
		if b[i]&^0x20 != "BDAT"[i] {
			return false
		}
	}
	return true
}

// hasVerb reports whether the line's first word is verb, which is in upper case.
func hasVerb(line []byte, verb string) bool {
	word, _ := cutVerb(line)
	if len(word) != len(verb) {
		return false
	}
	for i, c := range word {
		if c&^0x20 != verb[i] {
			return false
		}
	}
	return true
}
