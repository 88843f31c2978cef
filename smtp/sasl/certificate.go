package sasl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
)

// shownKey is the context key under which a connection keeps its shownCert.
type shownKey struct{}

// shownCert is the certificate that one connection showed.
type shownCert struct {
	leaf atomic.Pointer[x509.Certificate]
}

// WithCertificate makes a context for tls.Conn.HandshakeContext, from which a
// config that [TrackCertificate] made tells the certificate shown in that
// handshake: call shown after it and put the result into [Login.ServerCert].
// A session that is resumed shows none: shown then returns the one it would
// have shown (TLS 1.2) or nil (TLS 1.3, where clients bind by tls-exporter).
func WithCertificate(ctx context.Context) (_ context.Context, shown func() *x509.Certificate) {
	s := new(shownCert)
	return context.WithValue(ctx, shownKey{}, s), s.leaf.Load
}

// TrackCertificate returns a config that does as c does and notes which
// certificate each handshake shows, for tls-server-end-point (RFC 5929 §4):
// crypto/tls does not tell a server its own. Make it once and use it for all
// connections; c is not changed, and what its GetCertificate or
// GetConfigForClient returns may differ from one handshake to the next.
func TrackCertificate(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	own, dynamic, perClient := c.Certificates, c.GetCertificate, c.GetConfigForClient
	t := c.Clone()
	t.Certificates = nil // so that GetCertificate is asked every time
	t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := choose(hello, own, dynamic)
		if err == nil && cert != nil {
			note(hello.Context(), cert)
		}
		return cert, err
	}
	if perClient != nil {
		t.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := perClient(hello)
			return TrackCertificate(c), err
		}
	}
	return t
}

// choose picks as crypto/tls documents it: GetCertificate first if there is
// nothing else or the client named a server, then the first certificate that
// the client can use, then the first.
func choose(hello *tls.ClientHelloInfo, own []tls.Certificate, dynamic func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (*tls.Certificate, error) {
	if dynamic != nil && (len(own) == 0 || hello.ServerName != "") {
		if cert, err := dynamic(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	for i := range own {
		if hello.SupportsCertificate(&own[i]) == nil {
			return &own[i], nil
		}
	}
	if len(own) > 0 {
		return &own[0], nil
	}
	return nil, nil // crypto/tls says what is missing
}

func note(ctx context.Context, cert *tls.Certificate) {
	s, ok := ctx.Value(shownKey{}).(*shownCert)
	if !ok {
		return
	}
	leaf := cert.Leaf
	if leaf == nil && len(cert.Certificate) > 0 {
		leaf, _ = x509.ParseCertificate(cert.Certificate[0]) // nil if it is none
	}
	s.leaf.Store(leaf)
}
