package mailbox

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSetAdd(t *testing.T) {
	for _, c := range []struct {
		name string
		uids []UID
		want string
	}{
		{"nothing", nil, ""},
		{"one", []UID{7}, "7"},
		{"neighbours become a range", []UID{1, 2, 3}, "1:3"},
		{"any order", []UID{9, 1, 3, 2}, "1:3,9"},
		{"twice", []UID{4, 4}, "4"},
		{"a gap is filled", []UID{1, 3, 2}, "1:3"},
		{"0 is no UID", []UID{0, 1}, "1"},
		{"the last UIDs", []UID{MaxUID, MaxUID - 1}, "4294967294:4294967295"},
		{"first and last do not touch", []UID{1, MaxUID}, "1,4294967295"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Set
			for _, u := range c.uids {
				s.Add(u)
			}
			assert.Equal(t, c.want, s.String())
			assert.Equal(t, c.want, SetOf(c.uids...).String())
		})
	}
}

func TestSetAddRange(t *testing.T) {
	s := Set{{2, 4}, {8, 9}, {20, 30}}
	s.AddRange(5, 7)
	assert.Equal(t, "2:9,20:30", s.String(), "two ranges become one")
	s.AddRange(0, 0)
	s.AddRange(7, 3)
	assert.Equal(t, "2:9,20:30", s.String(), "nothing is added")
	s.AddRange(1, MaxUID)
	assert.Equal(t, Set{{1, MaxUID}}, s)
	assert.Equal(t, int64(1<<32-1), s.Len())
}

// TestSetHuge: what a peer names costs its ranges, not its members.
func TestSetHuge(t *testing.T) {
	s := Set{{1, MaxUID}}
	assert.Equal(t, Set{{5, 5}}, s.Intersect(Set{{5, 5}}))
	assert.Equal(t, "1:4,6:4294967295", s.Without(Set{{5, 5}}).String())
	assert.Empty(t, s.Without(s))
	assert.Equal(t, Set{{1, 3}}, s.Without(Set{{4, MaxUID}}))
	assert.True(t, s.Contains(MaxUID))
	n := 0
	for range (Set{{MaxUID - 2, MaxUID}}).All() {
		n++
	}
	assert.Equal(t, 3, n, "the iteration ends at the last UID")
}

func TestSetReceiverStays(t *testing.T) {
	s := make(Set, 0, 8)
	s = append(s, Range{1, 2}, Range{5, 6})
	_ = s.Union(Set{{3, 4}})
	_ = s.Without(Set{{1, 5}})
	_ = s.Intersect(Set{{2, 5}})
	assert.Equal(t, Set{{1, 2}, {5, 6}}, s)
}

// naive is a set as everybody would write it first.
type naive map[UID]bool

func (n naive) set() Set { return SetOf(slices.Collect(maps.Keys(n))...) }

// TestSetModel compares with sets that are maps.
func TestSetModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		a, b := naive{}, naive{}
		var s, u Set
		for range rnd.IntN(20) {
			from, n := UID(rnd.IntN(40)), UID(rnd.IntN(4))
			s.AddRange(from, from+n)
			for x := max(from, 1); x <= from+n; x++ {
				a[x] = true
			}
			v := UID(1 + rnd.IntN(40))
			u.Add(v)
			b[v] = true
		}
		union, both, less := naive{}, naive{}, naive{}
		for x := range a {
			union[x] = true
			if b[x] {
				both[x] = true
			} else {
				less[x] = true
			}
		}
		for x := range b {
			union[x] = true
		}
		require.Equal(t, a.set(), s)
		require.Equal(t, union.set(), s.Union(u))
		require.Equal(t, both.set(), s.Intersect(u))
		require.Equal(t, less.set(), s.Without(u))
		require.EqualValues(t, len(a), s.Len())
		require.ElementsMatch(t, slices.Collect(maps.Keys(a)), slices.Collect(s.All()))
		for x := range UID(50) {
			require.Equal(t, a[x], s.Contains(x))
		}
	}
}
