package spf_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// answers is a resolver that costs next to nothing: answers out of a map.
type answers map[question]dns.Answer

type question struct {
	name string
	typ  dns.Type
}

func (a answers) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	if v, ok := a[question{name, t}]; ok {
		return v, nil
	}
	return dns.Answer{RCode: dns.NXDomain}, nil
}

// frozen answers from a zone what a check of sender asks.
func frozen(b *testing.B, z *dnstest.Zone, sender string) answers {
	all := answers{}
	c := &spf.Checker{Resolver: dns.ResolverFunc(func(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
		a, err := z.Lookup(ctx, name, t)
		all[question{name, t}] = a
		return a, err
	})}
	_, domain, _ := strings.Cut(sender, "@")
	c.CheckHost(b.Context(), netip.MustParseAddr("192.0.2.1"), domain, sender, "h.test")
	return all
}

var benchmarks = []struct{ name, zone string }{
	{"ip4", `a.test TXT "v=spf1 ip4:192.0.2.0/24 -all"`},
	{"includes", includes()},
	{"mx10", `
a.test TXT "v=spf1 mx -all"
` + manyRecords(10, `
a.test MX %[1]d m%[1]d.test
m%[1]d.test A 203.0.113.%[1]d
`)},
	{"ptr", `
a.test TXT "v=spf1 ptr -all"
1.2.0.192.in-addr.arpa PTR m.a.test
m.a.test A 192.0.2.1
`},
	{"exists", `
a.test TXT "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d2} -all"
1.2.0.192.x._spf.a.test A 127.0.0.2
`},
	{"exp", `
a.test TXT "v=spf1 -all exp=w.test"
w.test TXT "%{i} is not one of %{o}"
`},
}

func BenchmarkCheckHost(b *testing.B) {
	ip := netip.MustParseAddr("192.0.2.1")
	for _, c := range benchmarks {
		r := frozen(b, dnstest.New(b, c.zone), "x@a.test")
		for name, checker := range map[string]*spf.Checker{"plain": {Resolver: r}, "records": {Resolver: r, Records: new(spf.RecordCache)}} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					checker.CheckHost(ctx, ip, "a.test", "x@a.test", "h.test")
				}
			})
		}
	}
}

func BenchmarkCheckHostParallel(b *testing.B) {
	checker := &spf.Checker{Resolver: frozen(b, dnstest.New(b, includes()), "x@a.test")}
	ip := netip.MustParseAddr("192.0.2.1")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			checker.CheckHost(context.Background(), ip, "a.test", "x@a.test", "h.test")
		}
	})
}

// The wall time of eight includes, an a and an mx, with 20 ms for each answer.
func BenchmarkLatency(b *testing.B) {
	for name, n := range map[string]int{"serial": 0, "prefetch": 8} {
		b.Run(name, func(b *testing.B) {
			z := dnstest.New(b, includes())
			z.Delay = 20 * time.Millisecond
			checker := &spf.Checker{Resolver: z, Prefetch: n}
			for b.Loop() {
				checker.CheckHost(context.Background(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := "v=spf1" + strings.Repeat(" ip4:192.0.2.0/24 include:_spf.example.org a:%{d2}.example.org/24 ~mx", 50) + " -all"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := spf.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
