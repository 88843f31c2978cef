package mailbox

import (
	"context"
	"strconv"
)

// EmailIDs is an optional interface of a [Mailbox] whose messages have names that
// stay with them when they are copied and moved (RFC 8474 §5.1).
type EmailIDs interface {
	// EmailID returns 1 to 255 letters, digits, "_" and "-". Messages of one
	// account have the same only if they are the same byte for byte. The error
	// is [ErrNotExist].
	EmailID(ctx context.Context, uid UID) (string, error)
}

// EmailID asks m if it has [EmailIDs]; ok says so.
func EmailID(ctx context.Context, m Mailbox, uid UID) (id string, ok bool, err error) {
	if e, is := m.(EmailIDs); is {
		id, err = e.EmailID(ctx, uid)
		return id, err == nil, err
	}
	return "", false, nil
}

// Threads is an optional interface of a [Mailbox] that knows what belongs to one
// conversation across all mailboxes of the account (RFC 8474 §5.2).
type Threads interface {
	// ThreadID returns an ID of the same form as [EmailIDs], or "" for a message
	// that is in no thread. The error is [ErrNotExist].
	ThreadID(ctx context.Context, uid UID) (string, error)
}

// ThreadID asks m if it has [Threads]; without, no message is in one.
func ThreadID(ctx context.Context, m Mailbox, uid UID) (string, error) {
	if t, ok := m.(Threads); ok {
		return t.ThreadID(ctx, uid)
	}
	return "", nil
}

// POP3IDs is an optional interface of a [Mailbox] that gives messages the unique
// IDs of POP3 by itself, so that mail that came from another server is not
// downloaded again (RFC 1939 §7).
type POP3IDs interface {
	// POP3ID returns 1 to 70 characters in the range 0x21 to 0x7e, or "" for
	// a message that gets the usual one. No two messages have the same.
	POP3ID(ctx context.Context, uid UID) (string, error)
}

// POP3ID returns the unique ID of a message for UIDL. Without [POP3IDs] it is
// made of UIDVALIDITY and UID, which together are never used twice.
func POP3ID(ctx context.Context, m Mailbox, validity uint32, uid UID) (string, error) {
	if p, ok := m.(POP3IDs); ok {
		if id, err := p.POP3ID(ctx, uid); id != "" || err != nil {
			return id, err
		}
	}
	b := strconv.AppendUint(nil, uint64(validity), 10)
	b = append(b, '.')
	return string(strconv.AppendUint(b, uint64(uid), 10)), nil
}
