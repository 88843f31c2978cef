package spf

import (
	"errors"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// undecided is the Result of an evaluation that has not come to its end.
const undecided Result = ""

// frame is a record under evaluation. The records that include one another make a
// stack of frames, not of calls: no record can exhaust the goroutine's stack.
type frame struct {
	record *Record
	domain string // the <domain> argument of check_host()
	next   int    // index of the next term
}

// eval is one evaluation of check_host(). It is used again for the memory that its
// slices hold.
type eval struct {
	scope
	checker *Checker
	ctx     *deadline
	from    dns.Resolver // the Checker's, or the prefetch in front of it
	ahead   *prefetch    // nil without Prefetch
	limits  Limits

	raw   string // the sender's domain as it came
	stack []frame
	steps []Step
	match string // the term of the bottom frame that decided

	names  []ptrName // of the client, once asked for
	asked  bool
	ptrErr error // why there are none
	buf    []byte
	spare  []*Record // memory for the records, as long as no cache keeps them
	taken  int       // of spare

	err     error
	terms   int
	voids   int
	queries int
	ttl     time.Duration // least so far, -1 before the first answer
	signed  bool          // all answers so far were authentic
}

// start sets e up for a check.
func (e *eval) start(ctx *deadline, c *Checker, sender string, r *Request) {
	if e.scope.validated == nil {
		e.scope.validated = e.validatedName
		e.scope.now = func() int64 { return e.checker.now().Unix() }
	}
	e.checker, e.ctx, e.from, e.limits = c, ctx, c.resolver(), c.Limits.filled()
	e.scope.ip = r.IP.Unmap().WithZone("")
	e.scope.local, e.raw = splitSender(sender)
	e.scope.origin = toASCII(e.raw)
	e.scope.receiver = "unknown" // RFC 7208 §7.3
	if r.Receiver != "" {
		e.scope.receiver = r.Receiver
	}
	e.scope.hello = r.Hello
	if !addr.IsASCII(r.Hello) {
		e.scope.hello = toASCII(r.Hello) // RFC 8616 §4
	}
	e.ttl, e.signed = -1, true
	if c.Prefetch > 0 {
		e.ahead = newPrefetch(e)
		e.from = e.ahead
	}
}

// reset ends the check and makes e ready for the next one. What its memory still
// points to stays until it is overwritten, or until the pool is emptied, which the
// garbage collector does often; only what a hostile record has blown up goes now.
func (e *eval) reset() {
	if e.ahead != nil {
		e.ahead.stop()
		e.ahead = nil
	}
	for _, r := range e.spare[:e.taken] {
		if cap(r.Terms) > 64 {
			*r = Record{}
		}
	}
	if len(e.spare) > 64 { // the default limit of terms needs eleven
		e.spare, e.stack = nil, nil
	}
	e.stack, e.steps, e.names, e.taken = e.stack[:0], e.steps[:0], e.names[:0], 0
	e.ctx, e.match, e.asked, e.err = nil, "", false, nil
	e.ptrErr = nil
	e.terms, e.voids, e.queries = 0, 0, 0
}

// blank gives a Record to parse into. Nothing of a check keeps Records beyond its
// end, unless there is a cache.
func (e *eval) blank() *Record {
	if e.checker.Records != nil {
		return new(Record)
	}
	if e.taken == len(e.spare) {
		e.spare = append(e.spare, new(Record))
	}
	e.taken++
	return e.spare[e.taken-1]
}

// verdict evaluates a domain and says what came out.
func (e *eval) verdict(v *Verdict, domain string) {
	v.Domain = e.origin
	if domain != e.raw {
		v.Domain = toASCII(domain)
	}
	if !checkable(v.Domain) || !e.ip.IsValid() {
		v.Result, v.Domain = None, domain
		return
	}
	v.Result = e.run(v.Domain)
	v.Term, v.Err = e.match, e.err
	if len(e.stack) == 1 && v.Err == nil {
		v.Record = e.stack[0].domain
	}
	if v.Result == Fail {
		v.Explanation = e.explain(e.stack[0])
	}
	v.Terms, v.Voids, v.Queries = e.terms, e.voids, e.queries
	v.Steps, v.TTL, v.Authentic = slices.Clone(e.steps), max(e.ttl, 0), e.signed && e.queries > 0
}

// run evaluates the record of a domain and all that it leads to.
func (e *eval) run(domain string) Result {
	res := e.enter(domain)
	for {
		switch {
		case res == undecided:
			res = e.next()
		case len(e.stack) <= 1 || e.err != nil:
			return res
		default:
			res = e.leave(res)
		}
	}
}

// enter puts the record of a domain on the stack.
func (e *eval) enter(domain string) Result {
	rec, err := e.record(domain)
	switch {
	case err != nil:
		return e.fail(domain, "", err)
	case rec == nil:
		e.log(domain, "", "", NoRecord)
		return None
	}
	e.stack = append(e.stack, frame{record: rec, domain: domain})
	if e.ahead != nil {
		e.ahead.record(rec, domain)
	}
	return undecided
}

// leave ends an included record and gives its result to the term that included it
// (RFC 7208 §5.2): pass is a match, anything else is not.
func (e *eval) leave(res Result) Result {
	e.stack = e.stack[:len(e.stack)-1]
	f := &e.stack[len(e.stack)-1]
	return e.decide(f, &f.record.Terms[f.next-1], "", res == Pass)
}

// next evaluates one term of the record on top, or what stands after the last.
func (e *eval) next() Result {
	f := &e.stack[len(e.stack)-1]
	if f.next == len(f.record.Terms) {
		return e.end(f)
	}
	t := &f.record.Terms[f.next]
	f.next++
	if t.Mechanism.lookup() {
		if err := e.countTerm(); err != nil {
			return e.fail(f.domain, t.Text, err)
		}
	}
	switch t.Mechanism {
	case All:
		return e.decide(f, t, "", true)
	case IP4, IP6:
		return e.decide(f, t, "", t.Prefix.Contains(e.ip))
	}
	return e.query(f, t)
}

// query evaluates a term that needs the DNS.
func (e *eval) query(f *frame, t *Term) Result {
	name, ok, err := e.target(&t.target, f.domain)
	switch {
	case err != nil:
		return e.fail(f.domain, t.Text, err)
	case t.Mechanism == Include && ok:
		e.log(f.domain, t.Text, name, Descend)
		return e.must(f.domain, t.Text, e.enter(name))
	case t.Mechanism == Include && !t.target.silent(e):
		return e.fail(f.domain, t.Text, ErrNoRecord) // a name that cannot be asked for has no record
	case !ok:
		return e.decide(f, t, name, false) // RFC 7208 §4.8 leaves the choice
	}
	matched, err := e.lookUp(t, name)
	if err != nil {
		return e.fail(f.domain, t.Text, err)
	}
	return e.decide(f, t, name, matched)
}

// decide ends a term.
func (e *eval) decide(f *frame, t *Term, name string, matched bool) Result {
	if !matched {
		e.log(f.domain, t.Text, name, NoMatch)
		return undecided
	}
	e.log(f.domain, t.Text, name, Match)
	if len(e.stack) == 1 {
		e.match = t.Text
	}
	return t.Result()
}

// end is reached when no term has matched: redirect (RFC 7208 §6.1), or neutral
// (§4.7). A record with "all" never comes here, so its redirect is ignored.
func (e *eval) end(f *frame) Result {
	m := &f.record.Redirect
	if m.Text == "" {
		e.log(f.domain, "", "", Default)
		return Neutral
	}
	if err := e.countTerm(); err != nil {
		return e.fail(f.domain, m.Text, err)
	}
	name, ok, err := e.target(&m.target, f.domain)
	switch {
	case err != nil:
		return e.fail(f.domain, m.Text, err)
	case m.target.silent(e):
		e.log(f.domain, m.Text, "", NoMatch)
		return Neutral
	case !ok:
		return e.fail(f.domain, m.Text, ErrNoRecord)
	}
	domain, text := f.domain, m.Text
	e.log(domain, text, name, Redirected)
	e.stack = e.stack[:len(e.stack)-1] // the record gives way to the other one
	return e.must(domain, text, e.enter(name))
}

// must turns the none of an include or redirect into a permerror (RFC 7208 §5.2,
// §6.1).
func (e *eval) must(domain, term string, res Result) Result {
	if res == None {
		return e.fail(domain, term, ErrNoRecord)
	}
	return res
}

// fail ends the whole check: temperror if the DNS could not be asked, permerror if
// what it said cannot be followed.
func (e *eval) fail(domain, term string, err error) Result {
	e.err = err
	res, what := TempError, Unreachable
	if permanent(err) {
		res, what = PermError, Broken
	}
	e.log(domain, term, "", what)
	return res
}

// permanent tells what the domain has got wrong from what we could not find out. An
// error of the DNS is never permanent (RFC 7208 §4.4).
func permanent(err error) bool {
	switch err {
	case ErrTerms, ErrVoids, ErrMX, ErrQueries, ErrMultiple, ErrNoRecord:
		return true
	}
	var syntax SyntaxErrors
	return errors.As(err, &syntax)
}

// countTerm counts a term that causes queries before it makes one: the eleventh
// is never begun (RFC 7208 §4.6.4).
func (e *eval) countTerm() error {
	if e.terms == e.limits.Terms {
		return ErrTerms
	}
	e.terms++
	return nil
}

// maxSteps bounds what a record with thousands of terms makes a Verdict hold.
const maxSteps = 1000

func (e *eval) log(domain, term, target string, o Outcome) {
	if len(e.steps) == maxSteps {
		return
	}
	e.steps = append(e.steps, Step{
		Depth: max(0, len(e.stack)-1), Domain: domain, Term: term, Target: target, Outcome: o,
		Terms: e.terms, Voids: e.voids, Queries: e.queries,
	})
}
