package spfbench

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	blitiri "blitiri.com.ar/go/spf"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/spf"
)

// slow is memory with a network in front of it: 20 ms for each answer.
type slow struct{ *memory }

func (s slow) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	time.Sleep(20 * time.Millisecond)
	return s.memory.Lookup(ctx, name, t)
}

func (s slow) LookupTXT(ctx context.Context, name string) ([]string, error) {
	time.Sleep(20 * time.Millisecond)
	return s.memory.LookupTXT(ctx, name)
}

func (s slow) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	time.Sleep(20 * time.Millisecond)
	return s.memory.LookupMX(ctx, name)
}

func (s slow) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	time.Sleep(20 * time.Millisecond)
	return s.memory.LookupIPAddr(ctx, name)
}

// BenchmarkLatency is the wall time of a check with five includes, an a and an mx.
func BenchmarkLatency(b *testing.B) {
	m := slow{load(b)}
	ctx := context.Background()
	for _, c := range []struct {
		name     string
		prefetch int
	}{{"postilion/serial", 0}, {"postilion/prefetch", 8}} {
		b.Run(c.name, func(b *testing.B) {
			checker := &spf.Checker{Resolver: m, Prefetch: c.prefetch}
			for b.Loop() {
				if v := checker.CheckHost(ctx, netip.MustParseAddr("192.0.2.1"), "inc.test", "ann@inc.test", "helo.test"); v.Result != spf.Pass {
					b.Fatal(v)
				}
			}
		})
	}
	b.Run("blitiri", func(b *testing.B) {
		for b.Loop() {
			r, err := blitiri.CheckHostWithSender(net.ParseIP("192.0.2.1").To4(), "helo.test", "ann@inc.test", blitiri.WithResolver(m), blitiri.WithContext(ctx))
			if r != blitiri.Pass {
				b.Fatal(r, err)
			}
		}
	})
}
