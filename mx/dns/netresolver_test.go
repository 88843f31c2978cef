package dns_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

func netResolver(t *testing.T, zone string) (dns.NetResolver, *dnstest.Zone) {
	z := dnstest.New(t, zone)
	addr := z.Start(t)
	return dns.NetResolver{TTL: time.Minute, R: &net.Resolver{PreferGo: true, StrictErrors: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}}, z
}

func TestNetResolver(t *testing.T) {
	r, _ := netResolver(t, `
a.test    A 192.0.2.1
a.test    AAAA 2001:db8::1
a.test    MX 10 mx.test
a.test    TXT "one" "two"
a.test    NS ns.test
w.test    CNAME a.test
1.2.0.192.in-addr.arpa PTR a.test
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.test
`)
	for _, c := range []struct {
		name string
		typ  dns.Type
		want string
	}{
		{"a.test", dns.A, "192.0.2.1"},
		{"a.test", dns.AAAA, "2001:db8::1"},
		{"A.test.", dns.MX, "mx.test"},
		{"a.test", dns.TXT, "onetwo"},
		{"a.test", dns.NS, "ns.test"},
		{"w.test", dns.CNAME, "a.test"},
		{"w.test", dns.A, "192.0.2.1"},
		{dns.Reverse(netip.MustParseAddr("192.0.2.1")), dns.PTR, "a.test"},
		{dns.Reverse(netip.MustParseAddr("2001:db8::1")), dns.PTR, "six.test"},
	} {
		a := lookup(t, r, c.name, c.typ)
		assert.Equal(t, []string{c.want}, data(a), "%s %v", c.name, c.typ)
		assert.Equal(t, time.Minute, a.TTL)
	}
	assert.Empty(t, lookup(t, r, "none.test", dns.MX).RRs)
	assert.Empty(t, lookup(t, r, "a.test", dns.CNAME).RRs)
}

// The losses are errors, never false negatives.
func TestNetResolverLosses(t *testing.T) {
	r, z := netResolver(t, `
servfail.test SERVFAIL
refused.test REFUSED
`)
	for _, n := range []string{"a+b=c.test", "foo@bar.test", "12345", "-a.test", "a-.test", "a.test-", "x%.test", "\xc3\xbc.test"} {
		_, err := r.Lookup(t.Context(), n, dns.A)
		assert.ErrorIs(t, err, dns.ErrUnsupported, n)
	}
	for _, typ := range []dns.Type{dns.TLSA, dns.SOA} {
		_, err := r.Lookup(t.Context(), "a.test", typ)
		assert.ErrorIs(t, err, dns.ErrUnsupported)
	}
	_, err := r.Lookup(t.Context(), "not.reversed", dns.PTR)
	assert.ErrorIs(t, err, dns.ErrUnsupported)
	_, err = r.Lookup(t.Context(), "a..test", dns.A)
	assert.ErrorIs(t, err, dns.ErrName)
	assert.Empty(t, z.Queries())
	for _, n := range []string{"servfail.test", "refused.test"} {
		_, err := r.Lookup(t.Context(), n, dns.TXT)
		var e *dns.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())
	}
}

func TestNetResolverCancellation(t *testing.T) {
	r, _ := netResolver(t, `slow.test TIMEOUT`)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	start := time.Now()
	_, err := r.Lookup(ctx, "slow.test", dns.TXT)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), 2*time.Second)
}
