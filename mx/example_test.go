package mx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

func ExampleFinder() {
	zone, err := dnstest.Parse(`
example.org   MX 10 mail.example.org
example.org   MX 20 backup.example.net
example.org   MX 30 192.0.2.99          ; not a name
mail.example.org    A    192.0.2.1
mail.example.org    AAAA 2001:db8::1
backup.example.net  SERVFAIL
`)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	finder := &mx.Finder{Resolver: zone}
	route, err := finder.Lookup(ctx, "example.org")
	if err != nil {
		panic(err)
	}
	for hop, err := range finder.Hops(ctx, route) {
		if err != nil {
			fmt.Println(hop.Host.Name, "cannot be reached now")
			continue
		}
		fmt.Println(hop.Host.Name, hop.Addrs)
	}
	// Output:
	// mail.example.org [2001:db8::1 192.0.2.1]
	// backup.example.net cannot be reached now
}

func ExampleRoute() {
	zone, err := dnstest.Parse(`
example.org MX 10 mail.example.org
example.org MX 5 localhost
`)
	if err != nil {
		panic(err)
	}
	route, _ := (&mx.Finder{Resolver: zone}).Lookup(context.Background(), "example.org")
	for _, h := range route.Hosts {
		fmt.Printf("%d %s %s\n", h.Pref, h.Name, h.Skip)
	}
	// Output:
	// 5 localhost a name of the loopback interface
	// 10 mail.example.org
}

func ExampleError() {
	zone, err := dnstest.Parse(`null.example MX 0 .`)
	if err != nil {
		panic(err)
	}
	_, err = (&mx.Finder{Resolver: zone}).Lookup(context.Background(), "null.example")
	var e *mx.Error
	if errors.As(err, &e) {
		fmt.Println(e.SMTP())
	}
	// Output: 556 5.1.10 domain takes no mail
}
