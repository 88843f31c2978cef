package alias

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Limits bound the work for one message. Where one is exceeded nothing of the
// message is expanded, and it waits: see [LimitError].
type Limits struct {
	Depth      int           // names between a recipient and an address; 0 means 20
	Lookups    int           // calls of Resolver.Lookup; 0 means 10,000
	Recipients int           // addresses that come out; 0 means 10,000
	Timeout    time.Duration // for all of it; 0 means 10 s
}

// refsPerLookup bounds how often names may stand in the entries that were
// looked up, for lists that hold each other many times over.
const refsPerLookup = 32

func (l Limits) orDefault() Limits {
	return Limits{
		Depth:      cmp.Or(l.Depth, 20),
		Lookups:    cmp.Or(l.Lookups, 10_000),
		Recipients: cmp.Or(l.Recipients, 10_000),
		Timeout:    cmp.Or(l.Timeout, 10*time.Second),
	}
}

// Expander replaces the recipients of an envelope by those that their names
// stand for. Its fields must not change once it is in use; its methods may be
// called by many goroutines.
type Expander struct {
	Resolver Resolver // nil: no name has an entry
	Limits   Limits   // zero fields have defaults

	// VERP makes the sender of each copy of a list name its member, so that a
	// bounce says whose it is. Nil leaves the owner of the list as it is.
	VERP *Rewriter

	// Command gives the address under which the delivery agents know a pipe or
	// a file, "vacation@pipe.internal" for instance. Nil: a name that stands
	// for one makes its mail wait, since dropping it would lose mail.
	Command func(ctx context.Context, t Target) (smtp.Path, error)
}

// Plan is an envelope expanded.
type Plan struct {
	// Envelopes are what is to be sent on: one for all recipients with the
	// sender of the message, and one for each member of each list. There are
	// none if all names stand for [Discard]. They share slices; change them
	// through [smtp.Envelope.Clone].
	Envelopes []smtp.Envelope

	// Why is the way to each recipient, from the one that the sender named.
	Why map[smtp.Path][]smtp.Path

	// Loops are the references that were dropped because they lead back, the
	// first 20, each a *[LoopError]; somebody was left to deliver to.
	Loops []error
}

// Explain says how the message came to rcpt: "<team@…> → <ann@…>", "" for one
// that is no recipient.
func (p Plan) Explain(rcpt smtp.Path) string { return describe(p.Why[rcpt]) }

// Expand expands env; call it when the message arrives (DATA). It does all of
// it or nothing. The errors have SMTP(): *[LookupError] and *[LimitError] are
// temporary; *[LoopError] is permanent, where nobody is left for one of the
// recipients; *[RefusedError] is what the table says.
func (x *Expander) Expand(ctx context.Context, env smtp.Envelope) (Plan, error) {
	e, err := x.expand(ctx, env.To)
	if err != nil {
		return Plan{}, err
	}
	envs, err := e.envelopes(env)
	if err != nil {
		return Plan{}, err
	}
	return Plan{envs, e.why(), e.loops()}, nil
}

// Envelopes is [Expander.Expand] for those who only want the envelopes: it
// fits spool.Runner.Expand and spool.Put.
func (x *Expander) Envelopes(ctx context.Context, env smtp.Envelope) ([]smtp.Envelope, error) {
	e, err := x.expand(ctx, env.To)
	if err != nil {
		return nil, err
	}
	return e.envelopes(env)
}

// Verify checks a recipient while it can still be refused by itself (RCPT). It
// expands rcpt and asks exists for every address that comes out; its first
// error is returned. The members of a list are not asked for: delivery to the
// list is final (RFC 3461 §5.2.7.1), and what becomes of the copies is between
// the list's owner and them. exists may be nil.
func (x *Expander) Verify(ctx context.Context, rcpt smtp.Path, exists func(context.Context, smtp.Path) error) error {
	e, err := x.expand(ctx, []smtp.Recipient{{Path: rcpt}})
	if err != nil || exists == nil {
		return err
	}
	for _, l := range e.leaves {
		if err := exists(ctx, l.node.path); err != nil {
			if l.parent == nil {
				return err
			}
			return fmt.Errorf("alias: %s: %w", describe(l.way()), err)
		}
	}
	return nil
}
