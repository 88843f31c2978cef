// Package testcert makes TLS certificates in memory for tests, fakes and
// example programs: an authority, a server certificate it has signed, and as
// many further certificates as a test needs.
//
//	ca, err := testcert.New("mx.example.org")
//	server := ca.Server() // *tls.Config for the server
//	client := ca.Client() // *tls.Config that trusts it, and nothing else
//
// Keys are ECDSA P-256, so making them takes well under a millisecond. The
// certificates are valid from 1970 to 2099: they work under a fake clock, such
// as that of testing/synctest, which starts in the year 2000. A test about
// expiry asks for its own times with [Authority.Issue].
//
// The package does not import testing, so that programs may use it. Its
// certificates protect nothing: the private key of the authority lives and
// dies with the process.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// Authority is a certificate authority together with one server certificate.
// It is safe for concurrent use; the zero Authority is not usable.
type Authority struct {
	root   *x509.Certificate
	key    *ecdsa.PrivateKey
	server tls.Certificate
	name   string // first name of the server certificate
}

// New makes an authority and a server certificate for the given names, each a
// host name or an IP address. Without names the certificate is for localhost,
// 127.0.0.1 and ::1. The first name becomes the ServerName of Client.
func New(names ...string) (*Authority, error) {
	if len(names) == 0 {
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	a := &Authority{name: names[0]}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("testcert: %w", err)
	}
	t, err := template(Leaf{CommonName: "postilion test authority"})
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("testcert: %w", err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("testcert: %w", err)
	}
	a.server, err = a.Issue(Leaf{Names: names})
	return a, err
}

// Leaf says what a certificate is for. The zero Leaf names nothing and nobody
// and is valid from 1970 to 2099.
type Leaf struct {
	CommonName string   // subject; empty means the first of Names or Emails
	Names      []string // host names and IP addresses
	Emails     []string // mailboxes, for client certificates and SASL EXTERNAL
	NotBefore  time.Time
	NotAfter   time.Time
}

// Issue signs a new certificate. It serves for both ends of a connection: a
// server presents it, or a client proves with it who it is. The Leaf field of
// the result is set.
func (a *Authority) Issue(l Leaf) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("testcert: %w", err)
	}
	t, err := template(l)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.root, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("testcert: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("testcert: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Certificate returns the server certificate that New made.
func (a *Authority) Certificate() tls.Certificate { return a.server }

// Pool returns a new pool that holds the authority and nothing else.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

// Server returns a new configuration that presents the server certificate. It
// asks clients for none; to accept client certificates, for SASL EXTERNAL, use
// MutualServer.
func (a *Authority) Server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.server}}
}

// MutualServer is Server that also asks the client for a certificate, and
// verifies it against the authority when the client presents one.
func (a *Authority) MutualServer() *tls.Config {
	c := a.Server()
	c.ClientCAs = a.Pool()
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c
}

// Client returns a new configuration that trusts the authority alone and
// expects the first of the names given to New. Certificates, if any, are what
// the client presents to a MutualServer.
func (a *Authority) Client(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: a.Pool(), ServerName: a.name, Certificates: certs}
}

// PEM returns the certificate of the authority, the form in which programs
// take a file of trusted roots.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.root.Raw) }

// PEM returns a certificate and its private key (PKCS #8), as
// [tls.X509KeyPair] and most mail servers read them.
func PEM(c tls.Certificate) (cert, key []byte, err error) {
	for _, der := range c.Certificate {
		cert = append(cert, encode("CERTIFICATE", der)...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("testcert: %w", err)
	}
	return cert, encode("PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
