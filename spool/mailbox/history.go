package mailbox

import (
	"cmp"
	"slices"
)

// History remembers which UIDs changed, or vanished, at which [ModSeq]: what a
// store needs to answer Changes without looking at every message. It is bounded;
// what is oldest is forgotten. The zero value is empty. It is not safe for
// concurrent use.
type History struct {
	Max int // ranges of UIDs that are kept; 0 means 4,096. It must not change

	entries   []Change
	ranges    int
	forgotten ModSeq
}

// Change is one entry of a [History].
type Change struct {
	Seq  ModSeq
	UIDs Set
}

// defaultHistory is the Max of a zero History.
const defaultHistory = 4 << 10

// Add notes a change. seq must be higher than all before, or the same as the
// last. The set belongs to the History from now on.
func (h *History) Add(seq ModSeq, uids Set) {
	if len(uids) == 0 {
		return
	}
	h.entries = append(h.entries, Change{seq, uids})
	h.ranges += len(uids)
	most := cmp.Or(h.Max, defaultHistory)
	if h.ranges <= most {
		return
	}
	// Half of it at once, so that this is rare.
	n := 0
	for n < len(h.entries) && h.ranges > most/2 {
		h.forgotten = h.entries[n].Seq
		h.ranges -= len(h.entries[n].UIDs)
		n++
	}
	h.entries = slices.Clone(h.entries[n:])
}

// Forget says that nothing is known of changes up to seq.
func (h *History) Forget(seq ModSeq) { h.forgotten = max(h.forgotten, seq) }

// Forgotten is up to where nothing is known.
func (h *History) Forgotten() ModSeq { return h.forgotten }

// Entries are the changes that are remembered, oldest first. They must not be
// changed.
func (h *History) Entries() []Change { return h.entries }

// Since is the union of all that changed after since. ok is false if some of it
// is forgotten.
func (h *History) Since(since ModSeq) (uids Set, ok bool) {
	if since < h.forgotten {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(h.entries, since, func(c Change, s ModSeq) int {
		if c.Seq <= s {
			return -1
		}
		return 1
	})
	var all Set
	for _, c := range h.entries[i:] {
		all = append(all, c.UIDs...)
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	for _, r := range all {
		uids.AddRange(r.From, r.To)
	}
	return uids, true
}
