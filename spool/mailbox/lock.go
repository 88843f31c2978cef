package mailbox

import "context"

// Locker is an optional interface of a [Mailbox] that can be locked for one POP3
// session across all processes (RFC 1939 §4). The lock keeps other POP3
// sessions out and nobody else: mail is delivered and read by IMAP as ever.
type Locker interface {
	// Lock does not wait: if the mailbox is locked the error is [ErrInUse]. The
	// lock ends with release, which may be called twice, or with the process.
	Lock(ctx context.Context) (release func(), err error)
}

// Lock locks m if it is a [Locker]. Otherwise it returns a release that does
// nothing: the server then keeps out only sessions of its own.
func Lock(ctx context.Context, m Mailbox) (release func(), err error) {
	if l, ok := m.(Locker); ok {
		return l.Lock(ctx)
	}
	return func() {}, nil
}
