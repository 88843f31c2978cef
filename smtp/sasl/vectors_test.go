package sasl

import (
	"context"
	"crypto"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The examples that the RFCs print, one by one.

func secretOf(s Secret) func(context.Context, Login) (Secret, error) {
	return func(context.Context, Login) (Secret, error) { return s, nil }
}

func TestPlainRFC4616Examples(t *testing.T) {
	a := &Authenticator{Password: func(_ context.Context, l Login, password string) error {
		if l.User == "tim" && password == "tanstaaftanstaaf" || l.User == "Kurt" && password == "xipj3plmq" {
			return nil
		}
		return ErrCredentials
	}}
	x, err := a.Start(Login{Mechanism: "plain"})
	require.NoError(t, err)
	out, done, err := x.Next(t.Context(), nil)
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, []byte{}, out, "the first example asks by an empty challenge")
	_, done, err = x.Next(t.Context(), []byte("\x00tim\x00tanstaaftanstaaf"))
	require.NoError(t, err)
	assert.True(t, done)
	assert.Equal(t, "tim", x.Login().Identity)

	x, err = a.Start(Login{Mechanism: "PLAIN"})
	require.NoError(t, err)
	_, _, err = x.Next(t.Context(), []byte("Ursel\x00Kurt\x00xipj3plmq"))
	assert.ErrorIs(t, err, ErrCredentials, "not authorized to requested authorization identity")
	assert.Empty(t, x.Login().Identity)

	c := &Credentials{User: "tim", Password: "tanstaaftanstaaf", Cleartext: true}
	_, x, err = c.Start(Login{}, []string{"PLAIN"})
	require.NoError(t, err)
	out, done, err = x.Next(t.Context(), nil)
	require.NoError(t, err)
	assert.True(t, done)
	assert.Equal(t, "\x00tim\x00tanstaaftanstaaf", string(out))
}

func TestCramMD5RFC2195Example(t *testing.T) {
	const challenge, reply = "<1896.697170952@postoffice.reston.mci.net>", "tim b913a602c7eda7a495b4e6e7334d3890"
	c := &Credentials{User: "tim", Password: "tanstaaftanstaaf"}
	_, x, err := c.Start(Login{}, []string{"CRAM-MD5"})
	require.NoError(t, err)
	out, done, err := x.Next(t.Context(), nil)
	require.NoError(t, err)
	assert.Nil(t, out, "the server speaks first")
	assert.False(t, done)
	out, done, err = x.Next(t.Context(), []byte(challenge))
	require.NoError(t, err)
	assert.True(t, done)
	assert.Equal(t, reply, string(out))

	a := &Authenticator{Secret: secretOf(Secret{Plain: "tanstaaftanstaaf"})}
	s := &server{auth: a}
	require.NoError(t, s.cramReply(t.Context(), challenge, reply))
	assert.Equal(t, "tim", s.identity)
	assert.ErrorIs(t, s.cramReply(t.Context(), challenge+" ", reply), ErrCredentials)
}

func TestAPOPRFC1939Example(t *testing.T) {
	a := &Authenticator{Secret: secretOf(Secret{Plain: "tanstaaf"})}
	l, err := a.APOP(t.Context(), Login{User: "mrose"}, "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb")
	require.NoError(t, err)
	assert.Equal(t, "mrose", l.Identity)
	l, err = a.APOP(t.Context(), Login{User: "mrose"}, "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fc")
	assert.ErrorIs(t, err, ErrCredentials)
	assert.Empty(t, l.Identity)
}

var scramVectors = []struct {
	rfc                                string
	h                                  *scramHash
	nonce                              string
	first, serverFirst, final, lastOne string
	salt                               string
}{
	{"RFC 5802 §5", &sha1Hash, "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "QSXCR+Q6sek8bf92"},
	{"RFC 7677 §3", &sha256Hash, "rOprNGfwEbeRWgbNEkqO",
		"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "W22ZaJ0SNY7soEsUEjb6gQ=="},
}

func TestScramClientRFCExamples(t *testing.T) {
	for _, v := range scramVectors {
		t.Run(v.rfc, func(t *testing.T) {
			x := &scramClient{client: &client{cred: Credentials{User: "user", Password: "pencil"}}, h: v.h}
			_, _, err := x.start(t.Context(), nil)
			require.NoError(t, err)
			x.nonce, x.bare = v.nonce, "n=user,r="+v.nonce // instead of a random one
			assert.Equal(t, v.first, x.header+x.bare)
			out, next, err := x.serverFirst(t.Context(), []byte(v.serverFirst))
			require.NoError(t, err)
			assert.Equal(t, v.final, string(out))
			out, next, err = next(t.Context(), []byte(v.lastOne))
			require.NoError(t, err)
			assert.Nil(t, next)
			assert.Equal(t, []byte{}, out)
		})
	}
}

func TestScramServerRFCExamples(t *testing.T) {
	for _, v := range scramVectors {
		t.Run(v.rfc, func(t *testing.T) {
			salt, err := decode64(v.salt)
			require.NoError(t, err)
			s := Secret{Salt: salt, Iterations: 4096}
			*v.h.keys(&s), err = Derive(v.h.id, "pencil", salt, 4096)
			require.NoError(t, err)
			x := &scramServer{server: &server{auth: &Authenticator{Secret: secretOf(s)}}, h: v.h}
			out, _, err := x.clientFirst(t.Context(), []byte(v.first))
			require.NoError(t, err)
			m, err := parseServerFirst(string(out))
			require.NoError(t, err)
			want, err := parseServerFirst(v.serverFirst)
			require.NoError(t, err)
			assert.Equal(t, want.salt, m.salt)
			assert.Equal(t, want.iterations, m.iterations)
			x.first, x.nonce = v.serverFirst, want.nonce // instead of a random one
			out, next, err := x.clientFinal(t.Context(), []byte(v.final))
			require.NoError(t, err)
			assert.Equal(t, v.lastOne, string(out))
			_, next, err = next(t.Context(), []byte{})
			require.NoError(t, err)
			assert.Nil(t, next)
			assert.Equal(t, "user", x.identity)
		})
	}
}

func TestDeriveAgainstKnownKeys(t *testing.T) {
	// SCRAM-SHA-512 has no example in an RFC; this one was computed by
	// another implementation (Python's hashlib and hmac).
	salt := []byte("0123456789abcdef")
	k, err := Derive(crypto.SHA512, "pencil", salt, 4096)
	require.NoError(t, err)
	assert.Equal(t, sha512Stored, encode64(k.Stored))
	assert.Equal(t, sha512Server, encode64(k.Server))
}

func TestOAuthBearerRFC7628Examples(t *testing.T) {
	const sent = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVy" +
		"IHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB" // RFC 7628 §4.1, SMTP
	const token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
	in, err := decode64(sent)
	require.NoError(t, err)
	a := &Authenticator{Token: func(_ context.Context, l Login, tok string) (string, error) {
		if tok == token && l.User == "user@example.com" {
			return l.User, nil
		}
		return "", &TokenError{Scope: "example_scope", Configuration: "https://example.com/.well-known/openid-config"}
	}}
	x, err := a.Start(Login{Mechanism: "OAUTHBEARER"})
	require.NoError(t, err)
	_, done, err := x.Next(t.Context(), in)
	require.NoError(t, err)
	assert.True(t, done)
	assert.Equal(t, "user@example.com", x.Login().Identity)

	// RFC 7628 §4.3: no token at all; the refusal tells where to get one.
	x, err = a.Start(Login{Mechanism: "OAUTHBEARER"})
	require.NoError(t, err)
	out, done, err := x.Next(t.Context(), []byte("n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01"))
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWcifQ==", encode64(out))
	_, _, err = x.Next(t.Context(), []byte("\x01"))
	assert.ErrorIs(t, err, ErrCredentials)
}

const (
	sha512Stored = "50q+37QH8XpaNkNxjgBGkxqXkoXVH2Lh3lHJ07g7AOGVlU4FcOi+wjKQc80Fl2VeSw/SniKUPcJigYjLk6Y/2w=="
	sha512Server = "fgiGfVDf7076b3mVdGf4ced4bUxY4L8AjpHsD8KRzbGOujkLSpj40lrcb9IvGqJ4Uv3dBiyDgUgoQnoVamua2Q=="
)
