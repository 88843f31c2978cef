package alias

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/smtp"
)

// node is one name of an expansion. Each name has one, however often it is
// referred to.
type node struct {
	path   smtp.Path
	parent *node          // who referred to it first; nil for a recipient of the message
	rcpt   smtp.Recipient // what of the sender's wishes came down to it
	list   *list          // the last list on the way; nil if there is none
	kids   []*node        // what its entry refers to, once each edge
	depth  int
	queued bool // looked up, or going to be
	leaf   bool // an address: somebody gets mail under this name
	live   bool // an address, or it accepts and drops
	state  visit
}

// leaf is one recipient that comes out. Its way is kept beside the node, since
// "\ann" may stand elsewhere than the alias ann.
type leaf struct {
	node, parent *node
	rcpt         smtp.Recipient
}

// list is a mailing list that the message crosses.
type list struct {
	node   *node
	entry  Entry
	leaves []leaf
}

// expansion is the work on one envelope. It goes breadth first, so that a
// recipient keeps what its sender asked for even if a list holds it too; lists
// wait until all aliases are done, so that who is reached directly gets the
// message and not a copy.
type expansion struct {
	ask     func(smtp.Path) (Entry, bool, error) // Resolver.Lookup within the time; nil: nothing to ask
	agent   func(Target) (smtp.Path, error)      // Expander.Command; nil: there is none
	verp    *Rewriter
	max     Limits
	names   map[smtp.Path]*node // by same(path)
	roots   []*node
	pending []*node // to be looked up
	lists   []*list // in the order found
	leaves  []leaf  // of no list
	reports []smtp.Recipient
	lookups int // done
	waiting int // of pending: those to come
	refs    int
	found   int  // leaves of all kinds
	repeats bool // a name was met twice: there may be loops
}

// expand does all lookups.
func (x *Expander) expand(ctx context.Context, to []smtp.Recipient) (*expansion, error) {
	e := &expansion{verp: x.VERP, max: x.Limits.orDefault(), names: make(map[smtp.Path]*node, len(to))}
	if x.Resolver != nil {
		inner, cancel := context.WithTimeout(ctx, e.max.Timeout)
		defer cancel()
		e.bind(inner, x)
	}
	for _, r := range to {
		if r.Expanded || r.Delivered { // its report is all that is left to do
			e.reports = append(e.reports, r)
			continue
		}
		if err := e.root(r); err != nil {
			return nil, err
		}
	}
	if err := e.run(); err != nil {
		return nil, err
	}
	return e, e.check()
}

// bind gives the expansion its questions, and ctx the last word on the time.
func (e *expansion) bind(ctx context.Context, x *Expander) {
	e.ask = func(p smtp.Path) (entry Entry, found bool, err error) {
		if err = ctx.Err(); err == nil {
			e.lookups++
			entry, found, err = x.Resolver.Lookup(ctx, p)
		}
		return entry, found, err
	}
	if x.Command != nil {
		e.agent = func(t Target) (smtp.Path, error) { return x.Command(ctx, t) }
	}
}

// root takes a recipient of the message. One that is named twice counts once
// (RFC 5321 §4.1.1.3 does not say; two copies would help nobody).
func (e *expansion) root(r smtp.Recipient) error {
	n := e.node(r.Path)
	if n.queued {
		return nil
	}
	n.rcpt, n.queued = r, true
	e.roots = append(e.roots, n)
	return e.push(n)
}

// run looks up all that is pending, list after list.
func (e *expansion) run() error {
	for next := 0; ; {
		for head := 0; head < len(e.pending); head++ {
			n := e.pending[head]
			e.pending[head] = nil
			e.waiting--
			if err := e.lookup(n); err != nil {
				return err
			}
		}
		e.pending = e.pending[:0]
		if next == len(e.lists) {
			return nil
		}
		l := e.lists[next]
		next++
		if err := e.members(l.node, l.entry, smtp.Recipient{}, l); err != nil {
			return err
		}
	}
}

// push makes n wait for its lookup. The budget is asked before the work: what
// waits will cost a lookup each.
func (e *expansion) push(n *node) error {
	switch {
	case n.depth > e.max.Depth:
		return &LimitError{"depth", e.max.Depth, n.way()}
	case e.lookups+e.waiting >= e.max.Lookups:
		return &LimitError{"lookups", e.max.Lookups, n.way()}
	}
	e.pending = append(e.pending, n)
	e.waiting++
	return nil
}

// lookup finds out what n stands for.
func (e *expansion) lookup(n *node) error {
	if e.ask == nil {
		return e.claim(n, n.parent, n.rcpt, n.list)
	}
	entry, found, err := e.ask(n.path)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &LimitError{"time", int(e.max.Timeout.Milliseconds()), n.way()}
	case err != nil:
		return &LookupError{n.way(), err}
	case !found: // RFC 5321 §3.9.1: the name is itself the address
		return e.claim(n, n.parent, n.rcpt, n.list)
	}
	return e.entry(n, entry)
}

// entry decides between alias and list.
func (e *expansion) entry(n *node, entry Entry) error {
	if len(entry.Targets) == 0 && !entry.KeepCopy {
		return &LookupError{n.way(), errors.New("the entry has no targets")}
	}
	if e.refs += len(entry.Targets); e.refs > refsPerLookup*e.max.Lookups {
		return &LimitError{"references", refsPerLookup * e.max.Lookups, n.way()}
	}
	if err := checkPrefix(entry); err != nil {
		return &LookupError{n.way(), err}
	}
	if entry.Owner.IsNull() {
		return e.members(n, entry, e.inherit(n, entry), n.list)
	}
	// RFC 3461 §5.2.7.1: this is the delivery that the sender asked about.
	if n.rcpt.Notify.Has(smtp.NotifySuccess) {
		e.report(n).Delivered = true
	}
	e.lists = append(e.lists, &list{node: n, entry: entry})
	return nil
}

// members goes through the targets of n.
func (e *expansion) members(n *node, entry Entry, r smtp.Recipient, l *list) error {
	if entry.KeepCopy {
		if err := e.claim(n, n.parent, r, l); err != nil {
			return err
		}
	}
	for _, t := range entry.Targets {
		if err := e.target(n, t, r, l); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) target(n *node, t Target, r smtp.Recipient, l *list) error {
	switch t.Kind {
	case Address:
	case Discard:
		n.live = true
		return nil
	case Refuse:
		return e.refuse(n, t, l)
	default:
		return e.command(n, t, r, l)
	}
	if t.Path.IsNull() {
		return &LookupError{n.way(), errors.New("a target is the null path")}
	}
	kid := e.node(t.Path)
	if kid == n { // self-reference: the mailbox of that name
		return e.claim(n, n.parent, r, l)
	}
	if t.Final {
		n.kids = append(n.kids, kid)
		return e.claim(kid, n, r, l)
	}
	n.kids = append(n.kids, kid)
	if kid.queued { // a loop, or only a duplicate: check sorts it out
		e.repeats = true
		return nil
	}
	kid.queued, kid.parent, kid.depth, kid.rcpt, kid.list = true, n, n.depth+1, r, l
	kid.rcpt.Path = kid.path
	return e.push(kid)
}

// refuse ends the expansion where the sender can be told. In a list it cannot:
// there the name stays a recipient, nobody takes it, and the owner hears of it.
func (e *expansion) refuse(n *node, t Target, l *list) error {
	if l != nil {
		return e.claim(n, n.parent, smtp.Recipient{}, l)
	}
	reply, err := parseRefusal(t.Text)
	if err != nil {
		return &LookupError{n.way(), err}
	}
	return &RefusedError{n.way(), reply}
}

func (e *expansion) command(n *node, t Target, r smtp.Recipient, l *list) error {
	if e.agent == nil {
		return &LookupError{n.way(), fmt.Errorf("nothing takes mail for a %v", t.Kind)}
	}
	p, err := e.agent(t)
	if err == nil && p.IsNull() {
		err = fmt.Errorf("a %v has no address", t.Kind)
	}
	if err != nil {
		return &LookupError{n.way(), err}
	}
	kid := e.node(p)
	n.kids = append(n.kids, kid)
	return e.claim(kid, n, r, l)
}

// claim makes n a recipient, once.
func (e *expansion) claim(n, parent *node, r smtp.Recipient, l *list) error {
	if n.leaf {
		return nil
	}
	n.leaf, n.live = true, true
	r.Path = n.path
	one := leaf{n, parent, r}
	if e.found++; e.found > e.max.Recipients {
		return &LimitError{"recipients", e.max.Recipients, one.way()}
	}
	if l != nil {
		l.leaves = append(l.leaves, one)
	} else {
		e.leaves = append(e.leaves, one)
	}
	return nil
}

// node gives the one node of a name.
func (e *expansion) node(p smtp.Path) *node {
	key := same(p)
	n := e.names[key]
	if n == nil {
		n = &node{path: p}
		e.names[key] = n
	}
	return n
}

// way is the path to n, from a recipient of the message.
func (n *node) way() []smtp.Path {
	out := make([]smtp.Path, n.depth+1)
	for i := n.depth; n != nil; i, n = i-1, n.parent {
		out[i] = n.path
	}
	return out
}

func (l leaf) way() []smtp.Path {
	if l.parent == nil {
		return []smtp.Path{l.node.path}
	}
	return append(l.parent.way(), l.node.path)
}
