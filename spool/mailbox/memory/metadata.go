package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Limits of annotations.
const (
	maxEntry   = 64 << 10 // bytes of a value
	maxEntries = 1_000    // of a mailbox
)

// annotations are entries by their names in lower case.
type annotations map[string]mailbox.Entry

// Metadata returns the annotations of a mailbox; see [mailbox.Metadata].
func (s *Store) Metadata(ctx context.Context, id mailbox.ID) ([]mailbox.Entry, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if id != "" && s.byID(id) == nil {
		return nil, mailbox.ErrNotExist
	}
	all := s.entries[id]
	out := make([]mailbox.Entry, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, mailbox.Entry{Name: all[k].Name, Value: bytes.Clone(all[k].Value)})
	}
	return out, nil
}

// SetMetadata changes annotations; see [mailbox.Metadata]. A value has at most
// 64 KiB, a mailbox 1,000 entries.
func (s *Store) SetMetadata(ctx context.Context, id mailbox.ID, entries []mailbox.Entry) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.changed("")
	defer s.mu.Unlock()
	if id != "" && s.byID(id) == nil {
		return mailbox.ErrNotExist
	}
	next := maps.Clone(s.entries[id])
	if next == nil {
		next = annotations{}
	}
	for _, e := range entries {
		key := strings.ToLower(e.Name)
		switch {
		case e.Value == nil:
			delete(next, key)
		case len(e.Value) > maxEntry:
			return mailbox.ErrTooBig
		default:
			next[key] = mailbox.Entry{Name: e.Name, Value: append([]byte{}, e.Value...)}
		}
	}
	if len(next) > maxEntries {
		return mailbox.ErrLimit
	}
	s.entries[id] = next
	return nil
}
