package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// maxAuthLine is what RFC 4954 §4 wants a server to read.
const maxAuthLine = 12288

var (
	errCancelled = errors.New("smtp: AUTH cancelled")
	badBase64    = Reply{501, "5.5.2", "Malformed base64"} // RFC 4954 §4
)

// AUTH logs a user in (RFC 4954 §4).
func (c *conn) AUTH(arg string) (Reply, error) {
	mechanism, initial, hasInitial := strings.Cut(arg, " ")
	switch {
	case c.srv.Auth == nil || c.srv.withholds("AUTH"):
		return notImplemented, nil
	case !c.esmtp:
		return Reply{503, "5.5.1", "Say EHLO first"}, nil
	case c.session.User != "":
		return Reply{503, "5.5.1", "Logged in already"}, nil
	case mechanism == "", hasInitial && initial == "": // the empty response is "="
		return Reply{501, "5.5.4", "Syntax: AUTH mechanism"}, nil
	case sasl.Plaintext(mechanism) && c.knows(mechanism) && c.session.TLS == nil && !c.srv.InsecureAuth:
		return Reply{538, "5.7.11", "Encryption required for this mechanism"}, nil
	}
	x, err := c.srv.Auth.Start(c.login(upper(mechanism)))
	if err != nil {
		return Reply{504, "5.5.4", "Mechanism not offered"}, nil
	}
	var in []byte
	if hasInitial {
		if in, err = decodeInitial(initial); err != nil {
			return badBase64, nil
		}
	}
	return c.exchange(x, in)
}

// mayLogin reports whether the next command may be AUTH.
func (c *conn) mayLogin() bool {
	return c.srv.Auth != nil && c.state == greeted && c.esmtp && c.session.User == ""
}

// knows reports whether TLS is all that the mechanism lacks.
func (c *conn) knows(mechanism string) bool {
	for _, m := range c.srv.Auth.Mechanisms(c.login("")) {
		if m == upper(mechanism) {
			return true
		}
	}
	return false
}

// decodeInitial: "=" is the empty initial response (RFC 4954 §4).
func decodeInitial(s string) ([]byte, error) {
	if s == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}

// exchange runs the mechanism to its end.
func (c *conn) exchange(x sasl.Exchange, in []byte) (Reply, error) {
	for {
		var out []byte
		var done bool
		err := c.call(c.context(), func(ctx context.Context) (err error) {
			out, done, err = x.Next(ctx, in)
			return err
		})
		if err != nil {
			return c.loginFailed(x, err)
		}
		if done {
			return c.loggedIn(x)
		}
		c.out = append(append(append(c.out, "334 "...), base64.StdEncoding.EncodeToString(out)...), '\r', '\n')
		if in, err = c.authLine(); err != nil {
			if errors.Is(err, errCancelled) {
				return Reply{501, "5.7.0", "Authentication cancelled"}, nil
			}
			if e, ok := errors.AsType[*badAuthLine](err); ok {
				return e.Reply, nil
			}
			return Reply{}, err
		}
	}
}

// authLine reads one response. A line that is too long is read to its end, so
// that no part of it is taken for a command.
func (c *conn) authLine() ([]byte, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	if !c.sc.Idle() { // a login that is half done holds up no shutdown
		return nil, c.lastWord(stopping)
	}
	line, err := c.r.ReadLine(maxAuthLine)
	if !c.sc.Busy() {
		return nil, c.lastWord(stopping)
	}
	switch bad, err := badLine(line, err); {
	case bad == lineTooLong:
		return nil, &badAuthLine{Reply{500, "5.5.6", "Authentication exchange line is too long"}} // RFC 4954 §4
	case bad.Code != 0:
		return nil, &badAuthLine{badBase64}
	case err != nil:
		return nil, c.readError(err)
	}
	if string(line) == "*" {
		return nil, errCancelled
	}
	in, err := base64.StdEncoding.Strict().DecodeString(string(line))
	if err != nil {
		return nil, &badAuthLine{badBase64}
	}
	return in, nil
}

// badAuthLine is a response that cannot be read. It never quotes the line.
type badAuthLine struct{ Reply }

func (e *badAuthLine) Error() string { return "smtp: malformed AUTH response" }

func (c *conn) loggedIn(x sasl.Exchange) (Reply, error) {
	l := x.Login()
	c.session.User = l.Identity
	c.session.Protocol = c.protocol()
	c.debug("logged in", "user", l.Identity, "mechanism", l.Mechanism)
	return Reply{235, "2.7.0", "Authentication successful"}, nil // RFC 4954 §6
}

// loginFailed answers, and hangs up on who tries too often.
func (c *conn) loginFailed(x sasl.Exchange, err error) (Reply, error) {
	r := ReplyTo(err)
	if r == tryLater {
		r = Reply{454, "4.7.0", "Temporary authentication failure"} // RFC 4954 §6
		c.warn("authentication could not be checked", err)
	}
	l := x.Login()
	if log := c.srv.Log; log != nil {
		log.Info("login failed", "conn", c.session.ID, "remote", c.session.Remote, "user", l.User, "mechanism", l.Mechanism, "reply", r.String())
	}
	c.tries++
	if n := c.srv.limits.AuthTries; n > 0 && int(c.tries) >= n {
		c.put(r)
		return Reply{}, c.lastWord(Reply{421, "4.7.0", "Too many failed logins"})
	}
	return r, nil
}
