package alias

import (
	"testing"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// RFC 3461 §5.2.7, and RFC 7293 §8 for RRVS.
func TestDSNParameters(t *testing.T) {
	const s, f, d, never = smtp.NotifySuccess, smtp.NotifyFailure, smtp.NotifyDelay, smtp.NotifyNever
	type rcpt = smtp.Recipient
	tab := table(t, "one: ann", "chain: one", "two: ann, bob", "deep: two", "list: ann, bob", "owner-list: zoe",
		"tolist: list", "self: self", "keep: keep, ann", "void: ann, /dev/null", "twice: ann, ann")
	const team = "rfc822;"
	for _, c := range []struct {
		name   string
		in     rcpt
		want   []rcpt
		report *rcpt
	}{
		{"no alias", rcpt{Path: path("ann"), Notify: s | f, ORcpt: "x"}, []rcpt{{Path: path("ann"), Notify: s | f, ORcpt: "x"}}, nil},
		{"one: all goes on (§5.2.7.2)", rcpt{Path: path("one"), Notify: s | d, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: s | d, ORcpt: "rfc822;a@b"}}, nil},
		{"ORCPT is added where there was none (§5.2.1)", rcpt{Path: path("one")},
			[]rcpt{{Path: path("ann"), ORcpt: team + "one@hamburger.edu"}}, nil},
		{"of the first name on the way", rcpt{Path: path("chain"), Notify: s},
			[]rcpt{{Path: path("ann"), Notify: s, ORcpt: team + "chain@hamburger.edu"}}, nil},
		{"one and the void are one", rcpt{Path: path("void"), Notify: s},
			[]rcpt{{Path: path("ann"), Notify: s, ORcpt: team + "void@hamburger.edu"}}, nil},
		{"one twice is one", rcpt{Path: path("twice"), Notify: s},
			[]rcpt{{Path: path("ann"), Notify: s, ORcpt: team + "twice@hamburger.edu"}}, nil},
		{"two: SUCCESS becomes a report (§5.2.7.3 c)", rcpt{Path: path("two"), Notify: s | f, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: f, ORcpt: "rfc822;a@b"}, {Path: path("bob"), Notify: f, ORcpt: "rfc822;a@b"}},
			&rcpt{Path: path("two"), Notify: s | f, ORcpt: "rfc822;a@b", Expanded: true}},
		{"nothing but SUCCESS leaves NEVER", rcpt{Path: path("two"), Notify: s, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: never, ORcpt: "rfc822;a@b"}, {Path: path("bob"), Notify: never, ORcpt: "rfc822;a@b"}},
			&rcpt{Path: path("two"), Notify: s, ORcpt: "rfc822;a@b", Expanded: true}},
		{"no SUCCESS, no report", rcpt{Path: path("two"), Notify: f, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: f, ORcpt: "rfc822;a@b"}, {Path: path("bob"), Notify: f, ORcpt: "rfc822;a@b"}}, nil},
		{"NEVER stays", rcpt{Path: path("two"), Notify: never, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: never, ORcpt: "rfc822;a@b"}, {Path: path("bob"), Notify: never, ORcpt: "rfc822;a@b"}}, nil},
		{"the alias with two is the one reported", rcpt{Path: path("deep"), Notify: s, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann"), Notify: never, ORcpt: "rfc822;a@b"}, {Path: path("bob"), Notify: never, ORcpt: "rfc822;a@b"}},
			&rcpt{Path: path("two"), Notify: s, ORcpt: "rfc822;a@b", Expanded: true}},
		{"only itself: nothing happened", rcpt{Path: path("self"), Notify: s, ValidSince: time.Unix(1, 0)},
			[]rcpt{{Path: path("self"), Notify: s, ValidSince: time.Unix(1, 0)}}, nil},
		{"itself and another are two", rcpt{Path: path("keep"), Notify: s | d, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("keep"), Notify: d, ORcpt: "rfc822;a@b"}, {Path: path("ann"), Notify: d, ORcpt: "rfc822;a@b"}},
			&rcpt{Path: path("keep"), Notify: s | d, ORcpt: "rfc822;a@b", Expanded: true}},
		{"a list passes nothing on (§5.2.7.1 b)", rcpt{Path: path("list"), Notify: s | f, ORcpt: "rfc822;a@b"},
			[]rcpt{{Path: path("ann")}, {Path: path("bob")}},
			&rcpt{Path: path("list"), Notify: s | f, ORcpt: "rfc822;a@b", Delivered: true}},
		{"a list behind an alias", rcpt{Path: path("tolist"), Notify: s},
			[]rcpt{{Path: path("ann")}, {Path: path("bob")}},
			&rcpt{Path: path("list"), Notify: s, ORcpt: team + "tolist@hamburger.edu", Delivered: true}},
		{"RRVS ends at an alias", rcpt{Path: path("one"), ORcpt: "x", ValidSince: time.Unix(1, 0), ValidRelay: true},
			[]rcpt{{Path: path("ann"), ORcpt: "x"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := smtp.Envelope{From: path("alice@crepes.fr"), To: []rcpt{c.in}}
			plan, err := (&Expander{Resolver: tab}).Expand(background, env)
			require.NoError(t, err)
			var got []rcpt
			var report *rcpt
			for _, e := range plan.Envelopes {
				for _, r := range e.To {
					if r.Expanded || r.Delivered {
						report = &r
						assert.Equal(t, env.From, e.From, "the report is for the sender of the message")
						continue
					}
					got = append(got, r)
				}
			}
			assert.ElementsMatch(t, c.want, got)
			assert.Equal(t, c.report, report)
		})
	}
}

// ENVID and RET go with an alias and stay behind at a list; what says how the
// message must be carried goes on in both cases.
func TestMailParameters(t *testing.T) {
	in := smtp.MailParams{EnvID: "42", RetFull: true, Auth: "alice@crepes.fr", UTF8: true, Body: smtp.Body8BitMIME,
		RequireTLS: true, Priority: 3, Size: 100, HoldUntil: time.Unix(5, 0)}
	env := envelope("team", "list")
	env.Params = in
	envs, err := (&Expander{Resolver: table(t, "team: ann, bob", "list: carol", "owner-list: zoe")}).Envelopes(background, env)
	require.NoError(t, err)
	require.Len(t, envs, 2)
	assert.Equal(t, in, envs[0].Params)
	want := in
	want.EnvID, want.RetFull, want.Auth = "", false, ""
	assert.Equal(t, want, envs[1].Params)
}

func TestOriginalRecipientOfUTF8(t *testing.T) {
	assert.Equal(t, "utf-8;jürgen@hamburger.edu", originalRecipient(path("jürgen@hamburger.edu")))
	assert.Equal(t, "rfc822;ann@xn--brger-kva.example", originalRecipient(path("ann@bürger.example")))
}
