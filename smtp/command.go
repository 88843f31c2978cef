package smtp

import (
	"bytes"
	"context"
	"unicode/utf8"
)

// state is where a dialogue stands; the table says what is allowed where.
type state uint8

const (
	fresh      state = 1 << iota // before EHLO
	greeted                      // between messages
	inMail                       // MAIL was accepted
	inRcpt                       // and a recipient too
	inBdat                       // the first chunk has come
	turnedAway                   // Connect said 554

	unread   = fresh | greeted | inMail | inRcpt // no message is being read
	anyState = unread | inBdat
)

// A command is one row of the protocol. RFC 2920 §3.1 says which commands end a
// batch: their replies are sent at once.
type command struct {
	verb   string
	states state
	flags  flags
	run    func(c *conn, arg string) (Reply, error) // error: the connection is over
}

type flags uint8

const (
	flush  flags = 1 << iota // ends a batch of pipelined commands (RFC 2920 §3.2 (5))
	idle                     // moves no mail
	secret                   // its argument is nobody's business
	open                     // allowed before TLS and login where these are required
	aborts                   // takes a message back that is being sent in chunks
)

var commands = [...]command{
	// RFC 5321 §4.1.4
	{"EHLO", anyState, flush | idle | open | aborts, (*conn).EHLO},
	{"HELO", anyState, flush | idle | open | aborts, (*conn).HELO},
	{"LHLO", anyState, flush | idle | open | aborts, (*conn).LHLO}, // RFC 2033 §4.1
	{"MAIL", greeted, 0, (*conn).MAIL},
	{"RCPT", inMail | inRcpt, 0, (*conn).RCPT},
	{"DATA", inMail | inRcpt, flush, (*conn).DATA},
	{"BDAT", anyState | turnedAway, 0, (*conn).BDAT}, // checks for itself: its octets must be read in any case
	{"RSET", anyState, idle | open | aborts, (*conn).RSET},
	{"NOOP", anyState, flush | idle | open, (*conn).NOOP},
	{"QUIT", anyState | turnedAway, flush | open | aborts, (*conn).QUIT},
	{"VRFY", unread, flush | idle, (*conn).VRFY},
	{"EXPN", unread, flush | idle, (*conn).EXPN},
	{"HELP", anyState, flush | idle | open, (*conn).HELP},
	{"STARTTLS", greeted, flush | open, (*conn).STARTTLS},  // RFC 3207 §4
	{"AUTH", greeted, flush | secret | open, (*conn).AUTH}, // RFC 4954 §4
	{"XCLIENT", fresh | greeted, flush | open, (*conn).XCLIENT},
}

// command answers one line.
func (c *conn) command(line []byte) error {
	verb, arg := cutVerb(line)
	row := c.srv.command(verb)
	if row == nil {
		return c.unknown(verb, string(arg))
	}
	text := string(arg)
	if row.flags&secret != 0 {
		c.trace(row.verb, "***")
	} else {
		c.trace(row.verb, text)
	}
	r, err := c.dispatch(row, text)
	if r.Code != 0 {
		c.answer(r)
	}
	if err != nil {
		return err
	}
	c.hush = row.flags&secret != 0 && r.Code != 235
	return c.settle(r, row.flags&flush != 0, c.mistaken(row, r))
}

// settle does what a reply that was put entails: it is sent, counted as a
// mistake, or the last one. A handler that says 421 hangs up (RFC 5321 §3.8).
func (c *conn) settle(r Reply, now, mistake bool) error {
	switch {
	case r.Code == 421:
		return c.over(r)
	case mistake:
		if err := c.countError(); err != nil {
			return err
		}
	}
	if now {
		return c.flush()
	}
	return c.unsent
}

// answer adds the reply; those to EHLO and its like write their own.
func (c *conn) answer(r Reply) {
	if r.Code/100 == 3 {
		c.putLine(r)
		return
	}
	c.put(r)
}

// mistaken reports a reply that is the peer's mistake, not the mail's fate.
func (c *conn) mistaken(row *command, r Reply) bool {
	switch {
	case row.flags&idle != 0:
		return c.idled() || r.Code >= 500
	case row.verb == "BDAT":
		// Behind a refused chunk others may be on their way (RFC 3030 §2).
		return r.Code >= 500 && c.idled()
	case row.verb == "DATA", row.verb == "AUTH":
		return r.Code/10 == 50
	}
	return r.Code >= 500 // guessing addresses, too
}

// idled counts a command that moves no mail, and reports one too many.
func (c *conn) idled() bool {
	c.idlers++
	n := c.srv.limits.Commands
	return n > 0 && int(c.idlers) > n
}

func (c *conn) dispatch(row *command, arg string) (Reply, error) {
	if r, ok := c.allowed(row); !ok {
		return r, nil
	}
	if !utf8.ValidString(arg) && row.verb != "BDAT" {
		return Reply{501, "5.5.2", "Invalid UTF-8"}, nil
	}
	return row.run(c, arg)
}

// allowed checks the state, and on a Submission server TLS and login.
func (c *conn) allowed(row *command) (Reply, bool) {
	if row.states&c.where() == 0 {
		return badSequence(row.verb, c.where()), false
	}
	if c.srv.Profile != Submission || row.flags&open != 0 || row.verb == "BDAT" {
		return Reply{}, true
	}
	return c.admitted()
}

// admitted reports whether a Submission server may take mail here yet.
func (c *conn) admitted() (Reply, bool) {
	switch {
	case c.session.TLS == nil && c.srv.TLSConfig != nil && !c.srv.InsecureAuth:
		return Reply{530, "5.7.0", "Must issue a STARTTLS command first"}, false // RFC 3207 §4
	case c.session.User == "":
		return Reply{530, "5.7.0", "Authentication required"}, false // RFC 6409 §4.3
	}
	return Reply{}, true
}

func (c *conn) where() state {
	if c.state == 0 {
		return fresh
	}
	return c.state
}

// badSequence says what is missing, 503 (RFC 5321 §4.1.4).
func badSequence(verb string, s state) Reply {
	text := "Bad sequence of commands"
	switch {
	case s == turnedAway:
		text = "No service here for you" // RFC 5321 §3.1
	case s == fresh:
		text = "Say hello first"
	case verb == "MAIL":
		text = "Nested MAIL command"
	case s == greeted:
		text = "Need MAIL first"
	}
	return Reply{503, "5.5.1", text}
}

// cutVerb splits a line at its first space.
func cutVerb(line []byte) (verb, arg []byte) {
	line = bytes.TrimRight(line, " \t") // RFC 5321 §4.1.1
	verb, arg, _ = bytes.Cut(line, []byte{' '})
	return verb, arg
}

// command finds a row. It folds ASCII only: in Unicode U+017F is an "S" too.
func (s *Server) command(verb []byte) *command {
	if len(verb) < 4 || len(verb) > 8 {
		return nil
	}
	var b [8]byte
	for i, ch := range verb {
		if 'a' <= ch && ch <= 'z' {
			ch -= 'a' - 'A'
		}
		b[i] = ch
	}
	for i := range s.commands {
		if s.commands[i].verb == string(b[:len(verb)]) {
			return &s.commands[i]
		}
	}
	return nil
}

// unknown answers verbs that are not in the table: private ones, those of
// other protocols, and none at all. None is kept waiting (RFC 2920 §3.2 (6)).
func (c *conn) unknown(verb []byte, arg string) error {
	x := c.srv.private(string(verb))
	switch {
	case x == nil && c.hush:
		c.trace("***", "***") // the answer to a login that was refused already
	default:
		c.trace(string(verb), arg)
	}
	switch {
	case c.where() == turnedAway:
		return c.say(badSequence("", turnedAway))
	case x != nil && utf8.ValidString(arg):
		return c.privateVerb(x, arg)
	case foreign(verb):
		// A browser was made to speak to us; what follows is its user's.
		return c.lastWord(Reply{554, "5.7.0", "This is a mail server"})
	}
	return c.say(Reply{500, "5.5.1", "Command not recognized"})
}

// say answers a verb that is not in the table.
func (c *conn) say(r Reply) error {
	c.put(r)
	return c.settle(r, true, r.Code >= 500)
}

// foreign reports the first word of HTTP, or of the header of a message that
// was sent though DATA was refused: what follows is text, not commands.
func foreign(verb []byte) bool {
	if n := len(verb); n > 1 && verb[n-1] == ':' {
		return true
	}
	switch upper(string(verb)) {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI":
		return true
	}
	return false
}

func (c *conn) privateVerb(x *Extension, arg string) error {
	if c.srv.Profile == Submission {
		if r, ok := c.admitted(); !ok {
			return c.say(r)
		}
	}
	var r Reply
	err := c.call(c.context(), func(ctx context.Context) (err error) {
		r, err = x.Command(ctx, &c.session, arg)
		return err
	})
	return c.say(c.answered(r, err))
}
