package spf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func example(ip string) *scope {
	return &scope{
		ip: netip.MustParseAddr(ip), local: "strong-bad", origin: "email.example.com", hello: "mx.Example.org", receiver: "mx.receiver.test",
		now: func() int64 { return 1234567890 }, validated: func(string) string { return "mx.example.org" },
	}
}

// The examples of RFC 7208 §7.4, and what follows from §7.3.
func TestMacros(t *testing.T) {
	sc := example("192.0.2.3")
	for in, want := range map[string]string{
		"%{s}": "strong-bad@email.example.com", "%{o}": "email.example.com", "%{d}": "email.example.com", "%{d4}": "email.example.com",
		"%{d3}": "email.example.com", "%{d2}": "example.com", "%{d1}": "com", "%{dr}": "com.example.email", "%{d2r}": "example.email",
		"%{l}": "strong-bad", "%{l-}": "strong.bad", "%{lr}": "strong-bad", "%{lr-}": "bad.strong", "%{l1r-}": "strong",
		"%{ir}.%{v}._spf.%{d2}": "3.2.0.192.in-addr._spf.example.com", "%{lr-}.lp._spf.%{d2}": "bad.strong.lp._spf.example.com",
		"%{d2}.trusted-domains.example.net": "example.com.trusted-domains.example.net",
		"%%%_%-":                            "% %20", "%{h}": "mx.Example.org", "%{H}": "mx.Example.org", "%{p}": "mx.example.org",
		"%{c}/%{r}/%{t}": "192.0.2.3/mx.receiver.test/1234567890", "%{S}": "strong-bad%40email.example.com",
		"%{d128}": "email.example.com", "%{d99999999999999999999}": "email.example.com", "%{D2R}": "example.email",
	} {
		assert.Equal(t, want, string(sc.appendMacros(nil, in, "email.example.com")), in)
	}
	sc = example("2001:db8::cb01")
	assert.Equal(t, "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com",
		string(sc.appendMacros(nil, "%{ir}.%{v}._spf.%{d2}", "email.example.com")))
	assert.Equal(t, "2001:db8::cb01", string(sc.appendMacros(nil, "%{c}", "x")))
}

// Pitfall: empty parts are parts.
func TestPitfallEmptyParts(t *testing.T) {
	sc := example("192.0.2.3")
	sc.local = "a--b-"
	for in, want := range map[string]string{"%{l-}": "a..b.", "%{lr-}": ".b..a", "%{l2-}": "b.", "%{l1-}": "", "%{l3r-}": "b..a", "%{l1r-}": "a", "%{l9-}": "a..b."} {
		assert.Equal(t, want, string(sc.appendMacros(nil, in, "x")), in)
	}
	sc.local = "a.b+c/d_e=f,g-h"
	assert.Equal(t, "a.b.c.d.e.f.g.h", string(sc.appendMacros(nil, "%{l.-+,/_=}", "x")))
	assert.Equal(t, "a.b.c.d.e.f.g.h", string(sc.appendMacros(nil, "%{l+-,/_=.}", "x")))
	assert.Equal(t, "a.b.c/d_e=f,g-h", string(sc.appendMacros(nil, "%{l+}", "x")))
}

// Pitfall: a name that is too long loses labels on the left, whole ones.
func TestPitfallTruncation(t *testing.T) {
	long := strings.Repeat("abcdefghi.", 30) + "example.com"
	name, ok := queryName([]byte(long))
	assert.True(t, ok)
	assert.LessOrEqual(t, len(name), 253)
	assert.True(t, strings.HasPrefix(name, "abcdefghi.") && strings.HasSuffix(long, "."+name))
	_, ok = queryName([]byte(strings.Repeat("x", 300)))
	assert.False(t, ok)
	for in, want := range map[string]bool{"A.Test.": true, "a..test": false, "": false, ".a": false, strings.Repeat("x", 64) + ".test": false} {
		_, ok := queryName([]byte(in))
		assert.Equal(t, want, ok, in)
	}
	name, _ = queryName([]byte("A.Test."))
	assert.Equal(t, "a.test", name)
}

func TestWithin(t *testing.T) {
	assert.True(t, within("a.test", "a.test"))
	assert.True(t, within("x.a.test", "a.test"))
	assert.False(t, within("xa.test", "a.test"))
	assert.False(t, within("test", "a.test"))
}

// FuzzMacro: a checked macro-string expands to something bounded, a lower-case one
// twice to the same, and an upper-case one to unreserved characters and escapes.
func FuzzMacro(f *testing.F) {
	f.Add("%{ir}.%{v}.%{l1r+-}.%{d2}%%%_%-", "ann+x")
	f.Add("%{L}%{S4r.-+,/_=}", "a b\xff@")
	f.Fuzz(func(t *testing.T, s, local string) {
		if macroString(s, "", true).fault != "" {
			return
		}
		sc := example("2001:db8::1")
		sc.local = local
		a, b := sc.appendMacros(nil, s, "d.test"), sc.appendMacros([]byte("before"), s, "d.test")
		if string(b) != "before"+string(a) {
			t.Errorf("%q: %q, %q", s, a, b)
		}
		if max := len(s) * (3*len(local) + 300); len(a) > max {
			t.Errorf("%q grows to %d", s, len(a))
		}
		up := sc.appendMacros(nil, "%{L}", "d.test")
		for _, c := range up {
			if !isAlnum(c) && strings.IndexByte("-._~%", c) < 0 {
				t.Errorf("%q escapes to %q", local, up)
			}
		}
		if name, ok := queryName(a); ok && (len(name) > 253 || name == "") {
			t.Errorf("%q", name)
		}
	})
}
