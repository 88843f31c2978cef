package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// zone stands for the DNS in the examples; dnstest.New is its form for tests.
func zone(text string) *dnstest.Zone {
	z, err := dnstest.Parse(text)
	if err != nil {
		panic(err)
	}
	return z
}

const published = `
example.org        TXT "v=spf1 mx include:_spf.example.net -all exp=why.example.org"
example.org        MX  10 mail.example.org
mail.example.org   A   192.0.2.25
_spf.example.net   TXT "v=spf1 ip4:198.51.100.0/24 ?all"
why.example.org    TXT "%{i} does not send mail for %{d}"
`

func ExampleChecker() {
	checker := &spf.Checker{Resolver: zone(published)}
	for _, client := range []string{"198.51.100.7", "203.0.113.66"} {
		rep := checker.Check(context.Background(), spf.Request{
			IP: netip.MustParseAddr(client), Hello: "mail.example.org", MailFrom: "ann@example.org", Receiver: "mx.example.com",
		})
		if err := rep.Err(spf.Policy{RejectFail: true}); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(rep.MailFrom.Result, "by", rep.MailFrom.Term)
	}
	// Output:
	// pass by include:_spf.example.net
	// spf: fail for mailfrom example.org
}

func ExampleError() {
	checker := &spf.Checker{Resolver: zone(published)}
	rep := checker.Check(context.Background(), spf.Request{IP: netip.MustParseAddr("203.0.113.66"), Hello: "evil.example", MailFrom: "ann@example.org"})
	err := rep.Err(spf.Policy{RejectFail: true})
	if e, ok := err.(*spf.Error); ok {
		fmt.Println(e.SMTP())
	}
	// Output: 550 5.7.23 SPF MAIL FROM check failed: example.org explains: 203.0.113.66 does not send mail for example.org
}

func ExampleVerdict() {
	checker := &spf.Checker{Resolver: zone(published)}
	v := checker.CheckHost(context.Background(), netip.MustParseAddr("198.51.100.7"), "example.org", "ann@example.org", "mail.example.org")
	fmt.Println(v)
	// Output:
	// example.org: mx: no match
	// example.org: include:_spf.example.net (_spf.example.net): evaluate
	//   _spf.example.net: ip4:198.51.100.0/24: match
	// example.org: include:_spf.example.net: match
	// pass for mailfrom of example.org from 198.51.100.7; lookups: 2 terms, 0 void, 4 queries
}

func ExampleReport() {
	checker := &spf.Checker{Resolver: zone(published)}
	rep := checker.Check(context.Background(), spf.Request{
		IP: netip.MustParseAddr("192.0.2.25"), Hello: "mail.example.org", MailFrom: "ann@example.org", Receiver: "mx.example.com",
	})
	for _, f := range []func() (name, value string){rep.ReceivedSPF, rep.AuthResults("mx.example.com").Field} {
		name, value := f()
		fmt.Println(strings.NewReplacer("\r", "", "\t", "    ").Replace(name + ": " + value))
	}
	// Output:
	// Received-SPF: pass
	//     (mx.example.com: domain of example.org designates 192.0.2.25 as permitted sender)
	//     client-ip=192.0.2.25; envelope-from="ann@example.org";
	//     helo=mail.example.org; receiver=mx.example.com; identity=mailfrom;
	//     mechanism=mx
	// Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=ann@example.org;
	//     spf=none smtp.helo=mail.example.org
}

func ExampleParse() {
	_, err := spf.Parse("v=spf1 ip4:192.0.2.300 a:mail -all")
	if errs, ok := err.(spf.SyntaxErrors); ok {
		for _, e := range errs {
			fmt.Println(e.Offset, e.Term, "-", e.Text)
		}
	}
	// Output:
	// 7 ip4:192.0.2.300 - not an address of this family
	// 23 a:mail - the domain has no valid last label
}

func ExampleRecord() {
	r, _ := spf.Parse("v=spf1 ptr ip4:192.0.2.77/24 +all mx")
	for _, t := range r.Terms {
		fmt.Println(t.Result(), t.Mechanism, t.Prefix.IsValid())
	}
	for _, f := range r.Lint() {
		fmt.Println(f)
	}
	// Output:
	// pass ptr false
	// pass ip4 true
	// pass all false
	// pass mx false
	// "ptr" at octet 7: slow and unreliable, should not be published
	// "ip4:192.0.2.77/24" at octet 11: the address has bits beyond the prefix; 192.0.2.0/24 is meant
	// "+all" at octet 29: lets the whole Internet send mail for the domain
	// "mx" at octet 34: never reached, it stands after all
}

func ExampleRecordCache() {
	z := zone("example.org 3600 TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n")
	checker := &spf.Checker{Resolver: z, Records: new(spf.RecordCache)}
	for range 3 {
		checker.CheckHost(context.Background(), netip.MustParseAddr("192.0.2.1"), "example.org", "ann@example.org", "mail.example.org")
	}
	fmt.Println(len(z.Queries()), "query")
	// Output: 1 query
}
