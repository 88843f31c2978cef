package mailbox

import (
	"context"
	"iter"
	"slices"
	"time"
)

// Copier is an optional interface of a [Mailbox] that copies within the account
// without reading messages, by a link or inside its database.
type Copier interface {
	// Copy adds the messages of uids that exist to dst, all or none, with flags
	// and Received as they are, in ascending order of UID: the first of from
	// became the first of to, and so on (RFC 4315 §3). Where dst is of another
	// kind, or another account, the error is errors.ErrUnsupported.
	//
	// dst may be the mailbox itself.
	Copy(ctx context.Context, uids Set, dst Mailbox) (from, to Set, err error)
}

// Copy copies messages; see [Copier]. Without one, or where it says
// errors.ErrUnsupported, each message is read and appended.
func Copy(ctx context.Context, src Mailbox, uids Set, dst Mailbox) (from, to Set, err error) {
	if c, ok := src.(Copier); ok {
		if from, to, err = c.Copy(ctx, uids, dst); !unsupported(err) {
			return from, to, err
		}
	}
	metas, err := some(ctx, src, uids)
	if err != nil || len(metas) == 0 {
		return nil, nil, err
	}
	added, err := dst.Append(ctx, reading(ctx, src, metas, &from))
	if err != nil {
		return nil, nil, err
	}
	return from, SetOf(added...), nil
}

// some are the messages of uids that exist.
func some(ctx context.Context, m Mailbox, uids Set) ([]Meta, error) {
	if len(uids) == 0 {
		return nil, nil
	}
	d, err := m.Changes(ctx, 0)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(d.Messages, func(m Meta) bool { return !uids.Contains(m.UID) }), nil
}

// reading opens one message after the other for Append. One that was expunged
// meanwhile is left out.
func reading(ctx context.Context, src Mailbox, metas []Meta, copied *Set) iter.Seq2[*Incoming, error] {
	return func(yield func(*Incoming, error) bool) {
		for _, m := range metas {
			b, err := src.Message(ctx, m.UID)
			if isGone(err) {
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			in := &Incoming{Body: reader(b), Size: b.Size(), Flags: m.Flags, Received: time.Unix(m.Received, 0)}
			copied.Add(m.UID)
			more := yield(in, nil)
			b.Close()
			if !more {
				return
			}
		}
	}
}
