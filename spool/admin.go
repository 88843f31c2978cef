package spool

import (
	"context"
	"iter"
)

// Admin is what a [Store] may offer beside to those who look after the queue.
// Ask for it by a type assertion. Its methods may be called at any time.
type Admin interface {
	// List gives the items that have a recipient matching f, in the order of
	// their IDs, each with all its recipients that are not settled. Items that
	// come or go meanwhile may be missing. No lock is held while the caller
	// looks at one. An error ends the list.
	List(ctx context.Context, f Filter) iter.Seq2[Info, error]
	// Apply does a to all recipients that match f, and says how many those were.
	// Each item changes in one atomic step, durable before Apply returns.
	Apply(ctx context.Context, f Filter, a Action) (int, error)
}

// Info is one item as List shows it.
type Info struct {
	Item  *Item      // not to be changed
	Rcpts []Progress // those not settled
	Size  int64      // of the body in bytes
}

// Filter picks recipients; each field that is not zero must match. The zero
// Filter matches all.
type Filter struct {
	ID    ID
	Dest  string
	Class *string // nil matches all, since "" is a class
	State State
}

// Match reports whether f picks the recipient p of it.
func (f Filter) Match(it *Item, p Progress) bool {
	return (f.ID == "" || f.ID == it.ID) &&
		(f.Dest == "" || f.Dest == it.DestOf(p.Rcpt)) &&
		(f.Class == nil || *f.Class == it.Class) &&
		(f.State == "" || f.State == p.State)
}

// State is what a recipient is doing in the queue.
type State string

// The states. A recipient that is settled has none: it is gone.
const (
	StateQueued  State = "queued"  // due, or waiting to become so
	StateClaimed State = "claimed" // in a lease that runs
	StateHeld    State = "held"    // not offered until released
)

// Action is what an [Admin] does to recipients.
type Action string

// The actions. Those that a worker has claimed are left to the worker, except
// that Hold takes effect when the claim is over and leaves something to try.
const (
	Hold    Action = "hold"    // offer no more
	Release Action = "release" // end a Hold; a recipient not held is not counted
	Flush   Action = "flush"   // make due now, NotBefore or not; held ones stay held
	Requeue Action = "requeue" // Flush, and forget the attempts made
	Delete  Action = "delete"  // drop without telling anybody
)
