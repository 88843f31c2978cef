package spf

import (
	"fmt"
	"net/netip"
	"strings"
)

// Record is an SPF record, read by [Parse]. It is plain data, does not change
// once made, and may be shared.
type Record struct {
	Text  string
	Terms []Term // the mechanisms, in the order of evaluation

	Redirect Modifier // zero if there is none
	Exp      Modifier // zero if there is none

	// Unknown are the modifiers that RFC 7208 §6 wants ignored.
	Unknown []Modifier
}

// String gives the text that the record was read from.
func (r *Record) String() string { return r.Text }

// Mechanism is the kind of a term (RFC 7208 §5).
type Mechanism uint8

// The mechanisms.
const (
	All Mechanism = iota + 1
	Include
	A
	MX
	PTR
	IP4
	IP6
	Exists
)

var mechanismNames = [...]string{"", "all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}

// String gives the name as it is written in records.
func (m Mechanism) String() string {
	if int(m) < len(mechanismNames) {
		return mechanismNames[m]
	}
	return fmt.Sprintf("Mechanism(%d)", m)
}

// lookup says whether the mechanism counts towards the limit of terms that cause
// DNS queries (RFC 7208 §4.6.4).
func (m Mechanism) lookup() bool { return m != All && m != IP4 && m != IP6 }

// Term is a directive: a mechanism with its qualifier (RFC 7208 §4.6.1).
type Term struct {
	Text      string // as it stands in the record
	Offset    int    // where, in octets
	Qualifier byte   // '+', '-', '~' or '?'
	Mechanism Mechanism

	Domain string       // the domain-spec with its macros, "" if there is none
	Prefix netip.Prefix // ip4 and ip6
	Bits4  uint8        // a and mx: the cidr-length for IPv4, 32 if there is none
	Bits6  uint8        // and for IPv6, 128 if there is none

	target target
}

// Result is the result of the check if the term matches.
func (t *Term) Result() Result {
	switch t.Qualifier {
	case '-':
		return Fail
	case '~':
		return SoftFail
	case '?':
		return Neutral
	}
	return Pass
}

// Modifier is name=value (RFC 7208 §6).
type Modifier struct {
	Text   string // as it stands in the record, "" if there is no such modifier
	Offset int
	Name   string // as written; letters compare without regard to case
	Value  string

	target target
}

// target is a domain-spec made ready for evaluation.
type target struct {
	name  string // folded; if there are macros, as written
	macro bool
	uses  macros // the letters in it
}

// macros is a set of macro letters.
type macros uint32

// has says whether one of the letters is in the set.
func (m macros) has(letters string) bool {
	for i := range len(letters) {
		if m&(1<<(letters[i]-'a')) != 0 {
			return true
		}
	}
	return false
}

// SyntaxError is one thing wrong with a record.
type SyntaxError struct {
	Offset int    // of the term, in octets
	Term   string // the term
	Text   string // what is wrong with it
}

// Error names the term, its place and the fault.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("spf: %q at octet %d: %s", e.Term, e.Offset, e.Text)
}

// SyntaxErrors is everything wrong with a record, in order; it is never empty.
type SyntaxErrors []*SyntaxError

// Error lists the faults.
func (e SyntaxErrors) Error() string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(one.Error())
	}
	return b.String()
}

// Unwrap lets errors.As find the first [*SyntaxError].
func (e SyntaxErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
