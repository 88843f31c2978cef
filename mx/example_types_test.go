package mx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// finder stands for one over the real DNS.
func finder(zone string) *mx.Finder {
	z, err := dnstest.Parse(zone)
	if err != nil {
		panic(err)
	}
	return &mx.Finder{Resolver: z}
}

func ExampleHost() {
	f := finder("example.org MX 10 mx1\nexample.org MX 5 MX2.Example.NET\n")
	route, _ := f.Lookup(context.Background(), "example.org")
	h := route.Hosts[0]
	fmt.Println(h.Name, h.Pref, h.Skip == "")
	// Output: mx2.example.net 5 true
}

func ExampleSkip() {
	f := finder("example.org MX 10 mail.example.org\nexample.org MX 20 192.0.2.9\n")
	f.Self = func(h mx.Host) bool { return h.Name == "mail.example.org" }
	route, err := f.Lookup(context.Background(), "example.org")
	for _, h := range route.Hosts {
		fmt.Println(h.Name+":", h.Skip)
	}
	fmt.Println(err)
	// Output:
	// mail.example.org: this host
	// 192.0.2.9: an address in the place of a name
	// mx: "example.org": host "mail.example.org": mail would loop back to us
}

func ExampleHop() {
	f := finder("example.org A 192.0.2.1\nexample.org AAAA 2001:db8::1\n")
	route, err := f.Lookup(context.Background(), "example.org") // no MX: the domain itself
	if err != nil {
		fmt.Println(err)
		return
	}
	for hop, err := range f.Hops(context.Background(), route) {
		fmt.Println(route.Implicit, hop.Host.Name, hop.Addrs, err)
	}
	// Output: true example.org [2001:db8::1 192.0.2.1] <nil>
}

func ExampleKind() {
	f := finder("broken.example SERVFAIL\nnull.example MX 0 .\n")
	for _, domain := range []string{"broken.example", "null.example", "no.example"} {
		_, err := f.Lookup(context.Background(), domain)
		var e *mx.Error
		if errors.As(err, &e) {
			fmt.Println(domain+":", e.Kind, e.Kind == mx.Temporary)
		}
	}
	// Output:
	// broken.example: DNS lookup failed true
	// null.example: domain takes no mail false
	// no.example: no such domain false
}
