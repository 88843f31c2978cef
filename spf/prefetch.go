package spf

import (
	"context"
	"sync"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// prefetch is a resolver that has begun to answer before it is asked. It looks
// through a record as soon as that is known and puts the questions that its terms
// are going to ask; the evaluation, which goes on term by term, finds the answers
// under way. Verdict, counts and steps are those of the serial evaluation, since
// only what the evaluation itself asks for is counted.
//
// What is asked in vain is bounded: as many terms as Limits.Terms, as many hosts
// of an mx term as Limits.MX, and no more queries than Limits.Queries.
type prefetch struct {
	next   dns.Resolver
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{} // one for each query that may be under way
	scope  scope         // copied: the evaluation is used again
	limits Limits
	owner  *Checker

	mu    sync.Mutex // guards what follows
	calls map[question]*call
	terms int // followed so far
}

type question struct {
	name string
	typ  dns.Type
}

// call is a question put once.
type call struct {
	begun  bool // guarded by prefetch.mu: who sets it puts the question
	done   chan struct{}
	answer dns.Answer
	err    error
}

// newPrefetch puts a prefetch in front of the resolver of an evaluation.
func newPrefetch(e *eval) *prefetch {
	ctx, cancel := context.WithCancel(e.ctx)
	p := &prefetch{
		next: e.from, ctx: ctx, cancel: cancel, slots: make(chan struct{}, e.checker.Prefetch),
		scope: e.scope, limits: e.limits, owner: e.checker, calls: make(map[question]*call),
	}
	p.scope.validated = nil
	return p
}

// stop ends the queries that nobody needs any more.
func (p *prefetch) stop() { p.cancel() }

// Lookup answers the evaluation: with an answer that has been asked for, or by
// asking now.
func (p *prefetch) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	q := question{name, t}
	p.mu.Lock()
	c := p.calls[q]
	if c == nil {
		c = &call{done: make(chan struct{})}
		p.calls[q] = c
	}
	mine := !c.begun
	c.begun = true
	p.mu.Unlock()
	if mine {
		p.put(ctx, q, c)
		return c.answer, c.err
	}
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Err: ctx.Err()}
	}
}

// put asks, and wakes who waits for the answer.
func (p *prefetch) put(ctx context.Context, q question, c *call) {
	c.answer, c.err = p.next.Lookup(ctx, q.name, q.typ)
	close(c.done)
}

// record begins to ask what the terms of a record will ask.
func (p *prefetch) record(rec *Record, domain string) {
	for i := range rec.Terms {
		t := &rec.Terms[i]
		if t.Mechanism == All {
			return // nothing after it is reached
		}
		if t.Mechanism.lookup() {
			p.term(t.Mechanism, &t.target, domain)
		}
	}
	if rec.Redirect.Text != "" {
		p.term(Include, &rec.Redirect.target, domain)
	}
}

// term begins with one term, if its name can be told without the DNS.
func (p *prefetch) term(m Mechanism, t *target, domain string) {
	name := domain
	switch {
	case t.uses.has("p") || t.uses.has("sl") && !addr.IsASCII(p.scope.local):
		return
	case t.macro:
		var ok bool
		if name, ok = queryName(p.scope.appendMacros(nil, t.name, domain)); !ok {
			return
		}
	case t.name != "":
		name = t.name
	}
	if dns.CheckName(name) != nil || !p.takeTerm() {
		return
	}
	switch m {
	case Include:
		if k := p.owner.Records; k != nil {
			if c, ok := k.get(name, p.owner.now()); ok {
				p.known(c.record, name)
				return
			}
		}
		p.begin(question{name, dns.TXT}, p.included)
	case A:
		p.begin(question{name, p.family()}, nil)
	case MX:
		p.begin(question{name, dns.MX}, p.hosts)
	case PTR:
		p.begin(question{dns.Reverse(p.scope.ip), dns.PTR}, nil)
	case Exists:
		p.begin(question{name, dns.A}, nil)
	}
}

// takeTerm counts a term against the limit, which the evaluation could not pass
// either.
func (p *prefetch) takeTerm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terms++
	return p.terms <= p.limits.Terms
}

// included goes on with a record that has arrived early.
func (p *prefetch) included(q question, a dns.Answer) {
	if rec, _, err := choose(a, func() *Record { return new(Record) }); err == nil {
		p.known(rec, q.name)
	}
}

// known goes on with what a domain publishes, nil for nothing.
func (p *prefetch) known(rec *Record, domain string) {
	if rec != nil {
		p.record(rec, domain)
	}
}

// hosts goes on with the addresses of mail hosts.
func (p *prefetch) hosts(_ question, a dns.Answer) {
	if len(a.RRs) > p.limits.MX {
		return
	}
	for i := range a.RRs {
		if host := dns.Fold(a.RRs[i].Data); host != "." && dns.CheckName(host) == nil {
			p.begin(question{host, p.family()}, nil)
		}
	}
}

// family is that of eval.
func (p *prefetch) family() dns.Type {
	if p.scope.ip.Is4() {
		return dns.A
	}
	return dns.AAAA
}

// begin puts a question in the background, and calls then with its answer. A
// question whose turn comes before a slot is free is left to the evaluation.
func (p *prefetch) begin(q question, then func(question, dns.Answer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[q]
	if c == nil && len(p.calls) < p.limits.Queries {
		c = &call{done: make(chan struct{})}
		p.calls[q] = c
	} else if c == nil || then == nil {
		return
	}
	go p.run(q, c, then)
}

// run waits for a slot, and asks unless the evaluation was faster. Either way it
// goes on with the answer.
func (p *prefetch) run(q question, c *call, then func(question, dns.Answer)) {
	select {
	case p.slots <- struct{}{}:
	case <-p.ctx.Done():
		return
	}
	p.mu.Lock()
	mine := !c.begun
	c.begun = true
	p.mu.Unlock()
	if mine {
		p.put(p.ctx, q, c)
	}
	<-p.slots
	select {
	case <-c.done:
	case <-p.ctx.Done():
		return
	}
	if then != nil && c.err == nil {
		then(q, c.answer)
	}
}
