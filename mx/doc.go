// Package mx finds out where the mail for a domain goes (RFC 5321 §5).
//
//	finder := &mx.Finder{Resolver: &dns.Cache{Next: &dns.Client{}}}
//
//	route, err := finder.Lookup(ctx, "example.org")
//	if err != nil {
//		return err // carries the reply for the bounce, or 451 to try again
//	}
//	for hop, err := range finder.Hops(ctx, route) {
//		// dial hop.Addrs, in this order; stop at the first that takes the mail
//	}
//
// [Finder.Lookup] gives a [Route]: the mail hosts of the domain in the order in
// which to try them, and those that it leaves out, with the reason. [Finder.Hops]
// walks along a route and looks up addresses when it gets there, so that a domain
// with twenty backup hosts costs no more than its first one, as long as that works.
//
// # What is settled here
//
//   - Hosts of equal preference are tried in random order (RFC 5321 §5.1).
//   - The domain itself is the host only if it has no MX record, never because
//     the lookup failed: that is an error to try again after.
//   - A null MX means that the domain takes no mail (RFC 7505). Beside other
//     records "." is ignored.
//   - A target that is no usable name is left out, and the rest is used.
//   - If this host is among the mail hosts, it and all of the same or a higher
//     preference number are left out; mail would go in circles (RFC 5321 §5.1).
//     [Finder.Self] knows this host by name, [Finder.SelfAddrs] by address.
//   - Loopback, link-local, multicast and unspecified addresses are not dialled,
//     unless [Finder.Allow] says so: no domain may send our mail back to us, or
//     into the services of this machine.
//   - Addresses of both families alternate, so that a limit on their number or a
//     broken family never shuts the other out. No address is tried twice.
//   - Address literals ("[192.0.2.1]") and internationalized names are domains
//     too.
//
// # Errors
//
// Each [*Error] carries its SMTP reply: 5.1.2 for a domain that does not exist or
// has nowhere to send to, 5.1.10 for a null MX, 5.4.4 for mail hosts without an
// address, 5.4.6 for a loop, and 4.4.3 whenever the DNS did not answer. Err keeps
// the cause.
//
// # Limits and defaults
//
// 16 mail hosts of a domain, 8 addresses of a host. Lookups end with the context;
// the Resolver sets the time for each.
//
// # Concurrency
//
// A Finder may be used by several goroutines at once; its fields must not change
// after the first use. A Route is plain data and may be kept for its TTL.
//
// # Choices
//
// A Route is also returned with the errors NullMX, Loop and NoHost, to show what
// was found. Hop says whether DNSSEC vouches for the host's addresses and what its
// canonical name is, which DANE will need (RFC 7672 §2.2.2).
//
// # Standards
//
// RFC 5321 §5 and §2.3.5, RFC 7505, RFC 2181 §10.3, RFC 5891 (through internal
// IDNA), RFC 3463 and RFC 7505 for the enhanced codes.
//
// # Testing
//
// Give the Finder a dnstest.Zone and a Rand that is not random.
package mx
