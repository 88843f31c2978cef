package pop3

import (
	"context"
	"crypto/md5" // APOP is nothing else (RFC 1939 §7)
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Capabilities are what CAPA lists: keywords in upper case, with their
// arguments (RFC 2449 §5).
type Capabilities map[string]string

// Has reports whether the server offers keyword, which is in upper case.
func (c Capabilities) Has(keyword string) bool {
	_, ok := c[keyword]
	return ok
}

// Capabilities asks what the server offers now. A server without CAPA offers
// nothing that can be told: the result is empty.
func (c *Conn) Capabilities(ctx context.Context) (Capabilities, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	defer c.bound(ctx)()
	_ = c.queue("CAPA", "")
	caps := Capabilities{}
	if _, err := c.status("CAPA"); err != nil {
		if _, refused := errors.AsType[*Error](err); refused {
			c.caps = caps
			return caps, nil
		}
		return nil, cause(ctx, err)
	}
	err := c.lines(func(line string) error {
		keyword, args, _ := strings.Cut(line, " ")
		if len(caps) >= 256 {
			return ProtocolError("endless list of capabilities")
		}
		caps[strings.ToUpper(cleanText([]byte(keyword)))] = cleanText([]byte(args))
		return nil
	})
	if err != nil {
		return nil, cause(ctx, err)
	}
	c.caps = caps
	return caps, nil
}

// StartTLS upgrades the connection by STLS (RFC 2595 §4) and forgets what the
// server said in the clear. config needs ServerName or InsecureSkipVerify.
// Bytes that came behind the server's +OK in the clear are an error, since they
// would be taken for replies over TLS.
func (c *Conn) StartTLS(ctx context.Context, config *tls.Config) error {
	if c.state != nil {
		return errors.New("pop3: TLS is active")
	}
	if _, err := c.ask(ctx, "STLS", ""); err != nil {
		return err
	}
	c.caps, c.botched = nil, true // until the handshake is through
	if c.r.Buffered() > 0 {
		return ProtocolError("replies in the clear behind STLS")
	}
	defer c.bound(ctx)()
	tc := tls.Client(c.nc, config)
	hctx, cancel := ctx, context.CancelFunc(func() {})
	if c.waits.TLS > 0 {
		hctx, cancel = context.WithTimeout(ctx, c.waits.TLS)
	}
	defer cancel()
	_ = c.nc.SetDeadline(c.bounds.Until)
	if err := tc.HandshakeContext(hctx); err != nil {
		return cause(ctx, fmt.Errorf("pop3: TLS handshake: %w", err))
	}
	state := tc.ConnectionState()
	c.nc, c.state, c.botched = tc, &state, false
	c.r.Reset(tc)
	return nil
}

// Auth logs in: see [Client].Auth for how. A refusal is an *[Error]; nothing in
// any error shows a credential.
func (c *Conn) Auth(ctx context.Context, cred *sasl.Credentials) error {
	if cred != nil && c.stamp != "" && names(cred.Mechanisms, "APOP") {
		return c.apop(ctx, cred)
	}
	caps := c.caps
	if caps == nil {
		var err error
		if caps, err = c.Capabilities(ctx); err != nil {
			return err
		}
	}
	l := sasl.Login{Protocol: "pop3", Remote: serve.AddrPort(c.nc.RemoteAddr()), TLS: c.state}
	mechanism, x, err := cred.Start(l, strings.Fields(caps["SASL"]))
	switch {
	case err == nil:
		err = c.sasl(ctx, mechanism, x)
	case c.maySayUser(cred, caps):
		err = c.userPass(ctx, cred)
	default:
		err = fmt.Errorf("%w: %w", errNoAuth, err)
	}
	return err
}

func names(list []string, name string) bool {
	for _, n := range list {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// maySayUser reports whether USER and PASS may be used: they show the password.
// A server that lists no capabilities has them all the same (RFC 1939 §7).
func (c *Conn) maySayUser(cred *sasl.Credentials, caps Capabilities) bool {
	return cred != nil && cred.User != "" && cred.Password != "" && cred.Authz == "" &&
		(c.state != nil || cred.Cleartext) &&
		(cred.Mechanisms == nil || names(cred.Mechanisms, "USER")) &&
		(caps.Has("USER") || len(caps) == 0)
}

func (c *Conn) userPass(ctx context.Context, cred *sasl.Credentials) error {
	if _, err := c.ask(ctx, "USER", cred.User); err != nil {
		return err
	}
	_, err := c.ask(ctx, "PASS", cred.Password)
	return err
}

// apop shows that we know the password without showing it (RFC 1939 §7). RFC
// 6856 §2.2 has it prepared as a stored string.
func (c *Conn) apop(ctx context.Context, cred *sasl.Credentials) error {
	password, err := sasl.PrepareStored(cred.Password)
	if err != nil {
		return err
	}
	sum := md5.Sum([]byte(c.stamp + password))
	_, err = c.ask(ctx, "APOP", cred.User+" "+hex.EncodeToString(sum[:]))
	return err
}

// sasl runs the mechanism to its end (RFC 5034 §4).
func (c *Conn) sasl(ctx context.Context, mechanism string, x sasl.Exchange) error {
	if err := c.ready(); err != nil {
		return err
	}
	out, satisfied, err := x.Next(ctx, nil)
	if err != nil {
		return err
	}
	arg := mechanism
	early := out != nil
	if early {
		arg += " " + encodeInitial(out)
		if early = len("AUTH \r\n")+len(arg) <= 255; !early { // RFC 5034 §4: longer ones wait for their challenge
			arg = mechanism
		}
	}
	defer c.bound(ctx)()
	if err := c.queue("AUTH", arg); err != nil {
		return err
	}
	return cause(ctx, c.exchange(ctx, x, out, early, satisfied))
}

func encodeInitial(b []byte) string {
	if len(b) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(b)
}

// exchange answers challenges until the server has said yes or no.
func (c *Conn) exchange(ctx context.Context, x sasl.Exchange, first []byte, early, satisfied bool) error {
	var failed error // what the mechanism itself objects to
	for {
		challenge, over, err := c.challenge()
		switch {
		case err != nil && failed != nil:
			return failed
		case err != nil:
			return err
		case over && satisfied && failed == nil:
			return nil
		case over:
			c.botched = true
			return errors.Join(errors.New("pop3: server says +OK before it has proved itself"), failed)
		}
		out := first
		if early || first == nil {
			in, err := base64.StdEncoding.Strict().DecodeString(challenge)
			if err != nil {
				return c.cancelAuth(ProtocolError("malformed challenge"))
			}
			out, satisfied, failed = x.Next(ctx, in)
		}
		early, first = true, nil
		if failed != nil && out == nil {
			return c.cancelAuth(failed)
		}
		c.out = append(append(c.out, base64.StdEncoding.EncodeToString(out)...), '\r', '\n')
	}
}

// challenge reads "+ " and base64, or the end of the exchange.
func (c *Conn) challenge() (text string, over bool, err error) {
	line, err := c.line()
	if err != nil {
		return "", false, err
	}
	if string(line) == "+" || strings.HasPrefix(string(line), "+ ") {
		return strings.TrimSpace(string(line[1:])), false, nil
	}
	status, text, _ := strings.Cut(string(line), " ")
	switch strings.ToUpper(status) {
	case "+OK":
		return "", true, nil
	case "-ERR":
		code, text := cutCode(cleanText([]byte(text)))
		return "", true, &Error{Command: "AUTH", Code: code, Text: text}
	}
	c.botched = true
	return "", false, ProtocolError("neither a challenge nor the end of AUTH")
}

// cancelAuth takes the attempt back (RFC 5034 §4) and reports why.
func (c *Conn) cancelAuth(why error) error {
	c.out = append(c.out, "*\r\n"...)
	_, err := c.status("AUTH")
	if _, refused := errors.AsType[*Error](err); refused {
		return why
	}
	return errors.Join(why, err)
}
