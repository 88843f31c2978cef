package testcert_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleAuthority() {
	ca, err := testcert.New("mx.example.org", "127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf := ca.Certificate().Leaf
	fmt.Println(leaf.DNSNames, leaf.IPAddresses, ca.Client().ServerName)
	// Output: [mx.example.org] [127.0.0.1] mx.example.org
}

func ExampleLeaf() {
	ca, err := testcert.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	ann, err := ca.Issue(testcert.Leaf{Emails: []string{"ann@example.org"}})
	fmt.Println(ann.Leaf.Subject, ann.Leaf.EmailAddresses, err)
	// Output: CN=ann@example.org [ann@example.org] <nil>
}

// loopback returns two ends of a connection. Not net.Pipe: without a buffer
// between them, a refusing client and a talking server wait for each other.
func loopback() (a, b net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = l.Accept()
	return a, b, err
}

// handshake returns the server's view, and what either end had to say
// against the other.
func handshake(server, client *tls.Config) (tls.ConnectionState, error) {
	return handshakeOver(loopback, server, client)
}

func handshakeOver(dial func() (a, b net.Conn, err error), server, client *tls.Config) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a, b, err := dial()
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer a.Close()
	defer b.Close()
	s, c := tls.Server(a, server), tls.Client(b, client)
	failed := make(chan error, 1)
	go func() {
		err := c.HandshakeContext(ctx)
		if err == nil {
			_, err = c.Read(make([]byte, 1)) // a TLS 1.3 refusal of our certificate arrives here
		}
		failed <- err
	}()
	err = s.HandshakeContext(ctx)
	if err == nil {
		_, err = s.Write([]byte{0})
	}
	return s.ConnectionState(), errors.Join(err, <-failed)
}

func TestHandshake(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	_, err = handshake(ca.Server(), ca.Client())
	assert.NoError(t, err)

	for _, name := range []string{"127.0.0.1", "::1"} {
		c := ca.Client()
		c.ServerName = name
		_, err = handshake(ca.Server(), c)
		assert.NoError(t, err, name)
	}
}

func TestStrangersAreNotTrusted(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	other, err := testcert.New()
	require.NoError(t, err)
	_, err = handshake(ca.Server(), other.Client())
	var unknown x509.UnknownAuthorityError
	assert.ErrorAs(t, err, &unknown)

	c := ca.Client()
	c.ServerName = "mx.example.net"
	_, err = handshake(ca.Server(), c)
	var host x509.HostnameError
	assert.ErrorAs(t, err, &host)
}

func TestClientCertificate(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	ann, err := ca.Issue(testcert.Leaf{Emails: []string{"ann@example.org"}})
	require.NoError(t, err)

	st, err := handshake(ca.MutualServer(), ca.Client(ann))
	require.NoError(t, err)
	require.NotEmpty(t, st.VerifiedChains)
	assert.Equal(t, []string{"ann@example.org"}, st.PeerCertificates[0].EmailAddresses)

	st, err = handshake(ca.MutualServer(), ca.Client())
	require.NoError(t, err, "a certificate is optional")
	assert.Empty(t, st.PeerCertificates)

	other, err := testcert.New()
	require.NoError(t, err)
	eve, err := other.Issue(testcert.Leaf{Emails: []string{"ann@example.org"}})
	require.NoError(t, err)
	c := ca.Client()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &eve, nil }
	_, err = handshake(ca.MutualServer(), c)
	assert.Error(t, err, "a certificate of another authority")
}

func TestExpiry(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	end := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	cert, err := ca.Issue(testcert.Leaf{Names: []string{"localhost"}, NotBefore: end.AddDate(0, 0, -1), NotAfter: end})
	require.NoError(t, err)
	at := func(now time.Time) error {
		c := ca.Client()
		c.Time = func() time.Time { return now }
		_, err := handshake(&tls.Config{Certificates: []tls.Certificate{cert}}, c)
		return err
	}
	assert.NoError(t, at(end.Add(-time.Hour)))
	var invalid x509.CertificateInvalidError
	require.ErrorAs(t, at(end.Add(time.Hour)), &invalid)
	assert.Equal(t, x509.Expired, invalid.Reason)
}

func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, err := testcert.New()
		require.NoError(t, err)
		pipe := func() (a, b net.Conn, err error) { a, b = net.Pipe(); return a, b, nil }
		_, err = handshakeOver(pipe, ca.Server(), ca.Client())
		assert.NoError(t, err, "at %v", time.Now())
	})
}

func TestPEM(t *testing.T) {
	ca, err := testcert.New("mx.example.org")
	require.NoError(t, err)
	cert, key, err := testcert.PEM(ca.Certificate())
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(t, err)

	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM()))
	_, err = handshake(&tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: roots, ServerName: "mx.example.org"})
	assert.NoError(t, err)

	_, _, err = testcert.PEM(tls.Certificate{})
	assert.Error(t, err, "no key")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := testcert.New(); err != nil {
			b.Fatal(err)
		}
	}
}
