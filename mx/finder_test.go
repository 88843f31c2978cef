package mx_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// fixed is a Finder over a zone that does not shuffle.
func fixed(t testing.TB, zone string) (*mx.Finder, *dnstest.Zone) {
	z := dnstest.New(t, zone)
	return &mx.Finder{Resolver: z, Rand: iotest.ErrReader(errors.New("no dice"))}, z
}

func show(r *mx.Route) string {
	var b strings.Builder
	for _, h := range r.Hosts {
		fmt.Fprintf(&b, "%d %s", h.Pref, h.Name)
		if h.Skip != "" {
			fmt.Fprintf(&b, " [%s]", h.Skip)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func reply(err error) string {
	var s interface{ SMTP() (int, string, string) }
	if !errors.As(err, &s) {
		return fmt.Sprint(err)
	}
	code, enhanced, _ := s.SMTP()
	return fmt.Sprint(code, " ", enhanced)
}

func TestPreferenceOrder(t *testing.T) {
	f, z := fixed(t, `
a.test MX 20 c.test
a.test MX 5 B.test
a.test MX 65535 z.test
a.test MX 20 d.test
a.test 60 MX 0 a0.test
`)
	z.Authentic = true
	r, err := f.Lookup(t.Context(), "A.test.")
	require.NoError(t, err)
	assert.Equal(t, "0 a0.test\n5 b.test\n20 c.test\n20 d.test\n65535 z.test\n", show(r))
	assert.Equal(t, "a.test", r.Domain)
	assert.Equal(t, time.Minute, r.TTL)
	assert.True(t, r.Authentic)
	assert.False(t, r.Implicit || r.Null || r.Literal)
	assert.Len(t, z.Queries(), 1, "addresses are looked up when they are needed")
}

func TestShuffleWithinAPreference(t *testing.T) {
	z := dnstest.New(t, `
a.test MX 10 a1.test
a.test MX 10 a2.test
a.test MX 10 a3.test
a.test MX 20 b.test
`)
	first := map[string]int{}
	for range 300 {
		r, err := (&mx.Finder{Resolver: z}).Lookup(t.Context(), "a.test")
		require.NoError(t, err)
		first[r.Hosts[0].Name]++
		assert.Equal(t, "b.test", r.Hosts[3].Name)
	}
	assert.Len(t, first, 3, "each comes first now and then")
	var orders []string
	for range 2 { // the same dice, the same order
		f := &mx.Finder{Resolver: z, Rand: bytes.NewReader(bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 2, 7}, 20))}
		r, err := f.Lookup(t.Context(), "a.test")
		require.NoError(t, err)
		orders = append(orders, show(r))
	}
	assert.Equal(t, orders[0], orders[1])
}

func TestImplicitMXOnlyWithoutMX(t *testing.T) {
	f, _ := fixed(t, `
bare.test A 192.0.2.1
alias.test CNAME bare.test
mxalias.test CNAME full.test
full.test MX 10 mail.test
temp.test A 192.0.2.1
temp.test SERVFAIL MX
refused.test REFUSED MX
refused.test A 192.0.2.1
dead.test TIMEOUT
lame.test LAME
dangling.test CNAME gone.test
`)
	r, err := f.Lookup(t.Context(), "bare.test")
	require.NoError(t, err)
	assert.True(t, r.Implicit)
	assert.Equal(t, "0 bare.test\n", show(r))

	r, err = f.Lookup(t.Context(), "alias.test")
	require.NoError(t, err)
	assert.Equal(t, "0 bare.test\n", show(r))
	assert.Equal(t, []string{"bare.test"}, r.CNAMEs)

	r, err = f.Lookup(t.Context(), "mxalias.test")
	require.NoError(t, err)
	assert.False(t, r.Implicit)
	assert.Equal(t, "10 mail.test\n", show(r))

	for _, d := range []string{"temp.test", "refused.test", "dead.test", "lame.test"} {
		_, err := f.Lookup(t.Context(), d)
		assert.Equal(t, "451 4.4.3", reply(err), "%s: never an implicit MX after a failure", d)
		var e *dns.Error
		assert.ErrorAs(t, err, &e)
	}
	for _, d := range []string{"none.test", "dangling.test"} {
		_, err := f.Lookup(t.Context(), d)
		assert.Equal(t, "550 5.1.2", reply(err), d)
	}
}

// What stands at the end of a chain goes into logs and reports like any host name,
// so it has to be one.
func TestChainToNoHostName(t *testing.T) {
	f, z := fixed(t, `
ok.test   CNAME \195\188.test
real.test MX 1 m.test
`)
	z.Add(dns.RR{Name: "evil.test", Type: dns.CNAME, Data: "x\r\nRemote-MTA: y.test"})
	z.Add(dns.RR{Name: "x\r\nRemote-MTA: y.test", Type: dns.A, Addr: netip.MustParseAddr("192.0.2.1")})
	z.Add(dns.RR{Name: "loop.test", Type: dns.CNAME, Data: "localhost"})
	z.Add(dns.RR{Name: "localhost", Type: dns.A, Addr: netip.MustParseAddr("192.0.2.1")})
	z.Add(dns.RR{Name: "\u00fc.test", Type: dns.A, Addr: netip.MustParseAddr("192.0.2.2")})
	z.Add(dns.RR{Name: "m.test", Type: dns.CNAME, Data: "x\r\nRemote-MTA: y.test"})
	for domain, skip := range map[string]mx.Skip{"evil.test": mx.SkipBadName, "loop.test": mx.SkipLoopback} {
		r, err := f.Lookup(t.Context(), domain)
		assert.Equal(t, "550 5.4.4", reply(err), domain)
		assert.Equal(t, skip, r.Hosts[0].Skip)
	}
	r, err := f.Lookup(t.Context(), "ok.test")
	require.NoError(t, err)
	assert.Equal(t, "xn--tda.test", r.Hosts[0].Name)

	r, err = f.Lookup(t.Context(), "real.test")
	require.NoError(t, err)
	for hop, err := range f.Hops(t.Context(), r) {
		require.NoError(t, err)
		assert.Equal(t, "m.test", hop.Canonical)
		assert.Len(t, hop.Addrs, 1)
	}
}

func TestNullMX(t *testing.T) {
	f, _ := fixed(t, `
null.test MX 0 .
null9.test MX 9 .
mixed.test MX 0 .
mixed.test MX 10 mail.test
nulls.test MX 0 .
nulls.test MX 5 .
`)
	for _, d := range []string{"null.test", "null9.test"} {
		r, err := f.Lookup(t.Context(), d)
		assert.Equal(t, "556 5.1.10", reply(err))
		assert.True(t, r.Null)
		assert.Equal(t, "550 5.7.27", reply(f.CheckSender(t.Context(), d)))
	}
	r, err := f.Lookup(t.Context(), "mixed.test")
	require.NoError(t, err)
	assert.Equal(t, "0 . [null MX beside other records]\n10 mail.test\n", show(r))
	_, err = f.Lookup(t.Context(), "nulls.test")
	assert.Equal(t, "550 5.4.4", reply(err))
}

func TestInvalidTargetsAreSkippedAndReported(t *testing.T) {
	f, z := fixed(t, `
a.test MX 1 192.0.2.1
a.test MX 2 localhost
a.test MX 3 x.localhost
a.test MX 4 under_score.test
a.test MX 5 bad\032name.test
a.test MX 6 GOOD.test
a.test MX 7 good.test
a.test MX 8 ab--cd.test
`)
	z.Add(dns.RR{Name: "a.test", Type: dns.MX, Pref: 9, Data: ""})
	z.Add(dns.RR{Name: "a.test", Type: dns.MX, Pref: 10, Data: "bücher.test"})
	r, err := f.Lookup(t.Context(), "a.test")
	require.NoError(t, err)
	assert.Equal(t, `1 192.0.2.1 [an address in the place of a name]
2 localhost [a name of the loopback interface]
3 x.localhost [a name of the loopback interface]
4 under_score.test
5 bad name.test [not a host name]
6 good.test
7 good.test [listed before]
8 ab--cd.test
9  [not a host name]
10 xn--bcher-kva.test
`, show(r))

	f, _ = fixed(t, `
a.test MX 1 192.0.2.1
b.test MX 30 x.test
b.test MX 10 x.test
`)
	_, err = f.Lookup(t.Context(), "a.test")
	assert.Equal(t, "550 5.4.4", reply(err))
	r, err = f.Lookup(t.Context(), "b.test")
	require.NoError(t, err)
	assert.Equal(t, "10 x.test\n30 x.test [listed before]\n", show(r))
}

func TestOwnHostAndAllFartherAreDropped(t *testing.T) {
	f, _ := fixed(t, `
backup.test MX 10 primary.test
backup.test MX 20 us.test
backup.test MX 20 equal.test
backup.test MX 30 far.test
ours.test   MX 10 us.test
ours.test   MX 10 twin.test
self.test   A 192.0.2.1
`)
	f.Self = func(h mx.Host) bool { return h.Name == "us.test" || h.Name == "self.test" }
	r, err := f.Lookup(t.Context(), "backup.test")
	require.NoError(t, err)
	assert.Equal(t, "10 primary.test\n20 us.test [this host]\n20 equal.test [not nearer than this host]\n30 far.test [not nearer than this host]\n", show(r))
	for _, d := range []string{"ours.test", "self.test"} {
		r, err = f.Lookup(t.Context(), d)
		assert.Equal(t, "554 5.4.6", reply(err), d)
		require.NotNil(t, r)
		assert.NoError(t, f.CheckSender(t.Context(), d))
	}
}

func TestAddressLiterals(t *testing.T) {
	f := &mx.Finder{Resolver: dns.ResolverFunc(nil), SelfAddrs: []netip.Addr{netip.MustParseAddr("192.0.2.99")}}
	for in, want := range map[string]string{"[192.0.2.1]": "192.0.2.1", "[IPv6:2001:DB8::1]": "2001:db8::1"} {
		r, err := f.Lookup(t.Context(), in)
		require.NoError(t, err, in)
		assert.True(t, r.Literal)
		for hop, err := range f.Hops(t.Context(), r) {
			require.NoError(t, err)
			assert.Equal(t, []netip.Addr{netip.MustParseAddr(want)}, hop.Addrs)
		}
	}
	for in, want := range map[string]string{
		"[192.0.2.99]": "554 5.4.6", "[127.0.0.1]": "550 5.1.2", "[IPv6:::1]": "550 5.1.2", "[0.0.0.0]": "550 5.1.2",
		"[nonsense]": "550 5.1.2", "[": "550 5.1.2",
	} {
		_, err := f.Lookup(t.Context(), in)
		assert.Equal(t, want, reply(err), in)
	}
}

func TestInternationalizedAndBadDomains(t *testing.T) {
	f, z := fixed(t, `
xn--bcher-kva.test MX 10 mail.test
under_score.test MX 10 mail.test
`)
	for _, d := range []string{"bücher.test", "BÜCHER.test", "xn--bcher-kva.test", "under_score.test"} {
		_, err := f.Lookup(t.Context(), d)
		assert.NoError(t, err, d)
	}
	n := len(z.Queries())
	for _, d := range []string{"", ".", "a..b", "a b.test", "a\r\nb", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 200)} {
		_, err := f.Lookup(t.Context(), d)
		assert.Equal(t, "550 5.1.2", reply(err), "%q", d)
	}
	assert.Len(t, z.Queries(), n)
}

func TestHostLimit(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "a.test MX %d h%d.test\n", i, i)
	}
	f, _ := fixed(t, b.String())
	r, err := f.Lookup(t.Context(), "a.test")
	require.NoError(t, err)
	assert.Len(t, r.Hosts, 40)
	assert.Empty(t, r.Hosts[15].Skip)
	assert.Equal(t, mx.SkipTooMany, r.Hosts[16].Skip)
}

func TestCheckSender(t *testing.T) {
	f, _ := fixed(t, `
a.test MX 10 m.test
t.test SERVFAIL
lit.test MX 1 192.0.2.1
`)
	assert.NoError(t, f.CheckSender(t.Context(), "a.test"))
	assert.NoError(t, f.CheckSender(t.Context(), "lit.test"))
	assert.Equal(t, "550 5.1.2", reply(f.CheckSender(t.Context(), "none.test")))
	assert.Equal(t, "451 4.4.3", reply(f.CheckSender(t.Context(), "t.test")))
}

func TestErrorText(t *testing.T) {
	e := &mx.Error{Kind: mx.Temporary, Domain: "a\r\n.test", Host: "h", Err: dns.ErrTimeout}
	assert.EqualError(t, e, `mx: "a\r\n.test": host "h": DNS lookup failed: no answer in time`)
	assert.True(t, e.Temporary())
	assert.ErrorIs(t, e, dns.ErrTimeout)
	_, _, text := e.SMTP()
	assert.NotContains(t, text, "no answer")
}
