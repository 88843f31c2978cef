// Spfcheck says what SPF makes of a sender, step by step.
//
//	spfcheck [-zone FILE] IP SENDER [HELO]
//
// It asks the DNS of this system, or the zone file given, for the sender
// ("ann@example.org", or "" for an empty reverse-path) and for the HELO name. The
// exit code is 0 if the mail would be taken by a server that rejects fails, 1 if
// not, 2 if the arguments are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	req, resolver, err := parse(args, errOut)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "spfcheck:", err)
		}
		return 2
	}
	checker := &spf.Checker{Resolver: resolver, Prefetch: 8}
	rep := checker.Check(ctx, req)
	if req.Hello != "" {
		fmt.Fprintf(out, "%s\n\n", rep.Hello)
	}
	if req.MailFrom != "" {
		fmt.Fprintf(out, "%s\n\n", rep.MailFrom)
	}
	printField(out, rep.ReceivedSPF)
	printField(out, rep.AuthResults("spfcheck.example").Field)
	lint(ctx, out, resolver, rep.MailFrom.Domain)
	return answer(out, rep.Err(spf.Policy{RejectFail: true}))
}

// printField prints a header field as it would stand in the message.
func printField(out io.Writer, field func() (name, value string)) {
	name, value := field()
	fmt.Fprintf(out, "%s: %s\n", name, strings.ReplaceAll(value, "\r\n", "\n"))
}

// parse reads the command line.
func parse(args []string, errOut io.Writer) (req spf.Request, resolver dns.Resolver, err error) {
	flags := flag.NewFlagSet("spfcheck", flag.ContinueOnError)
	flags.SetOutput(errOut)
	zone := flags.String("zone", "", "answer from this zone `file` instead of the DNS")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: spfcheck [-zone file] ip sender [helo]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return req, nil, err
	}
	if flags.NArg() < 2 || flags.NArg() > 3 {
		flags.Usage()
		return req, nil, flag.ErrHelp
	}
	if req.IP, err = netip.ParseAddr(flags.Arg(0)); err != nil {
		return req, nil, err
	}
	req.MailFrom, req.Hello = flags.Arg(1), flags.Arg(2)
	if *zone == "" {
		return req, &dns.Cache{Next: &dns.Client{}}, nil
	}
	text, err := os.ReadFile(*zone)
	if err != nil {
		return req, nil, err
	}
	resolver, err = dnstest.Parse(string(text))
	return req, resolver, err
}

// lint tells the publisher of the sender's domain what to change.
func lint(ctx context.Context, out io.Writer, resolver dns.Resolver, domain string) {
	a, err := resolver.Lookup(ctx, domain, dns.TXT)
	if err != nil {
		return
	}
	for _, rr := range a.RRs {
		if !spf.Is(rr.Data) {
			continue
		}
		r, err := spf.Parse(rr.Data)
		var faults spf.SyntaxErrors
		if errors.As(err, &faults) {
			for _, f := range faults {
				fmt.Fprintln(out, "error:", f)
			}
		}
		for _, f := range r.Lint() {
			fmt.Fprintln(out, "advice:", f)
		}
	}
}

// answer prints what a server would reply.
func answer(out io.Writer, err error) int {
	var refused *spf.Error
	if !errors.As(err, &refused) {
		fmt.Fprintln(out, "reply: 250 2.1.0 ok")
		return 0
	}
	code, enhanced, text := refused.SMTP()
	fmt.Fprintln(out, "reply:", code, enhanced, text)
	return 1
}
