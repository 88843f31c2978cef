package pop3

import (
	"bytes"
	"unicode/utf8"
)

// state is where a dialogue stands (RFC 1939 §3); the table says what is
// allowed where. The UPDATE state is part of QUIT.
type state uint8

const (
	authorization state = 1 << iota
	transaction

	anyState = authorization | transaction
)

// A command is one row of the protocol.
type command struct {
	verb   string
	states state
	flags  flags
	cap    string // the CAPA keyword it comes with; "" it is always there
	run    func(c *conn, arg string) (reply, error)
}

type flags uint8

const (
	secret flags = 1 << iota // its argument is nobody's business
	noArg                    // takes no argument
	keeps                    // leaves what USER said alone
)

var commands = [...]command{
	// RFC 1939 §4, §7
	{"USER", authorization, keeps, "USER", (*conn).USER},
	{"PASS", authorization, secret | keeps, "USER", (*conn).PASS},
	{"APOP", authorization, secret, "", (*conn).APOP},
	{"AUTH", authorization, secret, "SASL", (*conn).AUTH}, // RFC 5034 §4
	{"STLS", authorization, noArg, "STLS", (*conn).STLS},  // RFC 2595 §4
	{"UTF8", authorization, noArg, "UTF8", (*conn).UTF8},  // RFC 6856 §2.1
	// RFC 1939 §5, §7
	{"STAT", transaction, noArg, "", (*conn).STAT},
	{"LIST", transaction, 0, "", (*conn).LIST},
	{"RETR", transaction, 0, "", (*conn).RETR},
	{"DELE", transaction, 0, "", (*conn).DELE},
	{"NOOP", transaction, noArg, "", (*conn).NOOP},
	{"RSET", transaction, noArg, "", (*conn).RSET},
	{"TOP", transaction, 0, "TOP", (*conn).TOP},
	{"UIDL", transaction, 0, "UIDL", (*conn).UIDL},
	// both states
	{"CAPA", anyState, noArg | keeps, "", (*conn).CAPA}, // RFC 2449 §5
	{"LANG", anyState, keeps, "LANG", (*conn).LANG},     // RFC 6856 §3
	{"QUIT", anyState, noArg, "", (*conn).QUIT},         // RFC 1939 §4, §6
}

// command answers one line.
func (c *conn) command(line []byte) error {
	verb, arg := cutVerb(line)
	row := c.srv.command(verb)
	if row == nil || row.cap != "" && c.srv.withholds(row.cap) {
		return c.unknown(verb, string(arg))
	}
	text := string(arg)
	if row.flags&secret != 0 {
		c.trace(row.verb, "***")
	} else {
		c.trace(row.verb, text)
	}
	r, err := c.dispatch(row, text)
	if err != nil {
		return c.ended(err)
	}
	c.hush = row.flags&secret != 0 && !r.ok
	if row.flags&keeps == 0 {
		c.user = ""
	}
	if !r.sent {
		c.put(r)
	}
	if !r.ok {
		return c.countError()
	}
	return c.unsent
}

// ended makes the last words of errors that have some.
func (c *conn) ended(err error) error {
	if bad, ok := err.(*badLine); ok {
		c.put(bad.reply)
		c.hush = true
		return c.countError()
	}
	return err
}

func (c *conn) dispatch(row *command, arg string) (reply, error) {
	switch {
	case row.states&c.state() == 0:
		return c.badState(), nil
	case row.flags&noArg != 0 && arg != "":
		return fail("", row.verb+" takes no argument"), nil
	case !utf8.ValidString(arg):
		return fail("", "Invalid UTF-8"), nil // RFC 6856 §2.2
	}
	return row.run(c, arg)
}

func (c *conn) state() state {
	if c.drop == nil {
		return authorization
	}
	return transaction
}

func (c *conn) badState() reply {
	if c.drop == nil {
		return fail("", "Log in first")
	}
	return fail("", "You are logged in already")
}

// cutVerb splits a line at its first space. All behind it is the argument: a
// password may have spaces at either end (RFC 1939 §7, PASS).
func cutVerb(line []byte) (verb, arg []byte) {
	verb, arg, _ = bytes.Cut(line, []byte{' '})
	return verb, arg
}

// command finds a row. It folds ASCII only: in Unicode U+017F is an "S" too.
func (s *Server) command(verb []byte) *command {
	if len(verb) < 3 || len(verb) > 4 { // RFC 2449 §3
		return nil
	}
	var b [4]byte
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

// unknown answers verbs that are not in the table, those of other protocols,
// and none at all. A browser that was made to speak to us is hung up on: what
// follows is its user's.
func (c *conn) unknown(verb []byte, arg string) error {
	if c.hush {
		c.trace("***", "***") // the answer to a login that was refused already
	} else {
		c.trace(string(verb), arg)
	}
	c.put(fail("", "Unknown command"))
	if foreign(verb) {
		c.cut = true
		return errOver
	}
	return c.countError()
}

// foreign reports the first word of HTTP and the like, or of a header field.
func foreign(verb []byte) bool {
	if n := len(verb); n > 1 && verb[n-1] == ':' {
		return true
	}
	switch string(bytes.ToUpper(verb)) {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI", "EHLO", "HELO":
		return true
	}
	return false
}

// maxEarlyErrors is how often a peer that has not logged in may be wrong.
const maxEarlyErrors = 3

// countError ends a dialogue that goes nowhere. Before the login few mistakes
// are enough; failed logins have their own count.
func (c *conn) countError() error {
	c.errors++
	n := c.srv.limits.Errors
	if c.drop == nil && c.tries == 0 {
		n = min(n, maxEarlyErrors)
	}
	if n > 0 && int(c.errors) >= n {
		c.put(fail("", "Too many errors"))
		c.cut = true
		return errOver
	}
	return c.unsent
}
