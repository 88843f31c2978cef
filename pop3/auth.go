package pop3

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// login is what the mechanisms may know of this connection.
func (c *conn) login(mechanism string) sasl.Login {
	return sasl.Login{Protocol: "pop3", Mechanism: mechanism, Remote: c.session.Remote, TLS: c.session.TLS, ServerCert: c.cert}
}

// needTLS refuses what would show a password to the network (RFC 2595 §4,
// RFC 8314 §4.1). RFC 3206 §4 has violations of policy among those of [AUTH].
var needTLS = fail("AUTH", "Say STLS first")

// mayShow reports whether a password may be shown on this connection.
func (c *conn) mayShow() bool { return c.session.TLS != nil || c.srv.InsecureAuth }

func (s *Server) takesPasswords() bool { return s.Auth != nil && s.Auth.Password != nil }

// USER says who comes (RFC 1939 §7). Whether there is such a user is nobody's
// business before the password.
func (c *conn) USER(arg string) (reply, error) {
	switch {
	case !c.srv.takesPasswords():
		return fail("", "Use AUTH"), nil
	case !c.mayShow():
		return needTLS, nil
	case arg == "":
		return fail("", "Whose mail?"), nil
	}
	c.user = arg
	return ok("Password?"), nil
}

// PASS gives the password, which is all that follows the first space.
func (c *conn) PASS(arg string) (reply, error) {
	user := c.user
	c.user = ""
	switch {
	case !c.srv.takesPasswords():
		return fail("", "Use AUTH"), nil
	case !c.mayShow():
		return needTLS, nil
	case user == "":
		return fail("", "Say USER first"), nil
	}
	l := c.login("")
	l.User = user
	ctx, cancel := c.stored()
	defer cancel()
	l, err := c.srv.Auth.Check(ctx, l, arg)
	if err != nil {
		return c.loginFailed(l, err)
	}
	return c.loggedIn(l)
}

// APOP shows that the peer knows the password without showing it (RFC 1939
// §7).
func (c *conn) APOP(arg string) (reply, error) {
	user, digest, found := cutLast(arg)
	switch {
	case c.stamp == "":
		return fail("", "Not offered"), nil
	case !found:
		return fail("", "Syntax: APOP name digest"), nil
	}
	l := c.login("")
	l.User = user
	ctx, cancel := c.stored()
	defer cancel()
	l, err := c.srv.Auth.APOP(ctx, l, c.stamp, digest)
	if err != nil {
		return c.loginFailed(l, err)
	}
	return c.loggedIn(l)
}

// cutLast splits at the last space: names may have spaces, digests have none.
func cutLast(s string) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// AUTH logs a user in by SASL (RFC 5034 §4).
func (c *conn) AUTH(arg string) (reply, error) {
	mechanism, initial, hasInitial := strings.Cut(arg, " ")
	switch {
	case c.srv.Auth == nil:
		return fail("", "Not offered"), nil
	case mechanism == "", hasInitial && initial == "": // the empty response is "="
		return fail("", "Syntax: AUTH mechanism"), nil
	case sasl.Plaintext(mechanism) && !c.mayShow():
		return needTLS, nil // before the secret is asked for
	}
	x, err := c.srv.Auth.Start(c.login(strings.ToUpper(mechanism)))
	if err != nil {
		return fail("", "Mechanism not offered"), nil
	}
	var in []byte
	if hasInitial && initial != "=" {
		if in, err = base64.StdEncoding.Strict().DecodeString(initial); err != nil {
			return badBase64.reply, nil
		}
	} else if hasInitial {
		in = []byte{}
	}
	return c.exchange(x, in)
}

var (
	badBase64 = &badLine{fail("", "Malformed base64")}
	cancelled = &badLine{fail("", "Authentication cancelled")}
)

// exchange runs the mechanism to its end.
func (c *conn) exchange(x sasl.Exchange, in []byte) (reply, error) {
	for {
		out, done, err := c.next(x, in)
		if err != nil {
			return c.loginFailed(x.Login(), err)
		}
		if done {
			return c.loggedIn(x.Login())
		}
		line := append([]byte("+ "), base64.StdEncoding.EncodeToString(out)...)
		if err := c.send(append(line, '\r', '\n')); err != nil {
			return reply{}, err
		}
		if in, err = c.authLine(); err != nil {
			return reply{}, err
		}
	}
}

func (c *conn) next(x sasl.Exchange, in []byte) ([]byte, bool, error) {
	ctx, cancel := c.stored()
	defer cancel()
	return x.Next(ctx, in)
}

// authLine reads one response. A line that is too long is read to its end, so
// that no part of it is taken for a command.
func (c *conn) authLine() ([]byte, error) {
	if !c.sc.Idle() { // a login that is half done holds up no shutdown
		return nil, c.goodbye(errStopping)
	}
	line, err := checkLine(c.r.ReadLine(maxAuthLine))
	if !c.sc.Busy() {
		return nil, c.goodbye(errStopping)
	}
	switch {
	case err != nil:
		if _, bad := errors.AsType[*badLine](err); bad {
			return nil, err
		}
		return nil, c.readError(err)
	case string(line) == "*":
		return nil, cancelled // RFC 5034 §4
	}
	in, err := base64.StdEncoding.Strict().DecodeString(string(line))
	if err != nil {
		return nil, badBase64
	}
	return in, nil
}

// loggedIn opens the maildrop: only with it is the login complete (RFC 1939
// §4).
func (c *conn) loggedIn(l sasl.Login) (reply, error) {
	if wait := c.srv.drops.tooSoon(l.Identity, c.srv.now(), c.srv.LoginDelay); wait > 0 {
		return fail("LOGIN-DELAY", "You were here only just now"), nil // RFC 2449 §8.1.1
	}
	drop, err := c.srv.enter(c.ctx, l.Identity)
	if err != nil {
		return c.notOpened(l, err), nil
	}
	c.drop, c.session.User, c.errors = drop, l.Identity, 0
	c.srv.drops.entered(l.Identity, c.srv.now(), c.srv.LoginDelay)
	c.debug("logged in", "user", l.Identity, "mechanism", l.Mechanism, "messages", len(drop.messages))
	n, size := drop.total()
	return ok("Maildrop has " + counted(n, size)), nil
}

// notOpened says why there is no maildrop. The password was right, and no
// client is to ask its user for another one (RFC 3206 §4).
func (c *conn) notOpened(l sasl.Login, err error) reply {
	if errors.Is(err, errInUse) || errors.Is(err, mailbox.ErrInUse) {
		return fail("IN-USE", "Another session is at this maildrop") // RFC 2449 §8.1.2
	}
	c.warn("maildrop could not be opened", err)
	if isPermanent(err) {
		return fail("SYS/PERM", "Maildrop cannot be opened")
	}
	return fail("SYS/TEMP", "Maildrop cannot be opened now")
}

// isPermanent asks an error what its SMTP reply would be.
func isPermanent(err error) bool {
	r, ok := errors.AsType[interface {
		error
		SMTP() (code int, enhanced, text string)
	}](err)
	if !ok {
		return false
	}
	code, _, _ := r.SMTP()
	return code/100 == 5
}

// loginFailed answers, and hangs up on who tries too often.
func (c *conn) loginFailed(l sasl.Login, err error) (reply, error) {
	r := authReply(err)
	if r.code == "SYS/TEMP" {
		c.warn("authentication could not be checked", err)
	}
	if log := c.srv.Log; log != nil {
		log.Info("login failed", "conn", c.session.ID, "remote", c.session.Remote, "user", l.User, "mechanism", l.Mechanism, "reply", r.String())
	}
	c.tries++
	if n := c.srv.limits.AuthTries; n > 0 && int(c.tries) >= n {
		c.put(r)
		c.cut = true
		return reply{}, errOver
	}
	return r, nil
}

// authReply tells a client whether to ask its user again: only for [AUTH]
// (RFC 3206 §4).
func authReply(err error) reply {
	switch {
	case errors.Is(err, sasl.ErrCredentials):
		return fail("AUTH", "Authentication failed")
	case errors.Is(err, sasl.ErrMalformed):
		return fail("", "Malformed authentication message")
	case errors.Is(err, sasl.ErrMechanism):
		return fail("", "Mechanism not offered")
	case errors.Is(err, context.Canceled), errors.Is(err, sasl.ErrThrottled):
		return fail("SYS/TEMP", "Too many failures, try again later")
	}
	return fail("SYS/TEMP", "Authentication is not possible now")
}
