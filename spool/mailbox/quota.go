package mailbox

import (
	"context"
	"errors"
)

// Quota is an optional interface of a [Store] with limits (RFC 9208).
type Quota interface {
	// Quotas returns the quota roots that a mailbox counts towards, or all there
	// are for the ID "". A mailbox may have none.
	Quotas(ctx context.Context, id ID) ([]QuotaRoot, error)
}

// QuotaSetter is an optional interface of a [Store] with [Quota] whose users may
// change the limits. Without one the answer is [ErrReadOnly].
type QuotaSetter interface {
	Quota
	// SetQuota replaces the limits of a root: resources that are not in limits
	// have none from then on (RFC 9208 §4.1.2). Used is ignored. The error
	// is [ErrNotExist], or [ErrReadOnly] for one who may not.
	SetQuota(ctx context.Context, root string, limits []Resource) error
}

// QuotaRoot is a set of limits that some mailboxes share.
type QuotaRoot struct {
	Name      string // "" is a name like others
	Resources []Resource
}

// Resource is one thing that is limited.
type Resource struct {
	Name  ResourceName
	Used  int64
	Limit int64
}

// ResourceName says what is counted (RFC 9208 §5).
type ResourceName string

// The resources. Storage is in bytes here; IMAP tells it in units of 1024.
const (
	Storage   ResourceName = "STORAGE"
	Messages  ResourceName = "MESSAGE"
	Mailboxes ResourceName = "MAILBOX"
)

// Quotas asks s if it has [Quota]; nothing is limited if not.
func Quotas(ctx context.Context, s Store, id ID) ([]QuotaRoot, error) {
	if q, ok := s.(Quota); ok {
		return q.Quotas(ctx, id)
	}
	return nil, nil
}

// SetQuota asks s if it is a [QuotaSetter]; [ErrReadOnly] if not.
func SetQuota(ctx context.Context, s Store, root string, limits []Resource) error {
	if q, ok := s.(QuotaSetter); ok {
		return q.SetQuota(ctx, root, limits)
	}
	return ErrReadOnly
}

// Room reports whether so many bytes and messages more would be within the
// quota of a mailbox, before anything is read from a peer. The error is
// [ErrOverQuota].
func Room(ctx context.Context, s Store, id ID, bytes, messages int64) error {
	roots, err := Quotas(ctx, s, id)
	if err != nil {
		return err
	}
	for _, root := range roots {
		for _, r := range root.Resources {
			if r.over(bytes, messages) {
				return refuse(ErrOverQuota, string(r.Name))
			}
		}
	}
	return nil
}

// over reports whether more would be too much.
func (r Resource) over(bytes, messages int64) bool {
	switch r.Name {
	case Storage:
		return bytes > r.Limit-r.Used
	case Messages:
		return messages > r.Limit-r.Used
	}
	return false
}

// unsupported reports whether an optional method wants the fallback.
func unsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// isGone reports whether a message or mailbox was not there.
func isGone(err error) bool { return errors.Is(err, ErrNotExist) }
