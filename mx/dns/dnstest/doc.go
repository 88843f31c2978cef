// Package dnstest is a DNS for tests: a zone, written as a zone file, that
// answers without a network, fails where it is told to, and remembers what it was
// asked.
//
//	zone := dnstest.New(t, `
//	$ORIGIN example.org.
//	@     MX  10 mail
//	@     TXT "v=spf1 mx -all"
//	mail  A   192.0.2.1
//	slow  DELAY 20ms
//	slow  A   192.0.2.2
//	dead  TIMEOUT
//	odd   SERVFAIL TXT
//	*.w   A   192.0.2.3
//	`)
//	checker := &spf.Checker{Resolver: zone}
//
// A [Zone] is a dns.Resolver. [Zone.Start] serves the same data on a loopback
// port over UDP and TCP, for a dns.Client, a [*net.Resolver] or another program.
//
// # Zone files
//
// The format is that of RFC 1035 §5: records of the types A, AAAA, MX, TXT, PTR,
// CNAME, NS and SOA, $ORIGIN and $TTL, comments after ";", parentheses, quoted
// strings with \" and \DDD, "@", and an owner left out to repeat the last one.
// Any other type is written TYPE52 \# 4 01020304 (RFC 3597 §5); types may be in small
// letters, and a TTL may have a unit, as in 2h. The origin is the root at first, so
// names need no final dot until it is changed. A name "*" answers for what does not
// exist below it (RFC 4592 §3.3.1).
//
// In the place of a type a fault may stand. Types after it restrict it to them;
// it goes before any records that the name may have.
//
//	SERVFAIL, REFUSED, FORMERR, NOTIMP   that response code
//	TIMEOUT       no answer; the in-memory resolver says so without waiting
//	LAME          an answer that knows nothing
//	TRUNCATE      over UDP a truncated answer, the whole one over TCP
//	DELAY 20ms    the answer comes that much later, or the context ends first
//
// A negative answer lives as long as the closest SOA says, five minutes if there
// is none. A Zone may be used by several goroutines once it is complete.
package dnstest
