package dns_test

import (
	"context"
	"net"
	"testing"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// One question over loopback, answered by a Zone, which takes most of the time; by
// a Client, and by net.Resolver for comparison.
func BenchmarkLookup(b *testing.B) {
	addr := dnstest.New(b, "a.test TXT \"v=spf1 -all\"\n").Start(b)
	b.Run("client", func(b *testing.B) {
		c := &dns.Client{Servers: []string{addr}}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Lookup(b.Context(), "a.test", dns.TXT); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net", func(b *testing.B) {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.LookupTXT(b.Context(), "a.test."); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCacheHit(b *testing.B) {
	c := &dns.Cache{Next: dnstest.New(b, "a.test A 192.0.2.1\n")}
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Lookup(ctx, "a.test", dns.A); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
