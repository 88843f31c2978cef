package pop3

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// STLS wraps the connection and begins anew: what was said before may have
// been said by anyone (RFC 2595 §4).
func (c *conn) STLS(string) (reply, error) {
	switch {
	case c.session.TLS != nil:
		return fail("", "TLS is active"), nil
	case c.srv.TLSConfig == nil:
		return fail("", "Not offered"), nil
	case c.utf8:
		return fail("", "Not after UTF8"), nil // RFC 6856 §2.1
	case c.r.Buffered() > 0:
		// Somebody put commands behind STLS that would be executed as if they
		// had come over TLS.
		c.debug("plaintext behind STLS", "octets", c.r.Buffered())
		c.put(fail("", "Nothing may follow STLS"))
		c.cut = true
		return reply{}, errOver
	}
	c.put(ok("Begin TLS"))
	if err := c.flush(); err != nil {
		return reply{}, err
	}
	return done, c.startTLS()
}

func (c *conn) startTLS() error {
	if err := c.handshake(tls.Server(c.nc, c.srv.tls)); err != nil {
		return err
	}
	c.user, c.errors, c.hush = "", 0, false
	return nil
}

// handshake makes tc the connection.
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
		return fmt.Errorf("pop3: TLS handshake: %w", err)
	}
	state := tc.ConnectionState()
	c.nc, c.writeBy = tc, time.Time{}
	c.r.Reset(tc)
	c.session.TLS, c.cert = &state, shown()
	return nil
}
