package sasl_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// overLoopback runs one handshake, the server's side of it by the func.
func overLoopback(server, client *tls.Config, handshake func(*tls.Conn) (sasl.Login, error)) (sasl.Login, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return sasl.Login{}, err
	}
	defer ln.Close()
	errs := make(chan error, 1)
	go func() {
		c, err := tls.Dial("tcp", ln.Addr().String(), client)
		if err == nil {
			_, _ = c.Read(make([]byte, 1)) // takes the session ticket
			err = c.Close()
		}
		errs <- err
	}()
	c, err := ln.Accept()
	if err != nil {
		return sasl.Login{}, err
	}
	l, err := handshake(tls.Server(c, server))
	return l, errors.Join(err, c.Close(), ignoreReset(<-errs))
}

// ignoreReset: how a closed connection looks from the other side is not what
// is tested.
func ignoreReset(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return nil
	}
	return err
}

func shownBy(t *testing.T, server, client *tls.Config) (*x509.Certificate, bool) {
	t.Helper()
	var resumed bool
	l, err := overLoopback(server, client, func(c *tls.Conn) (sasl.Login, error) {
		ctx, shown := sasl.WithCertificate(t.Context())
		err := c.HandshakeContext(ctx)
		resumed = c.ConnectionState().DidResume
		return sasl.Login{ServerCert: shown()}, err
	})
	require.NoError(t, err)
	return l.ServerCert, resumed
}

func TestTrackCertificate(t *testing.T) {
	ca, err := testcert.New("a.example.org")
	require.NoError(t, err)
	a := ca.Certificate()
	b, err := ca.Issue(testcert.Leaf{Names: []string{"b.example.org"}})
	require.NoError(t, err)
	noLeaf := b
	noLeaf.Leaf = nil
	ask := func(name string) *tls.Config {
		c := ca.Client()
		c.ServerName = name
		return c
	}
	byName := func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "b.example.org" {
			return &b, nil
		}
		return nil, nil
	}
	for name, c := range map[string]*tls.Config{
		"a list":       {Certificates: []tls.Certificate{a, b}},
		"without leaf": {Certificates: []tls.Certificate{a, noLeaf}},
		"a func": {GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, _ := byName(h)
			if c == nil {
				c = &a
			}
			return c, nil
		}},
		"a func, then one": {Certificates: []tls.Certificate{a}, GetCertificate: byName},
		"a config for each": {GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{a}, GetCertificate: byName}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tracked := sasl.TrackCertificate(c)
			got, _ := shownBy(t, tracked, ask("a.example.org"))
			assert.Equal(t, a.Leaf.Raw, got.Raw)
			got, _ = shownBy(t, tracked, ask("b.example.org"))
			assert.Equal(t, b.Leaf.Raw, got.Raw)
		})
	}
	assert.Nil(t, sasl.TrackCertificate(nil))
}

func TestTrackCertificateWithoutContext(t *testing.T) {
	ca, err := testcert.New("a.example.org")
	require.NoError(t, err)
	l, err := overLoopback(sasl.TrackCertificate(ca.Server()), ca.Client(), func(c *tls.Conn) (sasl.Login, error) {
		return sasl.Login{}, c.HandshakeContext(context.Background())
	})
	require.NoError(t, err)
	assert.Nil(t, l.ServerCert)
}

// The tracked config must not stop sessions from being resumed; and since the
// client of a resumed TLS 1.2 session binds to the certificate of the first,
// the server must still know it.
func TestTrackCertificateResumption(t *testing.T) {
	ca, err := testcert.New("a.example.org")
	require.NoError(t, err)
	server, client := sasl.TrackCertificate(ca.Server()), ca.Client()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.MaxVersion = tls.VersionTLS12 // whose ticket comes within the handshake
	first, resumed := shownBy(t, server, client)
	require.NotNil(t, first)
	assert.False(t, resumed)
	again, resumed := shownBy(t, server, client)
	assert.True(t, resumed)
	assert.True(t, first.Equal(again))
}
