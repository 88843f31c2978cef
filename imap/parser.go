package imap

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// parser takes the arguments of one command.
type parser struct {
	wire.Lexer
	c       *conn
	tag     string
	verb    string // "UID FETCH"
	uid     bool   // numbers are UIDs
	refused reply  // the syntax is right, but what it means is not possible
}

// head takes tag and verb, and finds the command.
func (p *parser) head() *command {
	p.tag = p.Tag()
	p.SP()
	if !p.OK() {
		p.tag = ""
		return nil
	}
	p.verb = p.Word()
	if p.verb == "UID" {
		p.SP()
		p.verb = "UID " + p.Word()
		p.uid = true
	}
	if !p.OK() {
		return nil
	}
	return p.c.srv.commands[p.verb]
}

// done wants the end of the command, and answers what was wrong with it.
func (p *parser) done() reply {
	p.End()
	if err := p.Err(); err != nil {
		return bad("Syntax error: " + err.Error())
	}
	return p.refused
}

// refuse notes why the command cannot be done although it can be read.
func (p *parser) refuse(code, text string) {
	if p.refused.status == "" {
		p.refused = no(code, text)
	}
}

// utf8 reports whether names and texts travel as UTF-8 (RFC 6855 §3, RFC 9051
// §5.1).
func (c *conn) utf8() bool { return c.on&(rev2|utf8ok) != 0 }

// mailbox takes the name of a mailbox. One that no mailbox can have is refused.
func (p *parser) mailbox() string {
	s := p.AString()
	if !p.OK() {
		return ""
	}
	name, err := p.c.name(s)
	if err != nil {
		p.refuse("CANNOT", "Not a mailbox name")
	}
	return name
}

// name brings what a client calls a mailbox into the form of stores.
func (c *conn) name(s string) (string, error) {
	if !c.utf8() {
		var err error
		if s, err = wire.DecodeUTF7(s); err != nil {
			return "", err
		}
	}
	return mailbox.CheckName(norm.NFC.String(s))
}

// folder takes the name of a mailbox that may be about to have children: the
// separator at its end is left out (RFC 9051 §6.3.4).
func (p *parser) folder() string {
	s := p.AString()
	if !p.OK() {
		return ""
	}
	name, err := p.c.name(strings.TrimSuffix(s, mailbox.Separator))
	if err != nil {
		p.refuse("CANNOT", "Not a mailbox name")
	}
	return name
}

// set takes a sequence-set or "$".
type numbersArg struct {
	set   wire.Set
	saved bool // "$" (RFC 5182 §2)
}

func (p *parser) set() numbersArg {
	if p.Take('$') {
		return numbersArg{saved: true}
	}
	return numbersArg{set: p.Set()}
}

// flags takes a list of flags, or without parentheses one or more.
func (p *parser) flags() mailbox.Flags {
	var names []string
	one := func() {
		if f := p.Flag(); !wire.EqualFold(f, `\Recent`) { // clients that copy it back are not refused
			names = append(names, f)
		}
	}
	if p.Peek() == '(' {
		p.List(one)
	} else {
		for one(); p.Take(' '); {
			one()
		}
	}
	if !p.OK() {
		return mailbox.Flags{}
	}
	f, err := mailbox.ParseFlags(names...)
	if err != nil {
		p.Fail("known flags")
	}
	return f
}
