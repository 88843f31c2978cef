// Mxlookup prints where the mail for a domain goes: the route, with the hosts that
// are left out and why, and the addresses in the order in which they are dialled.
//
//	mxlookup [-zone FILE] DOMAIN
//
// It asks the DNS of this system, or the zone file given. The exit code is 0 if
// there is an address to dial, 1 if not, 2 if the arguments are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	domain, resolver, err := parse(args, errOut)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "mxlookup:", err)
		}
		return 2
	}
	finder := &mx.Finder{Resolver: resolver}
	route, err := finder.Lookup(ctx, domain)
	if route != nil {
		printRoute(out, route)
	}
	if err != nil {
		printError(out, err)
		return 1
	}
	return plan(ctx, out, finder, route)
}

// parse reads the command line.
func parse(args []string, errOut io.Writer) (domain string, resolver dns.Resolver, err error) {
	flags := flag.NewFlagSet("mxlookup", flag.ContinueOnError)
	flags.SetOutput(errOut)
	zone := flags.String("zone", "", "answer from this zone `file` instead of the DNS")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: mxlookup [-zone file] domain")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return "", nil, flag.ErrHelp
	}
	if *zone == "" {
		return flags.Arg(0), &dns.Cache{Next: &dns.Client{}}, nil
	}
	text, err := os.ReadFile(*zone)
	if err != nil {
		return "", nil, err
	}
	resolver, err = dnstest.Parse(string(text))
	return flags.Arg(0), resolver, err
}

func printRoute(out io.Writer, r *mx.Route) {
	switch {
	case r.Implicit:
		fmt.Fprintf(out, "%s has no MX record, the mail goes to its own address\n", r.Domain)
	case r.Literal:
		fmt.Fprintf(out, "%s is an address\n", r.Domain)
	default:
		fmt.Fprintf(out, "mail hosts of %s\n", r.Domain)
	}
	for _, alias := range r.CNAMEs {
		fmt.Fprintf(out, "  is an alias for %s\n", printable(alias))
	}
	for _, h := range r.Hosts {
		fmt.Fprintf(out, "  %5d %s", h.Pref, printable(h.Name))
		if h.Skip != "" {
			fmt.Fprintf(out, ": left out, %s", h.Skip)
		}
		fmt.Fprintln(out)
	}
}

// printable quotes a name of the DNS that could do something to a terminal.
func printable(name string) string {
	if quoted := strconv.QuoteToASCII(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// plan prints the addresses in the order of dialling.
func plan(ctx context.Context, out io.Writer, finder *mx.Finder, route *mx.Route) int {
	fmt.Fprintln(out, "dial in this order")
	code, n := 1, 0
	for hop, err := range finder.Hops(ctx, route) {
		if err != nil {
			printError(out, err)
			continue
		}
		for _, ip := range hop.Addrs {
			n++
			code = 0
			fmt.Fprintf(out, "  %5d %v (%s)\n", n, ip, hop.Host.Name)
		}
	}
	return code
}

// printError tells the reason, and the reply that a sender would get.
func printError(out io.Writer, err error) {
	fmt.Fprintln(out, "        "+err.Error())
	var reply interface {
		SMTP() (code int, enhanced, text string)
	}
	if errors.As(err, &reply) {
		code, enhanced, text := reply.SMTP()
		fmt.Fprintln(out, "        reply:", code, enhanced, text)
	}
}
