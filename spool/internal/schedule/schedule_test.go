package schedule

import (
	"math"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/spool"
	"github.com/stretchr/testify/assert"
)

type group struct {
	place Place
	id    spool.ID
	key   Key
	due   int64
	held  bool
}

func (g *group) Place() *Place       { return &g.place }
func (g *group) ID() spool.ID        { return g.id }
func (g *group) Key() Key            { return g.key }
func (g *group) Next() (int64, bool) { return g.due, !g.held }

// world fills a schedule; each group is named by class, destination and number.
func world(due int64, names ...string) (*Schedule[*group], map[string]*group) {
	s, all := &Schedule[*group]{}, map[string]*group{}
	for _, n := range names {
		g := &group{id: spool.ID(n), key: Key{Class: n[:1], Dest: n[1:2]}, due: due}
		all[n] = g
		s.Update(g)
	}
	return s, all
}

// drain picks and removes until there is nothing.
func drain(s *Schedule[*group], now int64, q spool.Query) (out []string) {
	for {
		g, ok := s.Pick(now, Unwanted(q))
		if !ok {
			return out
		}
		out = append(out, string(g.id))
		g.held = true
		s.Update(g)
	}
}

func TestTurns(t *testing.T) {
	s, _ := world(5, "aX1", "aX2", "aX3", "aY1", "bX1")
	assert.False(t, s.Any(4, Unwanted(spool.Query{})))
	next, ok := s.Next()
	assert.True(t, ok)
	assert.EqualValues(t, 5, next)
	got := drain(s, 5, spool.Query{})
	assert.ElementsMatch(t, []string{"aX1", "aX2", "aX3", "aY1", "bX1"}, got)
	assert.Contains(t, got[:2], "bX1", "a class waits for one turn of the other")
	assert.Contains(t, got[:3], "aY1", "a destination too")
	assert.True(t, s.IsEmpty())
}

func TestOrder(t *testing.T) {
	s, all := world(5, "aX3", "aX1", "aX2")
	all["aX3"].due = 1
	s.Update(all["aX3"])
	assert.Equal(t, []string{"aX3", "aX1", "aX2"}, drain(s, 9, spool.Query{}), "by time, then by ID")
}

func TestSkip(t *testing.T) {
	for _, more := range []int{0, 20} { // a loop, and a map
		q := spool.Query{Skip: append(make([]string, more), "X")}
		s, all := world(0, "aX1", "aY1")
		assert.Equal(t, []string{"aY1"}, drain(s, 0, q))
		assert.False(t, s.Any(0, Unwanted(q)))
		assert.True(t, s.Any(0, Unwanted(spool.Query{})))
		s.Remove(all["aX1"])
		s.Remove(all["aX1"])
		assert.True(t, s.IsEmpty())
	}
}

func TestLater(t *testing.T) {
	s, all := world(0, "aX1")
	assert.True(t, s.Any(0, Unwanted(spool.Query{})))
	all["aX1"].due = 7
	s.Update(all["aX1"])
	assert.Empty(t, drain(s, 6, spool.Query{}))
	assert.Equal(t, []string{"aX1"}, drain(s, 7, spool.Query{}))
}

func TestNanos(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, year := range []int{1, 1600, 2026, 3000, 9999} {
		at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		assert.Equal(t, at.After(day), Nanos(at) > Nanos(day), year)
	}
	assert.Equal(t, int64(math.MinInt64), Nanos(time.Time{}))
}
