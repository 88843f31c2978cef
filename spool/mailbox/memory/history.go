package memory

import (
	"cmp"
	"slices"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// How many ranges of UIDs the history of a mailbox has at most. Beyond, changes
// are looked for among all messages, and after expunges the answer is Full.
const (
	maxChanged = 4 << 10
	maxGone    = 64 << 10
)

// history remembers which ModSeq changed what.
type history struct {
	changed, gone log
	scan          mailbox.ModSeq // changes up to it are not in changed any more
	forgotten     mailbox.ModSeq // expunges up to it are not in gone any more
}

// flagged is for messages that are new or have other flags.
func (h *history) flagged(seq mailbox.ModSeq, uids mailbox.Set) {
	h.scan = max(h.scan, h.changed.add(seq, uids, maxChanged))
}

func (h *history) expunged(seq mailbox.ModSeq, uids mailbox.Set) {
	h.forgotten = max(h.forgotten, h.gone.add(seq, uids, maxGone))
}

// log is a list of sets, each with the ModSeq of its change.
type log struct {
	entries []entry
	ranges  int
}

type entry struct {
	seq  mailbox.ModSeq
	uids mailbox.Set
}

// add appends, and drops the oldest entries if there are too many ranges. It
// returns the ModSeq of the last that was dropped.
func (l *log) add(seq mailbox.ModSeq, uids mailbox.Set, most int) (dropped mailbox.ModSeq) {
	l.entries = append(l.entries, entry{seq, uids})
	l.ranges += len(uids)
	n := 0
	if l.ranges > most {
		// Half of it at once, so that this is rare.
		for n < len(l.entries) && l.ranges > most/2 {
			dropped = l.entries[n].seq
			l.ranges -= len(l.entries[n].uids)
			n++
		}
		l.entries = slices.Clone(l.entries[n:])
	}
	return dropped
}

// since is the union of all sets after a ModSeq.
func (l *log) since(since mailbox.ModSeq) mailbox.Set {
	i, _ := slices.BinarySearchFunc(l.entries, since, func(e entry, s mailbox.ModSeq) int {
		if e.seq <= s {
			return -1
		}
		return 1
	})
	if i == len(l.entries)-1 {
		return slices.Clone(l.entries[i].uids)
	}
	var all mailbox.Set
	for _, e := range l.entries[i:] {
		all = append(all, e.uids...)
	}
	slices.SortFunc(all, func(a, b mailbox.Range) int { return cmp.Compare(a.From, b.From) })
	var out mailbox.Set
	for _, r := range all {
		out.AddRange(r.From, r.To)
	}
	return out
}
