package mailbox

import (
	"context"
	"strings"
)

// ACL is an optional interface of a [Store] whose mailboxes are shared
// (RFC 4314). The store itself enforces the rights; without one a user may do
// everything in the own account.
type ACL interface {
	// MyRights are those of the user of this Store.
	MyRights(ctx context.Context, id ID) (Rights, error)
	// Grants lists who may do what.
	Grants(ctx context.Context, id ID) ([]Grant, error)
	// Grant changes the rights of one identifier: a user, "anyone", or with "-"
	// in front what the user may not do. No rights left removes the entry. The
	// error is [ErrReadOnly] for one without RightAdmin.
	Grant(ctx context.Context, id ID, who string, op FlagOp, r Rights) error
	// Possible are the rights that can be granted to an identifier: always are
	// those it has in any case, and each string of optional is a group that can
	// only be given together (RFC 4314 §3.7).
	Possible(ctx context.Context, id ID, who string) (always Rights, optional []Rights, err error)
}

// Grant is one entry of an access list.
type Grant struct {
	Who    string
	Rights Rights
}

// Rights is a set of rights in canonical form: each letter once, in the order of
// [AllRights].
type Rights string

// AllRights are the rights of RFC 4314 §2.1: lookup, read, keep seen state,
// write flags, insert, post, create, delete mailbox, delete messages, expunge,
// administer.
const AllRights Rights = "lrswipkxtea"

// ParseRights makes Rights of letters. The old letters c and d mean what they
// stood for (RFC 4314 §2.1.1). The error, [ErrCannot], is for letters that are no
// right.
func ParseRights(s string) (Rights, error) {
	s = strings.ReplaceAll(s, "c", "kx")
	s = strings.ReplaceAll(s, "d", "te")
	for _, r := range s {
		if !strings.ContainsRune(string(AllRights), r) {
			return "", refuse(ErrCannot, "no such right: "+clip(string(r)))
		}
	}
	return Rights("").merge(s), nil
}

// merge adds letters and restores the canonical form.
func (r Rights) merge(letters string) Rights {
	var out []byte
	for i := range len(AllRights) {
		if c := AllRights[i]; strings.IndexByte(string(r), c) >= 0 || strings.IndexByte(letters, c) >= 0 {
			out = append(out, c)
		}
	}
	return Rights(out)
}

// Has reports whether all letters of want are in r.
func (r Rights) Has(want Rights) bool {
	for i := range len(want) {
		if strings.IndexByte(string(r), want[i]) < 0 {
			return false
		}
	}
	return true
}

// ApplyRights returns what becomes of old rights.
func (op FlagOp) ApplyRights(old, r Rights) Rights {
	switch op {
	case AddFlags:
		return old.merge(string(r))
	case RemoveFlags:
		return Rights(strings.Map(func(c rune) rune {
			if strings.ContainsRune(string(r), c) {
				return -1
			}
			return c
		}, string(old)))
	}
	return r
}

// MyRights asks s if it has [ACL]; all rights if not.
func MyRights(ctx context.Context, s Store, id ID) (Rights, error) {
	if a, ok := s.(ACL); ok {
		return a.MyRights(ctx, id)
	}
	return AllRights, nil
}
