package spf

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// Checker evaluates SPF. The zero Checker is ready; it may be used by several
// goroutines at once, and its fields must not change after the first check.
type Checker struct {
	Resolver dns.Resolver // nil means dns.NetResolver; a server wants a dns.Cache
	Limits   Limits

	// Prefetch is how many queries may be under way at once for terms whose turn
	// has not come yet; 0 means none. It makes checks over a slow DNS faster, costs
	// queries that turn out to be useless, and never changes a verdict, unless the
	// Resolver counts: a dns.Budget pays for the useless ones too.
	Prefetch int

	// Records keeps parsed records; nil means to parse each time. One cache may
	// serve several Checkers.
	Records *RecordCache

	// Explanation is that of a fail for which the domain publishes none.
	Explanation string

	Now func() time.Time // for %{t} and for Records; nil means time.Now

	spare sync.Pool // of *eval, for the memory they hold
}

// Request is an SMTP client, by what it said of itself.
type Request struct {
	IP       netip.Addr
	Hello    string // the name in HELO or EHLO
	MailFrom string // the reverse-path without its angle brackets, "" if it is empty
	Receiver string // name of the receiving host, for %{r} and Received-SPF; "" means "unknown"
}

// Report is what became of both identities (RFC 7208 §2.3, §2.4).
type Report struct {
	Request  Request
	Hello    Verdict // of the HELO name
	MailFrom Verdict // of the reverse-path; for an empty one, the same as Hello
}

// Verdict is the result for one identity, and why.
type Verdict struct {
	Result   Result
	Identity Identity
	IP       netip.Addr
	Domain   string // that was checked, in A-labels
	Sender   string // the <sender> argument, with the domain as it came

	// Term is the directive that decided, as written, and Record the domain whose
	// record it stands in: not Domain if that redirects. Both are empty if nothing
	// matched.
	Term   string
	Record string

	// Explanation is what the domain says about a fail, or Checker.Explanation:
	// printable ASCII in one line of at most 400 octets (RFC 7208 §6.2).
	Explanation string

	// Err says why the result is temperror or permerror: a [dns.Error], one of the
	// Err values of this package, [SyntaxErrors], or the error of the context.
	Err error

	Steps   []Step // what was evaluated, in order; at most the first 1000
	Terms   int    // used of Limits.Terms
	Voids   int    // used of Limits.Voids
	Queries int    // made, whether answered from a cache or not

	// TTL is how long the DNS data may be kept that the verdict rests on; 0 means
	// not known. Authentic says that all of it was verified with DNSSEC.
	TTL       time.Duration
	Authentic bool
}

// Check evaluates the HELO name and the reverse-path. For an empty reverse-path
// both are the same (RFC 7208 §2.4), and the check is made once.
func (c *Checker) Check(ctx context.Context, r Request) Report {
	d := withDeadline(ctx, c.Limits.total())
	defer d.release()
	rep := Report{Request: r}
	c.verdict(&rep.Hello, d, r.Hello, "postmaster@"+r.Hello, &r)
	rep.Hello.Identity = Helo
	if r.MailFrom == "" {
		rep.MailFrom = rep.Hello
	} else {
		_, domain := splitSender(r.MailFrom)
		c.verdict(&rep.MailFrom, d, domain, r.MailFrom, &r)
	}
	rep.MailFrom.Identity = MailFrom
	return rep
}

// CheckHost is the check_host() function of RFC 7208 §4: it evaluates the record
// of domain for a client address and a sender. hello is only needed for the macro
// %{h}. A sender without "@" is taken for a domain. The Identity of the verdict is
// MailFrom.
func (c *Checker) CheckHost(ctx context.Context, ip netip.Addr, domain, sender, hello string) (v Verdict) {
	d := withDeadline(ctx, c.Limits.total())
	defer d.release()
	c.verdict(&v, d, domain, sender, &Request{IP: ip, Hello: hello})
	v.Identity = MailFrom
	return v
}

// verdict runs one check. Verdicts are large, so it is filled in where it stands.
func (c *Checker) verdict(v *Verdict, ctx *deadline, domain, sender string, r *Request) {
	e, _ := c.spare.Get().(*eval)
	if e == nil {
		e = new(eval)
	}
	e.start(ctx, c, sender, r)
	v.Sender, v.IP = sender, e.scope.ip
	e.verdict(v, domain)
	e.reset()
	c.spare.Put(e)
}

// splitSender gives local-part and domain of a sender, divided at the last "@",
// since a quoted local-part may hold others. Without a local-part it is
// "postmaster" (RFC 7208 §4.3).
func splitSender(sender string) (local, origin string) {
	local, origin = "", sender
	if i := strings.LastIndexByte(sender, '@'); i >= 0 {
		local, origin = sender[:i], sender[i+1:]
	}
	if local == "" {
		local = "postmaster"
	}
	return local, origin
}

// checkable says whether a domain can have a record. For a literal, a single label
// and a malformed name check_host() returns none at once (RFC 7208 §4.3).
func checkable(domain string) bool {
	return strings.IndexByte(domain, '.') >= 0 && domain[0] != '[' &&
		dns.CheckName(domain) == nil && addr.IsASCII(domain)
}

// toASCII folds a name, and turns U-labels into A-labels (RFC 8616 §4). A name that
// IDNA does not know stays beyond ASCII.
func toASCII(domain string) string {
	if !addr.IsASCII(domain) {
		if a, err := addr.ToASCII(domain); err == nil {
			return a
		}
	}
	return dns.Fold(domain)
}

// resolver is Resolver, or what a nil one stands for.
func (c *Checker) resolver() dns.Resolver {
	if c.Resolver == nil {
		return dns.NetResolver{}
	}
	return c.Resolver
}

// now is Now, or what a nil one stands for.
func (c *Checker) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
