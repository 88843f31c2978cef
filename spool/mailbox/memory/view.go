package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// view is the Store as somebody other than its owner sees it.
type view struct {
	*Store
	who string // "" is the owner
}

var (
	_ mailbox.Store       = (*view)(nil)
	_ mailbox.Counter     = (*view)(nil)
	_ mailbox.QuotaSetter = (*view)(nil)
	_ mailbox.ACL         = (*view)(nil)
	_ mailbox.Metadata    = (*view)(nil)
)

// As returns the account as another user sees it, with the rights that
// [Store.Grant] gave (RFC 4314). user "" is the owner.
func (s *Store) As(user string) mailbox.Store { return &view{s, user} }

// may looks up a mailbox and whether the user has these rights there. One who
// may not even see it is told that it does not exist. The mutex is held.
func (v *view) may(id mailbox.ID, need mailbox.Rights) (*box, error) {
	b := v.byID(id)
	if b == nil {
		return nil, mailbox.ErrNotExist
	}
	switch r := b.rights(v.who); {
	case !r.Has("l"):
		return nil, mailbox.ErrNotExist
	case !r.Has(need):
		return nil, mailbox.ErrReadOnly
	}
	return b, nil
}

// checked is may for calls that lock again later.
func (v *view) checked(ctx context.Context, id mailbox.ID, need mailbox.Rights) error {
	if err := v.rlock(ctx); err != nil {
		return err
	}
	defer v.mu.RUnlock()
	_, err := v.may(id, need)
	return err
}

// mayCreate: a new name needs the right on its parent, and the top level is the
// owner's.
func (v *view) mayCreate(ctx context.Context, name string) error {
	if err := v.rlock(ctx); err != nil {
		return err
	}
	defer v.mu.RUnlock()
	i := strings.LastIndex(name, mailbox.Separator)
	if v.who == "" {
		return nil
	}
	if i > 0 {
		if parent := v.byName(name[:i]); parent != nil && parent.rights(v.who).Has("k") {
			return nil
		}
	}
	return mailbox.ErrReadOnly
}

// Mailboxes lists those that the user may see (RFC 4314 §4: l).
func (v *view) Mailboxes(ctx context.Context) ([]mailbox.Info, error) {
	all, err := v.list(ctx, v.who)
	if err != nil {
		return nil, err
	}
	if err := v.rlock(ctx); err != nil {
		return nil, err
	}
	defer v.mu.RUnlock()
	return slices.DeleteFunc(all, func(i mailbox.Info) bool {
		b := v.byID(i.ID)
		return b != nil && !b.rights(v.who).Has("l")
	}), nil
}

// Create needs k on the parent (RFC 4314 §4).
func (v *view) Create(ctx context.Context, name string, use ...string) (mailbox.ID, error) {
	if err := v.mayCreate(ctx, name); err != nil {
		return "", err
	}
	return v.Store.Create(ctx, name, use...)
}

// Delete needs x (RFC 4314 §4).
func (v *view) Delete(ctx context.Context, id mailbox.ID) error {
	if err := v.checked(ctx, id, "x"); err != nil {
		return err
	}
	return v.Store.Delete(ctx, id)
}

// Rename needs x on the mailbox and k on the new parent (RFC 4314 §4).
func (v *view) Rename(ctx context.Context, id mailbox.ID, to string) error {
	if err := v.checked(ctx, id, "x"); err != nil {
		return err
	}
	if err := v.mayCreate(ctx, to); err != nil {
		return err
	}
	return v.Store.Rename(ctx, id, to)
}

// Subscribe marks a name for this user alone: subscriptions are nobody else's
// business.
func (v *view) Subscribe(ctx context.Context, name string, on bool) error {
	return v.subscribe(ctx, subscription{v.who, name}, on)
}

// Open needs l alone: what else a session may do is looked at in each of its
// calls, since rights may be taken away meanwhile.
func (v *view) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	if err := v.rlock(ctx); err != nil {
		return nil, err
	}
	defer v.mu.RUnlock()
	b, err := v.may(id, "")
	if err != nil {
		return nil, err
	}
	return &handle{box: b, who: v.who}, nil
}

// Counts needs r (RFC 4314 §4).
func (v *view) Counts(ctx context.Context, id mailbox.ID) (mailbox.Counts, error) {
	if err := v.checked(ctx, id, "r"); err != nil {
		return mailbox.Counts{}, err
	}
	return v.Store.Counts(ctx, id)
}

// MyRights are those of this user.
func (v *view) MyRights(ctx context.Context, id mailbox.ID) (mailbox.Rights, error) {
	if err := v.rlock(ctx); err != nil {
		return "", err
	}
	defer v.mu.RUnlock()
	b, err := v.may(id, "")
	if err != nil {
		return "", err
	}
	return b.rights(v.who), nil
}

// Grants needs a: who else may read a mailbox is for its administrators.
func (v *view) Grants(ctx context.Context, id mailbox.ID) ([]mailbox.Grant, error) {
	if err := v.checked(ctx, id, "a"); err != nil {
		return nil, err
	}
	return v.Store.Grants(ctx, id)
}

// Grant needs a (RFC 4314 §4).
func (v *view) Grant(ctx context.Context, id mailbox.ID, who string, op mailbox.FlagOp, r mailbox.Rights) error {
	if err := v.checked(ctx, id, "a"); err != nil {
		return err
	}
	return v.Store.Grant(ctx, id, who, op, r)
}

// Possible needs a (RFC 4314 §4).
func (v *view) Possible(ctx context.Context, id mailbox.ID, who string) (mailbox.Rights, []mailbox.Rights, error) {
	if err := v.checked(ctx, id, "a"); err != nil {
		return "", nil, err
	}
	return v.Store.Possible(ctx, id, who)
}

// SetQuota is for the owner.
func (v *view) SetQuota(ctx context.Context, root string, limits []mailbox.Resource) error {
	if v.who != "" {
		return mailbox.ErrReadOnly
	}
	return v.Store.SetQuota(ctx, root, limits)
}

// Metadata needs r.
func (v *view) Metadata(ctx context.Context, id mailbox.ID) ([]mailbox.Entry, error) {
	if err := v.mayAnnotate(ctx, id, "r"); err != nil {
		return nil, err
	}
	return v.Store.Metadata(ctx, id)
}

// SetMetadata needs w.
func (v *view) SetMetadata(ctx context.Context, id mailbox.ID, entries []mailbox.Entry) error {
	if err := v.mayAnnotate(ctx, id, "w"); err != nil {
		return err
	}
	return v.Store.SetMetadata(ctx, id, entries)
}

// mayAnnotate: annotations of the account as a whole are the owner's.
func (v *view) mayAnnotate(ctx context.Context, id mailbox.ID, need mailbox.Rights) error {
	switch {
	case v.who == "":
		return nil
	case id == "":
		return mailbox.ErrReadOnly
	}
	return v.checked(ctx, id, need)
}
