package imap

import (
	"encoding/base64"
	"errors"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// maxAuthLine is the longest line of a SASL exchange, as for SMTP (RFC 4954
// §4): tokens and tickets are long.
const maxAuthLine = 12288

// needTLS refuses what would show a password to the network (RFC 9051 §11.3).
var needTLS = no("PRIVACYREQUIRED", "Use STARTTLS first")

// mayShow reports whether a password may be shown on this connection.
func (c *conn) mayShow() bool { return c.session.TLS != nil || c.srv.InsecureAuth }

func (c *conn) takesLOGIN() bool {
	return c.srv.Auth != nil && c.srv.Auth.Password != nil && c.mayShow()
}

// mayLOGIN refuses LOGIN before its literals are asked for, so that no password
// crosses the network for nothing.
func (c *conn) mayLOGIN() reply {
	switch {
	case c.srv.Auth == nil || c.srv.Auth.Password == nil:
		return no("CANNOT", "LOGIN is not offered")
	case !c.mayShow():
		return needTLS
	}
	return reply{}
}

// LOGIN logs in by name and password (RFC 9051 §6.2.3).
func (c *conn) LOGIN(p *parser) reply {
	if r := c.mayLOGIN(); r.status != "" {
		return r
	}
	p.UTF8 = true // RFC 6855 §5: servers decide; SASLprep judges what it is
	p.SP()
	user := p.AString()
	p.SP()
	password := p.AString()
	if r := p.done(); r.status != "" {
		return r
	}
	l := c.login("")
	l.User = user
	l, err := c.srv.Auth.Check(c.ctx, l, password)
	if err != nil {
		return c.loginFailed(l, err)
	}
	return c.loggedIn(l)
}

// AUTHENTICATE logs in by SASL (RFC 9051 §6.2.2), with or without an initial
// response (RFC 4959 §3).
func (c *conn) AUTHENTICATE(p *parser) reply {
	p.SP()
	mechanism := p.Word()
	var initial string
	hasInitial := p.Take(' ')
	if hasInitial {
		initial = string(p.Rest())
		p.Skip(len(initial))
		if initial == "" {
			p.Fail("initial response, or =")
		}
	}
	if r := p.done(); r.status != "" {
		return r
	}
	switch {
	case c.srv.Auth == nil:
		return no("CANNOT", "AUTHENTICATE is not offered")
	case sasl.Plaintext(mechanism) && !c.mayShow():
		return needTLS // before the secret is asked for
	}
	x, err := c.srv.Auth.Start(c.login(mechanism))
	if err != nil {
		return no("CANNOT", "Mechanism is not offered")
	}
	var in []byte
	if hasInitial {
		if in, err = decodeInitial(initial); err != nil {
			return badBase64
		}
	}
	return c.exchange(x, in)
}

var badBase64 = bad("Malformed base64")

// decodeInitial: "=" is the empty initial response (RFC 4959 §3).
func decodeInitial(s string) ([]byte, error) {
	if s == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}

// exchange runs the mechanism to its end.
func (c *conn) exchange(x sasl.Exchange, in []byte) reply {
	for {
		out, done, err := x.Next(c.ctx, in)
		if err != nil {
			return c.loginFailed(x.Login(), err)
		}
		if done {
			return c.loggedIn(x.Login())
		}
		c.begin()
		c.out = append(append(append(c.out, "+ "...), base64.StdEncoding.EncodeToString(out)...), '\r', '\n')
		line, err := c.answer()
		if err != nil {
			c.err = c.readError(err)
			return reply{}
		}
		if line == "*" {
			return bad("AUTHENTICATE cancelled") // RFC 9051 §6.2.2
		}
		if in, err = base64.StdEncoding.Strict().DecodeString(line); err != nil {
			return badBase64
		}
	}
}

// answer reads one line of the client's side of an exchange. A login that is
// half done holds up no shutdown.
func (c *conn) answer() (string, error) {
	if err := c.flush(); err != nil {
		return "", err
	}
	if !c.sc.Idle() {
		return "", corewire.ErrWoken
	}
	line, err := c.r.ReadLine(maxAuthLine)
	if !c.sc.Busy() {
		return "", corewire.ErrWoken
	}
	return string(line), err
}

// loggedIn opens the user's mail.
func (c *conn) loggedIn(l sasl.Login) reply {
	if c.srv.Open == nil {
		return no("UNAVAILABLE", "There is no mail here")
	}
	store, err := c.srv.Open(c.ctx, l.Identity)
	if err != nil {
		return c.failure(err)
	}
	if store == nil {
		c.warn("no store for the user", errNoStore)
		return no("UNAVAILABLE", "There is no mail here")
	}
	c.store, c.session.User, c.errors = store, l.Identity, 0
	c.debug("logged in", "user", l.Identity, "mechanism", l.Mechanism)
	return okCode("CAPABILITY "+c.capabilities(), "Logged in") // RFC 9051 §6.2.2
}

var errNoStore = errors.New("imap: Open gave no store")

// loginFailed answers, and hangs up on who tries too often. The reason that a
// peer is told is the same for every user (RFC 9051 §7.1:
// AUTHENTICATIONFAILED).
func (c *conn) loginFailed(l sasl.Login, err error) reply {
	r := no("AUTHENTICATIONFAILED", "Authentication failed")
	switch {
	case errors.Is(err, sasl.ErrMalformed):
		r = bad("Malformed response")
	case !errors.Is(err, sasl.ErrCredentials):
		r = no("UNAVAILABLE", "Authentication is not available now")
		if !errors.Is(err, sasl.ErrThrottled) {
			c.warn("authentication could not be checked", err)
		}
	}
	if log := c.srv.Log; log != nil {
		log.Info("login failed", "conn", c.session.ID, "remote", c.session.Remote, "user", l.User, "mechanism", l.Mechanism, "reply", r.text)
	}
	c.tries++
	if n := c.srv.limits.AuthTries; n > 0 && int(c.tries) >= n {
		c.tagged(r)
		c.err = c.bye("Too many failed logins")
		return reply{}
	}
	return r
}
