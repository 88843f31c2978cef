package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	corewire "github.com/postilion-mail/postilion/internal/wire"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// TLSMode is how a client comes to TLS.
type TLSMode uint8

const (
	// TLSRequired demands STARTTLS with a valid certificate, port 143.
	TLSRequired TLSMode = iota
	// TLSImplicit speaks TLS from the first octet (RFC 8314 §3.2), port 993.
	TLSImplicit
	// TLSNone stays in the clear. Passwords are sent only if the credentials
	// say Cleartext.
	TLSNone
)

// Client knows how to reach a user's mail. It keeps nothing: each
// [Client.Connect] makes a connection, and any number may be open at once. The
// fields must not change after the first use; a Client is safe for concurrent
// use.
type Client struct {
	Addr      string // "host:port"; a path begins with "/" and is a Unix socket
	TLS       TLSMode
	TLSConfig *tls.Config // nil: the system's roots and the host of Addr

	// Auth logs in: by the strongest SASL mechanism that the server offers, or
	// else by LOGIN. nil: Connect does not log in.
	Auth *sasl.Credentials
	// ID is what the server is told of this program, names and values in turn
	// (RFC 2971 §3.3), where it wants to know; nil tells nothing.
	ID []string
	// Compress asks for compression after the login, where it is offered (RFC
	// 4978).
	Compress bool
	// Strict refuses what servers send against the grammar. The zero value is
	// lenient: what can be understood is taken.
	Strict bool
	// MaxResponse bounds the octets of one response with its literals, but for
	// bodies that stream; 0 means 64 MiB.
	MaxResponse int64

	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Timeouts Timeouts
}

// Connect goes through greeting, TLS and login. A refusal is an *[Error]. The
// connection is used by one goroutine at a time.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("imap: connecting to %s: %w", c.Addr, err)
	}
	conn, err := c.NewConn(ctx, nc)
	if err != nil {
		return nil, fmt.Errorf("imap: %s: %w", c.Addr, err)
	}
	if err := c.prepare(ctx, conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("imap: %s: %w", c.Addr, err)
	}
	return conn, nil
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	d := corewire.Dialer{Addr: c.Addr, Timeout: timeout(c.Timeouts.Dial, defaultDial), Dial: c.Dial}
	if c.TLS == TLSImplicit {
		d.Implicit = c.config()
	}
	return d.Connect(ctx)
}

func (c *Client) config() *tls.Config { return corewire.ClientTLS(c.TLSConfig, c.Addr) }

// errPreauth: a server that says PREAUTH cannot do STARTTLS any more, and one
// in between may say it to keep the connection in the clear (RFC 9051 §11.1).
var errPreauth = errors.New("imap: server has logged us in before TLS")

// prepare turns TLS on and logs in, as the mode demands. Whether the server
// offers STARTTLS is not asked: an attacker in between could answer that (RFC
// 8314 §5.3).
func (c *Client) prepare(ctx context.Context, conn *Conn) error {
	if c.TLS == TLSRequired {
		if conn.preauth {
			return errPreauth
		}
		if err := conn.StartTLS(ctx, c.config()); err != nil {
			return fmt.Errorf("%w: %w", errTLS, err)
		}
	}
	if c.Auth != nil && !conn.preauth {
		if err := conn.Auth(ctx, c.Auth); err != nil {
			return err
		}
	}
	if len(c.ID) > 0 && conn.caps.Has("ID") {
		if _, err := conn.ID(ctx, c.ID...); err != nil {
			return err
		}
	}
	if c.Compress && conn.caps.Has("COMPRESS=DEFLATE") {
		return conn.Compress(ctx)
	}
	return nil
}

var errTLS = errors.New("imap: TLS failed")

// IsTLS reports whether err is about TLS: the server does not do it, or its
// certificate is not valid.
func IsTLS(err error) bool {
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	return bad || errors.Is(err, errTLS) || errors.Is(err, errPreauth)
}
