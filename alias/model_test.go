package alias

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// graph is a small world of names, for which everything can be worked out in
// the plainest way: names without an entry are addresses.
type graph struct {
	refs  map[string][]string
	lists map[string]bool
}

func randomGraph(r *rand.Rand) graph {
	g := graph{map[string][]string{}, map[string]bool{}}
	names := strings.Split("abcdefgh"[:2+r.IntN(7)], "")
	for _, n := range names {
		if r.IntN(3) == 0 {
			continue // an address
		}
		for range 1 + r.IntN(3) {
			g.refs[n] = append(g.refs[n], names[r.IntN(len(names))])
		}
		g.lists[n] = r.IntN(4) == 0
	}
	return g
}

// reach collects the addresses that can be reached from a name, and the names
// on the way. Without through, lists end the way.
func (g graph) reach(n string, through bool, seen, found map[string]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	if len(g.refs[n]) == 0 {
		found[n] = true
	}
	if g.lists[n] && !through {
		return
	}
	g.members(n, through, seen, found)
}

func (g graph) members(n string, through bool, seen, found map[string]bool) {
	for _, m := range g.refs[n] {
		if m == n {
			found[n] = true
		} else {
			g.reach(m, through, seen, found)
		}
	}
}

func (g graph) all(n string, through bool) (found, seen map[string]bool) {
	found, seen = map[string]bool{}, map[string]bool{}
	g.reach(n, through, seen, found)
	return found, seen
}

// cyclic reports a way from n back to it by way of another name.
func (g graph) cyclic(n string) bool {
	for _, m := range g.refs[n] {
		if _, seen := g.all(m, true); m != n && seen[n] {
			return true
		}
	}
	return false
}

// table writes the graph down; every list is owned by a name outside of it.
func (g graph) table(t *testing.T) *Table {
	m := map[string][]string{}
	for n, refs := range g.refs {
		m[n] = refs
		if g.lists[n] {
			m["owner-"+n] = []string{"boss"}
		}
	}
	tab, err := FromMap(m, ParseOptions{Domain: "hamburger.edu"})
	require.NoError(t, err)
	return tab
}

// On every small world the expander finds what there is to find: the same
// people, once each, a loop if and only if there is one, the sender that goes
// with the way.
func TestExpandAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	loops, dead, copies := 0, 0, 0
	for i := range 3000 {
		g := randomGraph(r)
		want, seen := g.all("a", true)
		cyclic := slices.ContainsFunc(slices.Collect(maps.Keys(seen)), g.cyclic)

		c := &counter{Resolver: g.table(t)}
		plan, err := (&Expander{Resolver: c}).Expand(background, envelope("a"))
		world := fmt.Sprint(i, g)
		assert.LessOrEqual(t, c.n, len(seen), "%s: a name is looked up once", world)
		if len(want) == 0 {
			var loop *LoopError
			require.True(t, errors.As(err, &loop), world)
			dead++
			continue
		}
		require.NoError(t, err, world)
		require.Equal(t, cyclic, len(plan.Loops) > 0, "%s: %v", world, plan.Loops)
		loops += len(plan.Loops)
		copies += g.check(t, world, want, plan)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d loops dropped, %d worlds where nobody was left, %d copies of lists", loops, dead, copies)
	assert.NotZero(t, loops*dead*copies)
}

// check compares the recipients and their senders, and returns the number of
// copies.
func (g graph) check(t *testing.T, world string, want map[string]bool, plan Plan) (copies int) {
	direct, _ := g.all("a", false)
	got := map[string]bool{}
	for _, e := range plan.Envelopes {
		for _, rcpt := range e.To {
			n := short(rcpt.Path)
			assert.False(t, got[n], "%s: %s twice", world, n)
			got[n] = true
			g.checkWay(t, world, plan.Why[rcpt.Path], n)
			if e.From == path("alice@crepes.fr") {
				assert.True(t, direct[n], "%s: %s got the message itself", world, n)
				continue
			}
			copies++
			list := strings.TrimPrefix(short(e.From), "owner-")
			members, seen := map[string]bool{}, map[string]bool{}
			g.members(list, false, seen, members)
			assert.False(t, direct[n], "%s: %s got a copy", world, n)
			assert.True(t, g.lists[list] && members[n], "%s: %s is no member of %s", world, n, list)
			assert.Len(t, e.To, 1, world)
		}
	}
	assert.Equal(t, want, got, world)
	return copies
}

// checkWay makes sure that each step of a way is in the table.
func (g graph) checkWay(t *testing.T, world string, way []smtp.Path, to string) {
	t.Helper()
	if !assert.NotEmpty(t, way, world) {
		return
	}
	assert.Equal(t, "a", short(way[0]), world)
	assert.Equal(t, to, short(way[len(way)-1]), world)
	for i := 1; i < len(way); i++ {
		assert.Contains(t, g.refs[short(way[i-1])], short(way[i]), world)
	}
}
