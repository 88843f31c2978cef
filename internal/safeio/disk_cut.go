package safeio

import (
	"math/rand/v2"
)

// sector is what a drive writes whole or not at all.
const sector = 512

// odds is what survives of what was not synced, from 0 to 1.
type odds struct {
	names, sizes, bytes float64
	rnd                 *rand.Rand
}

func oddsOf(seed uint64) odds {
	o := odds{rnd: rand.New(rand.NewPCG(seed, 0))}
	switch seed {
	case 0:
	case 1:
		o.names, o.sizes, o.bytes = 1, 1, 1
	case 2:
		o.names, o.sizes = 1, 1
	case 3:
		o.sizes, o.bytes = 1, 1
	default:
		o.names, o.sizes, o.bytes = o.some(), o.some(), o.some()
	}
	return o
}

// some is mostly little, half or much.
func (o odds) some() float64 { return []float64{0.1, 0.5, 0.9, 1}[o.rnd.IntN(4)] }

func (o odds) hit(p float64) bool { return o.rnd.Float64() < p }

// cut makes the tree that is left after a power cut. The one cut stays as it is.
func (t *tree) cut(seed uint64) *tree {
	o, c := oddsOf(seed), t.clone()
	// All names are decided before any is looked at, since the halves of a rename
	// hang together.
	for _, n := range c.nodes {
		for _, e := range n.changed {
			if o.hit(o.names) {
				c.survive(e)
			}
		}
	}
	for _, n := range c.nodes {
		c.saveChosen(n)
		n.data = o.file(n)
		n.disk, n.pending = n.data, nil
	}
	return c.reachable()
}

// survive marks a name, and what it cannot be without.
func (t *tree) survive(e *entry) {
	for ; e != nil; e = e.after {
		e.done = true
	}
}

// saveChosen makes the names of a directory those that survive.
func (t *tree) saveChosen(n *node) {
	if !n.dir {
		return
	}
	for _, e := range n.changed {
		if e.done {
			n.settle(e)
		}
	}
	n.changed, n.names = nil, cloneMap(n.saved)
}

// file is what a file has after the cut.
func (o odds) file(n *node) []byte {
	b := n.disk
	size := int64(len(b))
	for _, w := range n.pending {
		switch {
		case w.p != nil:
			b = o.torn(b, w)
			size = max(size, w.off+int64(len(w.p)))
		case o.hit(o.sizes):
			b, size = resize(b, w.off), w.off
		}
	}
	// A size may be on the disk before the bytes are, which then read as zeros.
	if int64(len(b)) < size && o.hit(o.sizes) {
		b = resize(b, size)
	}
	return b
}

// torn applies a write in part.
func (o odds) torn(b []byte, w patch) []byte {
	for p, off := w.p, w.off; len(p) > 0; {
		n := min(len(p), int(sector-off%sector))
		if o.hit(o.bytes) {
			b = patch{off, p[:n]}.apply(b)
		}
		p, off = p[n:], off+int64(n)
	}
	return b
}

// reachable is the tree without the nodes that no name leads to, all of it on
// the disk.
func (t *tree) reachable() *tree {
	out := &tree{}
	moved := map[int]*node{}
	var visit func(n *node) int
	visit = func(n *node) int {
		if m := moved[n.id]; m != nil {
			return m.id
		}
		m := out.add(n.dir, n.mode)
		moved[n.id] = m
		m.data, m.disk = n.data, n.disk
		for name, id := range n.names {
			m.names[name] = visit(t.nodes[id])
		}
		if n.dir {
			m.saved = cloneMap(m.names)
		}
		return m.id
	}
	visit(t.nodes[0])
	return out
}
