package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/postilion-mail/postilion/internal/wire"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// TLSMode is how a client comes to TLS.
type TLSMode uint8

const (
	// TLSRequired demands STLS with a valid certificate, port 110.
	TLSRequired TLSMode = iota
	// TLSImplicit speaks TLS from the first octet (RFC 8314 §3.2), port 995.
	TLSImplicit
	// TLSNone stays in the clear. Passwords are sent only if the credentials
	// say Cleartext.
	TLSNone
)

// Client knows how to reach a user's maildrop. It keeps nothing: [Client.Connect]
// makes a connection, and POP3 has one at a time. The fields must not change
// after the first use; a Client is safe for concurrent use.
type Client struct {
	Addr      string // "host:port"; a path begins with "/" and is a Unix socket
	TLS       TLSMode
	TLSConfig *tls.Config // nil: the system's roots and the host of Addr

	// Auth logs in: by the strongest SASL mechanism that the server offers, or
	// else by USER and PASS, or APOP where Auth.Mechanisms names "APOP" and the
	// server offers it. nil: Connect does not log in.
	Auth *sasl.Credentials

	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Timeouts Timeouts
}

// Connect goes through greeting, TLS and login. A refusal is an *[Error];
// its Temporary and Credentials say what to do about it.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("pop3: connecting to %s: %w", c.Addr, err)
	}
	conn, err := NewConn(ctx, nc, c.Timeouts)
	if err != nil {
		return nil, fmt.Errorf("pop3: %s: %w", c.Addr, err)
	}
	if err := c.prepare(ctx, conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("pop3: %s: %w", c.Addr, err)
	}
	return conn, nil
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	d := wire.Dialer{Addr: c.Addr, Timeout: c.Timeouts.forClient().Dial, Dial: c.Dial}
	if c.TLS == TLSImplicit {
		d.Implicit = c.config()
	}
	return d.Connect(ctx)
}

func (c *Client) config() *tls.Config { return wire.ClientTLS(c.TLSConfig, c.Addr) }

// prepare turns TLS on and logs in, as the mode demands. Whether the server
// offers STLS is not asked: an attacker in between could answer that (RFC 8314
// §5.3).
func (c *Client) prepare(ctx context.Context, conn *Conn) error {
	if c.TLS == TLSRequired {
		if err := conn.StartTLS(ctx, c.config()); err != nil {
			return fmt.Errorf("%w: %w", errTLS, err)
		}
	}
	if c.Auth == nil {
		return nil
	}
	if err := conn.Auth(ctx, c.Auth); err != nil {
		return err
	}
	return nil
}

// IsTLS reports whether err is about TLS: the server does not do it, or its
// certificate is not valid.
func IsTLS(err error) bool {
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	return bad || errors.Is(err, errTLS)
}
