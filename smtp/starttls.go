package smtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// STARTTLS wraps the connection and begins anew: what was said before may have
// been said by anyone (RFC 3207 §4.2).
func (c *conn) STARTTLS(arg string) (Reply, error) {
	switch {
	case arg != "":
		return noArgument, nil
	case c.session.TLS != nil:
		return Reply{503, "5.5.1", "TLS is active"}, nil
	case c.srv.TLSConfig == nil || c.srv.withholds("STARTTLS"):
		return notImplemented, nil
	case c.session.User != "":
		return Reply{503, "5.5.1", "Not after a login"}, nil
	case c.r.Buffered() > 0:
		// Somebody put commands behind STARTTLS that would be executed as if
		// they had come over TLS.
		c.debug("plaintext behind STARTTLS", "octets", c.r.Buffered())
		return Reply{}, c.lastWord(Reply{554, "5.5.0", "Nothing may follow STARTTLS"})
	}
	c.put(Reply{220, "2.0.0", "Ready to start TLS"})
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	return Reply{}, c.startTLS()
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
		return fmt.Errorf("smtp: TLS handshake: %w", err)
	}
	state := tc.ConnectionState()
	c.nc, c.writeBy = tc, time.Time{}
	c.r.Reset(tc)
	c.endTransaction(true)
	old := c.session
	c.session = Session{ID: old.ID, Remote: old.Remote, Local: old.Local, Values: c.connected.clone(), Protocol: "SMTP", TLS: &state}
	c.state, c.esmtp, c.coded, c.cert = fresh, false, false, shown()
	return nil
}

// login is what the mechanisms may know of this connection.
func (c *conn) login(mechanism string) sasl.Login {
	protocol := "smtp"
	if c.srv.Profile == LMTP {
		protocol = "lmtp"
	}
	return sasl.Login{Protocol: protocol, Mechanism: mechanism, Remote: c.session.Remote, TLS: c.session.TLS, ServerCert: c.cert}
}
