package imap

import (
	"errors"
	"io"
	"iter"
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// isMessage reports whether the literal behind a command that breaks off is a
// message: all are but the name of the mailbox, which stands behind the tag, so
// many words of the verb and perhaps a number.
func isMessage(words int, number bool) func(cmd []byte) bool {
	return func(cmd []byte) bool {
		l := wire.NewLexer(cmd)
		l.Tag()
		for range words {
			l.SP()
			l.Atom()
		}
		if number {
			l.SP()
			l.Set()
		}
		l.SP()
		return l.OK() && !l.AtEnd()
	}
}

// appending is APPEND or REPLACE while it runs. The messages are read from the
// wire as the store asks for them.
type appending struct {
	c      *conn
	p      *parser // over the line up to the next literal
	name   string
	id     mailbox.ID
	single bool // REPLACE takes one message

	lit  *wire.Literal  // announced behind the line, not asked for yet
	body *literalReader // being read
	next *catenation    // being read
	n    int            // messages so far
	err  error          // why it fails
	over bool           // the command was read to its end
}

var (
	errNUL       = errors.New("imap: NUL in a literal")
	errCancelled = errors.New("imap: APPEND of nothing")
)

// APPEND adds messages to a mailbox, all or none (RFC 9051 §6.3.12, RFC 3502).
func (c *conn) APPEND(p *parser) reply {
	a := c.appending(p)
	p.SP()
	a.name = p.mailbox()
	return a.run(func(m mailbox.Mailbox, uids mailbox.Set) reply {
		return okCode(a.appendUID(m, uids), "APPEND completed")
	})
}

func (c *conn) appending(p *parser) *appending {
	a := &appending{c: c, p: p}
	if c.announced {
		lit := c.pending
		a.lit = &lit
	}
	return a
}

// run opens the mailbox, appends and answers.
func (a *appending) run(done func(mailbox.Mailbox, mailbox.Set) reply) reply {
	c := a.c
	r := a.refusal()
	if r.status == "" {
		id, m, err := c.openTarget(a.name)
		if err != nil {
			r = c.tryCreate(err)
		} else {
			a.id = id
			r = a.into(m, done)
			m.Close()
		}
	}
	if !a.over && c.err == nil {
		c.err = a.abandon()
	}
	if c.err != nil {
		c.err = c.readError(c.err)
		return reply{}
	}
	return r
}

// refusal is what is wrong before the first message.
func (a *appending) refusal() reply {
	if err := a.p.Err(); err != nil {
		return bad("Syntax error: " + err.Error())
	}
	if a.p.refused.status != "" {
		return a.p.refused
	}
	return reply{}
}

// into appends to the mailbox.
func (a *appending) into(m mailbox.Mailbox, done func(mailbox.Mailbox, mailbox.Set) reply) reply {
	uids, err := m.Append(a.c.ctx, a.messages())
	if err == nil {
		err = a.err
	}
	if err != nil {
		return a.failed(err)
	}
	if a.c.sel != nil {
		a.c.sel.sh.bell.Add(1)
	}
	return done(m, mailbox.SetOf(uids...))
}

// failed makes the reply to why nothing was appended.
func (a *appending) failed(err error) reply {
	var syntax *wire.SyntaxError
	switch {
	case a.c.unsent != nil:
		a.c.err = a.c.unsent
	case errors.As(err, &syntax):
		return bad("Syntax error: " + syntax.Error())
	case errors.Is(err, errNUL):
		return bad("NUL is allowed in a literal8 only") // RFC 9051 §4.3.1
	case errors.Is(err, errCancelled):
		return no("", "APPEND cancelled") // RFC 3502
	case errors.Is(err, io.ErrUnexpectedEOF) && a.body != nil && a.body.err != nil:
		a.c.err = a.body.err
	}
	return a.c.failure(err)
}

// appendUID tells where the messages went (RFC 4315 §3).
func (a *appending) appendUID(m mailbox.Mailbox, uids mailbox.Set) string {
	if !a.c.has("UIDPLUS") || len(uids) == 0 {
		return ""
	}
	validity, err := a.c.validity(a.id, m)
	if err != nil {
		return ""
	}
	return "APPENDUID " + strconv.FormatUint(uint64(validity), 10) + " " + uids.String()
}

// messages are those of the command, one after the other.
func (a *appending) messages() iter.Seq2[*mailbox.Incoming, error] {
	return func(yield func(*mailbox.Incoming, error) bool) {
		for a.err == nil && !a.over {
			in, err := a.message()
			if err != nil {
				a.err = err
				yield(nil, err)
				return
			}
			if a.n++; !yield(in, nil) {
				return
			}
			a.err = a.finish()
		}
		if a.err != nil {
			yield(nil, a.err)
		}
	}
}

// message takes the options of the next message and begins its body.
func (a *appending) message() (*mailbox.Incoming, error) {
	p := a.p
	in := &mailbox.Incoming{}
	p.SP()
	if p.Peek() == '(' {
		in.Flags = p.flags()
		p.SP()
	}
	if p.Peek() == '"' {
		in.Received = p.DateTime()
		p.SP()
	}
	if in.Received.IsZero() {
		in.Received = a.c.srv.now()
	}
	utf8 := p.TakeWord("UTF8")
	if utf8 { // RFC 6855 §4
		p.SP()
		p.Want('(')
		if a.c.on&utf8ok == 0 {
			p.Fail("ENABLE UTF8=ACCEPT before")
		}
	}
	if a.n >= a.most() {
		return nil, a.tooMany()
	}
	if p.OK() && p.TakeWord("CATENATE") {
		p.SP()
		p.Want('(')
		if err := p.Err(); err != nil {
			return nil, err
		}
		a.next = &catenation{a: a}
		in.Body = a.next
		return in, nil
	}
	if !p.AtEnd() || a.lit == nil {
		p.Fail("literal")
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if a.lit.Size == 0 {
		return nil, errCancelled
	}
	if err := a.room(a.lit.Size); err != nil {
		return nil, err
	}
	in.Size = a.lit.Size
	in.Body = a.begin()
	a.body.utf8 = utf8
	return in, nil
}

// tooMany is the answer to more messages than one command may bring.
func (a *appending) tooMany() error {
	if n := a.c.srv.limits.Messages; n > 0 && n <= a.c.srv.limits.AppendMessages && !a.single {
		return &replyError{no("MESSAGELIMIT "+strconv.Itoa(n), "Too many messages")} // RFC 9738
	}
	return &replyError{no("LIMIT", "Too many messages")}
}

// most is how many messages one command may bring.
func (a *appending) most() int {
	n := a.c.srv.limits.AppendMessages
	if m := a.c.srv.limits.Messages; m > 0 {
		n = min(n, m)
	}
	if a.single {
		n = 1
	}
	return n
}

// room refuses what is too large before it is asked for.
func (a *appending) room(size int64) error {
	if most := a.c.srv.limits.MessageBytes; most > 0 && size > most {
		return mailbox.ErrTooBig // RFC 7889 §4
	}
	return mailbox.Room(a.c.ctx, a.c.store, a.id, size, 1)
}

// begin asks for the literal, if it must be asked for, and reads it.
func (a *appending) begin() *literalReader {
	if !a.lit.NonSync {
		a.c.begin()
		a.c.out = append(a.c.out, "+ Go on\r\n"...)
	}
	a.body = &literalReader{c: a.c, left: a.lit.Size, nul: a.lit.Binary}
	a.lit = nil
	return a.body
}

// finish reads to the end of a message, and the line behind it.
func (a *appending) finish() error {
	if a.next != nil {
		next := a.next
		a.next = nil
		return next.finish()
	}
	utf8 := a.body.utf8
	if err := a.drain(); err != nil {
		return err
	}
	if utf8 {
		a.p.Want(')')
	}
	a.over = a.p.AtEnd() && a.lit == nil
	return a.p.Err()
}

// drain drops what is left of the literal and reads the line behind it.
func (a *appending) drain() error {
	if err := a.c.dropBody(a.body); err != nil {
		return err
	}
	bad := a.body.bad
	a.body = nil
	if err := a.line(); err != nil {
		return err
	}
	if bad {
		return errNUL
	}
	return nil
}

// line reads the line behind a literal.
func (a *appending) line() error {
	a.c.phase = inLiteral
	line, err := a.c.readLine()
	a.c.phase = inCommand
	if err != nil {
		a.c.err = a.c.readError(err)
		return err
	}
	lit, at, found := wire.LiteralAt(line)
	if found {
		a.lit = &lit
		line = line[:at]
	}
	a.p.Lexer = wire.NewLexer(append([]byte(nil), line...))
	a.p.UTF8 = a.c.utf8()
	return nil
}

// abandon reads over what is left of a command that failed.
func (a *appending) abandon() error {
	if a.body != nil {
		if a.body.err != nil {
			return a.body.err
		}
		if a.body.left > max(maxDropped, 4*a.c.srv.limits.MessageBytes) {
			return a.c.bye("[TOOBIG] Message is too long")
		}
		if err := a.c.dropBody(a.body); err != nil {
			return err
		}
		if err := a.line(); err != nil {
			return err
		}
	}
	if a.lit != nil {
		return a.c.skip(*a.lit)
	}
	return nil
}

// dropBody reads over the rest of a literal.
func (c *conn) dropBody(l *literalReader) error {
	for l.left > 0 && l.err == nil {
		if _, err := l.next(outBuffer); err != nil {
			return err
		}
	}
	return l.err
}

// REPLACE puts a message in the place of another, in any mailbox (RFC 8508 §3).
func (c *conn) REPLACE(p *parser) reply {
	a := c.appending(p)
	a.single = true
	p.SP()
	var n uint32
	if !p.Take('*') {
		n = p.NZNumber()
	}
	p.SP()
	a.name = p.mailbox()
	old, r := c.replaced(n, p.uid)
	if r.status != "" && p.OK() {
		p.refused = r
	} else if p.OK() && c.sel.readOnly() {
		p.refuse("READ-ONLY", "Mailbox is open read-only")
	}
	return a.run(func(m mailbox.Mailbox, uids mailbox.Set) reply {
		if code := a.appendUID(m, uids); code != "" {
			c.put("OK [", code, "] Replacement is there") // RFC 8508 §4.3
		}
		if err := c.sel.mb.Expunge(c.ctx, mailbox.SetOf(old)); err != nil {
			return c.failure(err)
		}
		c.sel.sh.bell.Add(1)
		return c.withModSeq(ok(c.verb+" completed"), true)
	})
}

// replaced is the message that REPLACE names.
func (c *conn) replaced(n uint32, uid bool) (mailbox.UID, reply) {
	base := c.sel.base
	switch {
	case n == 0 && base.n > 0:
		return base.last(), reply{}
	case uid:
		if m, _ := base.find(mailbox.UID(n)); m != nil {
			return m.UID, reply{}
		}
	case n > 0 && n <= base.n:
		return base.at(n).UID, reply{}
	}
	return 0, no("NONEXISTENT", "No such message")
}
