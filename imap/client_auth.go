package imap

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/postilion-mail/postilion/internal/serve"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Capability asks the server what it can do. It is rarely needed: the answer is
// asked for where a method needs it, and servers tell it after a login.
func (c *Conn) Capability(ctx context.Context) (Capabilities, error) {
	err := c.do(ctx, &call{verb: "CAPABILITY"})
	return c.caps, err
}

// known asks for the capabilities if they are not known.
func (c *Conn) known(ctx context.Context) error {
	if c.caps != nil {
		return nil
	}
	_, err := c.Capability(ctx)
	return err
}

// StartTLS upgrades the connection (RFC 9051 §6.2.1) and forgets what the server
// said in the clear. config needs ServerName or InsecureSkipVerify. Bytes that
// came behind the server's OK in the clear are an error, since they would be
// taken for responses over TLS.
func (c *Conn) StartTLS(ctx context.Context, config *tls.Config) error {
	switch {
	case c.state != nil:
		return errors.New("imap: TLS is active")
	case c.deflate != nil: // RFC 4978 §3
		return errors.New("imap: compression is active")
	}
	if err := c.do(ctx, &call{verb: "STARTTLS"}); err != nil {
		return err
	}
	c.caps, c.selected, c.botched = nil, nil, true // until the handshake is through
	if c.r.Buffered() > 0 {
		return ProtocolError("responses in the clear behind STARTTLS")
	}
	defer c.bound(ctx)()
	tc := tls.Client(c.nc, config)
	hctx, cancel := ctx, context.CancelFunc(func() {})
	if d := timeout(c.client.Timeouts.TLS, defaultDial); d > 0 {
		hctx, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	_ = c.nc.SetDeadline(c.bounds.Until)
	if err := tc.HandshakeContext(hctx); err != nil {
		return cause(ctx, fmt.Errorf("imap: TLS handshake: %w", err))
	}
	state := tc.ConnectionState()
	c.nc, c.state, c.botched = tc, &state, false
	c.r.Reset(tc)
	return nil
}

// Compress turns compression on, in both directions (RFC 4978).
func (c *Conn) Compress(ctx context.Context) error {
	if c.deflate != nil {
		return errors.New("imap: compression is active")
	}
	if err := c.do(ctx, &call{verb: "COMPRESS", parts: []part{{text: []byte(" DEFLATE")}}}); err != nil {
		return err
	}
	// What came behind the OK is compressed already (RFC 4978 §3).
	early := bytes.Clone(c.r.Peek())
	c.r.Discard(len(early))
	c.deflate = newDeflater(&primed{c.nc, early})
	c.nc = c.deflate
	c.r.Reset(c.nc)
	return nil
}

// primed is a connection of which some octets were read already.
type primed struct {
	net.Conn
	early []byte
}

func (p *primed) Read(b []byte) (int, error) {
	if len(p.early) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.early)
	p.early = p.early[n:]
	return n, nil
}

// Auth logs in: see [Client].Auth for how. A refusal is an *[Error]; nothing in
// any error shows a credential.
func (c *Conn) Auth(ctx context.Context, cred *sasl.Credentials) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	l := sasl.Login{Protocol: "imap", Remote: serve.AddrPort(c.nc.RemoteAddr()), TLS: c.state}
	mechanism, x, err := cred.Start(l, c.caps.Values("AUTH"))
	switch {
	case err == nil:
		err = c.authenticate(ctx, mechanism, x)
	case c.mayLogin(cred):
		err = c.login(ctx, cred)
	default:
		return fmt.Errorf("%w: %w", errNoAuth, err)
	}
	if err != nil {
		return err
	}
	return c.known(ctx) // more is offered now; most servers have said so
}

// mayLogin reports whether LOGIN may be used: it shows the password (RFC 9051
// §6.2.3).
func (c *Conn) mayLogin(cred *sasl.Credentials) bool {
	return cred != nil && cred.User != "" && cred.Password != "" && cred.Authz == "" &&
		(c.state != nil || cred.Cleartext) && !c.caps.Has("LOGINDISABLED") &&
		(cred.Mechanisms == nil || hasFold(cred.Mechanisms, "LOGIN"))
}

func hasFold(list []string, name string) bool {
	for _, n := range list {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (c *Conn) login(ctx context.Context, cred *sasl.Credentials) error {
	x := (&call{verb: "LOGIN"}).str(c, cred.User).str(c, cred.Password)
	return c.loggedIn(ctx, x)
}

// loggedIn runs a call that logs in. What the server could do before is void
// unless it says it again.
func (c *Conn) loggedIn(ctx context.Context, x *call) error {
	before := c.caps
	c.caps = nil
	if before.Has("LITERAL+") || before.Has("LITERAL-") {
		c.caps = Capabilities{"LITERAL-": true} // for the call itself
	}
	own := c.caps
	err := c.do(ctx, x)
	if c.caps != nil && own != nil && len(c.caps) == 1 && c.caps.Has("LITERAL-") {
		c.caps = nil
	}
	if err != nil && c.caps == nil {
		c.caps = before
	}
	return err
}

// authenticate runs a mechanism to its end (RFC 9051 §6.2.2).
func (c *Conn) authenticate(ctx context.Context, mechanism string, x sasl.Exchange) error {
	out, satisfied, err := x.Next(ctx, nil)
	if err != nil {
		return err
	}
	a := &authentication{ctx: ctx, conn: c, x: x, next: out, has: out != nil, satisfied: satisfied}
	cl := (&call{verb: "AUTHENTICATE", asked: a.answer}).word(mechanism)
	if a.has && c.caps.Has("SASL-IR") { // RFC 4959
		cl.word(encodeInitial(out))
		a.has = false
	}
	err = c.loggedIn(ctx, cl)
	switch {
	case a.failed != nil:
		c.botched = c.botched || err == nil // it has logged in somebody that it did not prove itself to
		return a.failed
	case err == nil && !a.satisfied:
		c.botched = true
		return errors.New("imap: server says OK before it has proved itself")
	}
	return err
}

func encodeInitial(b []byte) string {
	if len(b) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(b)
}

// authentication answers challenges.
type authentication struct {
	ctx       context.Context
	conn      *Conn
	x         sasl.Exchange
	next      []byte
	has       bool // next waits for the first, empty challenge
	satisfied bool
	failed    error // what the mechanism itself objects to
}

func (a *authentication) answer(r *response) error {
	if a.failed != nil {
		return a.conn.broken("challenge behind the end of the exchange")
	}
	out := a.next
	if !a.has {
		in, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.text))
		if err != nil {
			return a.cancel(ProtocolError("malformed challenge"))
		}
		if out, a.satisfied, err = a.x.Next(a.ctx, in); err != nil {
			if out == nil {
				return a.cancel(err)
			}
			a.failed = err // it has its own way to end
		}
	}
	a.has = false
	a.conn.out = append(append(a.conn.out, base64.StdEncoding.EncodeToString(out)...), '\r', '\n')
	return nil
}

// cancel takes the attempt back; the server answers BAD (RFC 9051 §6.2.2).
func (a *authentication) cancel(why error) error {
	a.failed = why
	a.conn.out = append(a.conn.out, "*\r\n"...)
	return nil
}

// Unauthenticate logs out and leaves the connection open for another login (RFC
// 8437).
func (c *Conn) Unauthenticate(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	c.caps = nil // as after a login: unless it says them again
	err := c.do(ctx, &call{verb: "UNAUTHENTICATE"})
	if err == nil {
		c.selected, c.utf8, c.enabled, c.spelled, c.preauth = nil, false, nil, nil, false
	}
	return err
}

// ID tells the server of this program and gives what it tells of itself, names
// in lower case (RFC 2971). fields are names and values in turn.
func (c *Conn) ID(ctx context.Context, fields ...string) (map[string]string, error) {
	x := &call{verb: "ID"}
	if len(fields) < 2 {
		x.word("NIL")
	} else {
		x.word("(")
		for i, f := range fields[:len(fields)&^1] {
			if i > 0 {
				x.raw(" ")
			}
			x.quote(c, f)
		}
		x.raw(")")
	}
	var got map[string]string
	x.data = func(r *response) (bool, error) {
		if r.word != "ID" {
			return false, nil
		}
		got = make(map[string]string)
		v := c.values(r.args)
		list := v.next().list
		for i := 0; i+1 < len(list) && i < 200; i += 2 {
			got[strings.ToLower(cleanText(list[i].text()))] = cleanText(list[i+1].text())
		}
		return true, nil
	}
	return got, c.do(ctx, x)
}

// Enable switches extensions on (RFC 5161) and tells which are on now. After
// UTF8=ACCEPT or IMAP4rev2 names of mailboxes travel in UTF-8. It must come
// before a mailbox is opened (RFC 5161 §3.1).
func (c *Conn) Enable(ctx context.Context, extensions ...string) ([]string, error) {
	var on []string
	x := (&call{verb: "ENABLE"}).word(extensions...)
	x.data = func(r *response) (bool, error) {
		if r.word == "ENABLED" {
			on = strings.Fields(strings.ToUpper(string(r.args)))
		}
		return false, nil
	}
	err := c.do(ctx, x)
	return on, err
}

// noteEnabled notes what the server has switched on.
func (c *Conn) noteEnabled(args string) {
	for _, w := range strings.Fields(args) {
		if c.enabled == nil {
			c.enabled = make(map[string]bool)
		}
		w = strings.ToUpper(cleanText(w))
		if len(c.enabled) < 1000 {
			c.enabled[w] = true
		}
		switch w {
		case "UTF8=ACCEPT", "IMAP4REV2":
			c.utf8 = true
		}
	}
}
