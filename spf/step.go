package spf

import (
	"fmt"
	"strings"
)

// Outcome is what became of a step.
type Outcome string

// The outcomes.
const (
	Match       Outcome = "match"
	NoMatch     Outcome = "no match"
	Descend     Outcome = "evaluate" // an include: the next steps are one deeper
	Redirected  Outcome = "redirect"
	Default     Outcome = "default"     // the end of a record without a match: neutral
	NoRecord    Outcome = "no record"   // the domain publishes no SPF
	Unreachable Outcome = "unreachable" // the DNS could not be asked: temperror
	Broken      Outcome = "broken"      // the record cannot be followed: permerror
)

// Step is one thing that a check did.
type Step struct {
	Depth   int    // of includes; 0 is the record of the domain checked
	Domain  string // whose record it is
	Term    string // as written there; "" for the record as a whole
	Target  string // the name looked up, macros expanded; "" if none was
	Outcome Outcome

	// Terms, Voids and Queries are the counts after the step.
	Terms, Voids, Queries int
}

// String gives the step as a line without its end, indented by its depth.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", s.Depth))
	b.WriteString(clean(s.Domain, 253))
	if s.Term != "" {
		b.WriteString(": " + clean(s.Term, 200))
	}
	if s.Target != "" && s.Target != s.Domain {
		b.WriteString(" (" + clean(s.Target, 253) + ")")
	}
	b.WriteString(": " + string(s.Outcome))
	return b.String()
}

// String tells the whole check, one line for each step, and what came of it. No
// octet of a record or sender can break a line.
func (v Verdict) String() string {
	var b strings.Builder
	for _, s := range v.Steps {
		b.WriteString(s.String() + "\n")
	}
	fmt.Fprintf(&b, "%s for %s of %s", v.Result, v.Identity, clean(v.Domain, 253))
	if v.IP.IsValid() {
		fmt.Fprintf(&b, " from %s", v.IP)
	}
	fmt.Fprintf(&b, "; lookups: %d terms, %d void, %d queries", v.Terms, v.Voids, v.Queries)
	if v.Err != nil {
		b.WriteString("; " + clean(v.Err.Error(), 300))
	}
	if v.Explanation != "" {
		b.WriteString("; " + v.Explanation)
	}
	return b.String()
}

// clean makes s printable ASCII in one line of at most about n octets.
func clean(s string, n int) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < n; i++ {
		if c := s[i]; c < ' ' || c > '~' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	if b.Len() >= n && len(s) > n {
		b.WriteString("...")
	}
	return b.String()
}
