package mailbox

import "context"

// Recent is an optional interface of a [Mailbox] that remembers which messages
// no session has been told of yet: what IMAP4rev1 calls \Recent (RFC 3501
// §2.3.2). Without one nothing is ever recent.
type Recent interface {
	// Recent returns the UIDs from first up to but not including next that were
	// not claimed before. With claim they now are: no other session gets them,
	// in this process or another.
	Recent(ctx context.Context, claim bool) (first, next UID, err error)
}

// RecentOf asks m if it is [Recent]. Otherwise first and next are 0.
func RecentOf(ctx context.Context, m Mailbox, claim bool) (first, next UID, err error) {
	if r, ok := m.(Recent); ok {
		return r.Recent(ctx, claim)
	}
	return 0, 0, nil
}
