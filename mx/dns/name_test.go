package dns_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/mx/dns"
)

func TestFoldAndEqualNames(t *testing.T) {
	for in, want := range map[string]string{
		"example.org": "example.org", "Example.ORG.": "example.org", ".": ".", "": "",
		"\u212aelvin.test": "\u212aelvin.test", "\xc0.Test": "\xc0.test",
	} {
		assert.Equal(t, want, dns.Fold(in))
		assert.True(t, dns.EqualNames(in, want))
	}
	assert.False(t, dns.EqualNames("a.test", "b.test"))
	assert.False(t, dns.EqualNames("a.test", "a.test.x"))
	assert.False(t, dns.EqualNames("@", "`"), "only letters have case")
}

func TestReverse(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":        "1.2.0.192.in-addr.arpa",
		"::ffff:192.0.2.1": "1.2.0.192.in-addr.arpa",
		"2001:db8::cafe":   "e.f.a.c." + strings.Repeat("0.", 20) + "8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		assert.Equal(t, want, dns.Reverse(netip.MustParseAddr(in)))
	}
	assert.Empty(t, dns.Reverse(netip.Addr{}))
}

func TestTypeAndRCodeNames(t *testing.T) {
	for _, typ := range []dns.Type{dns.A, dns.AAAA, dns.MX, dns.TXT, dns.PTR, dns.CNAME, dns.NS, dns.SOA, dns.TLSA, 65280} {
		got, ok := dns.ParseType(typ.String())
		assert.True(t, ok)
		assert.Equal(t, typ, got)
	}
	_, ok := dns.ParseType("TYPE65536")
	assert.False(t, ok)
	_, ok = dns.ParseType("a")
	assert.False(t, ok)
	names := []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	for i, want := range names {
		assert.Equal(t, want, dns.RCode(i).String())
	}
	assert.Equal(t, "BADVERS", dns.BadVers.String())
	assert.Equal(t, "RCODE23", dns.RCode(23).String())
}

func TestErrorText(t *testing.T) {
	e := &dns.Error{Name: "a.test", Type: dns.MX, Server: "192.0.2.53:53", RCode: dns.Refused}
	assert.EqualError(t, e, `dns: "a.test" MX: 192.0.2.53:53: REFUSED`)
	assert.False(t, e.Timeout())
	assert.EqualError(t, &dns.Error{Name: "a\r\n", Type: dns.A, Err: dns.ErrTimeout}, `dns: "a\r\n" A: no answer in time`)
}
