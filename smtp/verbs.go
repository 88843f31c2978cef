package smtp

import (
	"context"
	"strings"
)

// The verbs that move no mail and need few words.

var noArgument = Reply{501, "5.5.4", "No argument allowed"}

// RSET forgets the transaction, and nothing else (RFC 5321 §4.1.1.5).
func (c *conn) RSET(arg string) (Reply, error) {
	if arg != "" {
		return noArgument, nil
	}
	c.endTransaction(true)
	return Reply{250, "2.0.0", "Forgotten"}, nil
}

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

// HELP lists the verbs this peer may try (RFC 5321 §4.1.1.8).
func (c *conn) HELP(string) (Reply, error) {
	var list []string
	for i := range c.srv.commands {
		if verb := c.srv.commands[i].verb; c.implements(verb) {
			list = append(list, verb)
		}
	}
	for i := range c.srv.Private {
		if x := &c.srv.Private[i]; x.Command != nil && x.Verb != "" {
			list = append(list, upper(x.Verb))
		}
	}
	return Reply{214, "2.0.0", "Commands: " + strings.Join(list, " ")}, nil
}

// implements reports whether the verb means anything here.
func (c *conn) implements(verb string) bool {
	switch verb {
	case "HELO", "EHLO":
		return c.srv.Profile != LMTP
	case "LHLO":
		return c.srv.Profile == LMTP
	case "BDAT":
		return !c.srv.withholds("CHUNKING")
	case "EXPN":
		return c.srv.Handler.Expand != nil
	case "STARTTLS":
		return c.maySTARTTLS() && !c.srv.withholds(verb)
	case "AUTH":
		return c.mayAUTH() && !c.srv.withholds(verb)
	case "XCLIENT":
		return c.mayXCLIENT() && !c.srv.withholds(verb)
	}
	return true
}

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
		return notImplemented, nil
	}
	return c.ask(c.srv.Handler.Expand, arg)
}

var notImplemented = Reply{502, "5.5.1", "Command not implemented"}

func (c *conn) ask(f func(context.Context, *Session, string) (Reply, error), arg string) (r Reply, _ error) {
	if arg == "" {
		return Reply{501, "5.5.4", "Whom?"}, nil
	}
	err := c.call(c.context(), func(ctx context.Context) (err error) {
		r, err = f(ctx, &c.session, arg)
		return err
	})
	return c.answered(r, err), nil
}
