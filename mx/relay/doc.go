// Package relay is the delivery agent towards other hosts: it finds the mail
// hosts of each recipient's domain and sends the message to the first that
// takes it.
//
//	agent := &relay.Relay{
//		Finder: &mx.Finder{Resolver: &dns.Cache{Next: &dns.Client{}}},
//		Client: &smtp.Client{LocalName: "mail.crepes.fr"},
//	}
//	runner := spool.Runner{Store: store, Deliver: agent.Deliver}
//
// [Relay.Deliver] is an smtp.DeliverFunc, as the queue and smtp.Mux call it. To
// send everything through one smarthost no relay is needed: that is
// smtp.Client.Deliver.
//
// # What is settled here
//
//   - Recipients are grouped by domain; groups go out side by side, eight at a
//     time, each recipient with a result of his own.
//   - Hosts are tried in the order of the route. The addresses of a host are
//     dialled a quarter of a second apart, both families in turn, and the first
//     that answers is taken (RFC 8305 §5).
//   - A host that cannot be reached, greets with a refusal, or fails in TLS is
//     passed over. What a host refuses for good in the dialogue is final
//     (RFC 5321 §5.1), unless it lacks an extension that the message needs; for
//     that, and for what it refuses for now, the next host is asked too, with
//     Sessions as the limit. A message whose fate is not known is not sent
//     to another host in the same attempt.
//   - Nothing that is said of a connection, but only of the message, can make a
//     failure permanent. The errors of the DNS decide for themselves: see
//     [mx.Error].
//   - Connections are kept and used again for the same host.
//
// # TLS
//
// By default STARTTLS is taken where it is offered, without asking for a valid
// certificate, and the clear where it fails: between hosts that know nothing of
// each other that keeps listeners out, and more cannot be asked. Relay.TLS sees
// route and host and may demand more; DANE (RFC 7672) and MTA-STS (RFC 8461)
// belong there. A message with REQUIRETLS goes out by verified TLS only, to a
// host that offers the extension and whose name is vouched for: by DNSSEC, or by
// Relay.TLS when it demands verified TLS itself (RFC 8689 §4.2.1). Without
// either it is refused with 5.7.10. A bounce is sent without the extension, as if
// it had not asked: better than losing it (RFC 8689 §5).
//
// # Limits and defaults
//
// Eight domains of a message at a time, two dialogues for each in one attempt
// (Sessions), a new address every 250 ms while none answers (Stagger), port 25.
// What a connection may take is in Client.Timeouts, how many are kept in
// Client.Pool, and how much of the DNS is asked in [mx.Finder]. A body is read
// once for each dialogue and never held.
//
// # Concurrency
//
// A Relay is safe for concurrent use; its fields must not change after the
// first Deliver.
//
// # Standards
//
// RFC 5321 §5.1 (which host), RFC 8305 (addresses side by side), RFC 8689
// (REQUIRETLS); places for RFC 7672 (DANE) and RFC 8461 (MTA-STS).
//
// # Testing
//
// A dnstest.Zone for Finder.Resolver, an smtptest server on loopback with
// Finder.Allow and Port to let it be found; Trace tells which hosts were tried.
package relay
