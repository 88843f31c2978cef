package wire

import (
	"iter"
	"slices"
	"strconv"
)

// Range is the numbers From to To, both included. As a client may write it, an
// end can be 0 for "*" and the ends can stand in either order; in a set that
// was resolved neither is so.
type Range struct{ From, To uint32 }

// Set is a set of sequence numbers or UIDs as ranges, never as single numbers:
// "1:4294967295" costs eight octets. The methods other than [Set.Resolve] and
// [Set.Append] want a set that was resolved: sorted, disjoint, no "*". The zero
// value is the empty set. The algebra of UIDs is that of mailbox.Set.
type Set []Range

// Set takes a sequence-set (RFC 9051 §9), but not "$".
func (l *Lexer) Set() Set {
	var s Set
	for l.OK() {
		r := Range{From: l.setNumber()}
		r.To = r.From
		if l.Take(':') {
			r.To = l.setNumber()
		}
		s = append(s, r)
		if !l.Take(',') {
			break
		}
	}
	if !l.OK() {
		return nil
	}
	return s
}

func (l *Lexer) setNumber() uint32 {
	if l.Take('*') {
		return 0
	}
	return l.NZNumber()
}

// ParseSet reads a sequence-set that is all of s.
func ParseSet(s string) (Set, error) {
	l := NewLexer([]byte(s))
	set := l.Set()
	l.End()
	if err := l.Err(); err != nil {
		return nil, err
	}
	return set, nil
}

// Resolve puts last for "*", brings ends and ranges in order and merges what
// touches. With last 0, when there are no messages, "*" is nothing.
func (s Set) Resolve(last uint32) Set {
	out := make(Set, 0, len(s))
	for _, r := range s {
		if r.From == 0 {
			r.From = last
		}
		if r.To == 0 {
			r.To = last
		}
		if r.From == 0 || r.To == 0 {
			continue
		}
		if r.From > r.To {
			r.From, r.To = r.To, r.From // RFC 9051 §9: seq-range
		}
		out = append(out, r)
	}
	return out.normal()
}

// normal sorts and merges, in place.
func (s Set) normal() Set {
	if !slices.IsSortedFunc(s, byFrom) {
		slices.SortFunc(s, byFrom)
	}
	n := 0
	for _, r := range s {
		switch {
		case n > 0 && uint64(r.From) <= uint64(s[n-1].To)+1:
			s[n-1].To = max(s[n-1].To, r.To)
		default:
			s[n] = r
			n++
		}
	}
	return s[:n]
}

func byFrom(a, b Range) int {
	if a.From < b.From {
		return -1
	}
	if a.From > b.From {
		return 1
	}
	return 0
}

// SetOf is the set of the numbers, in any order.
func SetOf(numbers ...uint32) Set {
	var s Set
	for _, n := range numbers {
		s.Add(n)
	}
	return s
}

// Add puts a number in. At the end of the set it costs nothing.
func (s *Set) Add(n uint32) { s.AddRange(n, n) }

// AddRange puts the numbers from to to in.
func (s *Set) AddRange(from, to uint32) {
	if k := len(*s); k > 0 {
		last := &(*s)[k-1]
		switch {
		case from >= last.From && uint64(from) <= uint64(last.To)+1:
			last.To = max(last.To, to)
			return
		case from < last.From:
			*s = append(*s, Range{from, to}).normal()
			return
		}
	}
	*s = append(*s, Range{from, to})
}

// Contains reports whether n is in the set.
func (s Set) Contains(n uint32) bool {
	i := s.at(n)
	return i < len(s) && s[i].From <= n
}

// at is the index of the first range that ends at n or later.
func (s Set) at(n uint32) int {
	i, _ := slices.BinarySearchFunc(s, n, func(r Range, n uint32) int {
		if r.To < n {
			return -1
		}
		return 1
	})
	return i
}

// Len is how many numbers there are.
func (s Set) Len() (n uint64) {
	for _, r := range s {
		n += uint64(r.To-r.From) + 1
	}
	return n
}

// Max is the highest number, 0 in the empty set.
func (s Set) Max() uint32 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].To
}

// Min is the lowest number, 0 in the empty set.
func (s Set) Min() uint32 {
	if len(s) == 0 {
		return 0
	}
	return s[0].From
}

// Numbers yields each number. A caller bounds the set first: it may have four
// thousand million.
func (s Set) Numbers() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, r := range s {
			for n := r.From; ; n++ {
				if !yield(n) {
					return
				}
				if n == r.To {
					break
				}
			}
		}
	}
}

// Append appends the set as a client or server writes it; the empty set is
// nothing. 0 is "*".
func (s Set) Append(dst []byte) []byte {
	for i, r := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSetNumber(dst, r.From)
		if r.To != r.From {
			dst = append(dst, ':')
			dst = appendSetNumber(dst, r.To)
		}
	}
	return dst
}

func appendSetNumber(dst []byte, n uint32) []byte {
	if n == 0 {
		return append(dst, '*')
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}

// String is what [Set.Append] appends.
func (s Set) String() string { return string(s.Append(nil)) }
