package spool

import (
	"context"
	"io"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Store keeps items until every recipient is settled. It is the interface to
// implement for a queue on another engine; spooltest.Run checks an
// implementation against what is written here, and memspool is one to read.
//
// All methods but those of one [Writer] may be called by any number of
// goroutines at the same time, and on a shared engine by any number of
// processes. A method returns soon after its ctx has ended, with an error for
// which errors.Is finds ctx.Err(), and has then done nothing unless it says
// otherwise. After Close everything returns [ErrClosed].
//
// Time is the store's: when something is due and when a lease runs out is read
// from one clock, that of the engine, and never from the machine of a worker,
// whose clock may differ.
//
// Delivery is at least once. A recipient is handed out twice only if a lease ran
// out while its worker was still busy, or if a worker or the store died between
// a delivery and its Settle.
type Store interface {
	// Begin opens a body. size is what the sender declared, in bytes, and a hint:
	// 0 or less is not known, and the body may turn out longer. The error is
	// [ErrFull] where there is surely no room for it and [ErrBusy] where the
	// store is too slow for the deadline of ctx.
	Begin(ctx context.Context, size int64) (Writer, error)

	// Claim takes due work for one worker, and marks it as taken in one atomic
	// step: no recipient is ever in two leases that both run. It does not wait;
	// nothing due is an empty result and no error.
	//
	// A recipient is due from the latest of its item's NotBefore and the Next of
	// its last [Outcome], unless it is held. Each claim has one item and those of
	// its due recipients that have one destination: one transaction. Claims of
	// different destinations of one item run beside each other.
	//
	// Classes take turns, and in each class destinations do; within class and
	// destination what is due first comes first. So of calls in a row, each with
	// Max 1, none serves a class again before all others with due work were
	// served, and no destination again before the others of its class. Several
	// callers at once, or mail arriving meanwhile, may blur the order; no work
	// is left behind for ever.
	Claim(ctx context.Context, q Query) ([]Claim, error)

	// Extend lets a lease run until d from now. The error is [ErrLost] if the
	// lease is over; what the worker does then is done twice.
	Extend(ctx context.Context, l Lease, d time.Duration) error

	// Settle ends a lease: it records the outcomes and queues the follow-ups in
	// one atomic step, durable on nil. With any error neither was done and the
	// lease runs on, so the call may be repeated; it is not known only where the
	// store lost touch with its engine, and then repeating it is either done or
	// [ErrLost].
	//
	// Recipients of the claim without an outcome are given back as they were
	// before it, due at once, their attempt not counted. An outcome for anybody
	// else, or two for one recipient, is [ErrInvalid].
	//
	// When no recipient is left the item is gone, and with its last item the
	// body. A settled recipient is never offered again.
	//
	// Bodies of follow-ups are read before anything is changed, and without any
	// lock held; an error in one is returned. Follow-up items follow the rules of
	// [Writer].Commit; a store at its limit keeps some room for them, since
	// outcomes that cannot be recorded are deliveries made twice.
	Settle(ctx context.Context, l Lease, out []Outcome, next ...Followup) error

	// Open gives the body as it was written, without any Prefix. It stays
	// readable until closed, even when the item is gone meanwhile. ctx covers all
	// reads of it. The errors are [ErrNotExist] and [ErrCorrupt].
	Open(ctx context.Context, id ID) (Blob, error)

	// Wait returns nil when a Claim with this q may find something: at once if
	// it would now, else when an item comes or becomes due, when a lease runs
	// out or is settled, or when something held is released. It may return too
	// early, and a store that polls may return a little late.
	Wait(ctx context.Context, q Query) error

	// Close ends waiting calls and gives back what the store holds. Leases stay
	// with the items and run out by themselves. A second Close does nothing.
	Close() error
}

// Blob is a stored body. ReadAt may be called concurrently; Close once, after
// the last read.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// Writer takes one body. It is for one goroutine; several writers of a store
// work side by side.
type Writer interface {
	// Write appends to the body. After an error only Abort may follow; [ErrFull]
	// is one.
	io.Writer

	// Commit makes the items with the body visible, all in one atomic step, and
	// is durable on nil. The items belong to the store from now on and must not
	// be changed; ID and Created are filled in first, see [Prepare].
	//
	// An item whose ID the store has already is left as it is there, and that is
	// no error: a Commit may be repeated. The store remembers an ID at least
	// until the item is gone.
	//
	// After an error nothing is visible, unless the store lost touch with its
	// engine in the very moment. The Writer is then used up; Abort it.
	Commit(ctx context.Context, items ...*Item) error

	// Abort drops the body. After Commit has returned nil it does nothing, so
	// that it can be deferred.
	Abort() error
}

// Query says what a worker would take. The zero Query takes one claim for
// [DefaultLease].
type Query struct {
	Worker  string        // who asks; only shown to people
	Max     int           // claims at most; 0 means 1
	PerDest int           // claims of one destination at most; 0 means no limit
	Lease   time.Duration // how long a claim is kept from others; 0 means DefaultLease
	Skip    []string      // destinations that are not wanted now
}

// DefaultLease is how long a claim lasts if its [Query] says nothing: long enough
// to extend it in time, short enough that a dead worker's mail moves on.
const DefaultLease = 5 * time.Minute

// Lease is the right to work on a claim. It is a value and can be handed on.
//
// Token is another one for each claim of the same item, so a worker that comes
// late cannot settle what a second one has begun. A lease that ran out is not
// over yet: until somebody else claims its recipients it can be extended and
// settled, since an outcome is a fact, and refusing it would deliver twice.
type Lease struct {
	ID    ID
	Token uint64
	Until time.Time // when it runs out, by the clock of the store; Extend moves it
}

// Claim is work for one transaction: some recipients of one item, who share a
// destination. Item is shared with others and must not be changed.
type Claim struct {
	Lease Lease
	Item  *Item
	Due   []Progress // at least one, in the order of Item.Envelope.To
}

// Dest is the destination of all due recipients.
func (c Claim) Dest() string { return c.Item.DestOf(c.Due[0].Rcpt) }

// Envelope is the envelope for the due recipients alone, in the order of Due. An
// envelope without ID gets that of the item.
func (c Claim) Envelope() smtp.Envelope {
	to := make([]smtp.Recipient, len(c.Due))
	for i, p := range c.Due {
		to[i] = c.Item.Envelope.To[p.Rcpt]
	}
	e := c.Item.Envelope.With(to...)
	if e.ID == "" {
		e.ID = string(c.Item.ID)
	}
	return e
}

// Progress is where one recipient stands.
type Progress struct {
	Rcpt     int         // index in Item.Envelope.To
	State    State       // StateClaimed in a Claim
	Attempts int         // begun so far, with this one; a lease that ran out counts
	Due      time.Time   // when it may be tried, or was
	Warned   bool        // the sender was told of the delay
	Last     smtp.Result // of the attempt before; its Err may be lost
}

// Outcome is how an attempt for one recipient ended. The zero Next settles it:
// it was delivered, or is given up, and whoever was to be told is told by the
// follow-ups.
type Outcome struct {
	Rcpt   int // index in Item.Envelope.To
	Result smtp.Result
	Next   time.Time // when to try again; zero never
	Warned bool      // the follow-ups tell of the delay: Progress says so from now on
}

// Followup is a message that an outcome gives rise to, such as a bounce.
type Followup struct {
	Items []*Item
	Body  io.Reader
}
