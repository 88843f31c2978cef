package imap

import (
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// UNAUTHENTICATE goes back to where a login is expected (RFC 8437 §3).
func (c *conn) UNAUTHENTICATE(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.leave()
	c.session.User, c.on, c.saved, c.contexts, c.tries = "", 0, nil, nil, 0
	if d := c.srv.waits.Login; d > 0 {
		c.loginBy = c.began.Add(d)
	}
	return ok("UNAUTHENTICATE completed")
}

// NOOP does nothing, which is a good time for news (RFC 9051 §6.1.2).
func (c *conn) NOOP(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	return ok(c.verb + " completed")
}

// LOGOUT says goodbye (RFC 9051 §6.1.3).
func (c *conn) LOGOUT(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.put("BYE Logging out")
	c.quit = true
	return ok("LOGOUT completed")
}

// Bounds of what a client tells of itself (RFC 2971 §3.3).
const (
	maxIDFields = 30
	maxIDName   = 30
	maxIDValue  = 1024
)

// ID exchanges names of programs (RFC 2971 §3.1).
func (c *conn) ID(p *parser) reply {
	p.SP()
	told := p.idFields()
	if r := p.done(); r.status != "" {
		return r
	}
	if len(told) > 0 {
		c.debug("client", "id", told)
	}
	c.begin()
	c.out = append(c.out, "* ID "...)
	own := c.srv.ID
	if own == nil {
		own = []string{"name", "postilion"}
	}
	if len(own) < 2 {
		c.out = append(c.out, "NIL"...)
	} else {
		c.out = append(c.out, '(')
		for i := 0; i+1 < len(own); i += 2 {
			if i > 0 {
				c.out = append(c.out, ' ')
			}
			c.out = wire.AppendString(c.out, own[i], c.utf8())
			c.out = append(c.out, ' ')
			c.out = wire.AppendString(c.out, own[i+1], c.utf8())
		}
		c.out = append(c.out, ')')
	}
	c.end()
	return ok("ID completed")
}

// idFields takes the parameter list of ID, as text for the log.
func (p *parser) idFields() string {
	if p.TakeWord("NIL") {
		return ""
	}
	var b strings.Builder
	n := 0
	p.List(func() {
		name := p.String()
		p.SP()
		value, _ := p.NString()
		if n++; n > maxIDFields || len(name) > maxIDName || len(value) > maxIDValue {
			p.Fail("shorter parameters")
		}
		fmt.Fprintf(&b, "%q=%q ", name, value)
	})
	return strings.TrimSpace(b.String())
}

// enableable are the modes by name (RFC 5161 §3.1).
var enableable = map[string]enabled{
	"IMAP4REV2":   rev2,
	"CONDSTORE":   condstore,
	"QRESYNC":     condstore | qresync, // RFC 7162 §3.2.3
	"UTF8=ACCEPT": utf8ok,
	"UIDONLY":     uidonly,
}

// ENABLE switches modes on. Names that are not known are no mistake.
func (c *conn) ENABLE(p *parser) reply {
	var names []string
	for p.SP(); p.OK(); {
		name := p.Word()
		if _, known := enableable[name]; known && c.hasFold(name) {
			names = append(names, name)
		}
		if !p.Take(' ') {
			break
		}
	}
	if r := p.done(); r.status != "" {
		return r
	}
	on := c.on
	var told string
	for _, name := range names {
		// Both forms of names are never in use at once (RFC 6855 §3).
		if mode := enableable[name]; on&mode != mode {
			on |= mode
			told += " " + display(name)
		}
	}
	c.put("ENABLED", told)
	c.turnOn(on)
	return ok("ENABLE completed")
}

func display(name string) string {
	if name == "IMAP4REV2" {
		return "IMAP4rev2"
	}
	return name
}

func (c *conn) hasFold(name string) bool { return c.has(display(name)) }

// turnOn switches modes on, for good.
func (c *conn) turnOn(modes enabled) {
	first := modes&condstore != 0 && c.on&condstore == 0
	c.on |= modes
	if first && c.sel != nil {
		// RFC 7162 §3.1: whoever enables it in a mailbox learns where it stands.
		c.putModSeq()
	}
}
