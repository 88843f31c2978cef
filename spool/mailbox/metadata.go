package mailbox

import "context"

// Metadata is an optional interface of a [Store] that keeps annotations of
// mailboxes and, under the ID "", of the account as a whole (RFC 5464).
type Metadata interface {
	// Metadata returns all entries that this user may see.
	Metadata(ctx context.Context, id ID) ([]Entry, error)
	// SetMetadata changes entries, all or none. One with a nil Value is removed.
	// The errors are [ErrNotExist], [ErrTooBig] for a value, [ErrLimit] for the
	// number of entries, [ErrReadOnly].
	SetMetadata(ctx context.Context, id ID, entries []Entry) error
}

// Entry is one annotation. Names are paths such as "/private/comment", compared
// without regard to case.
type Entry struct {
	Name  string
	Value []byte
}

// MetadataOf asks s if it has [Metadata]; there are no entries if not.
func MetadataOf(ctx context.Context, s Store, id ID) ([]Entry, error) {
	if m, ok := s.(Metadata); ok {
		return m.Metadata(ctx, id)
	}
	return nil, nil
}

// SetMetadata asks s if it has [Metadata]; [ErrReadOnly] if not.
func SetMetadata(ctx context.Context, s Store, id ID, entries []Entry) error {
	if m, ok := s.(Metadata); ok {
		return m.SetMetadata(ctx, id, entries)
	}
	return ErrReadOnly
}
