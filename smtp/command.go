package smtp

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"
)

// state is where a dialogue stands; the table says what is allowed where.
type state uint8

const (
	fresh   state = 1 << iota // before EHLO
	greeted                   // between messages
	inMail                    // MAIL was accepted
	inRcpt                    // and a recipient too
	inBdat                    // the first chunk has come

	anyState = fresh | greeted | inMail | inRcpt | inBdat
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
	flush  flags = 1 << iota // ends a batch of pipelined commands
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
	{"BDAT", anyState, 0, (*conn).BDAT}, // checks for itself: its octets must be read in any case
	{"RSET", anyState, idle | open | aborts, (*conn).RSET},
	{"NOOP", anyState, flush | idle | open, (*conn).NOOP},
	{"QUIT", anyState, flush | open | aborts, (*conn).QUIT},
	{"VRFY", fresh | greeted, flush | idle, (*conn).VRFY},
	{"EXPN", fresh | greeted, flush | idle, (*conn).EXPN},
	{"HELP", anyState, flush | idle | open, (*conn).HELP},
	{"STARTTLS", greeted, flush | open, (*conn).STARTTLS},  // RFC 3207 §4
	{"AUTH", greeted, flush | secret | open, (*conn).AUTH}, // RFC 4954 §4
	{"XCLIENT", fresh | greeted, flush | open, (*conn).XCLIENT},
}

// helpText lists the verbs; made here, since HELP reading the table would be a
// cycle.
const helpText = "Commands: EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN HELP STARTTLS AUTH"

// command answers one line.
func (c *conn) command(line []byte) error {
	verb, arg := cutVerb(line)
	row := c.srv.command(verb)
	if row == nil {
		return c.unknown(verb, string(arg))
	}
	if row.flags&secret != 0 {
		c.trace(row.verb, "***")
	} else {
		c.trace(row.verb, string(arg))
	}
	r, err := c.dispatch(row, arg)
	if r.Code != 0 {
		c.answer(row, r)
	}
	if err != nil {
		return err
	}
	if row.flags&flush != 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.refused(row, r) {
		return c.countError()
	}
	return nil
}

// answer adds the reply; those to EHLO and its like write their own.
func (c *conn) answer(row *command, r Reply) {
	if r.Code/100 == 3 {
		c.putLine(r)
		return
	}
	c.put(r)
}

// refused reports a reply that is the peer's mistake, not the mail's fate.
func (c *conn) refused(row *command, r Reply) bool {
	switch {
	case row.flags&idle != 0:
		c.idlers++
		n := c.srv.limits.Commands
		return r.Code >= 500 || n > 0 && c.idlers > n
	case row.verb == "RCPT":
		return r.Code >= 500 // guessing addresses
	}
	return r.Code/10 == 50
}

func (c *conn) dispatch(row *command, arg []byte) (Reply, error) {
	if r, ok := c.allowed(row); !ok {
		return r, nil
	}
	if !utf8.Valid(arg) {
		return Reply{501, "5.5.2", "Invalid UTF-8"}, nil
	}
	return row.run(c, string(arg))
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
// other protocols, and none at all.
func (c *conn) unknown(verb []byte, arg string) error {
	c.trace(string(verb), arg)
	if foreign(verb) {
		// A browser was made to speak to us; what follows is its user's.
		return c.lastWord(Reply{554, "5.7.0", "This is a mail server"})
	}
	if x := c.srv.private(string(verb)); x != nil && utf8.ValidString(arg) {
		return c.privateVerb(x, arg)
	}
	c.put(Reply{500, "5.5.1", "Command not recognized"})
	return c.countError()
}

// foreign reports the first word of HTTP: a method, or a header field.
func foreign(verb []byte) bool {
	switch upper(string(verb)) {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI", "HOST:", "USER-AGENT:", "CONTENT-TYPE:":
		return true
	}
	return false
}

func (c *conn) privateVerb(x *Extension, arg string) error {
	if c.srv.Profile == Submission {
		if r, ok := c.admitted(); !ok {
			c.put(r)
			return c.countError()
		}
	}
	var r Reply
	err := c.call(c.ctx, func(ctx context.Context) (err error) {
		r, err = x.Command(ctx, &c.session, arg)
		return err
	})
	if err != nil {
		r = c.failure(err)
	}
	c.put(r)
	if r.Code >= 500 {
		return c.countError()
	}
	return nil
}

// failure makes the reply to a handler's error, and logs what it hides.
func (c *conn) failure(err error) Reply {
	r := ReplyTo(err)
	if r == tryLater {
		c.warn("temporary failure", err)
	}
	return r
}

func (c *conn) warn(msg string, err error) {
	if l := c.srv.Log; l != nil {
		l.Warn(msg, "conn", c.session.ID, "remote", c.session.Remote, "err", err)
	}
}

// HELO begins anew (RFC 5321 §4.1.1.1).
func (c *conn) HELO(arg string) (Reply, error) {
	if c.srv.Profile == LMTP {
		return Reply{500, "5.5.1", "This is LMTP: say LHLO"}, nil // RFC 2033 §4.1
	}
	return c.hello(arg, false)
}

// EHLO begins anew, with extensions.
func (c *conn) EHLO(arg string) (Reply, error) {
	if c.srv.Profile == LMTP {
		return Reply{500, "5.5.1", "This is LMTP: say LHLO"}, nil
	}
	return c.hello(arg, true)
}

// LHLO is the EHLO of LMTP.
func (c *conn) LHLO(arg string) (Reply, error) {
	if c.srv.Profile != LMTP {
		return Reply{500, "5.5.1", "This is not LMTP: say EHLO"}, nil
	}
	return c.hello(arg, true)
}

func (c *conn) hello(arg string, extended bool) (Reply, error) {
	name := strings.TrimSpace(arg)
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Reply{501, "5.5.4", "Your name, please"}, nil
	}
	c.endTransaction(true)
	before := c.session.Hello
	c.session.Hello = name
	c.esmtp = extended
	c.session.Protocol = c.protocol()
	if f := c.srv.Handler.Hello; f != nil {
		if err := c.call(c.ctx, func(ctx context.Context) error { return f(ctx, &c.session) }); err != nil {
			c.session.Hello = before
			return c.failure(err), nil
		}
	}
	c.state = greeted
	text := c.srv.name() + " greets " + name
	if !extended {
		c.putLine(Reply{250, "", "Hello " + name + ", pleased to meet you"})
		return Reply{}, nil
	}
	c.putLine(Reply{250, "", text + "\n" + strings.Join(c.keywords(), "\n")})
	return Reply{}, nil
}

// protocol is what stands after "with" in Received (RFC 3848, RFC 6531 §4.3).
func (c *conn) protocol() string {
	name := "SMTP"
	switch {
	case c.srv.Profile == LMTP:
		name = "LMTP"
	case c.esmtp:
		name = "ESMTP"
	default:
		return name
	}
	if c.session.TLS != nil {
		name += "S"
	}
	if c.session.User != "" {
		name += "A"
	}
	return name
}

// RSET forgets the transaction, and nothing else (RFC 5321 §4.1.1.5).
func (c *conn) RSET(arg string) (Reply, error) {
	if arg != "" {
		return noArgument, nil
	}
	c.endTransaction(true)
	return Reply{250, "2.0.0", "Forgotten"}, nil
}

var noArgument = Reply{501, "5.5.4", "No argument allowed"}

// NOOP does nothing, whatever its argument (RFC 5321 §4.1.1.9).
func (c *conn) NOOP(string) (Reply, error) { return Reply{250, "2.0.0", "OK"}, nil }

// QUIT is answered 221 at all times (RFC 5321 §4.1.1.10).
func (c *conn) QUIT(arg string) (Reply, error) {
	if arg != "" {
		return noArgument, nil
	}
	c.quit = true
	return Reply{221, "2.0.0", c.srv.name() + " closing connection"}, nil
}

// HELP lists the verbs (RFC 5321 §4.1.1.8).
func (c *conn) HELP(string) (Reply, error) { return Reply{214, "2.0.0", helpText}, nil }

// VRFY is answered 252 where nobody knows better (RFC 5321 §3.5.3).
func (c *conn) VRFY(arg string) (Reply, error) {
	if c.srv.Handler.Verify == nil {
		return Reply{252, "2.0.0", "Send some mail, I will try my best"}, nil
	}
	return c.ask(c.srv.Handler.Verify, arg)
}

// EXPN is not implemented unless the handler does it.
func (c *conn) EXPN(arg string) (Reply, error) {
	if c.srv.Handler.Expand == nil {
		return Reply{502, "5.5.1", "Command not implemented"}, nil
	}
	return c.ask(c.srv.Handler.Expand, arg)
}

func (c *conn) ask(f func(context.Context, *Session, string) (Reply, error), arg string) (r Reply, _ error) {
	if arg == "" {
		return Reply{501, "5.5.4", "Whom?"}, nil
	}
	err := c.call(c.ctx, func(ctx context.Context) (err error) {
		r, err = f(ctx, &c.session, arg)
		return err
	})
	if err != nil {
		r = c.failure(err)
	}
	return r, nil
}
