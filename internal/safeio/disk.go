package safeio

import (
	"io/fs"
	"sync"
)

// Op names a kind of call.
type Op string

// The kinds of calls that a [Disk] tells its hooks.
const (
	OpCreate   Op = "create" // OpenFile that may make the file
	OpOpen     Op = "open"
	OpMkdir    Op = "mkdir"
	OpRename   Op = "rename"
	OpLink     Op = "link"
	OpRemove   Op = "remove"
	OpReadDir  Op = "readdir"
	OpLstat    Op = "lstat"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
	OpSpace    Op = "space"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpAllocate Op = "allocate"
	OpSync     Op = "sync" // Sync and Datasync of a file
	OpClose    Op = "close"
)

// Call is one call as the hooks see it.
type Call struct {
	N    int    // how many came before it on this Disk
	Op   Op     // of what kind
	Name string // of the file, as it was opened; of a rename or link, the new name
}

// Fault is what becomes of a call. The zero Fault lets it be.
type Fault struct {
	// Err is what the call returns. A Sync that fails has dropped what it should
	// have written: it reads as before, and will never be on the disk.
	Err   error
	Done  bool // the call takes effect all the same
	Bytes int  // of a Write, so many bytes take effect, when not Done
}

// Disk is an [FS] in memory that knows what of it is surely on the disk, what
// may be, and in which order all came about. The fields must be set before the
// first call; the hooks are called under a lock, one at a time, and must not
// call the Disk. Make one with [NewDisk]. It may be used concurrently.
type Disk struct {
	Fault func(Call) Fault // nil: nothing fails
	Lie   func(Call) bool  // of a sync: it does nothing and says it did; nil: none does
	Free  Space            // what Space says; NewDisk sets much

	mu    sync.Mutex // guards all below
	calls int
	base  *tree  // how it began
	now   *tree  // how it looks
	trace []step // from base to now
	locks map[string]bool
}

var _ FS = (*Disk)(nil)

// NewDisk makes an empty Disk.
func NewDisk() *Disk { return newDisk(newTree()) }

func newDisk(t *tree) *Disk {
	return &Disk{Free: Space{1 << 40, 1 << 20}, base: t.clone(), now: t, locks: map[string]bool{}}
}

// Calls is how many calls were made.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Mark puts something into the trace, such as what was just promised to
// somebody. It is no call.
func (d *Disk) Mark(what any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = append(d.trace, step{mark: what})
}

// step is one change: it is made on now when it happens, and again on a copy of
// base in Replay.
type step struct {
	do   func(*tree) // nil for a mark
	mark any
}

// change makes a change and remembers it.
func (d *Disk) change(do func(*tree)) {
	do(d.now)
	d.trace = append(d.trace, step{do: do})
}

// enter counts a call and asks what becomes of it; mu is held. The call takes
// effect if ok, and returns err.
func (d *Disk) enter(op Op, name string) (f Fault, ok bool) {
	c := Call{d.calls, op, name}
	d.calls++
	if d.Fault != nil {
		f = d.Fault(c)
	}
	return f, f.Err == nil || f.Done
}

// lies reports that a sync is to do nothing.
func (d *Disk) lies(op Op, name string) bool {
	return d.Lie != nil && d.Lie(Call{d.calls - 1, op, name})
}

// Moment is a point of the trace of a [Disk], for use within the visit alone,
// unless it is frozen.
type Moment struct {
	Step  int   // changes before it
	Last  bool  // the end of the trace
	Marks []any // those before it; to be read only

	tree *tree
}

// Replay calls visit for the beginning and after every change, in order, until
// it returns false. The Disk must not be in use.
func (d *Disk) Replay(visit func(m *Moment) bool) {
	m := &Moment{tree: d.base.clone()}
	for i, s := range d.trace {
		if s.do == nil {
			m.Marks = append(m.Marks, s.mark)
			continue
		}
		// Marks belong to the change before them.
		if !visit(m) {
			return
		}
		s.do(m.tree)
		m.Step = i + 1
	}
	m.Last = true
	visit(m)
}

// Cut is the Disk as the next process finds it when the power was cut at m.
// What was not synced is there in part, which part the seed decides: with 0
// nothing, with 1 all, with 2 names and sizes without bytes, with 3 bytes
// without names; other seeds take sectors, sizes and names by chance.
func (m *Moment) Cut(seed uint64) *Disk { return newDisk(m.tree.cut(seed)) }

// Kill is the Disk as the next process finds it when only the process died.
func (m *Moment) Kill() *Disk { return newDisk(m.tree.clone()) }

// pathError is an error as package os makes them.
func pathError(op Op, name string, err error) error {
	return &fs.PathError{Op: string(op), Path: name, Err: err}
}

// Freeze lets m be used after the visit.
func (m *Moment) Freeze() {
	m.tree, m.Marks = m.tree.clone(), append([]any(nil), m.Marks...)
}
