package mx

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// Finder finds mail hosts. The zero Finder is ready.
type Finder struct {
	Resolver dns.Resolver // nil means dns.NetResolver; a server wants a dns.Cache

	// Self says whether a host is this one, by its name. Nil means that no name
	// is ours.
	Self func(Host) bool

	// SelfAddrs are the addresses of this host, those in front of a NAT too. They
	// are looked at when a host's addresses are known.
	SelfAddrs []netip.Addr

	// Allow says whether an address may be dialled. Nil means DefaultAllow.
	Allow func(netip.Addr) bool

	Rand     io.Reader // for the order of hosts of equal preference; nil means crypto/rand
	MaxHosts int       // used of a domain; 0 means 16
	MaxAddrs int       // used of a host; 0 means 8
}

// DefaultAllow allows all addresses but those that are never another host's:
// loopback, unspecified, link-local and multicast. Private networks are allowed.
func DefaultAllow(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() // netip: false for all four, and for 255.255.255.255
}

// Lookup finds the mail hosts of a domain, which may be internationalized or an
// address literal. The error is an [*Error].
func (f *Finder) Lookup(ctx context.Context, domain string) (*Route, error) {
	if strings.HasPrefix(domain, "[") {
		return f.literal(domain)
	}
	name, err := addr.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil {
		return nil, &Error{Kind: BadName, Domain: domain, Err: err}
	}
	a, err := f.lookup(ctx, name, dns.MX)
	if err != nil {
		// Never an implicit MX here: RFC 5321 §5.1 wants a temporary error.
		return nil, &Error{Kind: failure(err), Domain: domain, Err: err}
	}
	if a.RCode == dns.NXDomain {
		return nil, &Error{Kind: NoDomain, Domain: domain}
	}
	r := &Route{Domain: name, CNAMEs: a.CNAMEs, Authentic: a.Authentic, TTL: a.TTL}
	switch {
	case len(a.RRs) == 0:
		r.Implicit = true
		// The end of a chain is what the owner of any domain wrote: a name, or not.
		r.Hosts = []Host{target(dns.RR{Data: a.Canonical(name)})}
	case len(a.RRs) == 1 && a.RRs[0].Data == ".":
		r.Null = true // RFC 7505 §3; the preference does not matter
		return r, &Error{Kind: NullMX, Domain: domain}
	default:
		r.Hosts = targets(a.RRs)
	}
	f.order(r.Hosts)
	return r, f.choose(r, domain)
}

// failure tells a name that cannot be asked for from a DNS that did not answer.
func failure(err error) Kind {
	if errors.Is(err, dns.ErrName) {
		return BadName
	}
	return Temporary
}

// literal is the route to an address literal (RFC 5321 §4.1.3).
func (f *Finder) literal(domain string) (*Route, error) {
	ip, ok := addr.ParseLiteral(domain)
	switch {
	case !ok:
		return nil, &Error{Kind: BadName, Domain: domain}
	case f.isSelf(ip):
		return nil, &Error{Kind: Loop, Domain: domain}
	case !f.allowed(ip):
		return nil, &Error{Kind: NoAddress, Domain: domain}
	}
	name := addr.Literal(ip)
	return &Route{Domain: name, Literal: true, Hosts: []Host{{Name: name}}}, nil
}

// CheckSender says whether a sender's domain could be answered: nil, or an
// [*Error] with 550 5.7.27 for a null MX (RFC 7505 §4.2), 550 5.1.2 for a domain
// that does not exist, 451 if that could not be found out.
func (f *Finder) CheckSender(ctx context.Context, domain string) error {
	_, err := f.Lookup(ctx, domain)
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case Loop, NoHost:
		return nil // ours, or none of our concern
	case NullMX:
		e.Kind = NoSender
	}
	return e
}

// targets makes hosts of MX records, and marks those that cannot be used.
func targets(rrs []dns.RR) []Host {
	hosts := make([]Host, 0, len(rrs))
	best := make(map[string]int, len(rrs)) // index of the host by name
	for i := range rrs {
		h := target(rrs[i])
		if at, seen := best[h.Name]; seen && h.Skip == "" {
			// The lower preference of the two counts.
			if hosts[at].Pref <= h.Pref {
				h.Skip = SkipTwice
			} else {
				hosts[at].Skip = SkipTwice
			}
		}
		if h.Skip == "" {
			best[h.Name] = len(hosts)
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// target reads the host of an MX record, or of an implicit one. IDNA is tolerant: an underscore or a
// label in U-form is wrong there, and works.
func target(rr dns.RR) Host {
	h := Host{Name: dns.Fold(rr.Data), Pref: rr.Pref}
	if h.Name == "." {
		h.Skip = SkipNull
		return h
	}
	if _, err := netip.ParseAddr(h.Name); err == nil {
		h.Skip = SkipAddress
		return h
	}
	name, err := addr.ToASCII(h.Name)
	switch {
	case err != nil:
		h.Skip = SkipBadName
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		h.Skip = SkipLoopback // RFC 6761 §6.3
	default:
		h.Name = name
	}
	return h
}

// order sorts by preference, and equals at random: RFC 5321 §5.1.
func (f *Finder) order(hosts []Host) {
	for i := len(hosts) - 1; i > 0; i-- {
		j := f.random(i + 1)
		hosts[i], hosts[j] = hosts[j], hosts[i]
	}
	slices.SortStableFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Pref, b.Pref) })
}

// random gives a number below n. Without randomness it is n-1, which keeps the
// order of the DNS.
func (f *Finder) random(n int) int {
	r := f.Rand
	if r == nil {
		r = rand.Reader
	}
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return n - 1
	}
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n))
}

// choose marks the hosts that loop and those beyond the limit, and says what it
// means if none is left.
func (f *Finder) choose(r *Route, domain string) error {
	looping := false
	limit := max(1, cmp.Or(f.MaxHosts, 16))
	var own Host // of the lowest preference
	for i := range r.Hosts {
		h := &r.Hosts[i]
		if h.Skip == "" && f.Self != nil && f.Self(*h) {
			h.Skip = SkipSelf
			if !looping {
				looping, own = true, *h
			}
		}
	}
	used := 0
	for i := range r.Hosts {
		h := &r.Hosts[i]
		switch {
		case h.Skip != "":
		case looping && h.Pref >= own.Pref:
			h.Skip = SkipFarther
		case used == limit:
			h.Skip = SkipTooMany
		default:
			used++
		}
	}
	switch {
	case used > 0:
		return nil
	case looping:
		return &Error{Kind: Loop, Domain: domain, Host: own.Name}
	}
	return &Error{Kind: NoHost, Domain: domain}
}

// lookup asks the Resolver, or the one that a nil Resolver stands for.
func (f *Finder) lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	if f.Resolver == nil {
		return dns.NetResolver{}.Lookup(ctx, name, t)
	}
	return f.Resolver.Lookup(ctx, name, t)
}

// allowed is Allow, or what a nil Allow stands for.
func (f *Finder) allowed(ip netip.Addr) bool {
	if f.Allow != nil {
		return f.Allow(ip)
	}
	return DefaultAllow(ip)
}

// isSelf knows this host by its address.
func (f *Finder) isSelf(ip netip.Addr) bool {
	return slices.Contains(f.SelfAddrs, ip.Unmap())
}
