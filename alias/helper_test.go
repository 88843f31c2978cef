package alias

import (
	"context"
	"errors"
	"sort"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/require"
)

var background = context.Background()

// table parses a table of hamburger.edu.
func table(t testing.TB, lines ...string) *Table {
	t.Helper()
	tab, err := Parse(strings.NewReader(strings.Join(lines, "\n")+"\n"), ParseOptions{Domain: "hamburger.edu", Commands: true})
	require.NoError(t, err)
	return tab
}

// path reads an address; without a domain it is of hamburger.edu.
func path(s string) smtp.Path {
	if !strings.Contains(s, "@") && s != "" {
		s += "@hamburger.edu"
	}
	p, err := smtp.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

func envelope(to ...string) smtp.Envelope {
	env := smtp.Envelope{ID: "x1", From: path("alice@crepes.fr")}
	for _, s := range to {
		env.To = append(env.To, smtp.Recipient{Path: path(s)})
	}
	return env
}

// show writes envelopes as "sender > recipient recipient", with * behind a
// recipient that is only reported.
func show(envs []smtp.Envelope) []string {
	out := make([]string, 0, len(envs))
	for _, e := range envs {
		var to []string
		for _, r := range e.To {
			s := short(r.Path)
			if r.Expanded || r.Delivered {
				s += "*"
			}
			to = append(to, s)
		}
		sort.Strings(to)
		out = append(out, short(e.From)+" > "+strings.Join(to, " "))
	}
	return out
}

func short(p smtp.Path) string {
	if p.IsNull() {
		return "<>"
	}
	return strings.TrimSuffix(p.Address(), "@hamburger.edu")
}

// expandAll expands and shows.
func expandAll(t testing.TB, r Resolver, to ...string) []string {
	t.Helper()
	plan, err := (&Expander{Resolver: r}).Expand(background, envelope(to...))
	require.NoError(t, err)
	return show(plan.Envelopes)
}

// code is what the error answers.
func code(err error) string {
	r := smtp.ReplyTo(err)
	return r.String()[:9]
}

var errDown = errors.New("database down: secret host 10.0.0.7")

// counter counts the lookups of a resolver.
type counter struct {
	Resolver
	n int
}

func (c *counter) Lookup(ctx context.Context, p smtp.Path) (Entry, bool, error) {
	c.n++
	return c.Resolver.Lookup(ctx, p)
}

func mustParse(s string) smtp.Path {
	p, err := smtp.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}
