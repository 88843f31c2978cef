package alias

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
)

// large is a table of 100,000 names.
func large(b *testing.B) *Table {
	var s strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&s, "user%d: user%d@crepes.fr\n", i, i)
	}
	s.WriteString("@hamburger.edu: root\n")
	return table(b, s.String())
}

func BenchmarkLookup(b *testing.B) {
	tab := large(b)
	for name, p := range map[string]smtp.Path{
		"exact": path("user777"), "tagged": path("user777+news"), "catchall": path("nobody"), "none": path("ann@crepes.fr"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := tab.Lookup(background, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	var s strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&s, "user%d: user%d@crepes.fr\n", i, i)
	}
	b.SetBytes(int64(s.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(s.String()), ParseOptions{Domain: "hamburger.edu"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	members := make([]string, 1000)
	for i := range members {
		members[i] = fmt.Sprintf("m%d@crepes.fr", i)
	}
	all := strings.Join(members, ",")
	tab := table(b, "one: ann", "team: ann, bob, carol", "alias: "+all, "list: "+all, "owner-list: ann")
	for _, c := range []struct {
		name, to string
		verp     *Rewriter
	}{
		{"no-entry", "zoe", nil}, {"one", "one", nil}, {"team-of-3", "team", nil},
		{"alias-of-1000", "alias", nil}, {"list-of-1000", "list", nil}, {"list-of-1000-verp", "list", rewriter()},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := &Expander{Resolver: tab, VERP: c.verp}
			env := envelope(c.to)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Envelopes(background, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBomb is ten levels of 100 members: the way to the budget.
func BenchmarkBomb(b *testing.B) {
	c := &counter{Resolver: bomb}
	x := &Expander{Resolver: c}
	for b.Loop() {
		c.n = 0
		if _, err := x.Expand(background, envelope("a")); err == nil {
			b.Fatal("not stopped")
		}
	}
	b.ReportMetric(float64(c.n), "lookups/op")
}

// BenchmarkDiamonds is 1,001 names with 100,000 references.
func BenchmarkDiamonds(b *testing.B) {
	x := &Expander{Resolver: diamonds(10, 100)}
	for b.Loop() {
		if _, err := x.Expand(background, envelope("l0-0")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewriter(b *testing.B) {
	w := rewriter()
	alice, owner := path("alice@crepes.fr"), path("owner-list")
	signed, _ := w.SRS(alice, "hamburger.edu")
	b.Run("SRS", func(b *testing.B) {
		for b.Loop() {
			_, _ = w.SRS(alice, "hamburger.edu")
		}
	})
	b.Run("VERP", func(b *testing.B) {
		for b.Loop() {
			_, _ = w.VERP(owner, alice)
		}
	})
	b.Run("Reverse", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = w.Reverse(signed)
		}
	})
}
