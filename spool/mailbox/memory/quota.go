package memory

import (
	"context"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// limitOf is the limit in force; less than 0 means none. The mutex is held.
func (s *Store) limitOf(r mailbox.ResourceName) int64 {
	if s.limits != nil {
		if n, ok := s.limits[r]; ok {
			return n
		}
		return -1
	}
	if r == mailbox.Messages {
		return limit(s.MaxMessages, defaultMaxMessages)
	}
	return limit(s.MaxBytes, defaultMaxBytes)
}

// fits reports whether so much more is within the limits. The mutex is held.
func (s *Store) fits(bytes, messages int64) bool {
	b, m := s.limitOf(mailbox.Storage), s.limitOf(mailbox.Messages)
	return (b < 0 || s.bytes+bytes <= b) && (m < 0 || s.messages+messages <= m)
}

// Quotas are the limits of the account, under the root ""; see [mailbox.Quota].
func (s *Store) Quotas(ctx context.Context, id mailbox.ID) ([]mailbox.QuotaRoot, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if id != "" && s.byID(id) == nil {
		return nil, mailbox.ErrNotExist
	}
	var root mailbox.QuotaRoot
	for _, r := range []mailbox.Resource{
		{Name: mailbox.Storage, Used: s.bytes, Limit: s.limitOf(mailbox.Storage)},
		{Name: mailbox.Messages, Used: s.messages, Limit: s.limitOf(mailbox.Messages)},
	} {
		if r.Limit >= 0 {
			root.Resources = append(root.Resources, r)
		}
	}
	return []mailbox.QuotaRoot{root}, nil
}

// SetQuota replaces the limits that the fields of the Store set; see
// [mailbox.QuotaSetter].
func (s *Store) SetQuota(ctx context.Context, root string, limits []mailbox.Resource) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if root != "" {
		return mailbox.ErrNotExist
	}
	set := map[mailbox.ResourceName]int64{}
	for _, r := range limits {
		if (r.Name != mailbox.Storage && r.Name != mailbox.Messages) || r.Limit < 0 {
			return mailbox.ErrCannot
		}
		set[r.Name] = r.Limit
	}
	s.limits = set
	return nil
}

// reservation is the room that messages take while they are read.
type reservation struct {
	store           *Store
	bytes, messages int64
}

// take asks for room for so much more.
func (r *reservation) take(bytes, messages int64) error {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if !r.store.fits(bytes, messages) {
		return mailbox.ErrOverQuota
	}
	r.store.bytes += bytes
	r.store.messages += messages
	r.bytes += bytes
	r.messages += messages
	return nil
}

// used says that the room belongs to messages now.
func (r *reservation) used() { r.bytes, r.messages = 0, 0 }

// release gives back what was not used.
func (r *reservation) release() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.bytes -= r.bytes
	r.store.messages -= r.messages
	r.used()
}
