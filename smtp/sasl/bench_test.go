package sasl

import (
	"context"
	"strings"
	"testing"
	"time"
)

func benchmarkLogin(b *testing.B, mech string, s Secret) {
	a := all(s)
	a.Secret = secretOf(s)
	ctx := context.Background()
	c := good(mech)
	b.ReportAllocs()
	for b.Loop() {
		x, srv := begin(b, c, a, Login{}, Login{}, []string{mech})
		if clientErr, err := dialogue(ctx, x, srv, mech != "CRAM-MD5"); err != nil || clientErr != nil {
			b.Fatal(clientErr, err)
		}
	}
}

// One login, both sides together; in SCRAM nearly all of it is the client's
// work factor of 4096.
func BenchmarkLogin(b *testing.B) {
	keys, err := NewSecret(testPassword, 4096)
	if err != nil {
		b.Fatal(err)
	}
	for _, mech := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER"} {
		b.Run(mech, func(b *testing.B) { benchmarkLogin(b, mech, Secret{Plain: testPassword}) })
	}
	for _, mech := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		b.Run(mech, func(b *testing.B) { benchmarkLogin(b, mech, keys) })
	}
}

// What SCRAM costs a server that keeps keys.
func BenchmarkScramServer(b *testing.B) {
	keys, err := NewSecret("pencil", 4096)
	if err != nil {
		b.Fatal(err)
	}
	a := &Authenticator{Secret: secretOf(keys)}
	b.ReportAllocs()
	for b.Loop() {
		x := &scramServer{server: &server{auth: a}, h: &sha256Hash}
		if _, _, err := x.clientFirst(b.Context(), []byte("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")); err != nil {
			b.Fatal(err)
		}
		final := "c=biws,r=" + x.nonce + ",p=" + encode64(make([]byte, 32))
		if _, _, err := x.clientFinal(b.Context(), []byte(final)); err == nil {
			b.Fatal("let in")
		}
	}
}

func BenchmarkMechanisms(b *testing.B) {
	a := all(Secret{})
	b.ReportAllocs()
	for b.Loop() {
		a.Mechanisms(Login{})
	}
}

func BenchmarkPrepare(b *testing.B) {
	for name, s := range map[string]string{"ASCII": "correct horse battery staple", "Unicode": strings.Repeat("exämple½", 4)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Prepare(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkThrottle(b *testing.B) {
	l := &limiter{perMinute: 1e9}
	p, now := pledgeOf(peer), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.add(p, now, 1)
		l.add(p, now, -1)
	}
}
