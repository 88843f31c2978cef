package smtp

import (
	"context"
	"strings"
	"unicode"
)

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

// hello takes any name that is one printable word: too many honest hosts do not
// know their own (RFC 5321 §4.1.4). Where it is refused all stays as it was.
func (c *conn) hello(arg string, extended bool) (Reply, error) {
	name := strings.TrimSpace(arg)
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }) {
		return Reply{501, "5.5.4", "Your name, please"}, nil
	}
	old, wasESMTP := c.session, c.esmtp
	c.session.Hello, c.esmtp = name, extended
	c.session.Protocol = c.protocol()
	if f := c.srv.Handler.Hello; f != nil {
		if err := c.call(c.context(), func(ctx context.Context) error { return f(ctx, &c.session) }); err != nil {
			c.session.Hello, c.session.Protocol, c.esmtp = old.Hello, old.Protocol, wasESMTP
			return c.failure(err), nil
		}
	}
	c.endTransaction(true)
	c.state = greeted
	c.coded = extended && !c.srv.withholds("ENHANCEDSTATUSCODES")
	if !extended {
		c.putLine(Reply{250, "", "Hello " + name + ", pleased to meet you"})
		return Reply{}, nil
	}
	c.putLine(Reply{250, "", c.srv.name() + " greets " + name + "\n" + strings.Join(c.keywords(), "\n")})
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
