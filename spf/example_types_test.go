package spf_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/postilion-mail/postilion/spf"
)

// forger is a client that the record of example.org does not name.
var forger = spf.Request{
	IP: netip.MustParseAddr("203.0.113.66"), Hello: "evil.example", MailFrom: "ann@example.org", Receiver: "mx.example.com",
}

func ExampleRequest() {
	rep := (&spf.Checker{Resolver: zone(published)}).Check(context.Background(), spf.Request{
		IP:       netip.MustParseAddr("192.0.2.25"),
		Hello:    "mail.example.org",
		MailFrom: "", // a bounce: the name in HELO is all there is to check
	})
	fmt.Println(rep.MailFrom.Sender, rep.MailFrom.Result)
	// Output: postmaster@mail.example.org none
}

func ExamplePolicy() {
	rep := (&spf.Checker{Resolver: zone(published)}).Check(context.Background(), forger)
	fmt.Println(rep.Err(spf.Policy{})) // takes all mail
	fmt.Println(rep.Err(spf.Policy{RejectFail: true}))
	// Output:
	// <nil>
	// spf: fail for mailfrom example.org
}

func ExampleResult() {
	checker := &spf.Checker{Resolver: zone(`soft.example TXT "v=spf1 ~all"`)}
	v := checker.CheckHost(context.Background(), forger.IP, "soft.example", "ann@soft.example", "evil.example")
	switch v.Result {
	case spf.Fail:
		fmt.Println("refuse")
	case spf.SoftFail:
		fmt.Println("mark")
	}
	// Output: mark
}

func ExampleLimits() {
	checker := &spf.Checker{Resolver: zone(published), Limits: spf.Limits{Queries: 2}}
	v := checker.CheckHost(context.Background(), forger.IP, "example.org", "ann@example.org", "evil.example")
	fmt.Println(v.Result, errors.Is(v.Err, spf.ErrQueries))
	// Output: permerror true
}

func ExampleStep() {
	v := (&spf.Checker{Resolver: zone(published)}).Check(context.Background(), forger).MailFrom
	for _, s := range v.Steps {
		fmt.Println(s.Depth, s.Term, s.Outcome, s.Queries)
	}
	// Output:
	// 0 mx no match 3
	// 0 include:_spf.example.net evaluate 3
	// 1 ip4:198.51.100.0/24 no match 4
	// 1 ?all match 4
	// 0 include:_spf.example.net no match 4
	// 0 -all match 4
}

func ExampleTerm() {
	r, err := spf.Parse("v=spf1 a:mail.example.org/28//64 ?exists:%{i}.list.example -all")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range r.Terms {
		t := &r.Terms[i]
		fmt.Println(t.Mechanism, t.Domain, t.Bits4, t.Bits6, t.Result())
	}
	// Output:
	// a mail.example.org 28 64 pass
	// exists %{i}.list.example 32 128 neutral
	// all  32 128 fail
}

func ExampleFinding() {
	r, _ := spf.Parse("v=spf1 ip4:10.0.0.1 ?all")
	for _, f := range r.Lint() {
		fmt.Println(f.Offset, f.Term, "-", f.Text)
	}
	// Output: 7 ip4:10.0.0.1 - not an address that mail comes from over the Internet
}

func ExampleSyntaxErrors() {
	_, err := spf.Parse("v=spf1 ip5:192.0.2.1 +exp=x.example -all")
	fmt.Println(err)
	var first *spf.SyntaxError
	fmt.Println(errors.As(err, &first), first.Offset)
	// Output:
	// spf: "ip5:192.0.2.1" at octet 7: no such mechanism; spf: "+exp=x.example" at octet 21: a modifier takes no qualifier
	// true 7
}

func ExampleModifier() {
	r, _ := spf.Parse("v=spf1 redirect=_spf.example.net")
	fmt.Println(r.Redirect.Name, r.Redirect.Value, r.Exp.Text == "")
	// Output: redirect _spf.example.net true
}

func ExampleIdentity() {
	report := (&spf.Checker{Resolver: zone(published)}).Check(context.Background(), forger)
	for _, v := range []spf.Verdict{report.Hello, report.MailFrom} {
		fmt.Println(v.Identity, v.Result)
	}
	// Output:
	// helo none
	// mailfrom fail
}

func ExampleMechanism() {
	r, err := spf.Parse("v=spf1 mx include:_spf.example.net -all")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range r.Terms {
		fmt.Println(t.Mechanism, t.Mechanism == spf.All)
	}
	// Output:
	// mx false
	// include false
	// all true
}

func ExampleOutcome() {
	v := (&spf.Checker{Resolver: zone(published)}).Check(context.Background(), forger).MailFrom
	last := v.Steps[len(v.Steps)-1]
	fmt.Println(last.Outcome, last.Outcome == spf.Match)
	// Output: match true
}

func ExampleSyntaxError() {
	_, err := spf.Parse("v=spf1 ip4:300.1.2.3 -all")
	if all, ok := errors.AsType[spf.SyntaxErrors](err); ok {
		fmt.Println(len(all), all[0].Offset, all[0].Term)
	}
	// Output: 1 7 ip4:300.1.2.3
}
