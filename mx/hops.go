package mx

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/netip"
	"sync"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// Hops yields the hosts of a route with their addresses, in the order in which to
// try them. The addresses of a preference are looked up together when the first
// of its hosts is reached; who stops before does not pay for the rest.
//
// A host without an address to dial is yielded with an [*Error]: Temporary if the
// DNS did not answer, NoAddress if it has none. Others may follow; one dead host
// says nothing of them. If one of the hosts turns out to have an address of
// [Finder.SelfAddrs], Loop is yielded in the place of its preference, and nothing
// after it. Mail that no hop has taken bounces only if all errors are permanent.
func (f *Finder) Hops(ctx context.Context, r *Route) iter.Seq2[Hop, error] {
	return func(yield func(Hop, error) bool) {
		seen := make(map[netip.Addr]bool) // dialled before under another name
		for group := range groups(r) {
			found := f.resolve(ctx, r, group)
			for i := range found {
				if h := &found[i]; h.self {
					yield(Hop{Host: h.Host}, &Error{Kind: Loop, Domain: r.Domain, Host: h.Host.Name})
					return
				}
			}
			for i := range found {
				hop, err, known := f.hop(&found[i], r, seen)
				if !known && !yield(hop, err) {
					return
				}
			}
		}
	}
}

// groups yields the usable hosts of a route, those of one preference at a time.
func groups(r *Route) iter.Seq[[]Host] {
	return func(yield func([]Host) bool) {
		var group []Host
		for _, h := range r.Hosts {
			if h.Skip != "" {
				continue
			}
			if len(group) > 0 && group[0].Pref != h.Pref {
				if !yield(group) {
					return
				}
				group = nil
			}
			group = append(group, h)
		}
		if len(group) > 0 {
			yield(group)
		}
	}
}

// addresses is what the DNS says of a host.
type addresses struct {
	Hop
	self bool // one of them is ours
	err  error
}

// resolve looks up the addresses of several hosts at once.
func (f *Finder) resolve(ctx context.Context, r *Route, group []Host) []addresses {
	found := make([]addresses, len(group))
	var wg sync.WaitGroup
	for i, h := range group {
		if r.Literal {
			ip, _ := addr.ParseLiteral(h.Name)
			found[i] = addresses{Hop: Hop{Host: h, Canonical: h.Name, Addrs: []netip.Addr{ip}}}
			continue
		}
		wg.Go(func() { found[i] = f.addresses(ctx, h) })
	}
	wg.Wait()
	return found
}

// addresses looks up both families of a host. One that fails is no loss as long as
// the other has an address.
func (f *Finder) addresses(ctx context.Context, h Host) addresses {
	var six, four dns.Answer
	var err6, err4 error
	var wg sync.WaitGroup
	wg.Go(func() { six, err6 = f.lookup(ctx, h.Name, dns.AAAA) })
	four, err4 = f.lookup(ctx, h.Name, dns.A)
	wg.Wait()

	a := addresses{Hop: Hop{Host: h, Canonical: canonical(four, h.Name)}, err: errors.Join(err6, err4)}
	if err4 != nil {
		a.Canonical = canonical(six, h.Name)
	}
	a.Authentic = (err6 != nil || six.Authentic) && (err4 != nil || four.Authentic) && (err4 == nil || err6 == nil)
	for i := range max(len(six.RRs), len(four.RRs)) {
		// The families take turns: RFC 8305 §4.
		for _, rrs := range [...][]dns.RR{six.RRs, four.RRs} {
			if i < len(rrs) && rrs[i].Addr.IsValid() {
				a.Addrs = append(a.Addrs, rrs[i].Addr.Unmap())
				a.self = a.self || f.isSelf(rrs[i].Addr)
			}
		}
	}
	return a
}

// canonical is the end of a chain, or the host's own name if that is no host name.
func canonical(a dns.Answer, host string) string {
	if name, err := addr.ToASCII(a.Canonical(host)); err == nil {
		return name
	}
	return host
}

// hop keeps of a host's addresses those to dial. If all of them were yielded
// before, under other names, the host is known.
func (f *Finder) hop(a *addresses, r *Route, seen map[netip.Addr]bool) (hop Hop, err error, known bool) {
	hop = a.Hop
	hop.Addrs = nil
	for _, ip := range a.Addrs {
		switch {
		case seen[ip]:
			known = true
		case f.allowed(ip) && len(hop.Addrs) < max(1, cmp.Or(f.MaxAddrs, 8)):
			seen[ip] = true
			hop.Addrs = append(hop.Addrs, ip)
		}
	}
	switch {
	case len(hop.Addrs) > 0:
		return hop, nil, false
	case known:
		return hop, nil, true
	}
	e := &Error{Kind: NoAddress, Domain: r.Domain, Host: hop.Host.Name, Err: a.err}
	if a.err != nil && failure(a.err) == Temporary {
		// The family that the DNS did not tell of may be the one to dial.
		e.Kind = Temporary
	}
	if r.Implicit {
		e.Host = ""
	}
	return hop, e, false
}
