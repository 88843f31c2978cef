package spf

import (
	"net/netip"
	"strings"

	"github.com/postilion-mail/postilion/mx/dns"
)

// lookUp evaluates a, mx, ptr or exists for a name that can be asked for.
func (e *eval) lookUp(t *Term, name string) (matched bool, err error) {
	switch t.Mechanism {
	case A:
		return e.a(t, name)
	case MX:
		return e.mx(t, name)
	case PTR:
		return e.ptr(name)
	}
	return e.exists(name)
}

// a matches the addresses of a name (RFC 7208 §5.3). Only the client's family is
// asked for.
func (e *eval) a(t *Term, name string) (bool, error) {
	a, err := e.ask(name, e.family())
	return err == nil && e.among(t, a), err
}

// mx matches the addresses of the mail hosts of a name (RFC 7208 §5.4). The void
// limit knows the MX lookup alone: hosts without an address in the client's family
// are ordinary.
func (e *eval) mx(t *Term, name string) (bool, error) {
	a, err := e.ask(name, dns.MX)
	if err != nil {
		return false, err
	}
	if len(a.RRs) > e.limits.MX {
		return false, ErrMX // RFC 7208 §4.6.4
	}
	for i := range a.RRs {
		host := dns.Fold(a.RRs[i].Data)
		if host == "." || dns.CheckName(host) != nil {
			continue // a null MX (RFC 7505), or no name at all
		}
		addrs, err := e.lookup(host, e.family())
		if err != nil {
			return false, err
		}
		if e.among(t, addrs) {
			return true, nil
		}
	}
	return false, nil
}

// exists matches if the name has an IPv4 address, whatever the client's family
// (RFC 7208 §5.7).
func (e *eval) exists(name string) (bool, error) {
	a, err := e.ask(name, dns.A)
	return err == nil && len(a.RRs) > 0, err
}

// family is the type of address record that can match the client (RFC 7208 §5).
func (e *eval) family() dns.Type {
	if e.ip.Is4() {
		return dns.A
	}
	return dns.AAAA
}

// among says whether an address of the answer, cut to the term's prefix length, is
// the client's.
func (e *eval) among(t *Term, a dns.Answer) bool {
	n := int(t.Bits6)
	if e.ip.Is4() {
		n = int(t.Bits4)
	}
	for i := range a.RRs {
		// PrefixFrom takes the address unmasked, and Contains masks both.
		if netip.PrefixFrom(a.RRs[i].Addr, n).Contains(e.ip) {
			return true
		}
	}
	return false
}

// ptrName is a name that the client's address points to.
type ptrName struct {
	name    string
	checked bool
	valid   bool // it has the client's address
}

// ptr matches if a validated name of the client is the target or below it (RFC
// 7208 §5.5). Names elsewhere need no validation.
func (e *eval) ptr(target string) (bool, error) {
	err := e.pointers()
	if err == nil && len(e.names) == 0 {
		err = e.void() // for each term, as if each had asked
	}
	if e.fatal(err) {
		return false, err
	}
	for i := range e.names {
		if !within(e.names[i].name, target) {
			continue
		}
		ok, err := e.validate(&e.names[i])
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// pointers asks for the names of the client, once in a check. An error stays one: a
// DNS that did not answer is no void lookup the second time.
func (e *eval) pointers() error {
	if e.asked {
		return e.ptrErr
	}
	e.asked = true
	a, err := e.lookup(dns.Reverse(e.ip), dns.PTR)
	if e.ptrErr = err; err != nil {
		return err
	}
	for i := range a.RRs {
		if len(e.names) == e.limits.PTR {
			break // RFC 7208 §4.6.4: all others are ignored
		}
		e.names = append(e.names, ptrName{name: dns.Fold(a.RRs[i].Data)})
	}
	return nil
}

// validate looks whether a name has the client's address. A DNS error makes the
// name count as not valid (RFC 7208 §5.5).
func (e *eval) validate(n *ptrName) (bool, error) {
	if n.checked {
		return n.valid, nil
	}
	n.checked = true
	if dns.CheckName(n.name) != nil {
		return false, nil
	}
	a, err := e.lookup(n.name, e.family())
	if e.fatal(err) {
		return false, err
	}
	for i := range a.RRs {
		n.valid = n.valid || a.RRs[i].Addr == e.ip
	}
	return n.valid, nil
}

// fatal says whether an error ends the check even where RFC 7208 §5.5 wants DNS
// errors passed over: a spent limit, or a check that has run out of time. What
// follows could otherwise be a fail that nobody published.
func (e *eval) fatal(err error) bool {
	return err != nil && (permanent(err) || e.ctx.Err() != nil)
}

// validatedName is the value of %{p} (RFC 7208 §7.3): the domain itself if it is
// validated, else a name below it, else any.
func (e *eval) validatedName(domain string) string {
	if e.pointers() != nil {
		return "unknown"
	}
	for _, fits := range [...]func(name string) bool{
		func(name string) bool { return name == domain },
		func(name string) bool { return name != domain && within(name, domain) },
		func(name string) bool { return !within(name, domain) },
	} {
		for i := range e.names {
			if n := &e.names[i]; fits(n.name) {
				if ok, _ := e.validate(n); ok {
					return n.name
				}
			}
		}
	}
	return "unknown"
}

// within says whether name is domain or stands below it; "notexample.org" is not
// within "example.org". Both are folded.
func within(name, domain string) bool {
	head, ok := strings.CutSuffix(name, domain)
	return ok && (head == "" || head[len(head)-1] == '.')
}
