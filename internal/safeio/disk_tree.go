package safeio

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tree is everything on a [Disk]. Nodes have the numbers in which they were
// made, so that a change can be made again on a copy.
type tree struct {
	nodes []*node // 0 is the top
}

// node is a file or a directory: as it looks, what of it is surely on the disk,
// and what may be.
type node struct {
	id   int
	dir  bool
	mode fs.FileMode

	data    []byte // how it looks
	disk    []byte // surely on the disk
	pending []patch

	names   map[string]int // how it looks
	saved   map[string]int // surely on the disk
	changed []*entry       // in order
}

// patch is a write or, without bytes, a change of the size.
type patch struct {
	off int64 // of the bytes; else the size
	p   []byte
}

// entry is a name that came or went.
type entry struct {
	name  string
	id    int // -1: it went
	after *entry
	in    int  // the directory
	done  bool // on the disk
}

func newTree() *tree {
	t := &tree{}
	t.add(true, 0o700)
	return t
}

func (t *tree) add(dir bool, mode fs.FileMode) *node {
	n := &node{id: len(t.nodes), dir: dir, mode: mode}
	if dir {
		n.names, n.saved = map[string]int{}, map[string]int{}
	}
	t.nodes = append(t.nodes, n)
	return n
}

// clone copies all, pending changes too.
func (t *tree) clone() *tree {
	out := &tree{nodes: make([]*node, len(t.nodes))}
	twin := map[*entry]*entry{}
	for i, n := range t.nodes {
		c := *n
		c.pending = slices.Clone(n.pending)
		c.names, c.saved = cloneMap(n.names), cloneMap(n.saved)
		c.changed = nil
		for _, e := range n.changed {
			f := *e
			twin[e] = &f
			c.changed = append(c.changed, &f)
		}
		out.nodes[i] = &c
	}
	for _, e := range twin {
		if e.after != nil && twin[e.after] != nil {
			e.after = twin[e.after]
		}
	}
	return out
}

func cloneMap(m map[string]int) map[string]int {
	out := make(map[string]int, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// find walks a name; nil if there is nothing.
func (t *tree) find(name string) *node {
	n := t.nodes[0]
	if name == "." {
		return n
	}
	for part := range strings.SplitSeq(name, "/") {
		id, ok := n.names[part]
		if !n.dir || !ok {
			return nil
		}
		n = t.nodes[id]
	}
	return n
}

// parent finds the directory of a name; nil if there is none.
func (t *tree) parent(name string) (*node, string) {
	d := t.find(path.Dir(name))
	if d == nil || !d.dir {
		return nil, ""
	}
	return d, path.Base(name)
}

// set is a name that comes or, with -1, goes; not on the disk before after is.
func (t *tree) set(dir *node, name string, id int, after *entry) *entry {
	if id < 0 {
		delete(dir.names, name)
	} else {
		dir.names[name] = id
	}
	e := &entry{name: name, id: id, after: after, in: dir.id}
	dir.changed = append(dir.changed, e)
	return e
}

// rename is one step as others see it. Of the two names, the old one is not gone
// from the disk before the new one is there, but may be there long after.
func (t *tree) rename(from, to string) {
	a, old := t.parent(from)
	b, name := t.parent(to)
	id := a.names[old]
	came := t.set(b, name, id, nil)
	if a != b || old != name {
		t.set(a, old, -1, came)
	}
}

// saveDir puts all names of a directory on the disk.
func (t *tree) saveDir(dir *node) {
	for _, e := range dir.changed {
		t.save(e)
	}
	dir.changed = nil
}

// save puts a name on the disk. One that is there already, as the new half of a
// rename, is put there again: what came between in the same directory is not.
func (t *tree) save(e *entry) {
	if e.after != nil && !e.after.done {
		t.save(e.after)
	}
	e.done = true
	t.nodes[e.in].settle(e)
}

// settle makes a name come or go on the disk.
func (n *node) settle(e *entry) {
	if e.id < 0 {
		delete(n.saved, e.name)
	} else {
		n.saved[e.name] = e.id
	}
}

// write makes a change of the bytes.
func (n *node) write(w patch) {
	n.data = w.apply(n.data)
	n.pending = append(n.pending, w)
}

// saveFile puts the bytes on the disk; or, when dropped, none that are not, now
// or later: only what is written again will be.
func (n *node) saveFile(dropped bool) {
	for _, w := range n.pending {
		if !dropped {
			n.disk = w.apply(n.disk)
		}
	}
	n.pending = nil
}

// apply gives b with the change. Bytes are shared among copies of a tree, so b
// itself stays as it is.
func (w patch) apply(b []byte) []byte {
	if w.p == nil {
		return resize(b, w.off)
	}
	out := make([]byte, max(int64(len(b)), w.off+int64(len(w.p))))
	copy(out, b)
	copy(out[w.off:], w.p)
	return out
}

// resize cuts b off, or fills it up with zeros.
func resize(b []byte, size int64) []byte {
	if int64(len(b)) >= size {
		return b[:size:size]
	}
	out := make([]byte, size)
	copy(out, b)
	return out
}
