package sasl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	testUser     = "ann=o,nim@exämple.org"
	testPassword = "pass ,=½word" // prepared it is another string
)

func knowsUser(l Login) bool {
	want, err := Prepare(testUser)
	return err == nil && l.User == want
}

// all offers every mechanism to one user.
func all(s Secret) *Authenticator {
	secret := func(_ context.Context, l Login) (Secret, error) {
		if !knowsUser(l) {
			return Secret{}, ErrCredentials
		}
		return s, nil
	}
	return &Authenticator{
		Secret: secret, Password: Secrets(secret, -1),
		Token: func(_ context.Context, l Login, token string) (string, error) {
			if token != "good.token~+/==" {
				return "", fmt.Errorf("expired: %w", ErrCredentials)
			}
			return Prepare(testUser)
		},
		Certificate: func(_ context.Context, l Login) (string, error) {
			return l.TLS.PeerCertificates[0].EmailAddresses[0], nil
		},
	}
}

func good(mech string) Credentials {
	return Credentials{
		User: testUser, Password: testPassword, Mechanisms: []string{mech}, Cleartext: true,
		Token: func(context.Context) (string, error) { return "good.token~+/==", nil },
	}
}

func begin(t testing.TB, c Credentials, a *Authenticator, cl, sl Login, offered []string) (Exchange, Exchange) {
	t.Helper()
	mech, x, err := c.Start(cl, offered)
	require.NoError(t, err)
	sl.Mechanism = mech
	s, err := a.Start(sl)
	require.NoError(t, err)
	return x, s
}

func TestEveryMechanism(t *testing.T) {
	keys, err := NewSecret(testPassword, 4096)
	require.NoError(t, err)
	for _, kept := range []struct {
		name string
		s    Secret
	}{{"plain", Secret{Plain: testPassword}}, {"keys", keys}} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			ch := newChannel(t, version)
			a := all(kept.s)
			offered := a.Mechanisms(ch.server)
			require.Len(t, offered, len(mechanisms), "everything is offered: %v", offered)
			for _, mech := range offered {
				if mech == "CRAM-MD5" && kept.name == "keys" {
					continue
				}
				for _, ir := range []bool{true, false} {
					if mech == "CRAM-MD5" && ir {
						ir = false // it has none, so nothing is sent either way
					}
					name := fmt.Sprintf("%s/%s/%s/ir=%v", kept.name, tls.VersionName(version), mech, ir)
					t.Run(name, func(t *testing.T) { everyWay(t, a, ch, mech, offered, ir) })
				}
			}
		}
	}
}

func everyWay(t *testing.T, a *Authenticator, ch channel, mech string, offered []string, ir bool) {
	c := good(mech)
	if mech == "EXTERNAL" {
		c.User, c.Authz = "", ""
	}
	x, s := begin(t, c, a, ch.client, ch.server, offered)
	clientErr, serverErr := dialogue(t.Context(), x, s, ir)
	require.NoError(t, clientErr)
	require.NoError(t, serverErr)
	want, _ := Prepare(testUser)
	if mech == "EXTERNAL" {
		want = "alice@example.org"
	} else {
		assert.Equal(t, c.User, x.Login().Identity)
	}
	assert.Equal(t, want, s.Login().Identity)
	assert.Equal(t, want, s.Login().User)

	_, _, err := s.Next(t.Context(), nil)
	assert.Error(t, err, "an exchange that is over stays over")

	if mech == "EXTERNAL" {
		c.Authz = "root"
	} else {
		c.Password = "wrong"
		c.Token = func(context.Context) (string, error) { return "stale", nil }
	}
	x, s = begin(t, c, a, ch.client, ch.server, offered)
	clientErr, serverErr = dialogue(t.Context(), x, s, ir)
	assert.Error(t, clientErr)
	assert.ErrorIs(t, serverErr, ErrCredentials, "wrong")
	assert.Empty(t, s.Login().Identity)

	if strings.Contains(mech, "OAUTH") || mech == "EXTERNAL" {
		return
	}
	c = good(mech)
	c.User = "nobody"
	x, s = begin(t, c, a, ch.client, ch.server, offered)
	_, serverErr = dialogue(t.Context(), x, s, ir)
	assert.ErrorIs(t, serverErr, ErrCredentials, "unknown user")
}

func TestSecretFailsForNow(t *testing.T) {
	down := errors.New("database is down")
	a := &Authenticator{
		Secret:   func(context.Context, Login) (Secret, error) { return Secret{}, down },
		Password: func(context.Context, Login, string) error { return down },
		Token:    func(context.Context, Login, string) (string, error) { return "", down },
	}
	for _, mech := range a.Mechanisms(Login{}) {
		x, s := begin(t, good(mech), a, Login{}, Login{}, []string{mech})
		_, err := dialogue(t.Context(), x, s, mech != "CRAM-MD5")
		assert.ErrorIs(t, err, down, mech)
		assert.NotErrorIs(t, err, ErrCredentials, mech)
	}
}

func TestAuthorizeDecides(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	master, _ := Prepare(testUser)
	a.Authorize = func(_ context.Context, l Login) (string, error) {
		switch {
		case l.Authz == "":
			return "self", nil
		case l.Authz == "boss=,":
			return "boss", nil
		case l.Authz == "later":
			return "", errors.New("directory is down")
		case l.Authz == "nobody":
			return "", nil
		}
		return "", ErrCredentials
	}
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"} {
		for authz, want := range map[string]string{"": "self", "boss=,": "boss", "other": "", "later": "", "nobody": ""} {
			if mech == "OAUTHBEARER" && authz != "" {
				continue // there the token's owner is who the client names
			}
			c := good(mech)
			c.Authz = authz
			x, s := begin(t, c, a, Login{}, Login{}, []string{mech})
			_, err := dialogue(t.Context(), x, s, true)
			assert.Equal(t, want, s.Login().Identity, "%s %q", mech, authz)
			assert.Equal(t, want == "", err != nil, "%s %q: %v", mech, authz, err)
			assert.Equal(t, authz == "later", err != nil && !errors.Is(err, ErrCredentials), "%s %q: %v", mech, authz, err)
			assert.Equal(t, master, s.Login().User)
		}
	}
}

func TestTokenNamesItsOwner(t *testing.T) {
	a := &Authenticator{Token: func(_ context.Context, _ Login, token string) (string, error) { return "owner", nil }}
	c := good("OAUTHBEARER")
	x, s := begin(t, c, a, Login{}, Login{}, []string{"OAUTHBEARER"})
	_, err := dialogue(t.Context(), x, s, true)
	assert.ErrorIs(t, err, ErrCredentials, "owner may not act as the one he names")

	c.User = ""
	x, s = begin(t, c, a, Login{}, Login{}, []string{"OAUTHBEARER"})
	_, err = dialogue(t.Context(), x, s, true)
	require.NoError(t, err)
	assert.Equal(t, "owner", s.Login().Identity)

	a.Authorize = func(_ context.Context, l Login) (string, error) { return l.User + " for " + l.Authz, nil }
	c.User = "shared"
	x, s = begin(t, c, a, Login{}, Login{}, []string{"OAUTHBEARER"})
	_, err = dialogue(t.Context(), x, s, true)
	require.NoError(t, err)
	assert.Equal(t, "owner for shared", s.Login().Identity)
}

func TestTokenOfNobody(t *testing.T) {
	a := &Authenticator{Token: func(context.Context, Login, string) (string, error) { return "", nil }}
	x, s := begin(t, good("XOAUTH2"), a, Login{}, Login{}, []string{"XOAUTH2"})
	_, err := dialogue(t.Context(), x, s, true)
	assert.ErrorIs(t, err, ErrCredentials, "a func that names nobody lets nobody in")
}

func TestEmptyTokenNeverSucceeds(t *testing.T) {
	a := &Authenticator{Token: func(_ context.Context, l Login, _ string) (string, error) { return l.User, nil }}
	s, err := a.Start(Login{Mechanism: "OAUTHBEARER"})
	require.NoError(t, err)
	out, done, err := s.Next(t.Context(), []byte("n,a=ann,\x01auth=\x01\x01"))
	require.NoError(t, err)
	assert.False(t, done)
	assert.JSONEq(t, `{"status":"invalid_token"}`, string(out))
	_, _, err = s.Next(t.Context(), []byte("\x01"))
	assert.ErrorIs(t, err, ErrCredentials)
}

func TestTokenRefusalReachesTheClient(t *testing.T) {
	want := &TokenError{Status: "insufficient_scope", Scope: "mail", Configuration: "https://example.org/openid"}
	a := &Authenticator{Token: func(context.Context, Login, string) (string, error) { return "", want }}
	for _, mech := range []string{"OAUTHBEARER", "XOAUTH2"} {
		x, s := begin(t, good(mech), a, Login{}, Login{}, []string{mech})
		clientErr, serverErr := dialogue(t.Context(), x, s, true)
		var got *TokenError
		require.ErrorAs(t, clientErr, &got, mech)
		assert.Equal(t, want, got)
		assert.ErrorIs(t, clientErr, ErrCredentials)
		assert.ErrorIs(t, serverErr, want)
	}
}

func TestHostileMessages(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	a := all(Secret{Plain: testPassword})
	rnd, rounds := rand.New(rand.NewPCG(1, 2)), 80
	if os.Getenv("POSTILION_LONG") != "" {
		rounds = 5000
	}
	offered := a.Mechanisms(ch.server)
	for _, mech := range offered {
		for range rounds {
			x, s := begin(t, good(mech), a, ch.client, ch.server, offered)
			if mech == "EXTERNAL" {
				continue // any bytes but a name of its own are refused: TestExternal
			}
			tampered := &mangler{Exchange: x, rnd: rnd}
			_, err := dialogue(t.Context(), tampered, s, mech != "CRAM-MD5")
			if tampered.changed {
				assert.Error(t, err, "%s went through although changed to %q", mech, tampered.last)
				assert.Empty(t, s.Login().Identity)
			}
		}
	}
}

// mangler changes one of the client's messages on the way.
type mangler struct {
	Exchange
	rnd     *rand.Rand
	changed bool
	last    []byte
}

func (m *mangler) Next(ctx context.Context, in []byte) ([]byte, bool, error) {
	out, done, err := m.Exchange.Next(ctx, in)
	if err != nil || len(out) == 0 || m.changed || m.rnd.IntN(2) == 0 {
		return out, done, err
	}
	i, b := m.rnd.IntN(len(out)), append([]byte(nil), out...)
	switch m.rnd.IntN(3) {
	case 0:
		b[i] ^= 1 << m.rnd.IntN(8)
	case 1:
		b = b[:i]
	default:
		b = append(b[:i], append([]byte{byte(m.rnd.IntN(256))}, b[i:]...)...)
	}
	// What means the same is no attack.
	m.changed, m.last = !same(out, b), b
	return b, done, err
}

func same(a, b []byte) bool {
	norm := func(p []byte) string {
		var parts []string
		for _, s := range strings.Split(string(p), "\x00") {
			if q, err := Prepare(s); err == nil {
				s = q
			}
			parts = append(parts, s)
		}
		s := strings.Join(parts, "\x00")
		if i := strings.Index(s, "auth="); i >= 0 { // the scheme in any case, spaces before the token, other fields
			_, token, _ := strings.Cut(s[i:], " ")
			return s[:strings.IndexByte(s, 1)] + strings.TrimSpace(token)
		}
		return s
	}
	return norm(a) == norm(b)
}

func TestMessageTooLong(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	for _, mech := range a.Mechanisms(Login{}) {
		if mech == "CRAM-MD5" {
			continue
		}
		s, err := a.Start(Login{Mechanism: mech})
		require.NoError(t, err)
		_, _, err = s.Next(t.Context(), make([]byte, MaxMessage+1))
		assert.ErrorIs(t, err, ErrMalformed, mech)
	}
	c := good("LOGIN")
	_, x, err := c.Start(Login{}, []string{"LOGIN"})
	require.NoError(t, err)
	_, _, err = x.Next(t.Context(), make([]byte, MaxMessage+1))
	assert.ErrorIs(t, err, ErrServer)
}

func TestCramMD5TakesNoInitialResponse(t *testing.T) { // RFC 4954 §4
	a := all(Secret{Plain: testPassword})
	for _, ir := range [][]byte{{}, []byte("x")} {
		s, err := a.Start(Login{Mechanism: "CRAM-MD5"})
		require.NoError(t, err)
		_, _, err = s.Next(t.Context(), ir)
		assert.ErrorIs(t, err, ErrMalformed)
	}
}

func TestExternal(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	a := all(Secret{})
	for ir, want := range map[string]string{
		"": "alice@example.org", "alice@example.org": "alice@example.org",
		"alice": "", "root": "", "alice@example.org\x00": "", "\u00ad": "", "\xff": "",
	} {
		l := ch.server
		l.Mechanism = "EXTERNAL"
		s, err := a.Start(l)
		require.NoError(t, err)
		_, done, err := s.Next(t.Context(), []byte(ir))
		assert.Equal(t, want != "", done, "%q: %v", ir, err)
		assert.Equal(t, want, s.Login().Identity)
	}
	l := ch.server
	bare := *l.TLS
	bare.VerifiedChains = nil
	l.TLS, l.Mechanism = &bare, "EXTERNAL"
	_, err := a.Start(l)
	assert.ErrorIs(t, err, ErrMechanism, "a certificate that is not verified is none")
}

func TestOneCredentialsManyConnections(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	c := good("SCRAM-SHA-256")
	errs := make(chan error)
	for range 8 {
		go func() {
			_, x, err := c.Start(Login{}, []string{"SCRAM-SHA-256"})
			if err != nil {
				errs <- err
				return
			}
			s, err := a.Start(Login{Mechanism: "SCRAM-SHA-256"})
			if err == nil {
				clientErr, serverErr := dialogue(context.Background(), x, s, true)
				err = errors.Join(clientErr, serverErr)
			}
			errs <- err
		}()
	}
	for range 8 {
		assert.NoError(t, <-errs)
	}
}
