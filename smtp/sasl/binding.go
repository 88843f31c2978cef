package sasl

import (
	"crypto"
	_ "crypto/sha256" // the hashes of tls-server-end-point
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
)

// The channel bindings of TLS, by their registered names.
const (
	tlsExporter       = "tls-exporter"         // RFC 9266
	tlsServerEndPoint = "tls-server-end-point" // RFC 5929 §4
	tlsUnique         = "tls-unique"           // RFC 5929 §3; server only, TLS 1.2
)

// bindingData is what both ends of the same channel know and nobody between
// two channels can make equal; nil where this kind does not exist.
func bindingData(kind string, cs *tls.ConnectionState, cert *x509.Certificate) []byte {
	switch {
	case cs == nil:
		return nil
	case kind == tlsExporter:
		return exporter(cs)
	case kind == tlsServerEndPoint:
		return endPoint(cert)
	case kind == tlsUnique && cs.Version < tls.VersionTLS13:
		return cs.TLSUnique
	}
	return nil
}

// exporter is RFC 9266 §2: 32 octets by this label, context of zero length.
// TLS 1.2 must have the extended master secret; crypto/tls sees to that.
func exporter(cs *tls.ConnectionState) (data []byte) {
	// A ConnectionState that no handshake made has no key to export from,
	// and ExportKeyingMaterial takes that for a bug.
	defer func() {
		if recover() != nil {
			data = nil
		}
	}()
	data, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
	if err != nil {
		return nil
	}
	return data
}

// endPoint hashes the server's certificate by the hash of its signature, by
// SHA-256 if that is MD5 or SHA-1 (RFC 5929 §4.1). Signatures without a hash
// of their own, as Ed25519, have no such binding.
func endPoint(cert *x509.Certificate) []byte {
	if cert == nil {
		return nil
	}
	var h crypto.Hash
	switch cert.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.DSAWithSHA256, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = crypto.SHA512
	default:
		return nil
	}
	d := h.New()
	d.Write(cert.Raw)
	return d.Sum(nil)
}

// canBind reports whether this server can bind to the channel at all.
func canBind(l *Login) bool {
	for _, kind := range [...]string{tlsExporter, tlsUnique, tlsServerEndPoint} {
		if len(bindingData(kind, l.TLS, l.ServerCert)) > 0 {
			return true
		}
	}
	return false
}

// binding is the client's choice and its data: no data means that it cannot.
func (c *Credentials) binding(l *Login) (kind string, data []byte) {
	if l.TLS == nil || c.Binding == "none" {
		return "", nil
	}
	var cert *x509.Certificate
	if len(l.TLS.PeerCertificates) > 0 {
		cert = l.TLS.PeerCertificates[0]
	}
	kinds := []string{tlsServerEndPoint, tlsExporter}
	switch {
	case c.Binding != "":
		kinds = []string{c.Binding}
	case l.TLS.Version >= tls.VersionTLS13: // RFC 9266 §3
		kinds = []string{tlsExporter}
	}
	for _, kind = range kinds {
		if data = bindingData(kind, l.TLS, cert); len(data) > 0 {
			return kind, data
		}
	}
	return "", nil
}
