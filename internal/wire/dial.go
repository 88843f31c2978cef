package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Dialer connects clients to their servers.
type Dialer struct {
	Addr    string        // "host:port"; a path begins with "/" and is a Unix socket
	Timeout time.Duration // of the connection, with TLS where that is implicit; 0: that of the context
	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Implicit speaks TLS from the first octet (RFC 8314 §3); nil does not.
	Implicit *tls.Config
}

// Connect makes a connection. What ctx says about it ends with Connect.
func (d Dialer) Connect(ctx context.Context) (net.Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	network := "tcp"
	if len(d.Addr) > 0 && d.Addr[0] == '/' {
		network = "unix"
	}
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	nc, err := dial(ctx, network, d.Addr)
	if err != nil || d.Implicit == nil {
		return nc, err
	}
	tc := tls.Client(nc, d.Implicit)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// ClientTLS is the configuration for a server at addr: what is given, or the
// system's roots, and the name of the host where none is given.
func ClientTLS(given *tls.Config, addr string) *tls.Config {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if given != nil {
		conf = given.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName, _, _ = net.SplitHostPort(addr)
	}
	return conf
}
