package sasl

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMechanismsOffersWhatIsSet(t *testing.T) {
	tls13, tls12 := newChannel(t, tls.VersionTLS13).server, newChannel(t, tls.VersionTLS12).server
	full := all(Secret{})
	var none *Authenticator
	plus := "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS "
	scram := "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 "
	for _, c := range []struct {
		name string
		a    *Authenticator
		l    Login
		want string
	}{
		{"nil", none, tls13, ""},
		{"zero", &Authenticator{}, tls13, ""},
		{"passwords", &Authenticator{Password: full.Password}, tls13, "PLAIN LOGIN"},
		{"tokens", &Authenticator{Token: full.Token}, tls13, "OAUTHBEARER XOAUTH2"},
		{"secrets in clear", &Authenticator{Secret: full.Secret}, Login{}, scram + "CRAM-MD5"},
		{"secrets by TLS 1.3", &Authenticator{Secret: full.Secret}, tls13, plus + scram + "CRAM-MD5"},
		{"secrets by TLS 1.2", &Authenticator{Secret: full.Secret}, tls12, plus + scram + "CRAM-MD5"},
		{"a TLS state nobody made", &Authenticator{Secret: full.Secret}, Login{TLS: &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}}, scram + "CRAM-MD5"},
		{"certificate", &Authenticator{Certificate: full.Certificate}, tls13, "EXTERNAL"},
		{"certificate in clear", &Authenticator{Certificate: full.Certificate}, Login{}, ""},
		{"all", full, tls13, "EXTERNAL " + plus + scram + "OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN"},
		{"less some", &Authenticator{Secret: full.Secret, Password: full.Password, Disable: []string{"cram-md5", "LOGIN", "nonsense"}}, Login{}, scram + "PLAIN"},
	} {
		got := c.a.Mechanisms(c.l)
		assert.Equal(t, strings.Fields(c.want), append([]string{}, got...), c.name)
		for i := range mechanisms { // Start agrees with Mechanisms
			l := c.l
			l.Mechanism = strings.ToLower(mechanisms[i].name)
			x, err := c.a.Start(l)
			if has(got, mechanisms[i].name) {
				require.NoError(t, err, "%s: %s", c.name, l.Mechanism)
				assert.Equal(t, mechanisms[i].name, x.Login().Mechanism)
			} else {
				assert.ErrorIs(t, err, ErrMechanism, "%s: %s", c.name, l.Mechanism)
			}
		}
	}
	for _, name := range []string{"", "X", "PLAIN ", "PLAıN", strings.Repeat("A", 1<<20)} {
		_, err := full.Start(Login{Mechanism: name})
		assert.ErrorIs(t, err, ErrMechanism, "%.20q", name)
	}
}

// The table in the manual is this one.
func TestManualListsTheMechanisms(t *testing.T) {
	manual, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(manual), "reveals the secret\n")
	require.True(t, ok)
	for i := range mechanisms {
		line, after, _ := strings.Cut(rest, "\n")
		fields := strings.Fields(strings.TrimPrefix(line, "//"))
		assert.Equal(t, mechanisms[i].name, fields[0])
		assert.Equal(t, mechanisms[i].plaintext, fields[len(fields)-1] == "yes", fields[0])
		rest = after
	}
	assert.True(t, strings.HasPrefix(rest, "//\n"), "and it ends there")
}

func TestPlaintext(t *testing.T) {
	for i := range mechanisms {
		name := mechanisms[i].name
		want := map[string]bool{"PLAIN": true, "LOGIN": true, "OAUTHBEARER": true, "XOAUTH2": true}[name]
		assert.Equal(t, want, Plaintext(strings.ToLower(name)), name)
	}
	assert.True(t, Plaintext("X-UNKNOWN"))
}

func TestStartForgetsWhatTheCallerClaims(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	s, err := a.Start(Login{Mechanism: "PLAIN", User: "root", Authz: "root", Identity: "root", Protocol: "smtp"})
	require.NoError(t, err)
	assert.Equal(t, Login{Mechanism: "PLAIN", Protocol: "smtp"}, s.Login())
}

func TestCheckAndAPOPWithoutTheirFunc(t *testing.T) {
	var none *Authenticator
	for _, a := range []*Authenticator{none, {}} {
		_, err := a.Check(t.Context(), Login{User: "u"}, "p")
		assert.ErrorIs(t, err, ErrMechanism)
		_, err = a.APOP(t.Context(), Login{User: "u"}, "<x>", "y")
		assert.ErrorIs(t, err, ErrMechanism)
	}
	a := all(Secret{Plain: testPassword})
	a.Disable = []string{"apop"}
	_, err := a.APOP(t.Context(), Login{User: "u"}, "<x>", "y")
	assert.ErrorIs(t, err, ErrMechanism)
}

// Both names and passwords arrive prepared and are never empty.
func TestPasswordFuncGetsPreparedStrings(t *testing.T) {
	var got []string
	a := &Authenticator{Password: func(_ context.Context, l Login, password string) error {
		got = append(got, l.User, password)
		return nil
	}}
	l, err := a.Check(t.Context(), Login{User: "I\u00adX"}, "\u2168")
	require.NoError(t, err)
	assert.Equal(t, "IX", l.Identity)
	assert.Equal(t, []string{"IX", "IX"}, got)
	for _, c := range [][2]string{{"", "p"}, {"u", ""}, {"\u00ad", "p"}, {"u", "\u200b"}, {"u\a", "p"}, {"u", "p\xff"}} {
		got = nil
		_, err := a.Check(t.Context(), Login{User: c[0]}, c[1])
		assert.ErrorIs(t, err, ErrCredentials, "%q", c)
		assert.Nil(t, got, "%q", c)
	}
}

func TestPlainGrammar(t *testing.T) {
	a := &Authenticator{Password: func(context.Context, Login, string) error { return nil }}
	for in, want := range map[string]error{
		"\x00u\x00p": nil, "u\x00u\x00p": nil, "v\x00u\x00p": ErrCredentials, "\u00ad\x00u\x00p": ErrCredentials,
		"": ErrMalformed, "u": ErrMalformed, "u\x00p": ErrMalformed, "\x00u\x00p\x00": ErrMalformed,
		"\x00\x00p": ErrCredentials, "\x00u\x00": ErrCredentials,
	} {
		s, err := a.Start(Login{Mechanism: "PLAIN"})
		require.NoError(t, err)
		_, done, err := s.Next(t.Context(), []byte(in))
		assert.Equal(t, want == nil, done, "%q", in)
		assert.ErrorIs(t, err, want, "%q", in)
	}
}

func TestLoginTakesTheNameAsInitialResponse(t *testing.T) {
	a := &Authenticator{Password: func(context.Context, Login, string) error { return nil }}
	s, err := a.Start(Login{Mechanism: "LOGIN"})
	require.NoError(t, err)
	out, _, err := s.Next(t.Context(), []byte("ann"))
	require.NoError(t, err)
	assert.Equal(t, "Password:", string(out))
	_, done, err := s.Next(t.Context(), []byte("p"))
	require.NoError(t, err)
	assert.True(t, done)
	assert.Equal(t, "ann", s.Login().Identity)
}

func TestCramMD5Grammar(t *testing.T) {
	a := &Authenticator{Secret: secretOf(Secret{Plain: "p"}), Rand: bytes.NewReader(make([]byte, 1<<10))}
	digest := cramDigest("p", "<000000000000000000000000.1@localhost>")
	for in, want := range map[string]error{
		"a name with spaces " + digest: ErrCredentials, // a well-formed one of another challenge
		"ann " + digest[1:]:            ErrMalformed,
		digest:                         ErrMalformed,
		"":                             ErrMalformed,
		" " + digest:                   ErrCredentials, // nobody
	} {
		s, err := a.Start(Login{Mechanism: "CRAM-MD5"})
		require.NoError(t, err)
		challenge, _, err := s.Next(t.Context(), nil)
		require.NoError(t, err)
		assert.Regexp(t, `^<[0-9a-f]{24}\.\d+@localhost>$`, string(challenge))
		_, _, err = s.Next(t.Context(), []byte(in))
		assert.ErrorIs(t, err, want, "%q", in)
	}
}

// Without randomness nobody gets a predictable challenge.
func TestNoRandomnessNoLogin(t *testing.T) {
	broken := errors.New("no entropy")
	a := all(Secret{Plain: testPassword})
	a.Rand = iotest.ErrReader(broken)
	for mech, in := range map[string][]byte{"CRAM-MD5": nil, "SCRAM-SHA-256": []byte("n,,n=u,r=x")} {
		s, err := a.Start(Login{Mechanism: mech})
		require.NoError(t, err)
		_, _, err = s.Next(t.Context(), in)
		assert.ErrorIs(t, err, broken, mech)
	}
	a.SaltKey = []byte("k")
	s, err := a.Start(Login{Mechanism: "SCRAM-SHA-256"})
	require.NoError(t, err)
	_, _, err = s.Next(t.Context(), []byte("n,,n=u,r=x"))
	assert.ErrorIs(t, err, broken)
	c := good("SCRAM-SHA-1")
	c.Rand = io.LimitReader(strings.NewReader("short"), 5)
	_, x, err := c.Start(Login{}, []string{"SCRAM-SHA-1"})
	require.NoError(t, err)
	_, _, err = x.Next(t.Context(), nil)
	assert.Error(t, err)
}

func TestSecretCheck(t *testing.T) {
	keys, err := NewSecret(testPassword, 4096)
	require.NoError(t, err)
	only1, only256 := keys, keys
	only1.SHA512, only1.SHA256 = Keys{}, Keys{}
	only256.SHA512, only256.SHA1 = Keys{}, Keys{Stored: []byte("short")}
	for name, s := range map[string]Secret{"plain": {Plain: testPassword}, "keys": keys, "SHA-1": only1, "SHA-256": only256} {
		assert.NoError(t, s.Check(t.Context(), testPassword), name)
		assert.NoError(t, s.Check(t.Context(), "pass\u00a0,=1\u20442word"), "the same once prepared")
		for _, wrong := range []string{"", "x", testPassword + "x", "\u00ad", "\a"} {
			assert.ErrorIs(t, s.Check(t.Context(), wrong), ErrCredentials, "%s %q", name, wrong)
		}
	}
	for name, s := range map[string]Secret{
		"zero": {}, "no salt": {SHA1: keys.SHA1, Iterations: 4096}, "no iterations": {SHA1: keys.SHA1, Salt: keys.Salt},
		"a plain password that cannot be": {Plain: "\a"},
	} {
		assert.ErrorIs(t, s.Check(t.Context(), testPassword), ErrCredentials, name)
		assert.ErrorIs(t, s.Check(t.Context(), ""), ErrCredentials, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, keys.Check(ctx, testPassword), context.Canceled)
	_, err = NewSecret(testPassword, 4095)
	assert.Error(t, err)
	again, err := NewSecret(testPassword, 4096)
	require.NoError(t, err)
	assert.NotEqual(t, keys.Salt, again.Salt)
}

func TestSecretsCostTheSameForUnknownUsers(t *testing.T) {
	f := Secrets(func(context.Context, Login) (Secret, error) { return Secret{}, ErrCredentials }, 8192)
	assert.ErrorIs(t, f(t.Context(), Login{}, "p"), ErrCredentials)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, f(ctx, Login{}, "p"), context.Canceled, "it was at work")
	down := errors.New("database is down")
	f = Secrets(func(context.Context, Login) (Secret, error) { return Secret{}, down }, 0)
	assert.ErrorIs(t, f(ctx, Login{}, "p"), down)
}

// A kept password that SCRAM cannot use fails as a wrong one.
func TestPlainSecretThatCannotBePrepared(t *testing.T) {
	a := &Authenticator{Secret: secretOf(Secret{Plain: "\U0001f600"})}
	x, s := begin(t, good("SCRAM-SHA-256"), a, Login{}, Login{}, []string{"SCRAM-SHA-256"})
	_, err := dialogue(t.Context(), x, s, true)
	assert.ErrorIs(t, err, ErrCredentials)
}

func TestEndPointHash(t *testing.T) { // RFC 5929 §4.1
	for alg, size := range map[x509.SignatureAlgorithm]int{
		x509.MD5WithRSA: 32, x509.SHA1WithRSA: 32, x509.ECDSAWithSHA1: 32, x509.SHA256WithRSA: 32, x509.ECDSAWithSHA256: 32,
		x509.SHA384WithRSA: 48, x509.ECDSAWithSHA384: 48, x509.SHA384WithRSAPSS: 48, x509.SHA512WithRSA: 64, x509.SHA512WithRSAPSS: 64,
		x509.PureEd25519: 0, x509.UnknownSignatureAlgorithm: 0,
	} {
		assert.Len(t, endPoint(&x509.Certificate{SignatureAlgorithm: alg, Raw: []byte("x")}), size, alg.String())
	}
	assert.Nil(t, endPoint(nil))
}

// Every kind that both ends can compute is the same on both, and another on
// another connection.
func TestBindingData(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		one, two := newChannel(t, version), newChannel(t, version)
		for _, kind := range []string{tlsExporter, tlsServerEndPoint, tlsUnique, "tls-nonsense"} {
			c := bindingData(kind, one.client.TLS, one.client.TLS.PeerCertificates[0])
			s := bindingData(kind, one.server.TLS, one.server.ServerCert)
			assert.Equal(t, c, s, kind)
			exists := kind != "tls-nonsense" && !(kind == tlsUnique && version == tls.VersionTLS13)
			assert.Equal(t, exists, len(s) > 0, "%s %s", tls.VersionName(version), kind)
			if exists {
				assert.NotEqual(t, s, bindingData(kind, two.server.TLS, two.server.ServerCert), kind)
			}
		}
	}
}

func TestServerTakesTheBindingTheClientNames(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ch := newChannel(t, version)
		a := all(Secret{Plain: testPassword})
		for _, kind := range []string{tlsExporter, tlsServerEndPoint, tlsUnique} {
			if kind == tlsUnique && version == tls.VersionTLS13 {
				continue
			}
			c := good("SCRAM-SHA-256-PLUS")
			c.Binding = kind
			x, s := begin(t, c, a, ch.client, ch.server, c.Mechanisms)
			clientErr, serverErr := dialogue(t.Context(), x, s, true)
			assert.NoError(t, clientErr, kind)
			assert.NoError(t, serverErr, kind)

			// The server does not know its certificate.
			l := ch.server
			l.ServerCert = nil
			x, s = begin(t, c, a, ch.client, l, c.Mechanisms)
			_, serverErr = dialogue(t.Context(), x, s, true)
			assert.Equal(t, kind == tlsServerEndPoint, errors.Is(serverErr, ErrCredentials), kind)
		}
		c := good("SCRAM-SHA-256-PLUS")
		c.Binding = "tls-nonsense"
		_, _, err := c.Start(ch.client, c.Mechanisms)
		assert.ErrorIs(t, err, ErrMechanism)
	}
}

func TestDefaultBinding(t *testing.T) {
	for version, want := range map[uint16]string{tls.VersionTLS12: tlsServerEndPoint, tls.VersionTLS13: tlsExporter} {
		kind, data := (&Credentials{}).binding(&Login{TLS: newChannel(t, version).client.TLS})
		assert.Equal(t, want, kind)
		assert.NotEmpty(t, data)
	}
	kind, data := (&Credentials{}).binding(&Login{TLS: &tls.ConnectionState{}})
	assert.Empty(t, kind)
	assert.Nil(t, data)
}
