package spf

import (
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

const maxName = 253 // RFC 7208 §7.3

// lookup makes a DNS query within the budget.
func (e *eval) lookup(name string, t dns.Type) (dns.Answer, error) {
	if e.queries == e.limits.Queries {
		return dns.Answer{}, ErrQueries
	}
	e.queries++
	if err := e.ctx.Err(); err != nil {
		return dns.Answer{}, err
	}
	a, err := e.from.Lookup(e.ctx, name, t)
	if err == nil {
		e.rest(a.TTL, a.Authentic)
	}
	return a, err
}

// rest makes the verdict rest on one more answer.
func (e *eval) rest(ttl time.Duration, authentic bool) {
	if e.ttl < 0 || ttl < e.ttl {
		e.ttl = ttl
	}
	e.signed = e.signed && authentic
}

// ask is lookup for the query that a term is about: if the DNS has nothing for it,
// that counts (RFC 7208 §4.6.4).
func (e *eval) ask(name string, t dns.Type) (dns.Answer, error) {
	a, err := e.lookup(name, t)
	if err == nil && len(a.RRs) == 0 {
		err = e.void()
	}
	return a, err
}

// void counts a lookup that found nothing: two are allowed (RFC 7208 §4.6.4).
func (e *eval) void() error {
	e.voids++
	if e.voids > e.limits.Voids {
		return ErrVoids
	}
	return nil
}

// record finds the SPF record of a domain; nil if it publishes none.
func (e *eval) record(domain string) (*Record, error) {
	if k := e.checker.Records; k != nil {
		if c, ok := k.get(domain, e.checker.now()); ok {
			if e.queries == e.limits.Queries {
				return nil, ErrQueries
			}
			e.queries++ // as many as without the cache
			e.rest(c.ttl, c.authentic)
			return c.record, c.err
		}
	}
	a, err := e.lookup(domain, dns.TXT)
	if err != nil {
		return nil, err
	}
	rec, size, err := choose(a, e.blank)
	if k := e.checker.Records; k != nil {
		k.put(domain, compiled{record: rec, err: err, size: size, ttl: a.TTL, authentic: a.Authentic}, e.checker.now())
	}
	return rec, err
}

// choose takes the SPF record out of the TXT records (RFC 7208 §4.5),
// and parses it into a blank; size is that of its text. There may be one at most.
func choose(a dns.Answer, blank func() *Record) (rec *Record, size int, err error) {
	found := -1
	for i := range a.RRs {
		if Is(a.RRs[i].Data) {
			if found >= 0 {
				return nil, 0, ErrMultiple
			}
			found = i
		}
	}
	if found < 0 {
		return nil, 0, nil
	}
	text := a.RRs[found].Data
	rec = blank()
	if err := rec.parse(text); err != nil {
		return nil, len(text), err
	}
	return rec, len(text), nil
}

// target expands the domain-spec of a term. It says false for a name that the DNS
// cannot be asked for, and for the macros of a local-part beyond ASCII.
func (e *eval) target(t *target, domain string) (name string, ok bool, err error) {
	switch {
	case t.name == "":
		return domain, true, nil
	case !t.macro:
		return t.name, dns.CheckName(t.name) == nil, nil
	case t.silent(e):
		return "", false, nil
	}
	if t.uses.has("p") && !e.asked {
		// RFC 7208 §4.6.4: the PTR query of a macro counts like a term.
		if err := e.countTerm(); err != nil {
			return "", false, err
		}
	}
	name, ok = e.expand(t.name, domain)
	return name, ok, nil
}

// silent says whether the target has the local-part in it, and that is beyond
// ASCII: RFC 8616 §4 wants such a term never to match.
func (t *target) silent(e *eval) bool {
	return t.uses.has("sl") && !addr.IsASCII(e.local)
}

// expand makes a name that can be looked up of a domain-spec with macros. One that
// is too long loses labels on its left (RFC 7208 §7.3).
func (e *eval) expand(spec, domain string) (string, bool) {
	e.buf = e.appendMacros(e.buf[:0], spec, domain)
	return queryName(e.buf)
}

// queryName folds b in place and makes a name of it.
func queryName(b []byte) (string, bool) {
	if len(b) > maxExpansion {
		return "", false
	}
	if n := len(b); n > 1 && b[n-1] == '.' {
		b = b[:n-1]
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	name := string(b)
	for len(name) > maxName {
		_, rest, found := strings.Cut(name, ".")
		if !found {
			return name[:maxName], false
		}
		name = rest
	}
	return name, dns.CheckName(name) == nil
}
