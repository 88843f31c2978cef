package sasl

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What is read can be written again and reads the same.
func FuzzGS2(f *testing.F) {
	for _, s := range []string{"n,,", "y,a=u=2Cx,rest", "p=tls-exporter,,n=u", "n,a==3D,", "p=,,", "n,a=,", "n,b=x,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, rest, err := parseGS2(s)
		if err != nil {
			return
		}
		if h.raw+rest != s {
			t.Errorf("%q was split into %q and %q", s, h.raw, rest)
		}
		flag := string(h.flag)
		if h.flag == 'p' {
			flag += "=" + h.binding
		}
		again := gs2Header(flag, h.authz)
		h2, rest2, err := parseGS2(again + rest)
		if err != nil || h2.flag != h.flag || h2.binding != h.binding || h2.authz != h.authz || rest2 != rest {
			t.Errorf("%q -> %+v -> %q -> %+v, %v", s, h, again, h2, err)
		}
	})
}

// A name of any bytes survives its encoding, and cannot end an attribute.
func FuzzName(f *testing.F) {
	for _, s := range []string{"u", "a,b=c", "=2C", ",,==", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := encodeName(s)
		if strings.Contains(e, ",") {
			t.Errorf("%q ends its attribute as %q", s, e)
		}
		got, err := decodeName(e)
		if err == nil && got != s {
			t.Errorf("%q -> %q -> %q", s, e, got)
		}
		if d, err := decodeName(s); err == nil {
			if again, err := decodeName(encodeName(d)); err != nil || again != d {
				t.Errorf("%q -> %q -> %q, %v", s, d, again, err)
			}
		}
	})
}

// Whatever a SCRAM parser accepts is made of the attributes that it says.
func FuzzScramMessages(f *testing.F) {
	for _, v := range scramVectors {
		f.Add(v.first)
		f.Add(v.serverFirst)
		f.Add(v.final)
		f.Add(v.lastOne)
	}
	f.Add("n,,n=u,r=x,z=1,y=2")
	f.Add("e=other-error,x=y")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseClientFirst(s); err == nil {
			if m.raw+m.bare != s || !strings.Contains(m.bare, ",r="+m.nonce) || m.user == "" {
				t.Errorf("client-first %q: %+v", s, m)
			}
		}
		if m, err := parseServerFirst(s); err == nil {
			head := "r=" + m.nonce + ",s=" + encode64(m.salt) + ",i="
			if !strings.HasPrefix(s, head) || m.iterations < 1 {
				t.Errorf("server-first %q: %+v", s, m)
			}
		}
		if m, err := parseClientFinal(s); err == nil {
			head := "c=" + encode64(m.binding) + ",r=" + m.nonce
			if !strings.HasPrefix(m.without, head) || m.without+",p="+encode64(m.proof) != s {
				t.Errorf("client-final %q: %+v", s, m)
			}
		}
		if v, failure, err := parseServerFinal(s); err == nil {
			if !strings.HasPrefix(s, "v="+encode64(v)) && !strings.HasPrefix(s, "e="+failure) {
				t.Errorf("server-final %q: %q %q", s, v, failure)
			}
		}
	})
}

// Neither reader takes a token with bytes that a writer would not send.
func FuzzBearer(f *testing.F) {
	for _, s := range []string{"n,a=u,\x01host=h\x01port=1\x01auth=Bearer t\x01\x01", "n,,\x01auth=\x01\x01",
		"user=u\x01auth=Bearer t\x01\x01", "\x01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if user, token, err := parseBearer(s); err == nil {
			again := gs2Header("n", user) + "\x01auth=Bearer " + token + "\x01\x01"
			u, tok, err := parseBearer(again)
			if err != nil || u != user || tok != token {
				t.Errorf("%q -> %q %q -> %q %q, %v", s, user, token, u, tok, err)
			}
		}
		if user, token, err := parseXOAuth2(s); err == nil {
			u, tok, err := parseXOAuth2("user=" + user + "\x01auth=Bearer " + token + "\x01\x01")
			if err != nil || u != user || tok != token {
				t.Errorf("%q -> %q %q -> %q %q, %v", s, user, token, u, tok, err)
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("\x00tim\x00tanstaaftanstaaf")
	f.Add("Ursel\x00Kurt\x00xipj3plmq")
	f.Add("\x00\x00\x00")
	f.Fuzz(func(t *testing.T, s string) {
		authz, user, password, ok := parsePlain(s)
		if ok != (strings.Count(s, "\x00") == 2) {
			t.Errorf("%q: %v", s, ok)
		}
		if ok && authz+"\x00"+user+"\x00"+password != s {
			t.Errorf("%q -> %q %q %q", s, authz, user, password)
		}
	})
}

// What is prepared stays as it is when it is prepared again, and a stored
// string is a query string too.
func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"user", "I\u00adX", "\u2168", "\u0627\u0628", "\u00bd\u00b4", "a\u00a0b", "\U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Prepare(s)
		stored, storedErr := PrepareStored(s)
		if storedErr == nil && (err != nil || stored != p) {
			t.Errorf("%q: stored as %q, queried as %q, %v", s, stored, p, err)
		}
		if storedErr != nil || len(p) > MaxMessage {
			return // NFKC of what Unicode 3.2 does not know may change with Unicode
		}
		if again, err := Prepare(p); err != nil || again != p {
			t.Errorf("%q -> %q -> %q, %v", s, p, again, err)
		}
	})
}

// No bytes from the peer log anyone in, or bring a server down.
func FuzzServer(f *testing.F) {
	for i, v := range scramVectors {
		f.Add(i, []byte(v.first), []byte(v.final), []byte{})
	}
	f.Add(7, []byte("n,,\x01auth=Bearer t\x01\x01"), []byte("\x01"), []byte{})
	f.Add(9, []byte("tim b913a602c7eda7a495b4e6e7334d3890"), []byte{}, []byte{})
	f.Add(10, []byte("\x00u\x00p"), []byte{}, []byte{})
	f.Add(11, []byte("u"), []byte("p"), []byte{})
	a := all(Secret{Plain: "no fuzzer guesses this: 8eac3b0f1d"})
	a.Secret = secretOf(Secret{Plain: "no fuzzer guesses this: 8eac3b0f1d"})
	a.Token = func(context.Context, Login, string) (string, error) { return "", ErrCredentials }
	f.Fuzz(func(t *testing.T, which int, one, two, three []byte) {
		offered := a.Mechanisms(Login{})
		s, err := a.Start(Login{Mechanism: offered[uint(which)%uint(len(offered))]})
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{one, two, three} {
			out, done, err := s.Next(context.Background(), in)
			if done || s.Login().Identity != "" {
				t.Fatalf("%s let in by %q %q %q", s.Login().Mechanism, one, two, three)
			}
			if err != nil {
				if out != nil || !(errors.Is(err, ErrCredentials) || errors.Is(err, ErrMalformed)) {
					t.Errorf("%q with %v", out, err)
				}
				return
			}
		}
	})
}

// No bytes from a server satisfy a client that wants a proof, and none make
// it work long.
func FuzzScramClient(f *testing.F) {
	for _, v := range scramVectors {
		f.Add([]byte(v.serverFirst), []byte(v.lastOne))
	}
	f.Add([]byte("r=NONCEx,s=QUJD,i=4096"), []byte("v=QUJD"))
	f.Add([]byte("r=NONCEx,s=QUJD,i=2147483647"), []byte("e=x"))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		c := good("SCRAM-SHA-256")
		c.MaxIterations = 5000
		_, x, err := c.Start(Login{}, []string{"SCRAM-SHA-256"})
		if err != nil {
			t.Fatal(err)
		}
		in, done, err := x.Next(context.Background(), nil)
		if err != nil || done {
			t.Fatal(err)
		}
		_, nonce, _ := strings.Cut(string(in), ",r=")
		in = []byte(strings.ReplaceAll(string(first), "NONCE", nonce))
		for _, m := range [][]byte{in, final} {
			if _, done, err = x.Next(context.Background(), m); err != nil {
				return
			}
			if done {
				t.Fatalf("satisfied by %q %q", first, final)
			}
		}
		t.Fatalf("%q taken for a proof", final)
	})
}
