package mailbox

import "context"

// Mover is an optional interface of a [Mailbox] that moves within the account in
// one step: no message is ever in both mailboxes, or in none (RFC 6851 §3.3).
type Mover interface {
	// Move is Copy and then Expunge of what was copied; see [Copier].
	Move(ctx context.Context, uids Set, dst Mailbox) (from, to Set, err error)
}

// Move moves messages; see [Mover]. Without one, or where it says
// errors.ErrUnsupported, they are copied first and expunged then. If only the
// second fails they are in both mailboxes; from and to say so beside the error.
func Move(ctx context.Context, src Mailbox, uids Set, dst Mailbox) (from, to Set, err error) {
	if m, ok := src.(Mover); ok {
		if from, to, err = m.Move(ctx, uids, dst); !unsupported(err) {
			return from, to, err
		}
	}
	if from, to, err = Copy(ctx, src, uids, dst); err != nil || len(from) == 0 {
		return from, to, err
	}
	return from, to, src.Expunge(ctx, from)
}
