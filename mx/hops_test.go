package mx_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// walk writes the hops of a domain, one a line.
func walk(t testing.TB, f *mx.Finder, domain string) string {
	t.Helper()
	r, err := f.Lookup(t.Context(), domain)
	require.NoError(t, err)
	var b strings.Builder
	for hop, err := range f.Hops(t.Context(), r) {
		if err != nil {
			fmt.Fprintf(&b, "%s: %s\n", hop.Host.Name, reply(err))
			continue
		}
		fmt.Fprintf(&b, "%s:", hop.Host.Name)
		for _, ip := range hop.Addrs {
			fmt.Fprintf(&b, " %v", ip)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestHopsTakeTurnsBetweenFamilies(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 m.test
m.test A 192.0.2.1
m.test A 192.0.2.2
m.test A 192.0.2.3
m.test AAAA 2001:db8::1
six.test MX 1 s.test
s.test AAAA 2001:db8::7
`)
	assert.Equal(t, "m.test: 2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3\n", walk(t, f, "a.test"))
	f.MaxAddrs = 2
	assert.Equal(t, "m.test: 2001:db8::1 192.0.2.1\n", walk(t, f, "a.test"), "the limit shuts neither family out")
	assert.Equal(t, "s.test: 2001:db8::7\n", walk(t, f, "six.test"))
}

func TestHopsAreLazy(t *testing.T) {
	f, z := fixed(t, `
a.test MX 1 m1.test
a.test MX 1 m2.test
a.test MX 2 m3.test
m1.test A 192.0.2.1
m2.test A 192.0.2.2
m3.test A 192.0.2.3
`)
	r, err := f.Lookup(t.Context(), "a.test")
	require.NoError(t, err)
	z.Reset()
	for hop, err := range f.Hops(t.Context(), r) {
		require.NoError(t, err)
		assert.Equal(t, "m1.test", hop.Host.Name)
		break
	}
	for _, q := range z.Queries() {
		assert.NotEqual(t, "m3.test", q.Name)
	}
	assert.Len(t, z.Queries(), 4)
}

// One dead mail host says nothing of the others.
func TestHopsGoOnAfterErrors(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 dead.test
a.test MX 2 gone.test
a.test MX 3 empty.test
a.test MX 4 half.test
a.test MX 5 other.test
a.test MX 6 local.test
dead.test TIMEOUT
empty.test MX 1 x.test
half.test SERVFAIL AAAA
half.test A 192.0.2.4
other.test SERVFAIL A
local.test A 127.0.0.1
local.test AAAA ::1
`)
	assert.Equal(t, `dead.test: 451 4.4.3
gone.test: 550 5.4.4
empty.test: 550 5.4.4
half.test: 192.0.2.4
other.test: 451 4.4.3
local.test: 550 5.4.4
`, walk(t, f, "a.test"))
}

func TestHopsImplicitWithoutAddress(t *testing.T) {
	f, _ := fixed(t, `
a.test TXT x
b.test TXT x
b.test SERVFAIL AAAA
`)
	assert.Equal(t, "a.test: 550 5.1.2\n", walk(t, f, "a.test"))
	assert.Equal(t, "b.test: 451 4.4.3\n", walk(t, f, "b.test"))
}

// An address that may not be dialled says nothing of the family that the DNS did
// not answer for.
func TestHopsForbiddenAndUnknown(t *testing.T) {
	f, z := fixed(t, `
a.test MX 1 m.test
m.test A 127.0.0.1
m.test SERVFAIL AAAA
b.test MX 1 n.test
n.test A 127.0.0.1
`)
	assert.Equal(t, "m.test: 451 4.4.3\n", walk(t, f, "a.test"))
	assert.Equal(t, "n.test: 550 5.4.4\n", walk(t, f, "b.test"))

	// A name that cannot be asked for will not be one tomorrow either.
	f.Resolver = dns.ResolverFunc(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		if name == "n.test" {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Err: dns.ErrName}
		}
		return z.Lookup(ctx, name, typ)
	})
	assert.Equal(t, "n.test: 550 5.4.4\n", walk(t, f, "b.test"))
}

func TestHopsTryNoAddressTwice(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 m1.test
a.test MX 2 m2.test
a.test MX 3 m3.test
m1.test A 192.0.2.1
m1.test A 192.0.2.1
m2.test A 192.0.2.1
m3.test A 192.0.2.1
m3.test A 192.0.2.3
`)
	assert.Equal(t, "m1.test: 192.0.2.1\nm3.test: 192.0.2.3\n", walk(t, f, "a.test"))
}

func TestHopsEndAtOwnAddress(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 m1.test
a.test MX 2 alias-of-us.test
a.test MX 2 equal.test
a.test MX 3 m3.test
m1.test A 192.0.2.1
alias-of-us.test A 192.0.2.99
equal.test A 192.0.2.2
m3.test A 192.0.2.3
`)
	f.SelfAddrs = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
	assert.Equal(t, "m1.test: 192.0.2.1\nalias-of-us.test: 554 5.4.6\n", walk(t, f, "a.test"))
}

func TestHopsAllow(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 m.test
m.test A 127.0.0.1
m.test A 169.254.0.1
m.test A 224.0.0.1
m.test A 0.0.0.0
m.test A 255.255.255.255
m.test A 10.0.0.1
m.test AAAA ::1
m.test AAAA fe80::1
m.test AAAA ::ffff:127.0.0.1
m.test AAAA 2001:db8::1
`)
	assert.Equal(t, "m.test: 2001:db8::1 10.0.0.1\n", walk(t, f, "a.test"))
	f.Allow = netip.Addr.IsLoopback // as for tests against servers on this machine
	assert.Equal(t, "m.test: ::1 127.0.0.1\n", walk(t, f, "a.test"))
}

func TestHopsCanonicalAndAuthentic(t *testing.T) {
	f, z := fixed(t, `
a.test MX 1 m.test
m.test CNAME real.test
real.test A 192.0.2.1
`)
	z.Authentic = true
	r, err := f.Lookup(t.Context(), "a.test")
	require.NoError(t, err)
	for hop := range f.Hops(t.Context(), r) {
		assert.Equal(t, "real.test", hop.Canonical)
		assert.True(t, hop.Authentic)
	}
}

// A whole preference is looked up in the time of its slowest host.
func TestHopsLookUpAPreferenceTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, z := fixed(t, `
a.test MX 1 m1.test
a.test MX 1 m2.test
a.test MX 1 m3.test
*.test A 192.0.2.1
m1.test A 192.0.2.1
m2.test A 192.0.2.2
m3.test A 192.0.2.3
`)
		z.Delay = time.Second
		start := time.Now()
		walk(t, f, "a.test")
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestHopsCancelled(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 1 m.test
m.test A 192.0.2.1
`)
	r, err := f.Lookup(t.Context(), "a.test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Hops(ctx, r) {
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, "451 4.4.3", reply(err))
	}
}

// FuzzRoute: whatever the MX records are, a route is in order, holds each record
// once, uses no name twice, and never more hosts than allowed.
func FuzzRoute(f *testing.F) {
	f.Add("b.test 10 c.test 5 . 0")
	f.Add("x 1 x 1 192.0.2.1 3 localhost 2 \xff 9")
	f.Fuzz(func(t *testing.T, s string) {
		z := new(dnstest.Zone)
		n := 0
		words := strings.Fields(s)
		for i := 0; i+1 < len(words); i += 2 {
			var pref uint16
			_, _ = fmt.Sscan(words[i+1], &pref)
			z.Add(dns.RR{Name: "a.test", Type: dns.MX, Pref: pref, Data: words[i]})
			n++
		}
		r, err := (&mx.Finder{Resolver: z, MaxHosts: 4}).Lookup(t.Context(), "a.test")
		if r == nil || r.Null || r.Implicit {
			return
		}
		used := map[string]bool{}
		for i, h := range r.Hosts {
			if i > 0 && r.Hosts[i-1].Pref > h.Pref {
				t.Errorf("not in order: %v", r.Hosts)
			}
			if h.Skip == "" {
				if used[h.Name] || dns.CheckName(h.Name) != nil {
					t.Errorf("%q used", h.Name)
				}
				used[h.Name] = true
			}
		}
		if len(r.Hosts) != n || len(used) > 4 || (len(used) == 0) != (err != nil) {
			t.Errorf("%v %v", r.Hosts, err)
		}
	})
}
