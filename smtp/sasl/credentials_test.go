package sasl

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredentialsPickTheStrongest(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	token := func(context.Context) (string, error) { return "t", nil }
	user := Credentials{User: "u", Password: "p"}
	with := func(f func(*Credentials)) Credentials { c := user; f(&c); return c }
	for _, c := range []struct {
		name    string
		cred    Credentials
		tls     bool
		offered string
		want    string
	}{
		{"by strength, not by place", user, true, "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", "SCRAM-SHA-256"},
		{"in any case", user, true, "plain Scram-Sha-1", "SCRAM-SHA-1"},
		{"binding before hash", user, true, "SCRAM-SHA-512 SCRAM-SHA-1-PLUS", "SCRAM-SHA-1-PLUS"},
		{"no binding without TLS", user, false, "SCRAM-SHA-512-PLUS SCRAM-SHA-1", "SCRAM-SHA-1"},
		{"no binding wanted", with(func(c *Credentials) { c.Binding = "none" }), true, "SCRAM-SHA-512-PLUS SCRAM-SHA-1", "SCRAM-SHA-1"},
		{"no plaintext without TLS", user, false, "PLAIN LOGIN", ""},
		{"unless told to", with(func(c *Credentials) { c.Cleartext = true }), false, "LOGIN PLAIN", "PLAIN"},
		{"unknown ones", user, true, "GSSAPI NTLM DIGEST-MD5 X", ""},
		{"nothing offered", user, true, "", ""},
		{"token first among plaintext", with(func(c *Credentials) { c.Token = token }), true, "PLAIN XOAUTH2 OAUTHBEARER", "OAUTHBEARER"},
		{"token alone", Credentials{User: "u", Token: token}, true, "SCRAM-SHA-1 PLAIN XOAUTH2", "XOAUTH2"},
		{"token without TLS", Credentials{User: "u", Token: token}, false, "XOAUTH2", ""},
		{"a certificate alone", Credentials{}, true, "PLAIN EXTERNAL", "EXTERNAL"},
		{"a certificate without TLS", Credentials{}, false, "EXTERNAL", ""},
		{"EXTERNAL is not for passwords", user, true, "EXTERNAL PLAIN", "PLAIN"},
		{"unless named", with(func(c *Credentials) { c.Mechanisms = []string{"external"} }), true, "EXTERNAL PLAIN", "EXTERNAL"},
		{"in the caller's order", with(func(c *Credentials) { c.Mechanisms = []string{"PLAIN", "SCRAM-SHA-1"} }), true, "SCRAM-SHA-1 PLAIN", "PLAIN"},
		{"only what the caller names", with(func(c *Credentials) { c.Mechanisms = []string{"SCRAM-SHA-256-PLUS"} }), true, "SCRAM-SHA-256 PLAIN", ""},
		{"nothing that drops whom to act as", with(func(c *Credentials) { c.Authz = "boss" }), true, "CRAM-MD5 LOGIN", ""},
		{"but what can carry it", with(func(c *Credentials) { c.Authz = "boss" }), true, "CRAM-MD5 LOGIN PLAIN", "PLAIN"},
		{"look-alike letters", user, true, "PLAıN ſCRAM-SHA-1", ""}, // pitfall 19
	} {
		l := Login{}
		if c.tls {
			l = ch.client
		}
		mech, x, err := c.cred.Start(l, strings.Fields(c.offered))
		assert.Equal(t, c.want, mech, c.name)
		if c.want == "" {
			assert.ErrorIs(t, err, ErrMechanism, c.name)
			assert.Nil(t, x, c.name)
		} else {
			assert.NoError(t, err, c.name)
		}
	}
	var none *Credentials
	_, _, err := none.Start(Login{}, []string{"PLAIN"})
	assert.ErrorIs(t, err, ErrMechanism)
}

func TestClientRefusesOneChallengeTooMany(t *testing.T) {
	c := good("PLAIN")
	_, x, err := c.Start(Login{}, []string{"PLAIN"})
	require.NoError(t, err)
	_, done, err := x.Next(t.Context(), nil)
	require.NoError(t, err)
	assert.True(t, done)
	out, done, err := x.Next(t.Context(), []byte("give me more"))
	assert.ErrorIs(t, err, ErrServer)
	assert.Nil(t, out, "cancel")
	assert.False(t, done)
	assert.Empty(t, x.Login().Identity)
}

func TestClientNeverSendsWhatItCannot(t *testing.T) {
	token := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	down := errors.New("token service is down")
	for name, c := range map[string]Credentials{
		"PLAIN":         {User: "a\x00b", Password: "p"},
		"PLAIN ":        {User: "a", Password: "p\x00q"},
		"XOAUTH2":       {User: "a\x01auth=Bearer stolen", Token: token("t")},
		"OAUTHBEARER":   {User: "a", Token: token("t\x01host=evil")},
		"OAUTHBEARER ":  {User: "a", Token: token("")},
		"XOAUTH2 ":      {User: "a", Token: token("two words")},
		"XOAUTH2  ":     {User: "a", Token: func(context.Context) (string, error) { return "", down }},
		"SCRAM-SHA-1":   {User: "a", Password: "\u00ad"},
		"SCRAM-SHA-1 ":  {User: "\u0007", Password: "p"},
		"SCRAM-SHA-1  ": {User: "a", Password: "p", Authz: "\u200b"},
		"SCRAM-SHA-256": {User: "a", Password: "p\U0001f600"},
	} {
		c.Cleartext, c.Mechanisms = true, []string{strings.TrimSpace(name)}
		_, x, err := c.Start(Login{}, c.Mechanisms)
		require.NoError(t, err)
		out, _, err := x.Next(t.Context(), nil)
		assert.Error(t, err, "%q", name)
		assert.Nil(t, out, "%q", name)
	}
}

// Every way of printing that a program might use on its configuration.
func TestSecretsAreMasked(t *testing.T) {
	const secret = "hunter2-and-more"
	cred := Credentials{User: "ann", Password: secret}
	kept := Secret{Plain: secret, Salt: []byte(secret), SHA256: Keys{Stored: []byte(secret), Server: []byte(secret)}}
	_, client, err := cred.Start(Login{}, []string{"SCRAM-SHA-1"})
	require.NoError(t, err)
	server, err := (&Authenticator{Secret: secretOf(kept)}).Start(Login{Mechanism: "SCRAM-SHA-1"})
	require.NoError(t, err)
	outer := struct {
		C *Credentials
		S Secret
		K Keys
		X Exchange
	}{&cred, kept, kept.SHA256, client}

	var out bytes.Buffer
	for _, v := range []any{cred, &cred, kept, &kept, kept.SHA256, &kept.SHA256, client, server, outer, &outer,
		[]Secret{kept}, map[string]Credentials{"x": cred}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("login", "v", v, slog.Group("g", "v", v))
		}
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
		strings.Trim(fmt.Sprint([]byte(secret)), "[]"), encode64([]byte(secret))} {
		if strings.Contains(out.String(), form) {
			for _, line := range strings.Split(out.String(), "\n") {
				assert.NotContains(t, line, form)
			}
		}
	}
	assert.Contains(t, out.String(), masked)
	assert.Contains(t, cred.String(), "ann")
	assert.Equal(t, cred.String(), cred.LogValue().String())
	assert.Equal(t, cred.GoString(), fmt.Sprintf("%#v", cred))
}

func TestLoginInLogs(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	l := ch.server
	l.User, l.Mechanism, l.Authz, l.Identity = "ann\n", "PLAIN", "boss", "boss@example.org"
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("login", "l", l)
	assert.Contains(t, out.String(), `l.protocol=smtp l.mechanism=PLAIN l.user="ann\n" l.authz=boss l.identity=boss@example.org l.remote=192.0.2.1:4711 l.tls=true`)
	out.Reset()
	slog.New(slog.NewTextHandler(&out, nil)).Info("login", "l", Login{})
	assert.Contains(t, out.String(), `l.protocol="" l.mechanism="" l.user="" l.tls=false`+"\n")
}

// Errors go to logs: none may quote what the peer sent as a secret.
func TestErrorsQuoteNoSecret(t *testing.T) {
	const secret = "hunter2"
	a := all(Secret{Plain: testPassword})
	for _, mech := range a.Mechanisms(Login{}) {
		c := good(mech)
		c.Password = secret
		c.Token = func(context.Context) (string, error) { return secret, nil }
		x, s := begin(t, c, a, Login{}, Login{}, []string{mech})
		clientErr, serverErr := dialogue(t.Context(), x, s, mech != "CRAM-MD5")
		require.Error(t, serverErr)
		assert.NotContains(t, clientErr.Error()+serverErr.Error(), secret, mech)
	}
	for mech, in := range map[string]string{"PLAIN": secret, "OAUTHBEARER": "n,,\x01auth=Basic " + secret + "\x01\x01", "XOAUTH2": secret} {
		s, err := a.Start(Login{Mechanism: mech})
		require.NoError(t, err)
		_, _, err = s.Next(t.Context(), []byte(in))
		require.ErrorIs(t, err, ErrMalformed)
		assert.NotContains(t, err.Error(), secret)
	}
}

func TestErrorsBecomeReplies(t *testing.T) {
	for err, want := range map[error]string{
		denied("x"):    "535 5.7.8",
		&TokenError{}:  "535 5.7.8",
		ErrThrottled:   "454 4.7.0",
		badClient("x"): "501 5.5.2",
		errUnasked:     "501 5.7.0",
		ErrMechanism:   "504 5.5.4",
		badServer("x"): "454 4.7.0",
	} {
		var r interface {
			SMTP() (code int, enhanced, text string)
		}
		require.ErrorAs(t, err, &r)
		code, enhanced, text := r.SMTP()
		assert.Equal(t, want, fmt.Sprint(code, " ", enhanced), "%v", err)
		assert.NotEmpty(t, text)
	}
}

func TestBearerGrammar(t *testing.T) {
	for in, want := range map[string][2]string{
		"n,,\x01auth=Bearer t\x01\x01":                                  {"", "t"},
		"y,a=u=2C,\x01host=h\x01port=1\x01auth=bEARER  t\x01x=\x01\x01": {"u,", "t"},
		"n,a=u,\x01auth=\x01\x01":                                       {"u", ""},
	} {
		user, token, err := parseBearer(in)
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, [2]string{user, token}, "%q", in)
	}
	for _, in := range []string{
		"", "\x01", "n,,", "n,,\x01", "n,,\x01\x01", "n,,auth=Bearer t\x01\x01", "n,,\x01auth=Bearer t\x01",
		"n,,\x01auth=Bearer t", "n,,\x01auth=Basic t\x01\x01", "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
		"n,,\x01auth=Bearer t\x01auth=Bearer t\x01\x01", "n,,\x01auth=Bearer \xff\x01\x01", "n,,\x01=x\x01\x01",
		"n,,\x01a1=x\x01auth=Bearer t\x01\x01", "n,u,\x01auth=Bearer t\x01\x01",
	} {
		_, _, err := parseBearer(in)
		assert.ErrorIs(t, err, ErrMalformed, "%q", in)
	}
	user, token, err := parseXOAuth2("user=u\x01auth=Bearer t\x01\x01")
	require.NoError(t, err)
	assert.Equal(t, "u t", user+" "+token)
	for _, in := range []string{"", "user=u", "user=u\x01auth=Bearer t\x01", "u\x01auth=Bearer t\x01\x01", "user=u\x01\x01"} {
		_, _, err := parseXOAuth2(in)
		assert.ErrorIs(t, err, ErrMalformed, "%q", in)
	}
}

func TestXOAuth2RefusalIsAsTheFieldHasIt(t *testing.T) {
	var got map[string]string
	require.NoError(t, json.Unmarshal((&TokenError{Scope: "https://mail.example.org/"}).encode("XOAUTH2"), &got))
	assert.Equal(t, map[string]string{"status": "401", "schemes": "bearer", "scope": "https://mail.example.org/"}, got)
}
