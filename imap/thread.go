package imap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/mime"
)

// THREAD finds messages and groups those that belong together (RFC 5256 §3).
func (c *conn) THREAD(p *parser) reply {
	p.SP()
	algorithm := p.Word()
	if p.OK() && (algorithm != "REFERENCES" && algorithm != "ORDEREDSUBJECT" || !c.has("THREAD="+algorithm)) {
		p.Fail("known algorithm")
	}
	p.SP()
	p.charset()
	p.SP()
	k := p.keys()
	if r := p.done(); r.status != "" {
		return r
	}
	found, _, err := c.evaluate(k, c.sel.base, c.sel.mb, c.sel.sh.key)
	if err != nil {
		return c.failure(err)
	}
	t := &threader{byID: make(map[string]*thread, len(found))}
	err = c.readEach(found, true, func(seq uint32, m *message, h mime.Header) {
		n := &thread{seq: seq, number: seq, date: sentDate(h, m.meta)}
		if p.uid {
			n.number = uint32(m.meta.UID)
		}
		subject, reply := baseSubject(h.Subject())
		n.subject, n.reply = fold(subject), reply
		t.add(n, h, algorithm == "REFERENCES")
	})
	if err != nil {
		return c.failure(err)
	}
	roots := t.roots(algorithm == "REFERENCES")
	c.begin()
	c.out = append(c.out, "* THREAD"...)
	if len(roots) > 0 {
		c.out = append(c.out, ' ')
	}
	for _, n := range roots {
		c.appendThread(n)
	}
	c.end()
	return ok(c.verb + " completed")
}

// thread is a message with those that answer it; without a number it stands for
// one that is not here.
type thread struct {
	number   uint32 // as the client wants it; 0: not here
	seq      uint32
	date     int64
	subject  string // its base, folded
	reply    bool
	parent   *thread
	children []*thread
}

// appendThread appends one thread in parentheses. It calls itself where a thread
// branches.
func (c *conn) appendThread(n *thread) {
	c.out = append(c.out, '(')
	for first := true; ; first = false {
		if n.number != 0 {
			if !first {
				c.out = append(c.out, ' ')
			}
			c.out = strconv.AppendUint(c.out, uint64(n.number), 10)
		}
		if len(n.children) != 1 {
			break
		}
		n = n.children[0]
	}
	if len(n.children) > 1 && c.out[len(c.out)-1] != '(' {
		c.out = append(c.out, ' ')
	}
	for _, child := range n.children {
		c.appendThread(child)
	}
	c.out = append(c.out, ')')
	c.relieveInside()
}

// threader puts threads together.
type threader struct {
	byID map[string]*thread
	all  []*thread // messages in the order of the mailbox
	made []*thread // and those that are only named
}

// Bounds of what one message can cost: the references that are followed, and
// the steps to find out that an answer is not its own question.
const (
	maxReferences = 200
	maxAncestors  = 2000
)

// add takes a message in (RFC 5256 §3, REFERENCES, step 1).
func (t *threader) add(n *thread, h mime.Header, references bool) {
	t.all = append(t.all, n)
	if !references {
		return
	}
	id := h.MessageID()
	if known := t.byID[id]; id != "" && known != nil && known.number == 0 {
		// It was named before; take its place.
		known.number, known.seq, known.date, known.subject, known.reply = n.number, n.seq, n.date, n.subject, n.reply
		t.all[len(t.all)-1] = known
		n = known
	} else if id != "" && known == nil {
		t.byID[id] = n
	} // else one without a name, or with that of another
	var above *thread
	for _, ref := range referencesOf(h) {
		r := t.byID[ref]
		if r == nil {
			r = &thread{}
			t.byID[ref] = r
			t.made = append(t.made, r)
		}
		if above != nil && r.parent == nil && !loops(above, r) {
			r.attach(above)
		}
		above = r
	}
	switch {
	case above == nil || above == n || loops(above, n):
		n.detach()
	case n.parent != above:
		n.detach() // what the message says itself counts more than what others said
		n.attach(above)
	}
}

// referencesOf are the messages before this one, the oldest first.
func referencesOf(h mime.Header) []string {
	refs := slices.Collect(h.References())
	if len(refs) == 0 {
		for id := range h.InReplyTo() {
			return []string{id} // the first valid one
		}
	}
	if len(refs) > maxReferences {
		refs = refs[len(refs)-maxReferences:]
	}
	return refs
}

// loops reports whether n is above would-be parent p, or that cannot be told.
func loops(p, n *thread) bool {
	for range maxAncestors {
		if p == n {
			return true
		}
		if p = p.parent; p == nil {
			return false
		}
	}
	return true
}

func (n *thread) attach(p *thread) {
	n.parent = p
	p.children = append(p.children, n)
}

func (n *thread) detach() {
	if n.parent != nil {
		if i := slices.Index(n.parent.children, n); i >= 0 {
			n.parent.children = slices.Delete(n.parent.children, i, i+1)
		}
		n.parent = nil
	}
}

// roots are the threads in order.
func (t *threader) roots(references bool) []*thread {
	if !references {
		return t.bySubject()
	}
	var roots []*thread
	missing := slices.DeleteFunc(t.made, func(n *thread) bool { return n.number != 0 }) // the others came
	for _, n := range slices.Concat(t.all, missing) {
		if n.parent == nil {
			roots = append(roots, n)
		}
	}
	roots = prune(roots, true)
	for _, n := range roots {
		n.arrange()
	}
	slices.SortStableFunc(roots, compareThreads)
	roots = gather(roots)
	for _, n := range roots {
		n.arrange()
	}
	slices.SortStableFunc(roots, compareThreads)
	return roots
}

// bySubject is the algorithm ORDEREDSUBJECT: the first message of a subject, and
// all others below it.
func (t *threader) bySubject() []*thread {
	slices.SortStableFunc(t.all, func(a, b *thread) int {
		return cmp.Or(strings.Compare(a.subject, b.subject), compareThreads(a, b))
	})
	var roots []*thread
	for _, n := range t.all {
		if k := len(roots) - 1; k >= 0 && roots[k].subject == n.subject {
			roots[k].children = append(roots[k].children, n)
		} else {
			roots = append(roots, n)
		}
	}
	slices.SortStableFunc(roots, compareThreads)
	return roots
}

// prune removes those that are not here (step 3). Their children move up, but at
// the top only a single one does.
func prune(list []*thread, top bool) []*thread {
	out := list[:0:0]
	for _, n := range list {
		n.children = prune(n.children, false)
		switch {
		case n.number != 0:
			out = append(out, n)
		case len(n.children) == 0:
		case !top || len(n.children) == 1:
			out = append(out, n.children...)
		default:
			out = append(out, n)
		}
	}
	return out
}

// arrange puts the children in order, at every level.
func (n *thread) arrange() {
	for _, c := range n.children {
		c.arrange()
	}
	slices.SortStableFunc(n.children, compareThreads)
}

// first is the message that stands for a thread: the root, or its first child.
func (n *thread) first() *thread {
	for n.number == 0 && len(n.children) > 0 {
		n = n.children[0]
	}
	return n
}

// compareThreads orders by date sent (step 4).
func compareThreads(a, b *thread) int {
	a, b = a.first(), b.first()
	return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.seq, b.seq))
}

// gather joins threads of one subject (step 5).
func gather(roots []*thread) []*thread {
	table := make(map[string]*thread)
	for _, n := range roots {
		subject := n.first().subject
		old := table[subject]
		switch {
		case subject == "":
		case old == nil, n.number == 0 && old.number != 0,
			old.number != 0 && n.number != 0 && old.reply && !n.reply:
			table[subject] = n
		}
	}
	out := roots[:0:0]
	merged := make(map[*thread]*thread) // what a root of the table has become
	for _, n := range roots {
		old := table[n.first().subject]
		if old == nil || old == n {
			out = append(out, n)
			continue
		}
		if m := merged[old]; m != nil {
			m.children = append(m.children, members(n)...)
			continue
		}
		switch {
		case old.number == 0:
			old.children = append(old.children, members(n)...)
		case n.reply && !old.reply:
			old.children = append(old.children, n)
		default:
			merged[old] = &thread{children: []*thread{old, n}}
		}
	}
	for i, n := range out {
		if m := merged[n]; m != nil {
			out[i] = m
		}
	}
	return out
}

// members are what a thread brings into another.
func members(n *thread) []*thread {
	if n.number == 0 {
		return n.children
	}
	return []*thread{n}
}
