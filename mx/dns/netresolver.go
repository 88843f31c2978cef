package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

// NetResolver adapts a [*net.Resolver] to Resolver. The zero value uses Go's own
// resolver with the system's configuration. It is for systems that have no
// resolv.conf; where there is one a [Client] knows more. What is lost:
//
//   - The TTL, the AD bit, the chain of CNAMEs and the types NS apart, all types
//     beyond A, AAAA, MX, TXT, PTR, CNAME and NS (ErrUnsupported).
//   - NXDOMAIN and NODATA look the same: both are reported as NODATA.
//   - Names outside the host name alphabet, such as SPF macros make of a sender
//     with a plus sign, are never asked for by net. Here they give ErrUnsupported,
//     never a false "does not exist".
//   - A cancelled lookup returns at once, but net goes on with it in the
//     background until its own timeout.
//   - The hosts file is looked at first, and where net uses the C library other
//     sources may be too.
type NetResolver struct {
	R   *net.Resolver // nil means &net.Resolver{PreferGo: true, StrictErrors: true}
	TTL time.Duration // given to all answers, so that a Cache can keep them; 0 means not to keep
}

// Lookup asks net.
func (r NetResolver) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	fail := func(err error) (Answer, error) { return Answer{}, &Error{Name: name, Type: t, Err: err} }
	if err := CheckName(name); err != nil {
		return fail(err)
	}
	if !askable(trimDot(name)) {
		return fail(ErrUnsupported)
	}
	type result struct {
		rrs []RR
		err error
	}
	done := make(chan result, 1)
	go func() {
		rrs, err := r.ask(ctx, trimDot(name), t)
		done <- result{rrs, err}
	}()
	select {
	case <-ctx.Done():
		return fail(ctx.Err())
	case got := <-done:
		return r.answer(ctx, name, t, got.rrs, got.err)
	}
}

// answer tells an answer, a negative one and a failure apart.
func (r NetResolver) answer(ctx context.Context, name string, t Type, rrs []RR, err error) (Answer, error) {
	var e *net.DNSError
	switch {
	case len(rrs) > 0, err == nil:
		// LookupMX gives what it could read together with an error.
		for i := range rrs {
			rrs[i].Name, rrs[i].Type, rrs[i].TTL = trimDot(name), t, r.TTL
		}
		return Answer{RRs: rrs, TTL: r.TTL}, nil
	case errors.As(err, &e) && e.IsNotFound:
		return Answer{TTL: r.TTL}, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &e) && e.IsTimeout:
		err = ErrTimeout
	}
	return Answer{}, &Error{Name: name, Type: t, Err: err}
}

// ask calls the method of net for the type. The final dot keeps search lists out,
// and an address from being its own answer.
func (r NetResolver) ask(ctx context.Context, name string, t Type) ([]RR, error) {
	n := r.R
	if n == nil {
		n = &net.Resolver{PreferGo: true, StrictErrors: true}
	}
	dotted := name + "."
	switch t {
	case A, AAAA:
		network := "ip4"
		if t == AAAA {
			network = "ip6"
		}
		addrs, err := n.LookupNetIP(ctx, network, dotted)
		return records(addrs, func(a netip.Addr) RR { return RR{Addr: a.Unmap()} }), err
	case MX:
		mxs, err := n.LookupMX(ctx, dotted)
		return records(mxs, func(m *net.MX) RR { return RR{Pref: m.Pref, Data: trimDot(m.Host)} }), err
	case NS:
		nss, err := n.LookupNS(ctx, dotted)
		return records(nss, func(s *net.NS) RR { return RR{Data: trimDot(s.Host)} }), err
	case TXT:
		texts, err := n.LookupTXT(ctx, dotted)
		return records(texts, func(s string) RR { return RR{Data: s} }), err
	case PTR:
		ip, ok := reversed(name)
		if !ok {
			return nil, ErrUnsupported
		}
		names, err := n.LookupAddr(ctx, ip.String())
		return records(names, func(s string) RR { return RR{Data: trimDot(s)} }), err
	case CNAME:
		target, err := n.LookupCNAME(ctx, dotted)
		if err != nil || EqualNames(target, name) {
			return nil, err // net answers with the name itself if it is no alias
		}
		return []RR{{Data: trimDot(target)}}, nil
	}
	return nil, ErrUnsupported
}

// records makes RRs of what a method of net returned.
func records[T any](from []T, rr func(T) RR) []RR {
	var all []RR
	for _, v := range from {
		all = append(all, rr(v))
	}
	return all
}

// askable says whether net would put the name into a query: letters, digits,
// hyphens and underscores, and not digits alone.
func askable(name string) bool {
	nonDigit := name == "."
	for i := range len(name) {
		switch c := foldByte(name[i]); {
		case 'a' <= c && c <= 'z', c == '_':
			nonDigit = true
		case '0' <= c && c <= '9':
		case c == '-' && i > 0 && name[i-1] != '.':
			nonDigit = true
		case c == '.' && i > 0 && name[i-1] != '-' || name == ".":
		default:
			return false
		}
	}
	return nonDigit && !strings.HasSuffix(name, "-")
}

// reversed is the inverse of Reverse.
func reversed(name string) (netip.Addr, bool) {
	labels := strings.Split(Fold(name), ".")
	n := len(labels) - 2
	if n < 0 || labels[n+1] != "arpa" {
		return netip.Addr{}, false
	}
	var b strings.Builder
	for i := n - 1; i >= 0; i-- {
		b.WriteString(labels[i])
		switch {
		case i == 0:
		case labels[n] == "in-addr":
			b.WriteByte('.')
		case (n-i)%4 == 0:
			b.WriteByte(':')
		}
	}
	ip, err := netip.ParseAddr(b.String())
	return ip, err == nil && EqualNames(Reverse(ip), name)
}
