package imap

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Quota gives the limits that hold for a mailbox (RFC 9208 §4.1.3): those of each
// of its quota roots, none if nothing limits it. Storage is in octets here, which
// servers count in units of 1024.
func (c *Conn) Quota(ctx context.Context, name string) ([]mailbox.QuotaRoot, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	var (
		roots []mailbox.QuotaRoot
		mine  map[string]bool // the roots of the mailbox; nil nobody has told them
	)
	x := (&call{verb: "GETQUOTAROOT"}).mailbox(c, name)
	x.data = func(r *response) (bool, error) {
		if r.word != "QUOTAROOT" {
			return c.gatherQuota(r, &roots)
		}
		v := c.values(r.args)
		if !c.names(v.next(), name) {
			return false, nil
		}
		mine = make(map[string]bool)
		for v.more() {
			mine[v.next().text()] = true
		}
		if v.bad {
			return true, c.malformed("QUOTAROOT")
		}
		return true, c.gather(r)
	}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	if mine == nil {
		return nil, ProtocolError("GETQUOTAROOT without an answer")
	}
	return slices.DeleteFunc(roots, func(q mailbox.QuotaRoot) bool { return !mine[q.Name] }), nil
}

// QuotaRoot gives the limits of one root by its name (RFC 9208 §4.1.1).
func (c *Conn) QuotaRoot(ctx context.Context, root string) (mailbox.QuotaRoot, error) {
	if err := c.known(ctx); err != nil {
		return mailbox.QuotaRoot{}, err
	}
	return c.oneQuota(ctx, root, (&call{verb: "GETQUOTA"}).str(c, root))
}

// SetQuota replaces the limits of a root, and gives those that hold then (RFC 9208
// §4.1.2). Resources that are not in limits have none from then on; Used is
// ignored, and Storage is rounded down to units of 1024 octets.
func (c *Conn) SetQuota(ctx context.Context, root string, limits ...mailbox.Resource) (mailbox.QuotaRoot, error) {
	if err := c.known(ctx); err != nil {
		return mailbox.QuotaRoot{}, err
	}
	x := (&call{verb: "SETQUOTA"}).str(c, root)
	x.raw(" (")
	for i, l := range limits {
		if !wire.IsAtom(string(l.Name)) || l.Limit < 0 {
			return mailbox.QuotaRoot{}, ProtocolError("a limit that cannot be sent")
		}
		if i > 0 {
			x.raw(" ")
		}
		n := l.Limit
		if l.Name == mailbox.Storage {
			n /= quotaUnit
		}
		x.raw(string(l.Name) + " " + strconv.FormatInt(n, 10))
	}
	x.raw(")")
	return c.oneQuota(ctx, root, x)
}

// oneQuota runs a command that is answered with one root, and takes no other for it.
func (c *Conn) oneQuota(ctx context.Context, root string, x *call) (mailbox.QuotaRoot, error) {
	var roots []mailbox.QuotaRoot
	x.data = func(r *response) (bool, error) { return c.gatherQuota(r, &roots) }
	if err := c.do(ctx, x); err != nil {
		return mailbox.QuotaRoot{}, err
	}
	for _, q := range slices.Backward(roots) { // what is told last holds
		if q.Name == root {
			return q, nil
		}
	}
	return mailbox.QuotaRoot{}, ProtocolError(x.verb + " without an answer")
}

// gatherQuota takes the response root (resource used limit …) (RFC 9208 §4.2.1).
func (c *Conn) gatherQuota(r *response, roots *[]mailbox.QuotaRoot) (mine bool, err error) {
	if r.word != "QUOTA" {
		return false, nil
	}
	v := c.values(r.args)
	name, list := v.next(), v.next()
	if v.bad || list.kind == isString || len(list.list)%3 != 0 {
		return true, c.malformed("QUOTA")
	}
	root := mailbox.QuotaRoot{Name: name.text()}
	for l := list.list; len(l) > 0; l = l[3:] {
		res := mailbox.Resource{Name: mailbox.ResourceName(wire.Upper(l[0].text())), Used: amount(l[1]), Limit: amount(l[2])}
		if res.Name == mailbox.Storage {
			res.Used, res.Limit = units(res.Used), units(res.Limit)
		}
		root.Resources = append(root.Resources, res)
	}
	*roots = append(*roots, root)
	return true, c.gather(r)
}

// amount is a number that no server can make negative: one that is too large is
// the largest there is, 0 would say that nothing is allowed.
func amount(v value) int64 {
	n, _ := strconv.ParseUint(v.text(), 10, 64) // with an error the nearest, or 0
	return int64(min(n, math.MaxInt64))
}

// units turns units of 1024 octets into octets, as far as they can be counted.
func units(n int64) int64 {
	if n > math.MaxInt64/quotaUnit {
		return math.MaxInt64
	}
	return n * quotaUnit
}
