// Package sasl logs people in: the mechanisms of SASL (RFC 4422) that mail
// uses, on both sides, for SMTP, POP3 and IMAP alike.
//
// A server fills an [Authenticator] with what it can check, and what it can
// check is what it offers:
//
//	auth := sasl.Throttle(&sasl.Authenticator{
//		Password: func(ctx context.Context, l sasl.Login, password string) error {
//			if !db.Matches(ctx, l.User, password) {
//				return sasl.ErrCredentials
//			}
//			return nil
//		},
//	}, 30, time.Second)
//	server := smtp.Server{Auth: auth}
//
// A client has [Credentials], which pick the strongest mechanism that the
// server offers and the connection is safe for:
//
//	client := smtp.Client{Auth: &sasl.Credentials{User: "alice", Password: "secret"}}
//
// The rest is for those who write the protocol around it: [Exchange] has the
// exact contract, and its examples the loops of both sides.
//
// # Mechanisms
//
// Strongest first, as they are offered and picked:
//
//	name                    server needs   client needs   reveals the secret
//	EXTERNAL                Certificate    TLS            no
//	SCRAM-SHA-512-PLUS      Secret, TLS    User, Password no
//	SCRAM-SHA-256-PLUS      Secret, TLS    User, Password no
//	SCRAM-SHA-1-PLUS        Secret, TLS    User, Password no
//	SCRAM-SHA-512           Secret         User, Password no
//	SCRAM-SHA-256           Secret         User, Password no
//	SCRAM-SHA-1             Secret         User, Password no
//	OAUTHBEARER             Token          Token          yes
//	XOAUTH2                 Token          Token          yes
//	CRAM-MD5                Secret (Plain) User, Password no
//	PLAIN                   Password       User, Password yes
//	LOGIN                   Password       User, Password yes
//
// Binding to the channel stands before the size of the hash: it is what keeps
// somebody between two TLS connections out. ANONYMOUS (RFC 4505) is left out:
// a mail server that lets anyone in needs no login for that, and one row
// less can be offered by mistake. GSSAPI, NTLM and DIGEST-MD5 are not
// there either.
//
// Beside the exchanges, [Authenticator.Check] serves POP3's USER and PASS and
// IMAP's LOGIN, and [Authenticator.APOP] POP3's APOP: same funcs, same
// throttle, same identity.
//
// # Who is who
//
// Three names travel in a [Login]. User is who proved to be himself, Authz
// whom he asks to act as, Identity as whom he acts in the end. Without
// an Authorize func a user acts as himself and nobody else; with one, that
// func alone decides, after the proof. Only Identity opens a mailbox.
//
// # What the peer can learn
//
// A failed login is [ErrCredentials] whatever the cause; what went wrong is
// in the wrapped text, for the log. In SCRAM an unknown user gets a salt and
// work factor that stay the same for that name, and fails only at the proof,
// after the same work; set SaltKey and Iterations so that they cannot be told
// from stored ones, and keep the same kind of Secret for all users: where
// some are plain and some are keys, time tells which. What Password and Secret do with their time is
// theirs: [Secrets] makes a Password func that takes as long for unknown
// users. Comparisons are in constant time.
//
// # What a bad server can do
//
// [Credentials] send no password or token without TLS, unless Cleartext is
// set. SCRAM refuses a work factor below 4096 (a weak proof) or above
// 1,000,000 (a burnt processor), and fails unless the server proves that it
// knows the user. If the list of mechanisms was cut on its way to hide -PLUS,
// the server finds out by the flag the client sends (RFC 5802 §6); with
// Mechanisms set to the -PLUS names alone, the client does not even try.
//
// # Channel binding
//
// Servers take tls-exporter (RFC 9266), tls-server-end-point and, below TLS
// 1.3, tls-unique (RFC 5929), whichever the client names. Clients use
// tls-exporter with TLS 1.3, tls-server-end-point before that. A server does
// not know from crypto/tls which certificate it has shown: [TrackCertificate]
// tells, and without it the other two work.
//
// # Limits
//
// A message has at most [MaxMessage] octets. One exchange holds a few of
// them and no more; memory and time are linear in the input, but for the work
// factor of SCRAM, which the client bounds and the server sets. Deriving keys
// stops when the context ends. [Throttle] bounds failures per address and
// its own memory.
//
// # Secrets in logs
//
// [Credentials], [Secret], [Keys] and every Exchange print as masks by every
// verb of fmt and in log/slog, and no error quotes one. Secret and Keys do not
// marshal to JSON, since a log might; store their fields. Go cannot ask a
// value for its mask when it is stored by value in an unexported field of
// a struct that is printed whole: keep them behind pointers there.
//
// # Concurrency
//
// Authenticator and Credentials serve any number of connections at once and
// must not change meanwhile; an Exchange belongs to one goroutine.
//
// # Standards
//
// RFC 4422 (SASL), RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM; SHA-512 by
// the same rules), RFC 7628 (OAUTHBEARER), RFC 2195 (CRAM-MD5), RFC 4013 and
// RFC 3454 (SASLprep), RFC 5929 and RFC 9266 (channel binding), RFC 1939 §7
// (APOP); RFC 4954, RFC 5034 and RFC 4959 for how the protocols carry them.
// LOGIN and XOAUTH2 have none and do as the field does. NFKC is that of
// today's Unicode, which differs from 3.2 in five ideographs that were
// corrected since.
//
// # Testing
//
// The servers of smtptest, pop3test and imaptest take any login. To test an
// Authenticator no network is needed: hand the messages of a client's Exchange to
// the server's and back until both say that they are done.
//
// # Where this differs from the first sketch
//
// An Exchange has Login, or no server would learn the Identity; Token and
// Certificate return the user, which only they know; Check and APOP exist so
// that the logins without SASL count and authorize as the others do.
package sasl
