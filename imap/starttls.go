package imap

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// STARTTLS wraps the connection and begins anew: what was said before may have
// been said by anyone (RFC 9051 §6.2.1).
func (c *conn) STARTTLS(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	if c.session.TLS != nil {
		return bad("TLS is active")
	}
	if c.r.Buffered() > 0 {
		// Somebody put commands behind STARTTLS that would be executed as if
		// they had come over TLS.
		c.debug("plaintext behind STARTTLS", "octets", c.r.Buffered())
		c.tagged(bad("Nothing may follow STARTTLS"))
		c.err = c.bye("Nothing may follow STARTTLS")
		return reply{}
	}
	c.tagged(ok("Begin TLS negotiation now"))
	if c.err = c.flush(); c.err == nil {
		c.err = c.startTLS()
	}
	return reply{}
}

// startTLS wraps the connection; all that is known of the peer but its address
// is forgotten.
func (c *conn) startTLS() error {
	if c.srv.tls == nil {
		return errNoTLS
	}
	return c.handshake(tls.Server(c.nc, c.srv.tls))
}

func (c *conn) handshake(tc *tls.Conn) error {
	ctx := c.ctx
	if d := c.srv.waits.TLS; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	ctx, shown := sasl.WithCertificate(ctx)
	c.r.Lend()
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("imap: TLS handshake: %w", err)
	}
	state := tc.ConnectionState()
	c.nc, c.writeBy = tc, time.Time{}
	c.r.Reset(tc)
	old := c.session
	c.session = Session{ID: old.ID, Remote: old.Remote, Local: old.Local, TLS: &state}
	c.on, c.errors, c.cert = 0, 0, shown()
	return nil
}

// login is what the mechanisms may know of this connection.
func (c *conn) login(mechanism string) sasl.Login {
	return sasl.Login{Protocol: "imap", Mechanism: mechanism, Remote: c.session.Remote, TLS: c.session.TLS, ServerCert: c.cert}
}
