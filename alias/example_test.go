package alias_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/smtp"
)

func parse(text string) *alias.Table {
	t, err := alias.Parse(strings.NewReader(text), alias.ParseOptions{Domain: "hamburger.edu"})
	if err != nil {
		fmt.Println(err)
	}
	return t
}

func path(s string) smtp.Path {
	p, err := smtp.ParsePath(s)
	if err != nil {
		fmt.Println(err)
	}
	return p
}

func Example() {
	table, err := alias.Parse(strings.NewReader(`
postmaster: bob
team:       ann, bob, carol@crepes.fr
`), alias.ParseOptions{Domain: "hamburger.edu"})
	if err != nil {
		fmt.Println(err)
		return
	}
	expander := &alias.Expander{Resolver: table}

	env, _ := smtp.NewEnvelope("alice@crepes.fr", "team@hamburger.edu", "postmaster@hamburger.edu")
	envs, err := expander.Envelopes(context.Background(), env)
	for _, e := range envs {
		fmt.Println("from", e.From)
		for _, r := range e.To {
			fmt.Println("to", r.Path)
		}
	}
	fmt.Println(err)
	// Output:
	// from <alice@crepes.fr>
	// to <ann@hamburger.edu>
	// to <bob@hamburger.edu>
	// to <carol@crepes.fr>
	// <nil>
}

func ExampleExpander_Expand() {
	x := &alias.Expander{Resolver: parse("friends: ann, bob\nowner-friends: carol\n")}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "friends@hamburger.edu")
	plan, err := x.Expand(context.Background(), env)
	for _, e := range plan.Envelopes {
		fmt.Println(e.From, "to", e.To[0].Path)
	}
	fmt.Println(err)
	// Output:
	// <owner-friends@hamburger.edu> to <ann@hamburger.edu>
	// <owner-friends@hamburger.edu> to <bob@hamburger.edu>
	// <nil>
}

func ExampleExpander_Verify() {
	x := &alias.Expander{Resolver: parse("a: b\nb: a\nteam: ann, zoe\n")}
	exists := func(_ context.Context, p smtp.Path) error {
		if p.Local() == "zoe" {
			return smtp.Reject(550, "5.1.1", "no such user")
		}
		return nil
	}
	for _, to := range []string{"ann@hamburger.edu", "team@hamburger.edu", "a@hamburger.edu"} {
		fmt.Println(to, smtp.ReplyTo(x.Verify(context.Background(), path(to), exists)))
	}
	// Output:
	// ann@hamburger.edu 250 2.0.0 OK
	// team@hamburger.edu 550 5.1.1 no such user
	// a@hamburger.edu 550 5.4.6 Alias loop
}

func ExampleExpander() {
	x := &alias.Expander{
		Resolver: parse("all: all-staff\nall-staff: ann, bob\n"),
		Limits:   alias.Limits{Depth: 1},
	}
	env, _ := smtp.NewEnvelope("", "all@hamburger.edu")
	_, err := x.Expand(context.Background(), env)
	fmt.Println(err)
	// Output: alias: more than 1 depth: <all@hamburger.edu> → <all-staff@hamburger.edu> → <ann@hamburger.edu>
}

func ExamplePlan_Explain() {
	x := &alias.Expander{Resolver: parse("all: team\nteam: bob\n")}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "all@hamburger.edu")
	plan, _ := x.Expand(context.Background(), env)
	fmt.Println(plan.Explain(path("bob@hamburger.edu")))
	// Output: <all@hamburger.edu> → <team@hamburger.edu> → <bob@hamburger.edu>
}

func ExamplePlan() {
	x := &alias.Expander{Resolver: parse("a: b, ann\nb: a\n")}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "a@hamburger.edu")
	plan, _ := x.Expand(context.Background(), env)
	fmt.Println(len(plan.Envelopes), plan.Loops)
	// Output: 1 [alias: loop: <a@hamburger.edu> → <b@hamburger.edu> → <a@hamburger.edu>]
}

func ExampleLimits() {
	x := &alias.Expander{
		Resolver: parse("team: ann, bob, carol\n"),
		Limits:   alias.Limits{Recipients: 2, Timeout: time.Second},
	}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "team@hamburger.edu")
	_, err := x.Expand(context.Background(), env)
	fmt.Println(smtp.ReplyTo(err))
	// Output: 451 4.3.5 Alias expansion too large, try again later
}

func ExampleTable() {
	t := parse("ann: ann.smith@crepes.fr\n@hamburger.edu: bob\n@hamburger.net: @hamburger.edu\n")
	for _, s := range []string{"ann+news@hamburger.edu", "zoe@hamburger.edu", "ann@hamburger.net", "ann@crepes.fr"} {
		e, found, _ := t.Lookup(context.Background(), path(s))
		fmt.Println(s, found, e.Targets)
	}
	// Output:
	// ann+news@hamburger.edu true [ann.smith@crepes.fr]
	// zoe@hamburger.edu true [bob@hamburger.edu]
	// ann@hamburger.net true [ann@hamburger.edu]
	// ann@crepes.fr false []
}

func ExampleTable_WriteTo() {
	t := parse("team: Ann A. <ann>, (the boss) bob\n")
	var b bytes.Buffer
	_, err := t.WriteTo(&b)
	fmt.Print(b.String(), err)
	// Output:
	// team@hamburger.edu: ann@hamburger.edu,
	// 	bob@hamburger.edu
	// <nil>
}

func ExampleFromMap() {
	t, err := alias.FromMap(map[string][]string{"team": {"ann", "bob@crepes.fr"}}, alias.ParseOptions{Domain: "hamburger.edu"})
	e, found, _ := t.Lookup(context.Background(), path("team@hamburger.edu"))
	fmt.Println(e.Targets, found, err)
	// Output: [ann@hamburger.edu bob@crepes.fr] true <nil>
}

func ExampleParseErrors() {
	_, err := alias.Parse(strings.NewReader("team ann\nbob: bob,, |vacation\n"), alias.ParseOptions{Domain: "hamburger.edu"})
	var mistakes alias.ParseErrors
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			fmt.Println(m.Line, m.Text)
		}
	}
	// Output:
	// 1 no colon after a name: "team ann"
	// 2 an empty target: a comma too many?
	// 2 a pipe is not allowed: "|vacation"
}

func ExampleParseError() {
	_, err := alias.Parse(strings.NewReader("team:\n"), alias.ParseOptions{Domain: "hamburger.edu"})
	var first *alias.ParseError
	fmt.Println(errors.As(err, &first), first)
	// Output: true aliases:1: "team" has no targets
}

func ExampleOpen() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "aliases")
	_ = os.WriteFile(file, []byte("root: ann\n"), 0o600)

	db, err := alias.Open(file, alias.ParseOptions{
		Domain: "hamburger.edu",
		Report: func(err error) { fmt.Println("kept the old table:", err != nil) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = os.WriteFile(file, []byte("root\n"), 0o600)
	_ = db.Reload() // without it within a second
	e, _, _ := db.Lookup(context.Background(), path("root@hamburger.edu"))
	fmt.Println(e.Targets)
	// Output:
	// kept the old table: true
	// [ann@hamburger.edu]
}

func ExampleTableFile() {
	_, err := alias.Open("/nowhere/aliases", alias.ParseOptions{})
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output: true
}

func ExampleParseOptions() {
	t, _ := alias.Parse(strings.NewReader(`ann: "|/usr/bin/vacation ann"`), alias.ParseOptions{
		Domain: "hamburger.edu", Commands: true, Delimiter: "-",
	})
	e, _, _ := t.Lookup(context.Background(), path("ann-news@hamburger.edu"))
	fmt.Println(e.Targets[0].Kind, e.Targets[0].Text)
	// Output: pipe /usr/bin/vacation ann
}

// Mailboxes stand between the aliases and the catch-all, so that the catch-all
// gets what nobody else does.
func ExampleChain() {
	mailboxes := alias.Func(func(_ context.Context, p smtp.Path) (alias.Entry, bool, error) {
		return alias.Entry{KeepCopy: true}, p.Local() == "ann", nil // itself
	})
	x := &alias.Expander{Resolver: alias.Chain(parse("boss: ann\n"), mailboxes, parse("*: bob\n"))}
	env, _ := smtp.NewEnvelope("", "boss@hamburger.edu", "zoe@hamburger.edu")
	envs, err := x.Envelopes(context.Background(), env)
	fmt.Println(envs[0].To[0].Path, envs[0].To[1].Path, err)
	// Output: <ann@hamburger.edu> <bob@hamburger.edu> <nil>
}

func ExampleFunc() {
	staff := alias.Func(func(_ context.Context, p smtp.Path) (alias.Entry, bool, error) {
		if p.Local() != "staff" {
			return alias.Entry{}, false, nil
		}
		return alias.Entry{Targets: []alias.Target{{Path: path("ann@hamburger.edu")}}}, true, nil
	})
	e, found, err := staff.Lookup(context.Background(), path("staff@hamburger.edu"))
	fmt.Println(e.Targets, found, err)
	// Output: [ann@hamburger.edu] true <nil>
}

func ExampleResolver() {
	var r alias.Resolver = parse("a: b\n")
	_, found, err := r.Lookup(context.Background(), path("c@hamburger.edu"))
	fmt.Println(found, err)
	// Output: false <nil>
}

// An Entry with an Owner is a mailing list.
func ExampleEntry() {
	list := alias.Func(func(_ context.Context, p smtp.Path) (alias.Entry, bool, error) {
		return alias.Entry{
			Targets: []alias.Target{{Path: path("ann@crepes.fr")}},
			Owner:   path("friends-bounces@hamburger.edu"),
			Prefix:  []byte("List-Id: <friends.hamburger.edu>\r\n"),
		}, p.Local() == "friends", nil
	})
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "friends@hamburger.edu")
	envs, _ := (&alias.Expander{Resolver: list}).Envelopes(context.Background(), env)
	fmt.Printf("%v %v %q\n", envs[0].From, envs[0].To[0].Path, envs[0].Prefix)
	// Output: <friends-bounces@hamburger.edu> <ann@crepes.fr> "List-Id: <friends.hamburger.edu>\r\n"
}

func ExampleTarget() {
	fmt.Println(alias.Target{Path: path("ann@hamburger.edu")})
	fmt.Println(alias.Target{Path: path("ann@hamburger.edu"), Final: true})
	fmt.Println(alias.Target{Kind: alias.Pipe, Text: "/usr/bin/vacation ann"})
	// Output:
	// ann@hamburger.edu
	// \ann@hamburger.edu
	// "|/usr/bin/vacation ann"
}

func ExampleKind() {
	fmt.Println(alias.Address, alias.Pipe, alias.Discard)
	// Output: address pipe discard
}

func ExampleLoopError() {
	x := &alias.Expander{Resolver: parse("a: b\nb: a\n")}
	err := x.Verify(context.Background(), path("a@hamburger.edu"), nil)
	var loop *alias.LoopError
	fmt.Println(errors.As(err, &loop), err)
	// Output: true alias: loop: <a@hamburger.edu> → <b@hamburger.edu> → <a@hamburger.edu>
}

func ExampleLimitError() {
	x := &alias.Expander{Resolver: parse("a: b, c\n"), Limits: alias.Limits{Lookups: 2}}
	err := x.Verify(context.Background(), path("a@hamburger.edu"), nil)
	var limit *alias.LimitError
	fmt.Println(errors.As(err, &limit), limit.Limit, limit.Max)
	// Output: true lookups 2
}

func ExampleLookupError() {
	down := alias.Func(func(context.Context, smtp.Path) (alias.Entry, bool, error) {
		return alias.Entry{}, false, errors.New("the database is down")
	})
	err := (&alias.Expander{Resolver: down}).Verify(context.Background(), path("ann@hamburger.edu"), nil)
	fmt.Println(err)
	fmt.Println(smtp.ReplyTo(err))
	// Output:
	// alias: <ann@hamburger.edu>: the database is down
	// 451 4.4.3 Alias lookup failed, try again later
}

func ExampleRefusedError() {
	x := &alias.Expander{Resolver: parse(`zoe: "error:551 5.1.6 zoe has left, ask bob"`)}
	fmt.Println(smtp.ReplyTo(x.Verify(context.Background(), path("zoe@hamburger.edu"), nil)))
	// Output: 551 5.1.6 zoe has left, ask bob
}

func keys() *alias.Rewriter {
	return &alias.Rewriter{
		Keys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, // yours are random
		Now:  func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) },
	}
}

func ExampleRewriter() {
	w := keys()
	forwarded, _ := w.SRS(path("alice@crepes.fr"), "hamburger.edu")
	orig, scheme, err := w.Reverse(forwarded)
	fmt.Println(orig, scheme, err)

	bounce, _ := w.VERP(path("owner-team@hamburger.edu"), path("bob@crepes.fr"))
	member, scheme, err := w.Reverse(bounce)
	fmt.Println(member, scheme, err)
	// Output:
	// <alice@crepes.fr> SRS0 <nil>
	// <bob@crepes.fr> VERP <nil>
}

func ExampleScheme() {
	signed, _ := keys().BATV(path("ann@hamburger.edu"))
	_, scheme, _ := keys().Reverse(signed)
	fmt.Println(scheme == alias.SchemeBATV, strings.HasPrefix(signed.Local(), "prvs="))
	// Output: true true
}

func ExampleRewriteError() {
	_, _, err := keys().Reverse(path("SRS0=aaaaaaaaaa=aa=crepes.fr=alice@hamburger.edu"))
	var bad *alias.RewriteError
	fmt.Println(errors.As(err, &bad), bad.Expired, smtp.ReplyTo(err))
	// Output: true false 550 5.7.1 Address not valid
}
