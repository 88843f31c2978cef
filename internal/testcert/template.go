package testcert

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"time"
)

// template fills in what x509.CreateCertificate needs for a leaf.
func template(l Leaf) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("testcert: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber:   serial,
		Subject:        pkix.Name{CommonName: commonName(l)},
		EmailAddresses: l.Emails,
		NotBefore:      l.NotBefore,
		NotAfter:       l.NotAfter,
		KeyUsage:       x509.KeyUsageDigitalSignature,
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Unix(0, 0)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, n := range l.Names {
		if ip, err := netip.ParseAddr(n); err == nil {
			t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return t, nil
}

func commonName(l Leaf) string {
	names := append(append([]string{l.CommonName}, l.Names...), l.Emails...)
	return cmp.Or(names...)
}
