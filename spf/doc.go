// Package spf checks SPF, the Sender Policy Framework of RFC 7208: whether a
// domain lets a host send mail in its name.
//
// A server asks once for each message, before it takes it:
//
//	checker := &spf.Checker{Resolver: &dns.Cache{Next: &dns.Client{}}}
//
//	rep := checker.Check(ctx, spf.Request{IP: client, Hello: hello, MailFrom: from})
//	if err := rep.Err(spf.Policy{RejectFail: true}); err != nil {
//		return err // becomes 550 5.7.23
//	}
//	return t.AddField(rep.ReceivedSPF())
//
// [Checker.Check] evaluates both identities of the session, the HELO name and the
// reverse-path, and reports both; [Checker.CheckHost] is the function check_host()
// of the RFC. The error of [Report.Err] carries the reply by its method SMTP, and
// the fields that [Report.ReceivedSPF] and [Report.AuthResults] make go on top of
// the message; neither side has to know the other's package.
//
// # Why a verdict is what it is
//
// A [Verdict] names the directive that matched and the record it stands in, counts
// what was looked up, and lists every step. Its String tells all of it in lines
// for people:
//
//	example.org: mx (example.org): no match
//	example.org: include:_spf.example.net (_spf.example.net): evaluate
//	  _spf.example.net: ip4:192.0.2.0/24: match
//	example.org: include:_spf.example.net: match
//	pass for mailfrom of example.org from 192.0.2.1; lookups: 2 terms, 0 void, 4 queries
//
// # For publishers
//
// [Parse] reads a record into typed terms and finds every error with its place;
// [Record.Lint] finds what is correct but unwise.
//
// # Limits
//
// Ten terms with lookups and two lookups that find nothing, ten hosts of an mx and
// ten names of a client, as RFC 7208 §4.6.4 has it; beyond that 120 queries and 20
// seconds for all that one message makes us do. They count exactly: the eleventh
// term is never begun, and a redirect and the macro %{p} count as terms. For mx and
// ptr only the client's address family is asked for. Records that include
// themselves end at the limit of terms; they cannot exhaust the stack.
//
// # Choices
//
// Where the RFC leaves a choice: a name that cannot be looked up (an empty label, a
// label over 63 octets) is no match for a mechanism and a permerror for include
// and redirect (§4.8). A void counts the query that a term is about, not those for
// the hosts of an mx. Exceeding the limit of queries is a permerror, running out of
// time a temperror. A redirect with the macros of a local-part beyond ASCII (RFC
// 8616 §4) is passed over.
//
// The exported API follows the sketch it was designed by, with these additions:
// Verdict also says in which record the deciding term stands (Record), and has TTL
// and Authentic; Policy can reject a permerror; Step has the name looked up.
//
// # Concurrency
//
// A Checker and a RecordCache may be used by many goroutines at once. Records and
// verdicts are plain data.
//
// # Standards
//
// RFC 7208; RFC 8616 §4 (internationalized addresses); RFC 7372 (enhanced codes
// 5.7.23 and 5.7.24); RFC 8601 §2.7.2 (Authentication-Results, with package
// authres).
//
// # Testing
//
// Give the Checker a dnstest.Zone. All 203 tests of the openspf suite for RFC 7208
// and their 22 explanations pass.
package spf
