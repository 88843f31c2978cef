package dns_test

import (
	"testing"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

func BenchmarkClient(b *testing.B) {
	z := dnstest.New(b, `a.test A 192.0.2.1`)
	c := &dns.Client{Servers: []string{z.Start(b)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Lookup(b.Context(), "a.test", dns.A); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := &dns.Cache{Next: dnstest.New(b, `a.test A 192.0.2.1`)}
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
