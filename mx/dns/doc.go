// Package dns asks the Domain Name System what mail needs to know.
//
// Everything is one interface with one method:
//
//	type Resolver interface {
//		Lookup(ctx context.Context, name string, t Type) (Answer, error)
//	}
//
// A negative answer is an answer: [NXDomain] (the name does not exist) and an
// empty [NoError] (it exists, but has no such record) come back as data, and
// differ, because SPF, DMARC and the choice of an MX treat them differently. An
// error means "could not find out": a timeout, SERVFAIL, REFUSED, a lame server,
// an exhausted budget. Mail is then kept and tried again, never bounced.
//
// # Pieces
//
// The pieces wrap one another, so a server usually writes
//
//		resolver := &dns.Cache{Next: &dns.Client{}}
//
//	  - [Client] is a stub resolver: it asks the servers of resolv.conf (or those it
//	    is given) over UDP with EDNS(0), and over TCP where an answer is truncated.
//	  - [NetResolver] adapts a [*net.Resolver], for systems without resolv.conf.
//	    Its documentation lists what is lost on the way.
//	  - [Cache] keeps answers, positive and negative, for as long as they live, and
//	    asks once when many want the same.
//	  - [Budget] caps the number of queries that one transaction may cause.
//	  - dnstest.Zone is a resolver over a zone file, for tests; it serves UDP and
//	    TCP as well.
//
// # Names
//
// A name is written with or without its final dot and always means the absolute
// name: search lists are never applied. Any octet but the dot may stand in a
// label, since SPF macros make names such as "user+tag.example.org" out of
// addresses; only the lengths are checked (1 to 63 octets in a label, 253 in the
// name). Letters compare without regard to case. An internationalized name has
// to be turned into A-labels first. Names in answers have no final dot, and the
// root is ".".
//
// # Limits and defaults
//
// A Client waits 3 seconds for each try and makes 2 tries with each server; a
// message has at most 65,535 octets; a chain of CNAMEs at most 16 links. A Cache
// holds 10,000 answers of at most 8 KiB. Cancelling the context ends a lookup at
// once, and the error then satisfies errors.Is(err, context.Canceled).
//
// # Concurrency
//
// All resolvers here may be used by several goroutines at once. Their fields must
// not change after the first lookup. Answers may be shared between callers: do
// not change what they hold.
//
// # Standards
//
// RFC 1035 (messages, UDP and TCP), RFC 2181 §5.4.1, §8 (which data to accept, TTL
// range), RFC 2308 (negative answers), RFC 3596 (AAAA), RFC 4033 and RFC 6840 §5.7
// (the AD bit), RFC 5452 (resilience against forged answers), RFC 6891 (EDNS),
// RFC 7766 (TCP).
//
// # Testing
//
// dnstest.Zone stands in for any Resolver, with faults where a test wants them;
// its Start is a server for a Client.
package dns
