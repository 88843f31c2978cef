package dns

import (
	"context"
	"sync/atomic"
)

// Budget returns a resolver that passes at most max lookups on to next and
// answers the rest with ErrBudget: make one for each mail transaction, so that no
// sender can turn a single message into hundreds of queries. Answers that next
// has in a cache count as well. A nil next is a NetResolver; a max of zero or
// less refuses every lookup.
func Budget(next Resolver, max int) Resolver {
	return &budget{next: or(next), max: int64(max)}
}

type budget struct {
	next Resolver
	max  int64
	used atomic.Int64
}

// Lookup counts first: of lookups made at the same time no more than max get
// through.
func (b *budget) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	if b.used.Add(1) > b.max {
		return Answer{}, &Error{Name: name, Type: t, Err: ErrBudget}
	}
	return b.next.Lookup(ctx, name, t)
}

// or gives the resolver that a nil one stands for.
func or(r Resolver) Resolver {
	if r == nil {
		return NetResolver{}
	}
	return r
}
