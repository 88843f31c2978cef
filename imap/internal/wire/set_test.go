package wire

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func set(t testing.TB, s string) Set {
	t.Helper()
	if s == "" {
		return nil
	}
	v, err := ParseSet(s)
	require.NoError(t, err)
	return v
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		in   string
		last uint32
		want string
	}{
		{"1", 9, "1"},
		{"1:*", 9, "1:9"},
		{"*:1", 9, "1:9"},
		{"*", 9, "9"},
		{"*", 0, ""},
		{"1:*", 0, ""},
		{"7:2", 9, "2:7"},
		{"1,2,3,5,9:7", 9, "1:3,5,7:9"},
		{"5,4,3,2,1", 9, "1:5"},
		{"1:4294967295", 9, "1:4294967295"},
		{"559:*", 9, "9:559"}, // RFC 9051 §6.4.9: always has the last
		{"4294967295,1:4294967294", 1, "1:4294967295"},
	} {
		assert.Equal(t, c.want, set(t, c.in).Resolve(c.last).String(), c.in)
	}
}

func TestBadSets(t *testing.T) {
	for _, in := range []string{"", "0", "1:0", "0:*", "1,", ",1", "1:", ":1", "1:2:3", "a", "$", "1 2", "4294967296", "**", "1,,2"} {
		_, err := ParseSet(in)
		assert.Error(t, err, in)
	}
}

func TestAdd(t *testing.T) {
	assert.Equal(t, "1:3,5,7:8", SetOf(1, 2, 3, 5, 7, 8, 8).String())
	assert.Equal(t, "1:3,5,7:8", SetOf(8, 3, 1, 7, 2, 5, 1).String())
	var s Set
	s.AddRange(5, math.MaxUint32)
	s.AddRange(1, 2)
	s.Add(math.MaxUint32)
	assert.Equal(t, "1:2,5:4294967295", s.String())
	assert.EqualValues(t, uint64(2+math.MaxUint32-4), s.Len())
	assert.EqualValues(t, 1, s.Min())
	assert.EqualValues(t, uint32(math.MaxUint32), s.Max())
	n := 0
	for range (Set{{math.MaxUint32 - 1, math.MaxUint32}}).Numbers() {
		n++
	}
	assert.Equal(t, 2, n)
}

// Adding agrees with a bitmap.
func TestAddModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var s Set
		var m [40]bool
		for range r.IntN(12) {
			from := r.IntN(39) + 1
			to := min(39, from+r.IntN(4))
			s.AddRange(uint32(from), uint32(to))
			for i := from; i <= to; i++ {
				m[i] = true
			}
		}
		var n uint64
		for i := range m {
			require.Equal(t, m[i], s.Contains(uint32(i)), "%v has %d", s, i)
			if m[i] {
				n++
			}
		}
		require.Equal(t, n, s.Len())
		require.Equal(t, s.String(), s.Resolve(1).String(), "not in order")
	}
}

// TestHugeSets: a set costs what its text costs, whatever it stands for.
func TestHugeSets(t *testing.T) {
	start := time.Now()
	s := set(t, strings.Repeat("1,", 100_000)+"1:4294967295").Resolve(0)
	assert.Equal(t, Set{{1, math.MaxUint32}}, s)
	s = set(t, strings.Repeat("4294967295:1,", 10_000)+"*").Resolve(5)
	assert.Len(t, s, 1)
	assert.Less(t, time.Since(start), time.Minute)
}
