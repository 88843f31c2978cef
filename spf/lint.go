package spf

import (
	"fmt"
	"strings"
)

// Finding is something that a publisher should change in a correct record.
type Finding struct {
	Offset int    // of the term, in octets; 0 for the record as a whole
	Term   string // "" for the record as a whole
	Text   string
}

// String gives the finding as one line.
func (f Finding) String() string {
	if f.Term == "" {
		return f.Text
	}
	return fmt.Sprintf("%q at octet %d: %s", f.Term, f.Offset, f.Text)
}

// maxRecord is what fits, with the name, into an answer of 512 octets: RFC 7208
// §3.4.
const maxRecord = 450

// Lint lists what is allowed in a record but unwise or without effect, in the order
// of the record. It does not ask the DNS. A good record gives nil.
func (r *Record) Lint() []Finding {
	l := linter{record: r, seen: make(map[string]bool)}
	if len(r.Text) > maxRecord {
		l.add("", 0, fmt.Sprintf("the record has %d octets; beyond %d answers may be truncated", len(r.Text), maxRecord))
	}
	for i := range r.Terms {
		l.term(&r.Terms[i])
	}
	l.modifiers()
	if l.lookups > 10 {
		l.add("", 0, fmt.Sprintf("%d terms cause DNS lookups, only 10 are allowed (with those of included records)", l.lookups))
	}
	return l.findings
}

type linter struct {
	record   *Record
	findings []Finding
	seen     map[string]bool
	all      bool // "all" has come
	lookups  int
}

// add adds a finding.
func (l *linter) add(term string, offset int, text string) {
	l.findings = append(l.findings, Finding{Offset: offset, Term: term, Text: text})
}

// term looks at one directive.
func (l *linter) term(t *Term) {
	say := func(text string) { l.add(t.Text, t.Offset, text) }
	key := strings.ToLower(strings.TrimPrefix(t.Text, "+"))
	switch {
	case l.all:
		say("never reached, it stands after all") // RFC 7208 §5.1
	case l.seen[key]:
		say("stands twice")
	}
	l.seen[key] = true
	if t.Mechanism.lookup() {
		l.lookups++
	}
	switch t.Mechanism {
	case All:
		l.all = true
		if t.Qualifier == '+' {
			say("lets the whole Internet send mail for the domain")
		}
	case PTR:
		say("slow and unreliable, should not be published") // RFC 7208 §5.5
	case IP4, IP6:
		l.network(t, say)
	case A, MX:
		if t.Bits4 == 0 || t.Bits6 == 0 {
			say("a prefix length of zero matches every address")
		}
	case Exists:
		if !t.target.macro {
			say("without a macro it is the same for every client")
		}
	case Include:
		if t.Qualifier != '+' {
			say("a qualifier other than + on include surprises most readers")
		}
	}
	l.domain(t.Domain, t.target.uses, say)
}

// network looks at the argument of ip4 and ip6.
func (l *linter) network(t *Term, say func(string)) {
	switch {
	case t.Prefix.Bits() == 0:
		say("a prefix length of zero matches every address")
	case t.Prefix.Masked() != t.Prefix:
		say("the address has bits beyond the prefix; " + t.Prefix.Masked().String() + " is meant")
	case t.Prefix.Addr().Is4In6():
		say("matches no client: an IPv4 client is compared as IPv4") // RFC 7208 §5
	case !t.Prefix.Addr().IsGlobalUnicast() || t.Prefix.Addr().IsPrivate():
		say("not an address that mail comes from over the Internet")
	}
}

// domain looks at a domain-spec.
func (l *linter) domain(spec string, uses macros, say func(string)) {
	switch {
	case uses.has("p"):
		say("the macro %{p} is slow and unreliable, should not be published") // RFC 7208 §7.3
	case strings.HasSuffix(spec, ".") && spec != "":
		say("a final dot should not be published") // RFC 7208 §7.3
	}
}

// modifiers looks at redirect and exp, and at how the record ends.
func (l *linter) modifiers() {
	r := l.record
	if m := r.Redirect; m.Text != "" {
		say := func(text string) { l.add(m.Text, m.Offset, text) }
		l.lookups++
		if l.all {
			say("without effect beside all") // RFC 7208 §5.1
		} else if m.Offset < lastOffset(r) {
			say("should stand at the end, where it is evaluated") // RFC 7208 §6.1
		}
		l.domain(m.Value, m.target.uses, say)
	} else if !l.all {
		l.add("", 0, "neither all nor redirect: other clients get neutral") // RFC 7208 §4.7
	}
	if m := r.Exp; m.Text != "" {
		l.domain(m.Value, m.target.uses, func(text string) { l.add(m.Text, m.Offset, text) })
	}
	for _, m := range r.Unknown {
		l.add(m.Text, m.Offset, "unknown modifier, ignored")
	}
}

// lastOffset is where the last directive stands.
func lastOffset(r *Record) int {
	if len(r.Terms) == 0 {
		return 0
	}
	return r.Terms[len(r.Terms)-1].Offset
}
