package sasl

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
)

var peer = netip.MustParseAddrPort("192.0.2.1:4711")

// dialogue runs both sides to the end as the contract of Exchange says, and
// returns what each has to say of it. Without ir the initial response travels
// as the answer to an empty challenge.
func dialogue(ctx context.Context, c, s Exchange, ir bool) (clientErr, serverErr error) {
	in, cdone, err := c.Next(ctx, nil)
	if err != nil {
		return err, errors.New("cancelled")
	}
	held := in
	if !ir {
		in = nil
	}
	for {
		challenge, sdone, err := s.Next(ctx, in)
		if err != nil {
			return errors.New("refused"), err
		}
		if sdone {
			if !cdone {
				return errors.New("success before the client was satisfied"), nil
			}
			return nil, nil
		}
		if !ir && held != nil {
			in, held = held, nil
			continue
		}
		in, cdone, err = c.Next(ctx, challenge)
		if err != nil {
			if in != nil {
				_, _, serverErr = s.Next(ctx, in)
				return err, serverErr
			}
			return err, errors.New("cancelled")
		}
		if in == nil {
			in = []byte{}
		}
	}
}

// channel is a TLS connection's state as both ends see it.
type channel struct{ client, server Login }

// newChannel shakes hands in memory; the client shows a certificate.
func newChannel(t testing.TB, version uint16) channel {
	t.Helper()
	ca, err := testcert.New("mx.example.org")
	require.NoError(t, err)
	leaf, err := ca.Issue(testcert.Leaf{Emails: []string{"alice@example.org"}})
	require.NoError(t, err)
	cs, ss := ca.Client(leaf), TrackCertificate(ca.MutualServer())
	cs.MaxVersion, ss.SessionTicketsDisabled = version, true // a pipe has no room for tickets
	a, b := net.Pipe()
	ctx, shown := WithCertificate(t.Context())
	client, server := tls.Client(a, cs), tls.Server(b, ss)
	errs := make(chan error, 1)
	go func() { errs <- server.HandshakeContext(ctx) }()
	require.NoError(t, client.HandshakeContext(t.Context()))
	require.NoError(t, <-errs)
	t.Cleanup(func() { a.Close(); b.Close() })
	c, s := client.ConnectionState(), server.ConnectionState()
	return channel{
		client: Login{Protocol: "smtp", Remote: peer, TLS: &c},
		server: Login{Protocol: "smtp", Remote: peer, TLS: &s, ServerCert: shown()},
	}
}
