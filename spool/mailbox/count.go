package mailbox

import "context"

// Counter is an optional interface of a [Store] that can count one mailbox
// without handing out all its messages.
type Counter interface {
	// Counts counts. The error is [ErrNotExist].
	Counts(ctx context.Context, id ID) (Counts, error)
}

// CountsOf counts what is in a mailbox, by what Mailboxes said of it, by
// [Counter], or message by message.
func CountsOf(ctx context.Context, s Store, i Info) (Counts, error) {
	if i.Counts != nil {
		return *i.Counts, nil
	}
	if c, ok := s.(Counter); ok {
		return c.Counts(ctx, i.ID)
	}
	m, err := s.Open(ctx, i.ID)
	if err != nil {
		return Counts{}, err
	}
	defer m.Close()
	d, err := m.Changes(ctx, 0)
	if err != nil {
		return Counts{}, err
	}
	return Count(d), nil
}

// Count counts the messages of a full Delta.
func Count(d Delta) Counts {
	c := Counts{State: d.State, Messages: uint32(len(d.Messages))}
	for _, m := range d.Messages {
		c.Size += m.Size
		if m.Flags.Sys&Seen == 0 {
			c.Unseen++
		}
		if m.Flags.Sys&Deleted != 0 {
			c.Deleted++
		}
	}
	return c
}
