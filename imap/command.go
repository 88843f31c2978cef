package imap

import (
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// A command is one row of the protocol.
type command struct {
	verb   string
	states state
	flags  flags
	needs  string // the capability that brings it; "" is the base
	run    func(c *conn, p *parser) reply

	// early refuses a command before its literals are asked for; nil never.
	early func(c *conn) reply
	// streams reports whether the literal behind these octets is a message,
	// which run reads by itself; nil: none is.
	streams func(cmd []byte) bool
}

type flags uint8

const (
	// numbers: while it runs, sequence numbers must not change: no EXPUNGE is
	// sent (RFC 9051 §7.5.1).
	numbers flags = 1 << iota
	bySeq         // it names messages by number, which UIDONLY forbids
	secret        // its argument is nobody's business
	silent        // no news are told at its end; it has told them, or there are none
)

var commands = [...]command{
	// RFC 9051 §6.1
	{verb: "CAPABILITY", states: anyState, run: (*conn).CAPABILITY},
	{verb: "NOOP", states: anyState, run: (*conn).NOOP},
	{verb: "LOGOUT", states: anyState, flags: silent, run: (*conn).LOGOUT},
	{verb: "ID", states: anyState, needs: "ID", run: (*conn).ID}, // RFC 2971 §3.1

	// RFC 9051 §6.2
	{verb: "STARTTLS", states: fresh, flags: silent, needs: "STARTTLS", run: (*conn).STARTTLS},
	{verb: "AUTHENTICATE", states: fresh, flags: secret | silent, run: (*conn).AUTHENTICATE},
	{verb: "LOGIN", states: fresh, flags: secret | silent, run: (*conn).LOGIN, early: (*conn).mayLOGIN},

	// RFC 9051 §6.3
	{verb: "ENABLE", states: loggedIn, needs: "ENABLE", run: (*conn).ENABLE},
	{verb: "SELECT", states: loggedIn, flags: silent, run: (*conn).SELECT},
	{verb: "EXAMINE", states: loggedIn, flags: silent, run: (*conn).EXAMINE},
	{verb: "CREATE", states: loggedIn, run: (*conn).CREATE},
	{verb: "DELETE", states: loggedIn, run: (*conn).DELETE},
	{verb: "RENAME", states: loggedIn, run: (*conn).RENAME},
	{verb: "SUBSCRIBE", states: loggedIn, run: (*conn).SUBSCRIBE},
	{verb: "UNSUBSCRIBE", states: loggedIn, run: (*conn).UNSUBSCRIBE},
	{verb: "LIST", states: loggedIn, run: (*conn).LIST},
	{verb: "LSUB", states: loggedIn, run: (*conn).LSUB}, // RFC 3501 §6.3.9
	{verb: "NAMESPACE", states: loggedIn, needs: "NAMESPACE", run: (*conn).NAMESPACE},
	{verb: "STATUS", states: loggedIn, run: (*conn).STATUS},
	{verb: "APPEND", states: loggedIn, run: (*conn).APPEND, streams: isMessage(1, false)},
	{verb: "IDLE", states: loggedIn, flags: silent, needs: "IDLE", run: (*conn).IDLE},

	// RFC 9051 §6.4
	{verb: "CLOSE", states: selected, flags: silent, run: (*conn).CLOSE},
	{verb: "UNSELECT", states: selected, flags: silent, needs: "UNSELECT", run: (*conn).UNSELECT},
	{verb: "CHECK", states: selected, run: (*conn).NOOP}, // RFC 3501 §6.4.1: no guarantee of anything
	{verb: "EXPUNGE", states: selected, run: (*conn).EXPUNGE},
	{verb: "UID EXPUNGE", states: selected, needs: "UIDPLUS", run: (*conn).EXPUNGE},
	{verb: "SEARCH", states: selected, flags: numbers | bySeq, run: (*conn).SEARCH},
	{verb: "UID SEARCH", states: selected, run: (*conn).SEARCH},
	{verb: "FETCH", states: selected, flags: numbers | bySeq, run: (*conn).FETCH},
	{verb: "UID FETCH", states: selected, run: (*conn).FETCH},
	{verb: "STORE", states: selected, flags: numbers | bySeq, run: (*conn).STORE},
	{verb: "UID STORE", states: selected, run: (*conn).STORE},
	{verb: "COPY", states: selected, flags: bySeq, run: (*conn).COPY},
	{verb: "UID COPY", states: selected, run: (*conn).COPY},
	{verb: "MOVE", states: selected, flags: bySeq, needs: "MOVE", run: (*conn).MOVE}, // RFC 6851 §3
	{verb: "UID MOVE", states: selected, needs: "MOVE", run: (*conn).MOVE},

	{verb: "REPLACE", states: selected, flags: bySeq, needs: "REPLACE", run: (*conn).REPLACE, streams: isMessage(1, true)}, // RFC 8508 §3
	{verb: "UID REPLACE", states: selected, needs: "REPLACE", run: (*conn).REPLACE, streams: isMessage(2, true)},
	{verb: "SORT", states: selected, flags: numbers | bySeq, needs: "SORT", run: (*conn).SORT}, // RFC 5256 §3
	{verb: "UID SORT", states: selected, needs: "SORT", run: (*conn).SORT},
	{verb: "THREAD", states: selected, flags: numbers | bySeq, needs: "THREAD=REFERENCES", run: (*conn).THREAD},
	{verb: "UID THREAD", states: selected, needs: "THREAD=REFERENCES", run: (*conn).THREAD},
	{verb: "ESEARCH", states: loggedIn, needs: "MULTISEARCH", run: (*conn).ESEARCH},                                 // RFC 7377 §2
	{verb: "CANCELUPDATE", states: selected, needs: "CONTEXT=SEARCH", run: (*conn).CANCELUPDATE},                    // RFC 5267 §4.3.5
	{verb: "NOTIFY", states: loggedIn, needs: "NOTIFY", run: (*conn).NOTIFY},                                        // RFC 5465 §3
	{verb: "COMPRESS", states: loggedIn, flags: silent, needs: "COMPRESS=DEFLATE", run: (*conn).COMPRESS},           // RFC 4978 §3
	{verb: "UNAUTHENTICATE", states: loggedIn, flags: silent, needs: "UNAUTHENTICATE", run: (*conn).UNAUTHENTICATE}, // RFC 8437 §3

	{verb: "GETQUOTA", states: loggedIn, needs: "QUOTA", run: (*conn).GETQUOTA}, // RFC 9208 §4.1
	{verb: "GETQUOTAROOT", states: loggedIn, needs: "QUOTA", run: (*conn).GETQUOTAROOT},
	{verb: "SETQUOTA", states: loggedIn, needs: "QUOTASET", run: (*conn).SETQUOTA},
	{verb: "GETACL", states: loggedIn, needs: "ACL", run: (*conn).GETACL}, // RFC 4314 §3
	{verb: "SETACL", states: loggedIn, needs: "ACL", run: (*conn).SETACL},
	{verb: "DELETEACL", states: loggedIn, needs: "ACL", run: (*conn).DELETEACL},
	{verb: "LISTRIGHTS", states: loggedIn, needs: "ACL", run: (*conn).LISTRIGHTS},
	{verb: "MYRIGHTS", states: loggedIn, needs: "ACL", run: (*conn).MYRIGHTS},
	{verb: "GETMETADATA", states: loggedIn, needs: "METADATA", run: (*conn).GETMETADATA}, // RFC 5464 §4
	{verb: "SETMETADATA", states: loggedIn, needs: "METADATA", run: (*conn).SETMETADATA},
}

// command answers one command that begins with line.
func (c *conn) command(line []byte) error {
	c.began = time.Now()
	p := parser{Lexer: wire.NewLexer(line), c: c}
	row := p.head()
	c.tag, c.verb = p.tag, p.verb
	if row == nil {
		return c.unknown(&p, line)
	}
	cmd, refused, err := c.gather(row, line)
	if err != nil {
		if refused.status != "" {
			c.tagged(refused)
		}
		return c.readError(err)
	}
	if refused.status == "" {
		at := p.Pos()
		p.Lexer = wire.NewLexer(cmd)
		p.UTF8 = c.on&(rev2|utf8ok) != 0
		p.Skip(at)
		c.trace(row, p.Rest())
		refused = c.dispatch(row, &p)
	}
	c.cmd, c.announced = nil, false
	if c.err != nil {
		return c.err
	}
	return c.settle(row, refused)
}

// uidRequired refuses message numbers (RFC 9586).
var uidRequired = reply{statusBad, "UIDREQUIRED", "Message numbers are not allowed once UIDONLY is enabled"}

// dispatch runs the command.
func (c *conn) dispatch(row *command, p *parser) reply {
	if r := c.allowed(row); r.status != "" {
		return r
	}
	if c.on&uidonly != 0 && row.flags&bySeq != 0 {
		return uidRequired
	}
	return row.run(c, p)
}

// settle tells the news, where they may be told, and ends the command.
func (c *conn) settle(row *command, r reply) error {
	if r.status == "" {
		return c.unsent
	}
	if c.sel != nil && c.wants() && row.flags&silent == 0 && r.status != statusBad {
		if err := c.news(row.flags&numbers == 0); err != nil {
			return c.lost(err)
		}
	}
	c.tagged(r)
	if r.status != statusBad {
		c.errors = 0
		return c.unsent
	}
	return c.countError()
}

// countError ends a dialogue that goes nowhere.
func (c *conn) countError() error {
	c.errors++
	most := c.srv.limits.Errors
	if c.store == nil && (most == 0 || most > 3) {
		most = 3
	}
	if most > 0 && int(c.errors) >= most {
		return c.bye("Too many errors")
	}
	return c.unsent
}

// unknown answers what is no command. A first line that is none comes from a
// client of another protocol, perhaps a browser that was made to speak to us.
func (c *conn) unknown(p *parser, line []byte) error {
	if c.store == nil && c.errors == 0 && (p.tag == "" || foreign(p.tag)) {
		return c.bye("This is an IMAP server")
	}
	if lit, _, found := wire.LiteralAt(line); found && lit.NonSync {
		return c.bye("Unknown command with a literal")
	}
	if p.tag == "" {
		c.put("BAD Syntax: tag, space, command")
		return c.countError()
	}
	c.tagged(bad("Unknown command"))
	return c.countError()
}

// foreign reports the first word of HTTP and of SMTP.
func foreign(tag string) bool {
	switch wire.Upper(tag) {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI", "EHLO", "HELO", "LHLO":
		return true
	}
	return false
}

// allowed checks the state, and whether the capability is there.
func (c *conn) allowed(row *command) reply {
	switch s := c.state(); {
	case row.states&s == 0 && s == fresh:
		return bad("Log in first")
	case row.states&s == 0 && row.states == fresh:
		return bad("Logged in already")
	case row.states&s == 0:
		return bad("Select a mailbox first")
	case row.needs != "" && !c.has(row.needs):
		return bad("Not offered here")
	}
	return reply{}
}

func (c *conn) trace(row *command, arg []byte) {
	t := c.srv.Trace
	if t == nil || t.Command == nil {
		return
	}
	text := "***"
	if row.flags&secret == 0 {
		text = strings.TrimPrefix(string(arg[:min(len(arg), 1024)]), " ")
	}
	t.Command(&c.session, row.verb, text)
}
