package alias

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sorted(s []string) []string {
	sort.Strings(s)
	return s
}

// bomb has 100 members in each entry, all different, and no end.
var bomb = Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) {
	if strings.Count(p.Local(), ".") == 10 {
		return Entry{}, false, nil
	}
	e := Entry{Targets: make([]Target, 100)}
	for i := range e.Targets {
		e.Targets[i].Path = path(p.Local() + "." + strconv.Itoa(i))
	}
	return e, true, nil
})

// 100 members on each of ten levels are 10^20 recipients.
func TestPitfallExpansionBomb(t *testing.T) {
	c := &counter{Resolver: bomb}
	start := time.Now()
	_, err := (&Expander{Resolver: c}).Expand(background, envelope("a"))
	took := time.Since(start)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, "lookups", limit.Limit)
	assert.Equal(t, "451 4.3.5", code(err), "the table will be mended, the mail is kept")
	assert.LessOrEqual(t, c.n, 10_000)
	t.Logf("stopped after %d lookups and %v: %v", c.n, took, err)
}

// The same with names that come back: a graph of 1,000 names with 100,000
// references, every path of which would be 10^20 ways, is 1,001 lookups.
func TestPitfallExpansionBombOfDuplicates(t *testing.T) {
	c := &counter{Resolver: diamonds(10, 100)}
	start := time.Now()
	plan, err := (&Expander{Resolver: c}).Expand(background, envelope("l0-0"))
	require.NoError(t, err)
	t.Logf("expanded by %d lookups in %v", c.n, time.Since(start))
	assert.Len(t, plan.Envelopes[0].To, 100)
	assert.Equal(t, 1+10*100, c.n)
	assert.Empty(t, plan.Loops, "many ways to a name are no loop")
}

// diamonds has levels of width names, each of which holds all of the next.
func diamonds(levels, width int) Resolver {
	next := make([][]Target, levels+1)
	for l := 1; l <= levels; l++ {
		for i := range width {
			next[l] = append(next[l], Target{Path: path(fmt.Sprintf("l%d-%d", l, i))})
		}
	}
	return Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) {
		var l, i int
		_, err := fmt.Sscanf(p.Local(), "l%d-%d", &l, &i)
		if err != nil || l >= levels {
			return Entry{}, false, err
		}
		return Entry{Targets: next[l+1]}, true, nil
	})
}

// "On the way here" is a loop, "seen before" is a duplicate.
func TestPitfallDiamondIsNoLoop(t *testing.T) {
	plan, err := (&Expander{Resolver: table(t, "a: b, c", "b: d", "c: d", "d: ann")}).Expand(background, envelope("a"))
	require.NoError(t, err)
	assert.Equal(t, []string{"alice@crepes.fr > ann"}, show(plan.Envelopes))
	assert.Empty(t, plan.Loops)
}

func TestPitfallLoops(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  []string // nil: nobody is left
		loops []string
	}{
		{"with somebody left", []string{"a: b, ann", "b: c", "c: a"}, []string{"alice@crepes.fr > ann"}, []string{"a b c a"}},
		{"with nobody left", []string{"a: b", "b: a"}, nil, []string{"a b a"}},
		{"between the arms of a diamond", []string{"a: b, c", "b: d", "c: d, ann", "d: c"},
			[]string{"alice@crepes.fr > ann"}, []string{"a b d c d"}},
		{"nobody left between the arms", []string{"a: b, c", "b: d", "c: d", "d: c"}, nil, []string{"a b d c d"}},
		{"somebody left who is reached the other way only", []string{"a: b", "b: c, a", "c: b, ann"},
			[]string{"alice@crepes.fr > ann"}, []string{"a b c b", "a b a"}},
		{"by way of lists", []string{"a: b, ann", "owner-a: x", "b: a, bob", "owner-b: x"},
			[]string{"owner-a > ann", "owner-b > bob"}, []string{"a b a"}},
		{"of other case", []string{"a: B", "b: A, ann"}, []string{"alice@crepes.fr > ann"}, []string{"a B A B"}},
		{"by a tag", []string{"a: b", "b: a+x, ann"}, []string{"alice@crepes.fr > ann"}, []string{"a b a+x b"}},
		{"by a catch-all", []string{"@hamburger.edu: root"}, []string{"alice@crepes.fr > root"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &Expander{Resolver: table(t, c.lines...)}
			plan, err := x.Expand(background, envelope("a"))
			if c.want == nil {
				var loop *LoopError
				require.ErrorAs(t, err, &loop)
				assert.Equal(t, c.loops[0], ways(loop)[0])
				assert.Equal(t, "550 5.4.6", code(err))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, show(plan.Envelopes))
			assert.ElementsMatch(t, c.loops, ways(plan.Loops...))
		})
	}
}

func ways(loops ...error) []string {
	var out []string
	for _, err := range loops {
		var names []string
		for _, p := range err.(*LoopError).Path {
			names = append(names, short(p))
		}
		out = append(out, strings.Join(names, " "))
	}
	return out
}

// A loop that is found at delivery is backscatter; it is refused at RCPT.
func TestPitfallLoopRefusedInSession(t *testing.T) {
	x := &Expander{Resolver: table(t, "a: b", "b: a")}
	err := x.Verify(background, path("a"), nil)
	assert.Equal(t, "550 5.4.6", code(err))
	assert.NotContains(t, smtp.ReplyTo(err).Text, "hamburger", "the names are nobody's business")
}

// One recipient that leads nowhere is not forgotten beside one that is good.
func TestPitfallLoopBesideOthers(t *testing.T) {
	_, err := (&Expander{Resolver: table(t, "a: b", "b: a", "c: ann")}).Expand(background, envelope("c", "a"))
	assert.Equal(t, "550 5.4.6", code(err))
}

func TestPitfallPartialExpansion(t *testing.T) {
	tab := table(t, "team: ann, bob, carol", "carol: dora", "list: bob", "owner-list: zoe")
	r := Func(func(ctx context.Context, p smtp.Path) (Entry, bool, error) {
		if p == path("dora") {
			return Entry{}, false, errDown
		}
		return tab.Lookup(ctx, p)
	})
	x := &Expander{Resolver: r}
	plan, err := x.Expand(background, envelope("zoe", "list", "team"))
	assert.Equal(t, Plan{}, plan, "all or nothing")
	assert.ErrorIs(t, err, errDown)
	assert.Equal(t, "451 4.4.3", code(err))
	assert.NotContains(t, smtp.ReplyTo(err).Text, "secret")

	permanent := Func(func(context.Context, smtp.Path) (Entry, bool, error) {
		return Entry{}, false, smtp.Reject(550, "5.1.1", "said the database")
	})
	_, err = (&Expander{Resolver: permanent}).Expand(background, envelope("ann"))
	assert.Equal(t, "451 4.4.3", code(err), "an error of a lookup is temporary, whatever it says")
}

func TestPitfallBudgets(t *testing.T) {
	wide := make([]string, 50)
	for i := range wide {
		wide[i] = fmt.Sprintf("m%d", i)
	}
	tab := table(t, "wide: "+strings.Join(wide, ","), "a: b", "b: c", "c: d", "d: ann")
	for _, c := range []struct {
		to    string
		max   Limits
		limit string
	}{
		{"wide", Limits{}, ""},
		{"wide", Limits{Recipients: 50, Lookups: 51}, ""},
		{"wide", Limits{Recipients: 49}, "recipients"},
		{"wide", Limits{Lookups: 50}, "lookups"},
		{"wide", Limits{Lookups: 1}, "references"},
		{"a", Limits{Depth: 4}, ""},
		{"a", Limits{Depth: 3}, "depth"},
	} {
		_, err := (&Expander{Resolver: tab, Limits: c.max}).Expand(background, envelope(c.to))
		if c.limit == "" {
			assert.NoError(t, err)
			continue
		}
		var limit *LimitError
		if assert.ErrorAs(t, err, &limit, c.limit) {
			assert.Equal(t, c.limit, limit.Limit)
			assert.Equal(t, "451 4.3.5", code(err))
			assert.Contains(t, err.Error(), c.to)
		}
	}
}

func TestPitfallSlowLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := Func(func(ctx context.Context, p smtp.Path) (Entry, bool, error) {
			select {
			case <-ctx.Done():
				return Entry{}, false, ctx.Err()
			case <-time.After(3 * time.Second):
				return Entry{Targets: []Target{{Path: path(p.Local() + "x")}}}, true, nil
			}
		})
		start := time.Now()
		_, err := (&Expander{Resolver: slow}).Expand(t.Context(), envelope("a"))
		var limit *LimitError
		require.ErrorAs(t, err, &limit)
		assert.Equal(t, "time", limit.Limit)
		assert.Contains(t, err.Error(), "10000 ms")
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, "451 4.3.5", code(err))
	})
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err := (&Expander{Resolver: table(t)}).Expand(ctx, envelope("a"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "451 4.4.3", code(err))
}

// Names and descriptions of lists come from people.
func TestPitfallHeaderInjection(t *testing.T) {
	for prefix, good := range map[string]bool{
		"List-Id: <a.hamburger.edu>\r\n":                        true,
		"List-Id: a\r\n <a.hamburger.edu>\r\nList-Post: NO\r\n": true,
		"List-Id: a\r\n\r\nbody":                                false,
		"List-Id: a\r\n\r\n":                                    false,
		"List-Id: a\nX: b\r\n":                                  false,
		"List-Id: a\rX: b\r\n":                                  false,
		"List-Id: a":                                            false,
		"no field\r\n":                                          false,
		": b\r\n":                                               false,
		" folded: b\r\n":                                        false,
		"List-Id: a\x00\r\n":                                    false,
	} {
		r := Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) {
			return Entry{Targets: []Target{{Path: path("ann")}}, Owner: path("boss"), Prefix: []byte(prefix)}, p == path("list"), nil
		})
		_, err := (&Expander{Resolver: r}).Expand(background, envelope("list"))
		assert.Equal(t, good, err == nil, "%q: %v", prefix, err)
	}
}

func TestPitfallSenselessEntries(t *testing.T) {
	for name, e := range map[string]Entry{
		"no targets":             {},
		"null path":              {Targets: []Target{{}}},
		"alias with a prefix":    {Targets: []Target{{Path: path("b")}}, Prefix: []byte("A: b\r\n")},
		"unknown kind":           {Targets: []Target{{Kind: 99}}},
		"refusal without a text": {Targets: []Target{{Kind: Refuse, Text: "550"}}},
	} {
		r := Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) { return e, p == path("a"), nil })
		_, err := (&Expander{Resolver: r}).Expand(background, envelope("a"))
		assert.Equal(t, "451 4.4.3", code(err), name)
	}
}

// Domains are compared as A-labels.
func TestPitfallUnicodeDomains(t *testing.T) {
	x := &Expander{Resolver: table(t, "a: ann@bürger.example, ann@xn--brger-kva.example")}
	envs, err := x.Envelopes(background, envelope("a"))
	require.NoError(t, err)
	assert.Equal(t, []string{"alice@crepes.fr > ann@bürger.example"}, show(envs))
	tab := table(t, "ann@Bürger.example: bob")
	for _, s := range []string{"ann@bürger.example", "ann@xn--brger-kva.example", "ANN@XN--BRGER-KVA.example"} {
		_, found, _ := tab.Lookup(background, path(s))
		assert.True(t, found, s)
	}
}
