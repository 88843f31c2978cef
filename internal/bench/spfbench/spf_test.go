// Package spfbench measures SPF checks beside blitiri.com.ar/go/spf.
//
// Both sides ask the same records, held in memory in the form that each side's
// resolver returns, so that what is measured is parsing and evaluating. Before
// anything is measured both have to come to the same result.
package spfbench

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	blitiri "blitiri.com.ar/go/spf"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

const zone = `
plain.test    TXT "v=spf1 ip4:192.0.2.0/24 -all"

inc.test      TXT "v=spf1 include:i1.test include:i2.test include:i3.test include:i4.test include:i5.test a mx -all"
i1.test       TXT "v=spf1 ip4:198.51.100.0/25 ip4:198.51.100.128/26 ip6:2001:db8:1::/48 ~all"
i2.test       TXT "v=spf1 ip4:198.51.101.0/25 ip4:198.51.101.128/26 ip6:2001:db8:2::/48 ~all"
i3.test       TXT "v=spf1 ip4:198.51.102.0/25 ip4:198.51.102.128/26 ip6:2001:db8:3::/48 ~all"
i4.test       TXT "v=spf1 ip4:198.51.103.0/25 ip4:198.51.103.128/26 ip6:2001:db8:4::/48 ~all"
i5.test       TXT "v=spf1 ip4:198.51.104.0/25 ip4:198.51.104.128/26 ip6:2001:db8:5::/48 ~all"
inc.test      A   203.0.113.1
inc.test      MX  10 mx.inc.test
mx.inc.test   A   192.0.2.1

macro.test    TXT "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d2} -all"
1.2.0.192.ann._spf.macro.test  A 127.0.0.2
`

// cases are the senders to check, all from 192.0.2.1 and all to pass.
var cases = []struct{ name, sender string }{
	{"ip4", "ann@plain.test"},
	{"includes", "ann@inc.test"},
	{"exists", "ann@macro.test"},
}

// memory holds the zone in the form of either side.
type memory struct {
	answers map[question]dns.Answer
	txt     map[string][]string
	mx      map[string][]*net.MX
	ip      map[string][]net.IPAddr
}

type question struct {
	name string
	typ  dns.Type
}

func load(tb testing.TB) *memory {
	z := dnstest.New(tb, zone)
	m := &memory{answers: map[question]dns.Answer{}, txt: map[string][]string{}, mx: map[string][]*net.MX{}, ip: map[string][]net.IPAddr{}}
	for line := range strings.Lines(zone) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		name := f[0]
		for _, t := range []dns.Type{dns.A, dns.AAAA, dns.MX, dns.TXT} {
			a, err := z.Lookup(context.Background(), name, t)
			if err != nil {
				tb.Fatal(err)
			}
			m.answers[question{name, t}] = a
		}
		m.txt[name], m.mx[name], m.ip[name] = nil, nil, nil
		for _, rr := range m.answers[question{name, dns.TXT}].RRs {
			m.txt[name] = append(m.txt[name], rr.Data)
		}
		for _, rr := range m.answers[question{name, dns.MX}].RRs {
			m.mx[name] = append(m.mx[name], &net.MX{Host: rr.Data, Pref: rr.Pref})
		}
		for _, rr := range m.answers[question{name, dns.A}].RRs {
			m.ip[name] = append(m.ip[name], net.IPAddr{IP: rr.Addr.AsSlice()})
		}
	}
	return m
}

func (m *memory) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	a, ok := m.answers[question{name, t}]
	if !ok {
		return dns.Answer{RCode: dns.NXDomain}, nil
	}
	return a, nil
}

var errNotFound = &net.DNSError{Err: "no such host", IsNotFound: true}

func (m *memory) LookupTXT(_ context.Context, name string) ([]string, error) {
	if v := m.txt[name]; v != nil {
		return v, nil
	}
	return nil, errNotFound
}

func (m *memory) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if v := m.mx[name]; v != nil {
		return v, nil
	}
	return nil, errNotFound
}

func (m *memory) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	if v := m.ip[name]; v != nil {
		return v, nil
	}
	return nil, errNotFound
}

func (m *memory) LookupAddr(context.Context, string) ([]string, error) { return nil, errNotFound }

func BenchmarkCheck(b *testing.B) {
	m := load(b)
	ctx := context.Background()
	for _, c := range cases {
		_, domain, _ := strings.Cut(c.sender, "@")
		b.Run(c.name+"/postilion", func(b *testing.B) {
			checker := &spf.Checker{Resolver: m}
			ip := netip.MustParseAddr("192.0.2.1")
			if v := checker.CheckHost(ctx, ip, domain, c.sender, "helo.test"); v.Result != spf.Pass {
				b.Fatal(v)
			}
			b.ReportAllocs()
			for b.Loop() {
				checker.CheckHost(ctx, ip, domain, c.sender, "helo.test")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
		b.Run(c.name+"/blitiri", func(b *testing.B) {
			ip := net.ParseIP("192.0.2.1").To4()
			check := func() (blitiri.Result, error) {
				return blitiri.CheckHostWithSender(ip, "helo.test", c.sender, blitiri.WithResolver(m), blitiri.WithContext(ctx))
			}
			if r, err := check(); r != blitiri.Pass {
				b.Fatal(r, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = check()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
	}
}
