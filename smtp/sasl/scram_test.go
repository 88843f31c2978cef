package sasl

import (
	"context"
	"crypto"
	"crypto/pbkdf2"
	"crypto/tls"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSaltedIsPBKDF2(t *testing.T) {
	for _, h := range [...]*scramHash{&sha1Hash, &sha256Hash, &sha512Hash} {
		for _, n := range []int{1, 2, 4096} {
			want, err := pbkdf2.Key(h.new, "pass", []byte("some salt"), n, h.id.Size())
			require.NoError(t, err)
			got, err := h.salted(t.Context(), "pass", []byte("some salt"), n)
			require.NoError(t, err)
			assert.Equal(t, want, got, "%s %d", h.name, n)
		}
	}
}

func TestSaltedStopsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sha256Hash.salted(ctx, "p", []byte("s"), 1<<30)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestDeriveBounds(t *testing.T) {
	salt := make([]byte, 8)
	for name, f := range map[string]func() (Keys, error){
		"hash":       func() (Keys, error) { return Derive(crypto.MD5, "p", salt, 4096) },
		"iterations": func() (Keys, error) { return Derive(crypto.SHA1, "p", salt, 4095) },
		"salt":       func() (Keys, error) { return Derive(crypto.SHA1, "p", salt[:7], 4096) },
		"prohibited": func() (Keys, error) { return Derive(crypto.SHA1, "p\x00", salt, 4096) },
		"unassigned": func() (Keys, error) { return Derive(crypto.SHA1, "p\U0001f600", salt, 4096) },
		"empty":      func() (Keys, error) { return Derive(crypto.SHA1, "\u00ad", salt, 4096) },
	} {
		k, err := f()
		assert.Error(t, err, name)
		assert.Zero(t, k, name)
	}
}

func TestClientFirstGrammar(t *testing.T) {
	for in, want := range map[string]clientFirstMessage{
		"n,,n=u,r=x":              {gs2{'n', "", "", "n,,"}, "n=u,r=x", "u", "x"},
		"y,a=z,n=u,r=x":           {gs2{'y', "", "z", "y,a=z,"}, "n=u,r=x", "u", "x"},
		"p=tls-x.1,,n=u,r=x":      {gs2{'p', "tls-x.1", "", "p=tls-x.1,,"}, "n=u,r=x", "u", "x"},
		"n,a==2C=3D,n==3D2C,r=x":  {gs2{'n', "", ",=", "n,a==2C=3D,"}, "n==3D2C,r=x", "=2C", "x"},
		"n,,n=ü,r=x,q=later=,z=1": {gs2{'n', "", "", "n,,"}, "n=ü,r=x,q=later=,z=1", "ü", "x"},
	} {
		m, err := parseClientFirst(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, m, in)
	}
	for _, in := range []string{
		"", "n", "n,", "n,,", "n,,n=u", "n,,n=u,", "n,,r=x,n=u", "n,,n=u,r=", "n,,n=,r=x", "n,,n=u,r=x,",
		"N,,n=u,r=x", "p,,n=u,r=x", "p=,,n=u,r=x", "p=a b,,n=u,r=x", "x,,n=u,r=x",
		"n,z,n=u,r=x", "n,a=,n=u,r=x", "n,a==,n=u,r=x", "n,a==2c,n=u,r=x", "n,,n==3,r=x",
		"n,,m=1,n=u,r=x",                                                   // mandatory extension
		"n,,n=u,r=x,1=2", "n,,n=u,r=x,ab", "n,,n=u,r=x,a=", "n,,n=u,r=a b", // bad attributes
		"n,,n=\xff,r=x", "n,,n=a\x00b,r=x", "n,,n=u,r=\x7f", "n,,n=u,r=ü",
	} {
		_, err := parseClientFirst(in)
		assert.Error(t, err, "%q", in)
		assert.ErrorIs(t, atClient(err), ErrMalformed, "%q", in)
	}
}

func TestServerFirstGrammar(t *testing.T) {
	m, err := parseServerFirst("r=ab,s=QUJD,i=4096,x=y")
	require.NoError(t, err)
	assert.Equal(t, serverFirstMessage{"ab", []byte("ABC"), 4096}, m)
	for _, in := range []string{
		"", "r=ab", "r=ab,s=QUJD", "r=ab,i=4096,s=QUJD", "m=x,r=ab,s=QUJD,i=4096", "e=other-error",
		"r=ab,s=QUJD,i=04096", "r=ab,s=QUJD,i=-1", "r=ab,s=QUJD,i=+4096", "r=ab,s=QUJD,i=0", "r=ab,s=QUJD,i=4096 ",
		"r=ab,s=QUJD,i=99999999999999999999", "r=ab,s=QUJ,i=4096", "r=ab,s=QUJD\n,i=4096", "r=ab,s=QUJ\r\nD,i=4096",
		"r=ab,s=QR==,i=4096" /* bits that say nothing must be zero */, "r=ab,s=Q=JD,i=4096", "r=ab,s=,i=4096",
	} {
		_, err := parseServerFirst(in)
		assert.Error(t, err, "%q", in)
	}
}

func TestClientFinalGrammar(t *testing.T) {
	m, err := parseClientFinal("c=biws,r=ab,x=y,p=QUJD")
	require.NoError(t, err)
	assert.Equal(t, clientFinalMessage{[]byte("n,,"), "ab", []byte("ABC"), "c=biws,r=ab,x=y"}, m)
	for _, in := range []string{"", "c=biws,r=ab", "c=biws,p=QUJD", "r=ab,c=biws,p=QUJD", "c=biws,r=ab,p=QUJD,x=y", "c=biw,r=ab,p=QUJD", "c=biws,m=x,r=ab,p=QUJD", ",p=QUJD"} {
		_, err := parseClientFinal(in)
		assert.Error(t, err, "%q", in)
	}
}

func TestServerFinalGrammar(t *testing.T) {
	v, failure, err := parseServerFinal("v=QUJD,x=y")
	require.NoError(t, err)
	assert.Equal(t, "ABC", string(v))
	assert.Empty(t, failure)
	_, failure, err = parseServerFinal("e=unknown-user")
	require.NoError(t, err)
	assert.Equal(t, "unknown-user", failure)
	for _, in := range []string{"", "v=", "v=QUJ", "x=y", "v=QUJD,", "e=", "e=\xff"} {
		_, _, err := parseServerFinal(in)
		assert.Error(t, err, "%q", in)
	}
}

// answer runs a client against one server-first message of our making.
func answer(t *testing.T, c Credentials, format string) error {
	t.Helper()
	_, x, err := c.Start(Login{}, []string{"SCRAM-SHA-256"})
	require.NoError(t, err)
	out, _, err := x.Next(t.Context(), nil)
	require.NoError(t, err)
	_, nonce, _ := strings.Cut(string(out), ",r=")
	_, done, err := x.Next(t.Context(), []byte(strings.ReplaceAll(format, "NONCE", nonce)))
	assert.False(t, done)
	return err
}

func TestClientRefusesUnsafeServers(t *testing.T) {
	c := good("SCRAM-SHA-256")
	assert.NoError(t, answer(t, c, "r=NONCEx,s=QUJD,i=4096"))
	for _, m := range []string{
		"r=NONCEx,s=QUJD,i=4095", "r=NONCEx,s=QUJD,i=1000001", "r=NONCEx,s=QUJD,i=2147483647",
		"r=NONCE,s=QUJD,i=4096", "r=xNONCE,s=QUJD,i=4096", "r=x,s=QUJD,i=4096", "", "v=QUJD",
	} {
		assert.ErrorIs(t, answer(t, c, m), ErrServer, m)
	}
	c.MinIterations, c.MaxIterations = 10, 20
	assert.NoError(t, answer(t, c, "r=NONCEx,s=QUJD,i=10"))
	assert.ErrorIs(t, answer(t, c, "r=NONCEx,s=QUJD,i=9"), ErrServer)
	assert.ErrorIs(t, answer(t, c, "r=NONCEx,s=QUJD,i=21"), ErrServer)
}

func TestClientWantsTheServersProof(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	for final, want := range map[string]error{
		"v=" + strings.Repeat("A", 43) + "=": ErrServer, "v=QUJD": ErrServer, "": ErrServer, "x": ErrServer,
		"e=invalid-proof": ErrCredentials,
	} {
		x, s := begin(t, good("SCRAM-SHA-256"), a, Login{}, Login{}, []string{"SCRAM-SHA-256"})
		first, done, err := x.Next(t.Context(), nil)
		require.NoError(t, err)
		assert.False(t, done)
		challenge, _, err := s.Next(t.Context(), first)
		require.NoError(t, err)
		_, done, err = x.Next(t.Context(), challenge)
		require.NoError(t, err)
		assert.False(t, done, "success here would be a server that proved nothing")
		_, done, err = x.Next(t.Context(), []byte(final))
		assert.ErrorIs(t, err, want, final)
		assert.False(t, done)
		assert.Empty(t, x.Login().Identity)
	}
}

func TestServerFinalTakesAnEmptyAnswer(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	x, s := begin(t, good("SCRAM-SHA-1"), a, Login{}, Login{}, []string{"SCRAM-SHA-1"})
	var in []byte
	for range 2 {
		out, _, err := x.Next(t.Context(), in)
		require.NoError(t, err)
		in, _, err = s.Next(t.Context(), out)
		require.NoError(t, err)
	}
	assert.True(t, strings.HasPrefix(string(in), "v="))
	assert.Empty(t, s.Login().Identity, "not before the client has seen the proof")
	_, _, err := s.Next(t.Context(), []byte("x"))
	assert.ErrorIs(t, err, ErrMalformed)
	assert.Empty(t, s.Login().Identity)
}

func TestNoUserEnumeration(t *testing.T) {
	keys, err := NewSecret(testPassword, 5000)
	require.NoError(t, err)
	a := all(keys)
	a.Iterations, a.SaltKey = 5000, []byte("key of this server")
	first := func(a *Authenticator, user string) serverFirstMessage {
		s, err := a.Start(Login{Mechanism: "SCRAM-SHA-256"})
		require.NoError(t, err)
		out, _, err := s.Next(t.Context(), []byte("n,,n="+encodeName(user)+",r=abc"))
		require.NoError(t, err)
		m, err := parseServerFirst(string(out))
		require.NoError(t, err)
		return m
	}
	known, unknown := first(a, testUser), first(a, "nobody")
	assert.Len(t, unknown.salt, len(known.salt))
	assert.Equal(t, known.iterations, unknown.iterations)
	assert.Len(t, unknown.nonce, len(known.nonce))
	assert.Equal(t, unknown.salt, first(a, "nobody").salt, "stays the same")
	assert.NotEqual(t, unknown.salt, first(a, "nobody2").salt)

	again := all(keys) // after a restart, with the same SaltKey
	again.SaltKey = a.SaltKey
	assert.Equal(t, unknown.salt, first(again, "nobody").salt)
	again.SaltKey = []byte("another")
	assert.NotEqual(t, unknown.salt, first(again, "nobody").salt)

	random := all(keys)
	assert.Equal(t, first(random, "nobody").salt, first(random, "nobody").salt, "a random key is made once")
	assert.NotEqual(t, first(random, "nobody").salt, first(all(keys), "nobody").salt)

	// A user without keys for this hash looks like the others too.
	only1 := keys
	only1.SHA256 = Keys{}
	missing := first(all(only1), testUser)
	assert.Len(t, missing.salt, len(known.salt))
}

func TestUnknownUserTakesTheSameWork(t *testing.T) {
	a := all(Secret{Plain: testPassword})
	a.Iterations = 8192
	derives := func(user string) bool {
		c := good("SCRAM-SHA-256")
		c.User, c.Password = user, "wrong"
		x, s := begin(t, c, a, Login{}, Login{}, []string{"SCRAM-SHA-256"})
		out, _, err := x.Next(t.Context(), nil)
		require.NoError(t, err)
		challenge, _, err := s.Next(t.Context(), out)
		require.NoError(t, err)
		out, _, err = x.Next(t.Context(), challenge)
		require.NoError(t, err)
		// Whether keys are derived shows by what a dead context does.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err = s.Next(ctx, out)
		return errors.Is(err, context.Canceled)
	}
	assert.True(t, derives(testUser))
	assert.True(t, derives("nobody"))
}

func TestDowngradeIsFound(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	a := all(Secret{Plain: testPassword})
	c := good("")
	c.Mechanisms = nil
	// Somebody takes -PLUS out of the list that the client sees.
	x, s := begin(t, c, a, ch.client, ch.server, []string{"SCRAM-SHA-256", "PLAIN"})
	require.Equal(t, "SCRAM-SHA-256", x.Login().Mechanism)
	_, err := dialogue(t.Context(), x, s, true)
	assert.ErrorIs(t, err, ErrCredentials)
	assert.ErrorContains(t, err, "downgraded")

	// A server that offers no -PLUS finds nothing wrong with the flag.
	a.Disable = []string{"scram-sha-1-plus", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"}
	x, s = begin(t, c, a, ch.client, ch.server, a.Mechanisms(ch.server))
	require.Equal(t, "SCRAM-SHA-512", x.Login().Mechanism)
	_, err = dialogue(t.Context(), x, s, true)
	assert.NoError(t, err)

	// Nor does one behind a proxy that ended TLS.
	x, s = begin(t, c, all(Secret{Plain: testPassword}), ch.client, Login{}, []string{"SCRAM-SHA-256"})
	_, err = dialogue(t.Context(), x, s, true)
	assert.NoError(t, err)
}

func TestBindingFlagMustFit(t *testing.T) {
	ch := newChannel(t, tls.VersionTLS13)
	a := all(Secret{Plain: testPassword})
	for mech, flags := range map[string][]string{
		"SCRAM-SHA-256":      {"p=tls-exporter"},
		"SCRAM-SHA-256-PLUS": {"n", "y", "p=tls-unique", "p=tls-nonsense"},
	} {
		for _, flag := range flags {
			l := ch.server
			l.Mechanism = mech
			s, err := a.Start(l)
			require.NoError(t, err)
			_, _, err = s.Next(t.Context(), []byte(flag+",,n=u,r=x"))
			assert.Error(t, err, "%s %s", mech, flag)
		}
	}
}

// Two TLS connections with somebody in between: everything is passed on, and
// still fails.
func TestManInTheMiddle(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		victim, target := newChannel(t, version), newChannel(t, version)
		a := all(Secret{Plain: testPassword})
		for _, mech := range a.Mechanisms(target.server) {
			if !strings.HasSuffix(mech, plusSuffix) {
				continue
			}
			x, s := begin(t, good(mech), a, victim.client, target.server, []string{mech})
			_, err := dialogue(t.Context(), x, s, true)
			assert.ErrorIs(t, err, ErrCredentials, mech)
			assert.ErrorContains(t, err, "channel binding does not match")
		}
	}
}

// pythonServer is SCRAM-SHA-256 on the server, written with nothing but
// Python's standard library: one line in, one line out.
const pythonServer = `
import sys, base64, hashlib, hmac
b64 = lambda b: base64.b64encode(b).decode()
first = sys.stdin.readline().rstrip("\n")
head, bare = first.split(",n=", 1)[0] + ",", "n=" + first.split(",n=", 1)[1]
nonce = first.split(",r=")[1] + "python"
salt = b"salt of python"
sf = "r=%s,s=%s,i=4096" % (nonce, b64(salt))
print(sf, flush=True)
final = sys.stdin.readline().rstrip("\n")
without, proof = final.rsplit(",p=", 1)
assert without == "c=%s,r=%s" % (b64(head.encode()), nonce), without
salted = hashlib.pbkdf2_hmac("HASH", "pass ,=1⁄2word".encode(), salt, 4096)
mac = lambda k, m: hmac.new(k, m, "HASH").digest()
msg = ",".join([bare, sf, without]).encode()
ck = mac(salted, b"Client Key")
sig = mac(hashlib.new("HASH", ck).digest(), msg)
assert bytes(x ^ y for x, y in zip(ck, sig)) == base64.b64decode(proof)
print("v=" + b64(mac(mac(salted, b"Server Key"), msg)), flush=True)
`

func TestInteropPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	for mech, hash := range map[string]string{"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"} {
		cmd := exec.CommandContext(t.Context(), python, "-c", strings.ReplaceAll(pythonServer, "HASH", hash))
		cmd.Env = append(cmd.Environ(), "PYTHONIOENCODING=utf-8", "PYTHONUTF8=1")
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		c := good(mech)
		_, x, err := c.Start(Login{}, []string{mech})
		require.NoError(t, err)
		var in []byte
		for range 2 {
			out, done, err := x.Next(t.Context(), in)
			require.NoError(t, err)
			assert.False(t, done)
			fmt.Fprintf(stdin, "%s\n", out)
			var line string
			_, err = fmt.Fscanln(stdout, &line)
			require.NoError(t, err, "python refused %s", mech)
			in = []byte(line)
		}
		_, done, err := x.Next(t.Context(), in)
		require.NoError(t, err)
		assert.True(t, done)
		require.NoError(t, cmd.Wait())
	}
}
