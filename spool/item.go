package spool

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Item is one envelope in the queue: one message from one sender to some
// recipients. Several items may share one body; each has its own Prefix on top.
//
// [Writer].Commit fills ID and Created in where they are zero; after that
// nobody changes an item, neither who put it nor who claimed it.
type Item struct {
	ID       ID
	Envelope smtp.Envelope // To must not be empty
	// Dest has a name for each recipient, by which work is batched and limited;
	// nil means the domains of the recipients.
	Dest []string
	// Class is whom the item competes with: classes take turns, so that a large
	// mailing in one of them delays nobody in another. "" is a class too.
	Class     string
	Created   time.Time         // when it came; zero means now
	NotBefore time.Time         // not offered before; zero means at once
	WarnAt    time.Time         // when a delay is told to the sender; zero leaves it to the schedule
	Expire    time.Time         // when it is given up; zero leaves it to the schedule
	Meta      map[string]string // for those who put it; names that begin with "spool." are the Runner's
}

// DestOf is the destination of the recipient with this index in Envelope.To.
func (it *Item) DestOf(rcpt int) string {
	if rcpt < len(it.Dest) {
		return it.Dest[rcpt]
	}
	return it.Envelope.To[rcpt].Path.Domain()
}

// Clone is a copy that shares nothing.
func (it *Item) Clone() *Item {
	c := *it
	c.Envelope = it.Envelope.Clone()
	c.Dest = slices.Clone(it.Dest)
	c.Meta = maps.Clone(it.Meta)
	return &c
}

// check looks at all that Commit does not fill in.
func (it *Item) check() error {
	if len(it.Envelope.To) == 0 {
		return fmt.Errorf("%w: an item without recipients", ErrInvalid)
	}
	for _, r := range it.Envelope.To {
		if r.Path.IsNull() {
			return fmt.Errorf("%w: a null recipient", ErrInvalid)
		}
	}
	if it.Dest != nil && len(it.Dest) != len(it.Envelope.To) {
		return fmt.Errorf("%w: %d destinations for %d recipients", ErrInvalid, len(it.Dest), len(it.Envelope.To))
	}
	if it.ID == "" {
		return nil
	}
	_, err := ParseID(string(it.ID))
	return err
}

// validate is check for the items of one Commit.
func validate(items []*Item) error {
	if len(items) == 0 {
		return fmt.Errorf("%w: no items", ErrInvalid)
	}
	seen := make(map[ID]bool, len(items))
	for _, it := range items {
		if err := it.check(); err != nil {
			return err
		}
		if it.ID != "" && seen[it.ID] {
			return fmt.Errorf("%w: two items with the ID %s", ErrInvalid, it.ID)
		}
		seen[it.ID] = true
	}
	return nil
}

// Prepare is what every store does first with the items of a Commit: it checks
// them and fills in what is zero, an ID from random (nil means crypto/rand) and
// Created from now. The error is [ErrInvalid] if there are no items, one has no
// recipient, or two have the same ID, or that of random; nothing was filled in.
func Prepare(now time.Time, random io.Reader, items ...*Item) error {
	if err := validate(items); err != nil {
		return err
	}
	if random == nil {
		random = rand.Reader
	}
	ids := make([]ID, len(items))
	for i, it := range items {
		if ids[i] = it.ID; it.ID != "" {
			continue
		}
		id, err := NewID(now, random)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	for i, it := range items {
		it.ID = ids[i]
		if it.Created.IsZero() {
			it.Created = now
		}
	}
	return nil
}
