package sasl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/netip"
)

// MaxMessage is the longest message, in octets after base64 decoding, that an
// [Exchange] accepts from the peer. A server that reads lines of 12288 octets
// (RFC 4954 §4) never meets it; it bounds the callers that read more.
const MaxMessage = 16 << 10

// Login is what is known about one attempt to log in. The protocol's side
// fills Protocol, Mechanism, Remote, TLS and ServerCert before Start; User,
// Authz and Identity are learnt in the exchange, and [Exchange.Login] shows
// them. It holds no secret, and log/slog shows it without the certificates.
type Login struct {
	// Protocol is "smtp", "lmtp", "pop3" or "imap". Nothing in this package
	// depends on it; it is there for the funcs that check and log.
	Protocol string

	// Mechanism is the name as in the IANA registry, "SCRAM-SHA-256"; Start
	// takes it in any case. For POP3's USER/PASS and IMAP's LOGIN command,
	// which go through [Authenticator.Check], it is empty.
	Mechanism string

	// User is who proves to be himself (the "authentication identity",
	// RFC 4422 §2), as the peer sent it and SASLprep prepared it.
	User string

	// Authz is whom he asks to act as (the "authorization identity"). Empty,
	// as it almost always is, means: as himself.
	Authz string

	// Identity is as whom the login acts, and so the only name that mail may
	// be opened or sent by: what Authorize returned or, without Authorize,
	// User. It is empty until the exchange has succeeded.
	Identity string

	// Remote is the peer's address; the zero value where it has none, as on
	// a Unix socket.
	Remote netip.AddrPort

	// TLS is the state of the connection, nil without TLS. The -PLUS
	// mechanisms and EXTERNAL exist only with it.
	TLS *tls.ConnectionState

	// ServerCert is, on the server, the certificate it showed in the
	// handshake, which TLS does not tell; see [TrackCertificate]. nil means
	// unknown: channel binding then works by tls-exporter and tls-unique but
	// not by tls-server-end-point. Clients leave it nil.
	ServerCert *x509.Certificate
}

// LogValue shows who, how and from where.
func (l Login) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("protocol", l.Protocol), slog.String("mechanism", l.Mechanism), slog.String("user", l.User),
	}
	if l.Authz != "" {
		attrs = append(attrs, slog.String("authz", l.Authz))
	}
	if l.Identity != "" {
		attrs = append(attrs, slog.String("identity", l.Identity))
	}
	if l.Remote.IsValid() {
		attrs = append(attrs, slog.String("remote", l.Remote.String()))
	}
	return slog.GroupValue(append(attrs, slog.Bool("tls", l.TLS != nil))...)
}

// Exchange is one attempt on one connection, on either side. It is used by
// one goroutine at a time and, once done or failed, is over: drop it. Nothing
// needs to be closed, also after an abort.
//
// # Next on the server
//
// The first call takes the initial response: nil when the command carried
// none, non-nil but empty for the empty one, which is "=" on the wire of SMTP
// (RFC 4954 §4), IMAP (RFC 4959 §3) and POP3 (RFC 5034 §4). Mechanisms in which the client speaks
// first answer nil with an empty challenge, as RFC 4422 §5 has it; CRAM-MD5
// refuses an initial response. Later calls take the decoded line the client
// sent, and nil is there the same as empty.
//
//   - err != nil: the attempt has failed, out is nil. An error that has an
//     SMTP method says how to answer; any other means that the answer could
//     not be found out, so try later (454 4.7.0, [UNAVAILABLE],
//     [SYS/TEMP]).
//   - done == false: send out as a challenge ("334 " and base64; out may be
//     empty) and read the client's line. If it is "*" the client gave up:
//     answer 501 5.7.0 and drop the exchange.
//   - done == true: the peer is Login().Identity; answer 235. out is nil:
//     none of SMTP, IMAP and POP3 can carry data with the success, so
//     what a mechanism has to say at the end (v= of SCRAM) was sent as one
//     more challenge before, and the client's empty answer to it was checked
//     (RFC 4422 §5).
//
// # Next on the client
//
// The first call, Next(ctx, nil), gives the initial response: out == nil
// means that the server speaks first and the command must go out without
// one; an empty, non-nil out is an empty initial response, "=" on the wire. Where
// the protocol has no room for it, send the command without and out as the
// answer to the server's first, empty challenge.
// Each later call takes a decoded challenge and gives the line to answer, in
// which nil is the same as empty.
//
//   - err != nil and out == nil: cancel with "*", read the server's answer,
//     report err.
//   - err != nil and out != nil: the mechanism has its own way to end
//     (RFC 7628 §3.2.3): send out, read the server's answer, report err.
//   - done says whether the mechanism is satisfied after this step. A
//     server that reports success while done is false has not proved what it
//     must (in SCRAM: that it knows the password too), and the client must
//     treat that as a failure and drop the connection. If success comes with
//     data, give it to Next first. If a challenge comes although done is
//     true, give it to Next as any other.
type Exchange interface {
	Next(ctx context.Context, in []byte) (out []byte, done bool, err error)

	// Login tells what is known up to now; Identity is set only when the
	// exchange has succeeded. After a failure User is for the log.
	Login() Login
}

// Plaintext reports whether the mechanism shows a password or a token to
// whoever can read the connection: PLAIN, LOGIN, OAUTHBEARER and XOAUTH2.
// Servers must not offer or accept these without TLS (RFC 4954 §4, RFC 9051
// §11.3, RFC 7628 §3), unless told to; [Authenticator.Mechanisms] leaves
// that to them, since only they know which connections are safe otherwise.
// A name that is not known is taken for plaintext.
func Plaintext(mechanism string) bool {
	m := find(mechanism)
	return m == nil || m.plaintext
}

// step is one turn of a mechanism: it takes the peer's message and returns
// ours and the turn that follows; no turn means that all is said.
type step func(ctx context.Context, in []byte) (out []byte, next step, err error)

// upper folds ASCII letters only: strings.EqualFold would take ſ for s.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// has reports whether the names hold this mechanism, in any case.
func has(names []string, mechanism string) bool {
	for _, n := range names {
		if len(n) == len(mechanism) && upper(n) == mechanism {
			return true
		}
	}
	return false
}
