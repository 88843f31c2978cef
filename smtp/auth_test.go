package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

const (
	thePassword = "s3same-Öffne+dich/="
	theToken    = "tok3n.abc-DEF_123~xyz"
)

// everything offers all mechanisms.
func everything() *sasl.Authenticator {
	a := &sasl.Authenticator{
		Secret: func(_ context.Context, l sasl.Login) (sasl.Secret, error) {
			if l.User != "ann" {
				return sasl.Secret{}, sasl.ErrCredentials
			}
			return sasl.Secret{Plain: thePassword}, nil
		},
		Token: func(_ context.Context, _ sasl.Login, token string) (string, error) {
			if token != theToken {
				return "", sasl.ErrCredentials
			}
			return "ann", nil
		},
		Certificate: func(context.Context, sasl.Login) (string, error) { return "ann", nil },
	}
	a.Password = sasl.Secrets(a.Secret, 0)
	return a
}

// login runs one mechanism with or without its initial response.
func login(p *peer, c sasl.Credentials, l sasl.Login, mechanism string, initial bool) string {
	ctx := context.Background()
	c.Mechanisms = []string{mechanism}
	_, x, err := c.Start(l, []string{mechanism})
	require.NoError(p.t, err)
	first, _, err := x.Next(ctx, nil)
	require.NoError(p.t, err)
	line := "AUTH " + mechanism
	encode := base64.StdEncoding.EncodeToString
	if first != nil && initial {
		if line += " " + encode(first); len(first) == 0 {
			line = "AUTH " + mechanism + " ="
		}
		first = nil
	}
	p.send(line + "\r\n")
	for {
		r := p.reply()
		challenge, ok := strings.CutPrefix(r, "334 ")
		if !ok {
			return r
		}
		if first != nil {
			p.send(encode(first) + "\r\n")
			first = nil
			continue
		}
		in, err := base64.StdEncoding.DecodeString(challenge)
		require.NoError(p.t, err)
		out, _, err := x.Next(ctx, in)
		if err != nil && out == nil {
			p.send("*\r\n")
			continue
		}
		p.send(encode(out) + "\r\n")
	}
}

// secure gives a server, a client that shows a certificate, and a connection
// between them after EHLO under TLS.
func secure(t *testing.T, version uint16, s *Server) (*peer, *tls.ConnectionState) {
	ca, err := testcert.New("mx.example")
	require.NoError(t, err)
	s.TLSConfig = ca.Server()
	s.TLSConfig.MaxVersion = version
	s.TLSConfig.ClientAuth = tls.VerifyClientCertIfGiven
	client := ca.Client()
	s.TLSConfig.ClientCAs = client.RootCAs
	cert, err := ca.Issue(testcert.Leaf{CommonName: "ann"})
	require.NoError(t, err)
	client.Certificates = []tls.Certificate{cert}
	p := serveTCP(t, s)
	p.hello()
	p.want("STARTTLS", "220")
	state := p.startTLS(client).ConnectionState()
	p.want("EHLO c", "250-")
	return p, &state
}

func TestEveryMechanism(t *testing.T) {
	names := []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
		"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"}
	for version, bindings := range map[uint16][]string{tls.VersionTLS12: {"tls-server-end-point"}, tls.VersionTLS13: {"tls-exporter", "tls-server-end-point"}} {
		for _, name := range names {
			for _, initial := range []bool{true, false} {
				for _, binding := range bindings {
					if binding != bindings[0] && !strings.HasSuffix(name, "-PLUS") {
						continue
					}
					t.Run(fmt.Sprint(tls.VersionName(version), name, initial, binding), func(t *testing.T) {
						noLeaks(t)
						p, state := secure(t, version, &Server{Auth: everything()})
						c := sasl.Credentials{User: "ann", Password: thePassword, Binding: binding}
						if !strings.HasSuffix(name, "-PLUS") {
							c.Binding = "none" // else it would say that it was robbed of one
						}
						switch name {
						case "OAUTHBEARER", "XOAUTH2":
							c = sasl.Credentials{User: "ann", Token: func(context.Context) (string, error) { return theToken, nil }}
						case "EXTERNAL":
							c = sasl.Credentials{}
						}
						l := sasl.Login{Protocol: "smtp", TLS: state}
						assert.Contains(t, login(p, c, l, name, initial), "235 2.7.0")
						p.want("MAIL FROM:<a@b.example> AUTH=ann", "501")
						p.want("MAIL FROM:<a@b.example> AUTH=<>", "250")
					})
				}
			}
		}
	}
}

// A Submission server takes mail from users alone, and over TLS.
func TestSubmission(t *testing.T) {
	noLeaks(t)
	var b box
	s := &Server{Profile: Submission, Auth: everything(), Handler: b.handler(), Extensions: ExtFutureRelease,
		Private: []Extension{{Verb: "XP", Command: func(context.Context, *Session, string) (Reply, error) { return Reply{Code: 250}, nil }}}}
	s.TLSConfig, _ = bothTLS(t)
	p := serveTCP(t, s)
	p.hello()
	p.want("MAIL FROM:<a@b.example>", "530 5.7.0 Must issue a STARTTLS")
	p.want("XP", "530")
	p.close()

	p, state := secure(t, tls.VersionTLS13, &Server{Profile: Submission, Auth: everything(), Handler: b.handler(), Extensions: ExtFutureRelease})
	p.want("MAIL FROM:<a@b.example>", "530 5.7.0 Authentication")
	p.want("VRFY x", "530")
	p.send(bdatOf("NOOP\r\n", true))
	p.expect("503")
	c := sasl.Credentials{User: "ann", Password: thePassword}
	assert.Contains(t, login(p, c, sasl.Login{Protocol: "smtp", TLS: state}, "PLAIN", true), "235")
	p.want("MAIL FROM:<a@b.example> HOLDFOR=60", "250")
	p.want("RCPT TO:<c@d.example>", "250")
	p.want("DATA", "354")
	p.want(".", "250")
	assert.False(t, b.envelopes()[0].Params.HoldUntil.IsZero())
}

// What a login is made of is found in no log, trace or error, in no encoding,
// whatever way the login takes.
func TestCredentialsNeverShow(t *testing.T) {
	noLeaks(t)
	var mu sync.Mutex
	var seen bytes.Buffer
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		seen.WriteString(s + "\n")
	}
	server := func() *Server {
		a := everything()
		return &Server{Auth: a, Limits: Limits{AuthTries: 50, Errors: -1},
			Log: slog.New(slog.NewTextHandler(lockedWriter{&mu, &seen}, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Trace: &Trace{
				Command: func(_ *Session, verb, arg string) { note(verb + " " + arg) },
				Reply:   func(_ *Session, r Reply) { note(r.String()) },
			},
			Handler: Handler{Close: func(_ *Session, err error) { note(fmt.Sprintf("%v %+v", err, err)) }},
		}
	}
	encode := base64.StdEncoding.EncodeToString
	for _, name := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"} {
		for _, user := range []string{"ann", "nobody"} {
			p, state := secure(t, tls.VersionTLS13, server())
			c := sasl.Credentials{User: user, Password: thePassword}
			if strings.Contains(name, "OAUTH") || strings.Contains(name, "BEARER") {
				token := theToken
				if user == "nobody" {
					token += "x"
				}
				c = sasl.Credentials{User: user, Token: func(context.Context) (string, error) { return token, nil }}
			}
			login(p, c, sasl.Login{Protocol: "smtp", TLS: state}, name, true)
			p.close()
		}
	}
	// The login is refused, and the client sends the rest of it all the same.
	p := serveTCP(t, server())
	p.hello()
	p.send("AUTH LOGIN\r\n" + encode([]byte("ann")) + "\r\n" + encode([]byte(thePassword)) + "\r\n")
	p.expect("538")
	p.expect("500")
	p.expect("500")
	p.send("AUTH PLAIN " + encode([]byte("\x00ann\x00"+thePassword)) + "\x00\r\n") // refused as a line
	p.expect("501")
	p.send("AUTH PLAIN " + strings.Repeat(encode([]byte("\x00ann\x00"+thePassword)), 500) + "\r\n")
	p.expect("500")
	p.want("QUIT", "221")
	p.over()

	mu.Lock()
	defer mu.Unlock()
	log := seen.String()
	assert.Contains(t, log, "login failed")
	for _, secret := range []string{thePassword, theToken} {
		for _, form := range []string{secret, encode([]byte(secret)), encode([]byte("\x00ann\x00" + secret)), encode([]byte("\x00nobody\x00" + secret)),
			base64.URLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret), fmt.Sprintf("%+q", secret)} {
			assert.NotContains(t, log, strings.TrimRight(form, "="))
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
