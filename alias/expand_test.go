package alias

import (
	"context"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The signature that the queue wants.
var _ func(context.Context, smtp.Envelope) ([]smtp.Envelope, error) = (*Expander)(nil).Envelopes

func TestExpand(t *testing.T) {
	tab := table(t,
		"team: ann, bob, carol",
		"boss: ann",
		"ann2: \\ann",
		"dave: dave, boss",
		"both: team, boss",
		"list: ann, bob", "owner-list: ann",
		"sub: carol, team", "owner-sub: bob",
		"super: list, sub, dora", "owner-super: dora",
		"mixed: list, carol",
		"void: /dev/null",
		"away: eve@crepes.fr",
	)
	for _, c := range []struct {
		name string
		to   []string
		want []string
	}{
		{"no entry: the name is the address", []string{"zoe"}, []string{"alice@crepes.fr > zoe"}},
		{"an alias is one message, its sender stays", []string{"team"}, []string{"alice@crepes.fr > ann bob carol"}},
		{"an alias to elsewhere", []string{"away"}, []string{"alice@crepes.fr > eve@crepes.fr"}},
		{"alias in alias", []string{"both"}, []string{"alice@crepes.fr > ann bob carol"}},
		{"a list is a copy each, from its owner", []string{"list"}, []string{"owner-list > ann", "owner-list > bob"}},
		{"alias in list keeps the copies apart", []string{"sub"},
			[]string{"owner-sub > carol", "owner-sub > ann", "owner-sub > bob"}},
		{"the last list on the way is the sender", []string{"super"},
			[]string{"owner-super > dora", "owner-list > ann", "owner-list > bob", "owner-sub > carol"}},
		{"list in alias", []string{"mixed"}, []string{"alice@crepes.fr > carol", "owner-list > ann", "owner-list > bob"}},
		{"who is named gets the message, not a copy", []string{"list", "bob"},
			[]string{"alice@crepes.fr > bob", "owner-list > ann"}},
		{"who is reached by an alias as well", []string{"list", "boss"},
			[]string{"alice@crepes.fr > ann", "owner-list > bob"}},
		{"named twice is named once", []string{"ann", "ann", "boss"}, []string{"alice@crepes.fr > ann"}},
		{"self-reference is the mailbox", []string{"dave"}, []string{"alice@crepes.fr > ann dave"}},
		{"a backslash ends the expansion", []string{"ann2"}, []string{"alice@crepes.fr > ann"}},
		{"accepted and dropped", []string{"void"}, []string{}},
		{"dropped for one of two", []string{"void", "bob"}, []string{"alice@crepes.fr > bob"}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, expandAll(t, tab, c.to...)) })
	}
}

func TestExpandNothing(t *testing.T) {
	plan, err := (&Expander{}).Expand(background, envelope("ann", "bob"))
	require.NoError(t, err)
	assert.Equal(t, []string{"alice@crepes.fr > ann bob"}, show(plan.Envelopes), "the zero Expander expands nothing")

	envs, err := (&Expander{Resolver: table(t)}).Envelopes(background, smtp.Envelope{})
	require.NoError(t, err)
	assert.Empty(t, envs)
}

// A list whose mail has the null sender sends none that could be bounced.
func TestListKeepsNullSender(t *testing.T) {
	env := envelope("list")
	env.From = smtp.Path{}
	x := &Expander{Resolver: table(t, "list: ann, bob", "owner-list: list"), VERP: rewriter()}
	envs, err := x.Envelopes(background, env)
	require.NoError(t, err)
	assert.Equal(t, []string{"<> > ann", "<> > bob"}, show(envs))
}

func TestWhy(t *testing.T) {
	x := &Expander{Resolver: table(t, "team: staff, zoe", "staff: ann, ann", "list: bob, \\carol", "owner-list: ann")}
	plan, err := x.Expand(background, envelope("team", "list", "dora"))
	require.NoError(t, err)
	for who, way := range map[string]string{
		"ann":   "<team@hamburger.edu> → <staff@hamburger.edu> → <ann@hamburger.edu>",
		"zoe":   "<team@hamburger.edu> → <zoe@hamburger.edu>",
		"bob":   "<list@hamburger.edu> → <bob@hamburger.edu>",
		"carol": "<list@hamburger.edu> → <carol@hamburger.edu>",
		"dora":  "<dora@hamburger.edu>",
		"eve":   "",
	} {
		assert.Equal(t, way, plan.Explain(path(who)), who)
	}
	assert.Len(t, plan.Why, 5)
}

func TestKeepCopy(t *testing.T) {
	r := Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) {
		return Entry{Targets: []Target{{Path: path("bob")}}, KeepCopy: true}, p == path("ann"), nil
	})
	assert.Equal(t, []string{"alice@crepes.fr > ann bob"}, expandAll(t, r, "ann"))
}

func TestCommand(t *testing.T) {
	tab := table(t, `ann: ann, "|vacation ann"`, "box: /var/mail/box")
	_, err := (&Expander{Resolver: tab}).Expand(background, envelope("ann"))
	assert.ErrorContains(t, err, "nothing takes mail for a pipe")
	assert.Equal(t, "451 4.4.3", code(err), "kept until somebody takes it, not dropped")

	x := &Expander{Resolver: tab, Command: func(_ context.Context, c Target) (smtp.Path, error) {
		if c.Kind == File {
			return smtp.Path{}, nil
		}
		return makePath(c.Text, "pipe.internal")
	}}
	envs, err := x.Envelopes(background, envelope("ann"))
	require.NoError(t, err)
	assert.Equal(t, []string{`alice@crepes.fr > "vacation ann"@pipe.internal ann`}, show(envs))
	_, err = x.Envelopes(background, envelope("box"))
	assert.Equal(t, "451 4.4.3", code(err))
}

func TestRefuse(t *testing.T) {
	tab := table(t, `gone: "error:551 5.1.6 moved to crepes.fr"`, "old: gone", "busy: error:450 later",
		"list: old, gone, ann", "owner-list: ann", "plain: error:nobody here")
	x := &Expander{Resolver: tab}
	for to, want := range map[string]string{"gone": "551 5.1.6", "old": "551 5.1.6", "busy": "450 4.0.0", "plain": "550 5.1.1"} {
		_, err := x.Expand(background, envelope(to))
		assert.Equal(t, want, code(err), to)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, path(to), refused.Path[0])
		assert.NotEmpty(t, refused.Error())
	}
	assert.Equal(t, []string{"owner-list > ann", "owner-list > gone"}, sorted(expandAll(t, tab, "list")),
		"in a list the owner hears of it, by a bounce")
}

func TestVerify(t *testing.T) {
	tab := table(t, "team: ann, bob", "bad: ann, zoe", "list: zoe", "owner-list: ann", "loop: pool", "pool: loop")
	exists := func(_ context.Context, p smtp.Path) error {
		if p == path("zoe") {
			return smtp.Reject(550, "5.1.1", "no such user")
		}
		return nil
	}
	x := &Expander{Resolver: tab}
	for to, want := range map[string]string{
		"ann": "250 2.0.0", "zoe": "550 5.1.1", "team": "250 2.0.0", "bad": "550 5.1.1",
		"list": "250 2.0.0", // its members are its owner's business
		"loop": "550 5.4.6",
	} {
		assert.Equal(t, want, code(x.Verify(background, path(to), exists)), to)
	}
	err := x.Verify(background, path("bad"), exists)
	assert.ErrorContains(t, err, "<bad@hamburger.edu> → <zoe@hamburger.edu>", "the log says why")
	assert.NoError(t, x.Verify(background, path("bad"), nil))
}

func TestEnvelopesOwnTheirParts(t *testing.T) {
	env := envelope("list")
	env.Prefix = []byte("Received: by hamburger.edu\r\n")
	r := Func(func(_ context.Context, p smtp.Path) (Entry, bool, error) {
		return Entry{
			Targets: []Target{{Path: path("ann")}, {Path: path("bob")}},
			Owner:   path("owner-list"), Prefix: []byte("List-Id: <list.hamburger.edu>\r\n"),
		}, p == path("list"), nil
	})
	envs, err := (&Expander{Resolver: r}).Envelopes(background, env)
	require.NoError(t, err)
	require.Len(t, envs, 2)
	for _, e := range envs {
		assert.Equal(t, "List-Id: <list.hamburger.edu>\r\nReceived: by hamburger.edu\r\n", string(e.Prefix))
		assert.Equal(t, "x1", e.ID)
	}
	envs[0].To = append(envs[0].To, smtp.Recipient{Path: path("eve")})
	assert.Equal(t, []string{"owner-list > ann eve", "owner-list > bob"}, show(envs), "appending to one reaches no other")
	assert.Equal(t, "Received: by hamburger.edu\r\n", string(env.Prefix))
}

func TestVERPInExpand(t *testing.T) {
	w := rewriter()
	x := &Expander{Resolver: table(t, "list: ann, bob", "owner-list: carol"), VERP: w}
	envs, err := x.Envelopes(background, envelope("list"))
	require.NoError(t, err)
	require.Len(t, envs, 2)
	for i, who := range []string{"ann", "bob"} {
		orig, scheme, err := w.Reverse(envs[i].From)
		require.NoError(t, err)
		assert.Equal(t, SchemeVERP, scheme)
		assert.Equal(t, path(who), orig)
		// The bounce finds the owner by the table alone.
		assert.Equal(t, []string{"alice@crepes.fr > carol"}, expandAll(t, x.Resolver, envs[i].From.Address()))
	}
	x.VERP = &Rewriter{}
	_, err = x.Envelopes(background, envelope("list"))
	assert.Equal(t, "451 4.4.3", code(err), "a list without keys waits")
}

func TestRunnerExpandsABounce(t *testing.T) {
	env := envelope("owner-list")
	env.From = smtp.Path{}
	env.To = append(env.To, smtp.Recipient{Path: path("team"), Expanded: true}, smtp.Recipient{Path: path("team"), Delivered: true})
	envs, err := (&Expander{Resolver: table(t, "owner-list: ann, bob", "team: zoe")}).Envelopes(background, env)
	require.NoError(t, err)
	assert.Equal(t, []string{"<> > ann bob team* team*"}, show(envs), "what is only reported is not expanded again")
}
