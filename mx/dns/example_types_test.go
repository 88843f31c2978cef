package dns_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/mx/dns"
)

func ExampleAnswer() {
	z := zone("www.example.org 60 CNAME web.example.org\nweb.example.org 300 A 192.0.2.80\n")
	a, err := z.Lookup(context.Background(), "www.example.org", dns.A)
	fmt.Println(len(a.RRs), a.Canonical("www.example.org"), a.TTL, err)
	a, err = z.Lookup(context.Background(), "www.example.org", dns.MX)
	fmt.Println(len(a.RRs), a.RCode, err) // a negative answer is no error
	// Output:
	// 1 web.example.org 1m0s <nil>
	// 0 NOERROR <nil>
}

func ExampleRR() {
	z := zone(`
example.org MX 10 mail.example.org
example.org TXT "v=spf1 " "-all"
`)
	for _, t := range []dns.Type{dns.MX, dns.TXT} {
		a, _ := z.Lookup(context.Background(), "example.org", t)
		for _, rr := range a.RRs {
			fmt.Printf("%v %d %q\n", rr.Type, rr.Pref, rr.Data)
		}
	}
	// Output:
	// MX 10 "mail.example.org"
	// TXT 0 "v=spf1 -all"
}

func ExampleRCode() {
	z := zone("mail.example.org A 192.0.2.1")
	for _, name := range []string{"example.org", "example.net"} {
		a, _ := z.Lookup(context.Background(), name, dns.A)
		fmt.Println(name, a.RCode, a.RCode == dns.NXDomain)
	}
	// Output:
	// example.org NOERROR false
	// example.net NXDOMAIN true
}

func ExampleType() {
	t, ok := dns.ParseType("AAAA")
	fmt.Println(uint16(t), ok, dns.TLSA, dns.Type(65280))
	// Output: 28 true TLSA TYPE65280
}

func ExampleError() {
	_, err := zone("example.org REFUSED").Lookup(context.Background(), "example.org", dns.MX)
	var e *dns.Error
	if errors.As(err, &e) {
		fmt.Println(e.RCode, e.Temporary())
		fmt.Println(e.SMTP())
	}
	// Output:
	// REFUSED true
	// 451 4.4.3 DNS lookup failed, try again later
}

func ExampleResolverFunc() {
	z := zone("example.org A 192.0.2.1")
	logged := dns.ResolverFunc(func(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
		a, err := z.Lookup(ctx, name, t)
		fmt.Println(name, t, len(a.RRs), err)
		return a, err
	})
	_, _ = logged.Lookup(context.Background(), "example.org", dns.A)
	// Output: example.org A 1 <nil>
}
