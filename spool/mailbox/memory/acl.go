package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// The rights that calls need (RFC 4314 §4).
const (
	mailboxRead    mailbox.Rights = "r"
	mailboxInsert  mailbox.Rights = "i"
	mailboxExpunge mailbox.Rights = "e"
)

// maxGrants is how many entries an access list has.
const maxGrants = 1_000

// anyone is the identifier that is everybody (RFC 4314 §2).
const anyone = "anyone"

// rights are those of somebody: of an own entry, or else of "anyone", without
// what a negative entry takes. "" is the owner.
func (b *box) rights(who string) mailbox.Rights {
	if who == "" {
		return mailbox.AllRights
	}
	r, own := b.granted(who)
	if !own {
		r, _ = b.granted(anyone)
	}
	for _, not := range []string{"-" + who, "-" + anyone} {
		less, _ := b.granted(not)
		r = mailbox.RemoveFlags.ApplyRights(r, less)
	}
	return r
}

// granted is what one entry of the access list says.
func (b *box) granted(who string) (mailbox.Rights, bool) {
	for _, g := range b.grants {
		if g.Who == who {
			return g.Rights, true
		}
	}
	return "", false
}

// MyRights are all rights: a Store is its owner's. See [Store.As] for others.
func (s *Store) MyRights(ctx context.Context, id mailbox.ID) (mailbox.Rights, error) {
	return s.As("").(*view).MyRights(ctx, id)
}

// Grants lists who may do what; see [mailbox.ACL].
func (s *Store) Grants(ctx context.Context, id mailbox.ID) ([]mailbox.Grant, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	b := s.byID(id)
	if b == nil {
		return nil, mailbox.ErrNotExist
	}
	owner := mailbox.Grant{Who: cmp.Or(s.User, "owner"), Rights: mailbox.AllRights}
	return append([]mailbox.Grant{owner}, b.grants...), nil
}

// Grant changes an access list; see [mailbox.ACL].
func (s *Store) Grant(ctx context.Context, id mailbox.ID, who string, op mailbox.FlagOp, r mailbox.Rights) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.changed("")
	defer s.mu.Unlock()
	b := s.byID(id)
	switch {
	case b == nil:
		return mailbox.ErrNotExist
	case who == "" || who == "-" || strings.TrimPrefix(who, "-") == cmp.Or(s.User, "owner"):
		return mailbox.ErrCannot // nobody locks the owner out
	}
	old, there := b.granted(who)
	r = op.ApplyRights(old, r)
	b.grants = slices.DeleteFunc(b.grants, func(g mailbox.Grant) bool { return g.Who == who })
	if r == "" {
		return nil
	}
	if !there && len(b.grants) >= maxGrants {
		return mailbox.ErrLimit
	}
	b.grants = append(b.grants, mailbox.Grant{Who: who, Rights: r})
	return nil
}

// Possible says that each right can be granted by itself; the owner has all.
func (s *Store) Possible(ctx context.Context, id mailbox.ID, who string) (always mailbox.Rights, optional []mailbox.Rights, err error) {
	if err := s.rlock(ctx); err != nil {
		return "", nil, err
	}
	defer s.mu.RUnlock()
	if s.byID(id) == nil {
		return "", nil, mailbox.ErrNotExist
	}
	if who == cmp.Or(s.User, "owner") {
		return mailbox.AllRights, nil, nil
	}
	for i := range len(mailbox.AllRights) {
		optional = append(optional, mailbox.AllRights[i:i+1])
	}
	return "", optional, nil
}

// check looks whether the mailbox is there and the user may do what needs these
// rights. The mutex is held.
func (h *handle) check(need mailbox.Rights) error {
	switch {
	case h.closed.Load():
		return mailbox.ErrClosed
	case h.box.deleted:
		return mailbox.ErrNotExist
	case h.who != "" && !h.box.rights(h.who).Has(need):
		return mailbox.ErrReadOnly
	}
	return nil
}

// mayChange is the flags that the user may change; a Keywords that is not empty
// says all keywords.
func (h *handle) mayChange() mailbox.Flags {
	r := h.box.rights(h.who)
	var f mailbox.Flags
	if r.Has("s") {
		f.Sys |= mailbox.Seen
	}
	if r.Has("t") {
		f.Sys |= mailbox.Deleted
	}
	if r.Has("w") {
		f.Sys |= mailbox.Answered | mailbox.Flagged | mailbox.Draft
		f.Keywords = "*"
	}
	return f
}
