package spf

import (
	"cmp"
	"errors"
	"time"
)

// Limits bound what a sender can make a check do. In each field zero means the
// default; a negative number allows none.
type Limits struct {
	Terms   int           // terms that cause DNS queries, 10: RFC 7208 §4.6.4
	Voids   int           // terms that the DNS has nothing for, 2: RFC 7208 §4.6.4
	MX      int           // hosts of one mx term, 10; more are a permerror
	PTR     int           // names of the client looked at, 10; more are ignored
	Queries int           // DNS queries in all, 120; the RFC allows some hundreds
	Total   time.Duration // of a whole check from its first wait for the DNS, 20 s: the least that the RFC allows
}

// The limit that was exceeded, in Verdict.Err; the result is permerror.
var (
	ErrTerms   = errors.New("spf: too many terms with DNS lookups")
	ErrVoids   = errors.New("spf: too many lookups without an answer")
	ErrMX      = errors.New("spf: too many MX hosts")
	ErrQueries = errors.New("spf: too many DNS queries")
)

// Other reasons for a permerror, beside [SyntaxErrors].
var (
	ErrMultiple = errors.New("spf: more than one SPF record")
	ErrNoRecord = errors.New("spf: include or redirect to a domain without an SPF record")
)

// total is the time for a whole check.
func (l *Limits) total() time.Duration { return max(0, cmp.Or(l.Total, 20*time.Second)) }

// filled gives the other limits with the defaults in place.
func (l *Limits) filled() Limits {
	return Limits{
		Terms:   max(0, cmp.Or(l.Terms, 10)),
		Voids:   max(0, cmp.Or(l.Voids, 2)),
		MX:      max(0, cmp.Or(l.MX, 10)),
		PTR:     max(0, cmp.Or(l.PTR, 10)),
		Queries: max(0, cmp.Or(l.Queries, 120)),
	}
}
