package mime

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A tally counts comparisons by kind and keeps the disagreements.
type tally struct {
	agreed, all map[string]int
	misses      []miss
}

type miss struct{ file, kind, got, want string }

func (c *tally) check(kind, file, got, want string) {
	if c.all == nil {
		c.all, c.agreed = map[string]int{}, map[string]int{}
	}
	c.all[kind]++
	if got == want {
		c.agreed[kind]++
		return
	}
	c.misses = append(c.misses, miss{file, kind, got, want})
}

// deliberate are the differences this package means, each with the rule that
// makes it so. They are all there are: a miss that none of them covers fails
// the test, and so does an entry that covers none.
var deliberate = []struct {
	rule  string
	kinds string   // of comparisons, or "" for all
	in    []string // of these, by a part of file name or vector
}{
	{"RFC 5322 §4.3: years 00 to 49 are of this century, PST and PDT are zones", "received",
		[]string{"26 Mar 03", "27 Feb 04", "20 Mar 03", "14:22:21 PST", "08:15:21 PDT"}},
	{"RFC 5322 §3.3: a month by name is the month, wherever it stands (asctime)", "received",
		[]string{"Feb 07 10:18:12 2003", "Nov 13 14:50:12 2005", "Nov 13 15:38:52 2005", "Sep 14 14:36:56 EDT 2018"}},
	{"RFC 3339 §5.6: decimals of a second follow it", "received", []string{"07:53:55.516"}},
	{"RFC 5322 §3.3: a time of day has colons", "date", []string{" 4 8 15 16 23 42"}},
	{"RFC 5322 §2.2.3: unfolding comes first, so the backslash quotes the space", "address", []string{"\\\n ) chap)"}},
	{"RFC 2231 §3: pieces are numbered from 0 without gaps", "content_type", []string{"key*9999", "malicious/attempt"}},
	{"RFC 2045 §5.1: a backslash before a letter is one of a path that nobody quoted", "value", []string{"legacy/035", "legacy/039"}},
	{"RFC 2046 §5.1.1: a delimiter is a line of its own, and all of it", "", []string{"malformed/001", "malformed/004", "malformed/008", "malformed/016"}},
	{"RFC 2046 §5.1.2: the delimiter of an outer multipart ends the inner parts", "", []string{"malformed/009", "malformed/011", "malformed/012", "malformed/022"}},
	{"RFC 2046 §5.1.1: a delimiter ends a header too", "", []string{"malformed/000", "malformed/007"}},
	{"RFC 2046 §5.1: a multipart that is not closed ends with the message; text is no header", "", []string{"malformed/019"}},
	{"RFC 8621 §4.1.4: images shown in both bodies, and texts cut short, are no attachments", "lists", []string{".json"}},
}

// vectorRules is how many of the rules are about vectors; they come first.
const vectorRules = 6

// report logs the counts and checks that all misses are deliberate.
func (c *tally) report(t *testing.T, part int) {
	used := make([]bool, len(deliberate))
	differ := 0
	for _, m := range c.misses {
		found := false
		for i, d := range deliberate {
			hit := slices.ContainsFunc(d.in, func(s string) bool { return strings.Contains(m.file, s) })
			if hit && (d.kinds == "" || strings.Contains(d.kinds, m.kind)) {
				found, used[i] = true, true
				break
			}
		}
		differ++
		if !found {
			t.Errorf("%s: %s\n\tgot  %.500q\n\twant %.500q", m.file, m.kind, m.got, m.want)
		}
	}
	for i, u := range used {
		if !u && (i < vectorRules) == (part == 0) {
			t.Errorf("no case for %q", deliberate[i].rule)
		}
	}
	all := 0
	for _, kind := range slices.Sorted(maps.Keys(c.all)) {
		t.Logf("%-12s %4d of %4d", kind, c.agreed[kind], c.all[kind])
		all += c.all[kind]
	}
	t.Logf("%-12s %4d of %4d", "together", all-differ, all)
}

// atLeast checks the share of agreement over some kinds.
func (c *tally) atLeast(t *testing.T, percent float64, kinds ...string) {
	all, agreed := 0, 0
	for _, kind := range kinds {
		all += c.all[kind]
		agreed += c.agreed[kind]
	}
	share := float64(agreed) / float64(max(all, 1)) * 100
	t.Logf("%.1f %% of %d: %s", share, all, strings.Join(kinds, ", "))
	if share < percent {
		t.Errorf("less than %v %%", percent)
	}
}
