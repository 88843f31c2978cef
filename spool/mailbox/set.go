package mailbox

import (
	"iter"
	"slices"
	"strconv"
)

// Range is the UIDs From to To, both included.
type Range struct{ From, To UID }

// Set is a set of UIDs as ranges: in ascending order, none touching the next,
// none with a From of 0 or behind its To. So a set takes memory for its gaps and
// not for its members. The methods keep that form; a Set written down as a
// literal must have it. The nil Set is empty.
//
// Methods that return a Set never change their receiver.
type Set []Range

// SetOf returns the set of the given UIDs, in whatever order.
func SetOf(uids ...UID) Set {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	var s Set
	for _, u := range uids {
		s.Add(u)
	}
	return s
}

// Add puts one UID in. It is cheap for a UID behind all others. 0 is ignored.
func (s *Set) Add(u UID) { s.AddRange(u, u) }

// AddRange puts the UIDs from to to in. Nothing is added if to comes before
// from; 0 is left out.
func (s *Set) AddRange(from, to UID) {
	from = max(from, 1)
	if from > to {
		return
	}
	set := *s
	// The ranges i to j touch the new one and become part of it.
	i := len(set)
	for i > 0 && touches(set[i-1].To, from) {
		i--
	}
	j := i
	for j < len(set) && touches(to, set[j].From) {
		from, to = min(from, set[j].From), max(to, set[j].To)
		j++
	}
	*s = slices.Replace(set, i, j, Range{from, to})
}

// touches reports whether a range that ends at to leaves no gap before from.
func touches(to, from UID) bool { return to >= from || to+1 == from }

// Contains reports whether u is in the set.
func (s Set) Contains(u UID) bool {
	i := s.search(u)
	return i < len(s) && s[i].From <= u
}

// search returns the first range that does not end before u.
func (s Set) search(u UID) int {
	i, _ := slices.BinarySearchFunc(s, u, func(r Range, u UID) int {
		if r.To < u {
			return -1
		}
		return 1
	})
	return i
}

// Len is the number of UIDs in the set.
func (s Set) Len() int64 {
	var n int64
	for _, r := range s {
		n += int64(r.To) - int64(r.From) + 1
	}
	return n
}

// All gives the UIDs in ascending order. A set from a peer may name four billion
// of them: intersect it with what there is before.
func (s Set) All() iter.Seq[UID] {
	return func(yield func(UID) bool) {
		for _, r := range s {
			for u := r.From; ; u++ {
				if !yield(u) {
					return
				}
				if u == r.To {
					break // before u wraps around
				}
			}
		}
	}
}

// Union is what is in s or in t.
func (s Set) Union(t Set) Set {
	out := slices.Clone(s)
	for _, r := range t {
		out.AddRange(r.From, r.To)
	}
	return out
}

// Intersect is what is in both s and t.
func (s Set) Intersect(t Set) Set {
	var out Set
	for i, j := 0, 0; i < len(s) && j < len(t); {
		out.AddRange(max(s[i].From, t[j].From), min(s[i].To, t[j].To))
		if s[i].To < t[j].To {
			i++
		} else {
			j++
		}
	}
	return out
}

// Without is what is in s but not in t.
func (s Set) Without(t Set) Set {
	var out Set
	j := 0
	for _, r := range s {
		for j < len(t) && t[j].To < r.From {
			j++
		}
		from := r.From
		for k := j; k < len(t) && t[k].From <= r.To && from != 0; k++ {
			out.AddRange(from, t[k].From-1)
			from = t[k].To + 1 // 0 behind MaxUID: nothing is left
		}
		if from != 0 {
			out.AddRange(from, r.To)
		}
	}
	return out
}

// String is the set in the syntax of IMAP, such as "1:3,5" (RFC 9051 §9,
// sequence-set). The empty set, which has no such form, is "".
func (s Set) String() string { return string(s.AppendTo(nil)) }

// AppendTo appends what String gives.
func (s Set) AppendTo(b []byte) []byte {
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.From), 10)
		if r.To > r.From {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(r.To), 10)
		}
	}
	return b
}
