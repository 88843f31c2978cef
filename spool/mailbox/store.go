package mailbox

import (
	"context"
	"io"
)

// Store is one user's mail: a flat list of mailboxes with names in which "/"
// separates levels. That a name has a parent, what LIST matches, and which
// children a rename takes along is decided by those who call; a store may have
// "a/b" without "a".
//
// All methods may be called by any number of goroutines, and on a shared engine
// by any number of processes. Names come as [CheckName] made them; a store checks
// again what its engine depends on. Every method returns soon after its ctx has
// ended, with an error for which errors.Is finds ctx.Err(), and has then done
// nothing unless it says otherwise.
//
// The servers close a store at the end of a session if it is an [io.Closer].
type Store interface {
	// Key is the same for every Store of the same account and for no other.
	// Servers share what they know of a mailbox by Key and ID.
	Key() string

	// Mailboxes lists all mailboxes, and the names that are subscribed without
	// one: those have no ID. The order is up to the store. INBOX is always there.
	Mailboxes(ctx context.Context) ([]Info, error)

	// Create makes an empty mailbox. use are special-use attributes such as
	// `\Sent` (RFC 6154 §2). The errors are [ErrExists], [ErrCannot] and
	// [ErrLimit].
	Create(ctx context.Context, name string, use ...string) (ID, error)

	// Delete removes a mailbox and its messages. Its ID is never used again, and
	// if a mailbox of its name is created anew, that has another UIDVALIDITY
	// (RFC 9051 §6.3.5). The subscription of the name stays. INBOX cannot be
	// deleted: [ErrCannot]. Sessions that have the mailbox open get
	// [ErrNotExist] from then on.
	Delete(ctx context.Context, id ID) error

	// Rename gives one mailbox another name. It keeps its ID, messages, UIDs and
	// UIDVALIDITY. INBOX cannot be renamed: [ErrCannot]; what IMAP understands by
	// it (RFC 9051 §6.3.6) the server does by moving the messages.
	Rename(ctx context.Context, id ID, to string) error

	// Subscribe marks a name, or unmarks it. By name, since a name may be
	// subscribed that does not exist, or no longer (RFC 9051 §6.3.7). Doing it
	// twice is no error.
	Subscribe(ctx context.Context, name string, on bool) error

	// Open opens a mailbox. The error is [ErrNotExist].
	Open(ctx context.Context, id ID) (Mailbox, error)
}

// Info describes one mailbox.
type Info struct {
	ID         ID // "" for a name that is subscribed only
	Name       string
	Subscribed bool
	Use        []string // special-use attributes, such as `\Sent`
	Counts     *Counts  // nil if that would cost more than a list should
}

// Counts are what STATUS tells of a mailbox.
type Counts struct {
	State    State
	Messages uint32
	Unseen   uint32 // without \Seen
	Deleted  uint32 // with \Deleted
	Size     int64  // bytes of all messages
}

// Finder is an optional interface of a [Store] that finds a mailbox without
// listing all: a delivery looks for one by its name.
type Finder interface {
	// Find returns the mailbox of a name. The error is [ErrNotExist].
	Find(ctx context.Context, name string) (Info, error)
}

// Find returns the mailbox of a name, by [Finder] or from the list. The error is
// [ErrNotExist].
func Find(ctx context.Context, s Store, name string) (Info, error) {
	if f, ok := s.(Finder); ok {
		return f.Find(ctx, name)
	}
	all, err := s.Mailboxes(ctx)
	if err != nil {
		return Info{}, err
	}
	for _, i := range all {
		if i.Name == name && i.ID != "" {
			return i, nil
		}
	}
	return Info{}, refuse(ErrNotExist, clip(name))
}

// OpenName opens a mailbox by its name.
func OpenName(ctx context.Context, s Store, name string) (Mailbox, error) {
	i, err := Find(ctx, s, name)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, i.ID)
}

// Close closes s if it is an [io.Closer], as servers do after a session.
func Close(s Store) error {
	if c, ok := s.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
