package dnstest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/mx/dns"
)

const (
	defaultTTL  = time.Hour
	negativeTTL = 5 * time.Minute
	maxChain    = 16
)

// Zone is the data of a DNS, and a dns.Resolver over it. The zero Zone is empty:
// it answers NXDOMAIN to everything. See the package documentation for the text
// form.
type Zone struct {
	Delay     time.Duration // before every answer, a latency to measure with
	Authentic bool          // whether answers claim to be verified with DNSSEC

	mu      sync.RWMutex // guards nodes
	nodes   map[string]*node
	asked   sync.Mutex // guards queries
	queries []Query
}

// node is a name that exists: one with data, or one above such a name.
type node struct {
	rrs    []dns.RR
	faults []fault
}

type fault struct {
	kind  string
	delay time.Duration
	types []dns.Type // all if empty
}

// Query is a question that a Zone was asked.
type Query struct {
	Name    string // folded, without its final dot
	Type    dns.Type
	Network string // "udp", "tcp", or "" for a call of Lookup
}

// New makes a Zone of a zone file and fails the test if it cannot be read.
func New(tb testing.TB, text string) *Zone {
	tb.Helper()
	z, err := Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// Add adds a record. A TTL of zero becomes one hour.
func (z *Zone) Add(rr dns.RR) {
	if rr.TTL == 0 {
		rr.TTL = defaultTTL
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	n := z.node(dns.Fold(rr.Name))
	n.rrs = append(n.rrs, rr)
}

// Fail makes a name answer with a fault of the package documentation, DELAY
// apart, for the types given or for all.
func (z *Zone) Fail(name, kind string, types ...dns.Type) {
	z.addFault(name, fault{kind: kind, types: types})
}

// addFault adds a fault of any kind; the first that fits a query is used, and all
// delays add up.
func (z *Zone) addFault(name string, f fault) {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := z.node(dns.Fold(name))
	n.faults = append(n.faults, f)
}

// node finds or makes a name, and with it the names above it, which exist even
// without data (RFC 4592 §2.2.2).
func (z *Zone) node(name string) *node {
	if z.nodes == nil {
		z.nodes = make(map[string]*node)
	}
	n := z.nodes[name]
	if n != nil {
		return n
	}
	n = new(node)
	z.nodes[name] = n
	if up := parent(name); up != name {
		z.node(up)
	}
	return n
}

// parent is the name one label up; the root is its own.
func parent(name string) string {
	if _, up, ok := strings.Cut(name, "."); ok && up != "" {
		return up
	}
	return "."
}

// Queries gives what was asked so far, in order.
func (z *Zone) Queries() []Query {
	z.asked.Lock()
	defer z.asked.Unlock()
	return slices.Clone(z.queries)
}

// Reset forgets the queries.
func (z *Zone) Reset() {
	z.asked.Lock()
	defer z.asked.Unlock()
	z.queries = nil
}

// record remembers a query before it is answered, so that one without an answer
// counts as well.
func (z *Zone) record(q Query) {
	z.asked.Lock()
	defer z.asked.Unlock()
	z.queries = append(z.queries, q)
}

// Lookup answers from the zone.
func (z *Zone) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	fail := func(rc dns.RCode, err error) (dns.Answer, error) {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, RCode: rc, Err: err}
	}
	if err := dns.CheckName(name); err != nil {
		return fail(0, err)
	}
	r := z.resolve(Query{Name: dns.Fold(name), Type: t})
	if err := sleep(ctx, r.delay); err != nil {
		return fail(0, err)
	}
	switch r.fault {
	case "SERVFAIL":
		return fail(dns.ServFail, nil)
	case "REFUSED":
		return fail(dns.Refused, nil)
	case "FORMERR":
		return fail(dns.FormErr, nil)
	case "NOTIMP":
		return fail(dns.NotImp, nil)
	case "TIMEOUT":
		return fail(0, dns.ErrTimeout)
	case "LAME":
		return fail(0, dns.ErrLame)
	}
	if r.looping {
		return fail(0, dns.ErrLoop)
	}
	return r.answer(t), nil
}

var _ dns.Resolver = (*Zone)(nil)

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// resolution is what the zone has for a query, before it becomes an Answer or a
// message.
type resolution struct {
	exists    bool
	chain     []dns.RR // CNAMEs on the way
	rrs       []dns.RR
	looping   bool
	fault     string
	delay     time.Duration
	negative  time.Duration
	authentic bool
}

// answer gives a resolution the form that resolvers return.
func (r resolution) answer(t dns.Type) dns.Answer {
	a := dns.Answer{RRs: r.rrs, Authentic: r.authentic, TTL: r.negative}
	if !r.exists {
		a.RCode = dns.NXDomain
	}
	if len(r.rrs) > 0 {
		a.TTL = r.rrs[0].TTL
	}
	for _, rr := range r.chain {
		a.CNAMEs = append(a.CNAMEs, rr.Data)
		a.TTL = min(a.TTL, rr.TTL)
	}
	for _, rr := range r.rrs {
		a.TTL = min(a.TTL, rr.TTL)
	}
	return a
}

// resolve follows the aliases of a name to the records of the type.
func (z *Zone) resolve(q Query) resolution {
	z.record(q)
	z.mu.RLock()
	defer z.mu.RUnlock()
	r := resolution{delay: z.Delay, authentic: z.Authentic}
	at := q.Name
	for {
		n := z.find(at)
		r.exists = n != nil
		if n == nil {
			break
		}
		r.hit(n, q)
		if r.fault != "" && r.fault != "TRUNCATE" {
			return r
		}
		r.rrs = n.owned(at, q.Type)
		aliases := n.owned(at, dns.CNAME)
		if len(r.rrs) > 0 || len(aliases) == 0 {
			break
		}
		if len(r.chain) == maxChain {
			r.looping = true
			break
		}
		r.chain = append(r.chain, aliases[0])
		at = dns.Fold(aliases[0].Data)
	}
	r.negative = z.negative(at)
	return r
}

// hit applies the faults of a node.
func (r *resolution) hit(n *node, q Query) {
	for _, f := range n.faults {
		if len(f.types) > 0 && !slices.Contains(f.types, q.Type) {
			continue
		}
		if f.kind == "DELAY" {
			r.delay += f.delay
		} else if r.fault == "" {
			r.fault = f.kind
		}
	}
}

// owned gives the records of a type as those of the name asked for, which under a
// wildcard is not the name they are written at.
func (n *node) owned(name string, t dns.Type) []dns.RR {
	var all []dns.RR
	for _, rr := range n.rrs {
		if rr.Type == t {
			rr.Name = name
			all = append(all, rr)
		}
	}
	return all
}

// find gives the node that answers for a name: itself, or the wildcard below the
// closest name above it that exists (RFC 4592 §3.3.1).
func (z *Zone) find(name string) *node {
	if n := z.nodes[name]; n != nil {
		return n
	}
	for up := name; up != "."; {
		up = parent(up)
		if z.nodes[up] == nil {
			continue
		}
		if up == "." {
			return z.nodes["*"]
		}
		return z.nodes["*."+up]
	}
	return nil
}

// negative is how long it may be believed that a name has no such record.
func (z *Zone) negative(name string) time.Duration {
	for {
		if n := z.nodes[name]; n != nil {
			for _, rr := range n.rrs {
				if rr.Type == dns.SOA && len(rr.Raw) >= 4 {
					b := rr.Raw[len(rr.Raw)-4:] // MINIMUM, RFC 2308 §4
					minimum := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
					return min(rr.TTL, time.Duration(minimum)*time.Second)
				}
			}
		}
		if name == "." {
			return negativeTTL
		}
		name = parent(name)
	}
}
