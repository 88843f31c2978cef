package dns_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// zone stands for the DNS in the examples; dnstest.New is its form for tests.
func zone(text string) *dnstest.Zone {
	z, err := dnstest.Parse(text)
	if err != nil {
		panic(err)
	}
	return z
}

func ExampleResolver() {
	var r dns.Resolver = zone(`
example.org      MX 10 mail.example.org
broken.example   SERVFAIL
`)
	for _, name := range []string{"example.org", "mail.example.org", "no.example", "broken.example"} {
		a, err := r.Lookup(context.Background(), name, dns.MX)
		switch {
		case err != nil:
			fmt.Println(name, "could not find out:", err)
		case len(a.RRs) == 0:
			fmt.Println(name, "has none:", a.RCode)
		default:
			fmt.Println(name, a.RRs[0].Pref, a.RRs[0].Data)
		}
	}
	// Output:
	// example.org 10 mail.example.org
	// mail.example.org has none: NXDOMAIN
	// no.example has none: NXDOMAIN
	// broken.example could not find out: dns: "broken.example" MX: SERVFAIL
}

func ExampleClient() {
	// Here a loopback server answers; without Servers it is that of resolv.conf.
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	addr, _, err := zone(`
www.example.org 300 CNAME web.example.org
web.example.org 60 A 192.0.2.80
`).Serve(ctx)
	if err != nil {
		panic(err)
	}

	client := &dns.Client{Servers: []string{addr}}
	a, err := client.Lookup(ctx, "www.example.org", dns.A)
	fmt.Println(a.RRs[0].Addr, a.CNAMEs, a.TTL, err)
	// Output: 192.0.2.80 [web.example.org] 1m0s <nil>
}

func ExampleCache() {
	z := zone(`example.org A 192.0.2.1`)
	cache := &dns.Cache{Next: z}
	for range 3 {
		_, _ = cache.Lookup(context.Background(), "example.org", dns.A)
	}
	fmt.Println(len(z.Queries()), "query")
	// Output: 1 query
}

func ExampleBudget() {
	forOneMail := dns.Budget(zone(`*.example A 192.0.2.1`), 2)
	for i := range 3 {
		_, err := forOneMail.Lookup(context.Background(), fmt.Sprintf("host%d.example", i), dns.A)
		fmt.Println(errors.Is(err, dns.ErrBudget))
	}
	// Output:
	// false
	// false
	// true
}

func ExampleNetResolver() {
	// For a system without resolv.conf. A plus sign is beyond it, and it says so.
	_, err := dns.NetResolver{}.Lookup(context.Background(), "ann+news.example.org", dns.A)
	fmt.Println(errors.Is(err, dns.ErrUnsupported))
	// Output: true
}

func ExampleReverse() {
	a, _ := zone(`1.2.0.192.in-addr.arpa PTR mail.example.org`).Lookup(context.Background(), "1.2.0.192.in-addr.arpa", dns.PTR)
	fmt.Println(a.RRs[0].Data)
	// Output: mail.example.org
}
