package list

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

func TestPost(t *testing.T) {
	h := newHouse(t, "ann", "bob@crepes.fr", "eve")
	require.NoError(t, h.write("ann", "team", "hello", "DKIM-Signature: v=1", "Received: from somewhere"))
	p := h.one()
	assert.Equal(t, []string{"bob", "eve"}, p.to(), "not who has posted")
	for _, e := range p.envs {
		require.Len(t, e.To, 1)
		assert.True(t, h.Rewriter.Match(e.From, path("team-bounces"), e.To[0].Path), "a bounce says whose it is: %v", e.From)
		assert.Equal(t, "q1", e.ID)
	}
	hd := p.msg.Header()
	id, description := hd.ListID()
	assert.Equal(t, "team.hamburger.edu", id)
	assert.Equal(t, "The Team", description)
	for name, want := range map[string]string{
		"List-Post":             "<mailto:team@hamburger.edu>",
		"List-Help":             "<mailto:team-request@hamburger.edu?subject=help>",
		"List-Subscribe":        "<mailto:team-join@hamburger.edu>",
		"List-Owner":            "<mailto:team-owner@hamburger.edu>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Precedence":            "list",
		"Delivered-To":          "team@hamburger.edu",
		"Subject":               "hello",
		"DKIM-Signature":        "v=1",
		"Received":              "from somewhere",
	} {
		assert.Equal(t, want, hd.Get(name), name)
	}
	assert.True(t, strings.HasPrefix(hd.OneClick(), "https://lists.hamburger.edu/leave?to=team-leave%2Bv"), hd.OneClick())
	urls := hd.ListURLs("List-Unsubscribe")
	require.Len(t, urls, 2)
	assert.True(t, strings.HasPrefix(urls[1], "mailto:team-leave%2Bv"))
	assert.NotEqual(t, p.envs[0].Prefix, p.envs[1].Prefix, "each member has a token of his own")
	assertWellFormed(t, p)
}

// TestPostOneBody: a thousand members cost one call, one body, and no more than
// their own fields.
func TestPostOneBody(t *testing.T) {
	h := newHouse(t)
	for i := range 1000 {
		h.add(fmt.Sprintf("member%04d@host%d.example", i, i%7))
	}
	h.add("ann")
	require.NoError(t, h.send("ann", "team", letter("ann", "team", "hi")+strings.Repeat("0123456789\r\n", 10_000)))
	p := h.one()
	require.Len(t, p.envs, 1000)
	assert.Greater(t, len(p.body), 100_000)
	for _, e := range p.envs {
		assert.Less(t, len(e.Prefix), 1200)
	}
}

func TestPostPolicy(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(l *List)
		from string
		want string // "sent", "held" or a code
	}{
		{"a member", nil, "ann", "sent"},
		{"a member in another case", nil, "ANN@HAMBURGER.EDU", "sent"},
		{"a stranger", nil, "mallory@crepes.fr", "held"},
		{"a stranger, nothing is held", func(l *List) { l.Refuse = true }, "mallory@crepes.fr", "550 5.7.2"},
		{"a stranger, no owners", func(l *List) { l.Owners = nil }, "mallory@crepes.fr", "550 5.7.2"},
		{"an owner who is no member", nil, "zoe", "sent"},
		{"anyone", func(l *List) { l.Post = AnyonePosts }, "mallory@crepes.fr", "sent"},
		{"a moderated member", nil, "mo", "held"},
		{"a moderated member where anyone posts", func(l *List) { l.Post = AnyonePosts }, "mo", "held"},
		{"announcements, by an owner", func(l *List) { l.Post = OwnersPost }, "zoe", "sent"},
		{"announcements, by a member", func(l *List) { l.Post = OwnersPost }, "ann", "550 5.7.2"},
		{"moderated, by a member", func(l *List) { l.Post = Moderated }, "ann", "held"},
		{"moderated, by an owner", func(l *List) { l.Post = Moderated }, "zoe", "held"},
		{"too large", func(l *List) { l.MaxSize = 20 }, "ann", "held"},
		{"a member on leave", nil, "nomail", "sent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, "ann", "bob", "mo", "nomail")
			change := func(name string, fn func(*Member)) {
				require.NoError(t, h.store.Update(t.Context(), h.team.Address, path(name), func(m *Member) error { fn(m); return nil }))
			}
			change("mo", func(m *Member) { m.Moderated = true })
			change("nomail", func(m *Member) { m.State = NoMail })
			if c.set != nil {
				c.set(h.team)
			}
			err := h.write(c.from, "team", "hi")
			got := code(err)
			if err == nil {
				got = "sent"
				if p := h.take()[0]; p.msg.Header().Has("Reply-To") {
					got = "held"
				} else {
					assert.NotContains(t, p.to(), "nomail")
				}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestPosterAndExplicitRecipients(t *testing.T) {
	for _, c := range []struct {
		name             string
		poster, explicit bool
		want             []string
	}{
		{"by default", false, false, []string{"eve"}},
		{"poster too", true, false, []string{"ann", "eve"}},
		{"explicit too", false, true, []string{"bob", "eve"}},
		{"all", true, true, []string{"ann", "bob", "eve"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, "ann", "bob", "eve")
			h.team.PosterToo, h.team.ExplicitToo = c.poster, c.explicit
			require.NoError(t, h.send("ann", "team", "From: ann@hamburger.edu\r\nTo: Bob <BOB@hamburger.edu>, team@hamburger.edu\r\nSubject: x\r\n\r\n"))
			assert.Equal(t, c.want, h.one().to())
		})
	}
	h := newHouse(t, "ann")
	assert.NoError(t, h.write("ann", "team", "alone"))
	assert.Empty(t, h.take(), "nobody is left, and that is no error")
}

// A list is reported as delivered to by the queue: what the sender asked for does
// not go on to the members (RFC 3461 §5.2.7.1), what the message needs does.
func TestPostParameters(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	env := smtp.Envelope{From: path("ann"), To: []smtp.Recipient{{Path: path("team"), Notify: smtp.NotifySuccess, ORcpt: "rfc822;x@y.z"}},
		Params: smtp.MailParams{EnvID: "1", RetFull: true, Auth: "ann", Size: 5, Body: smtp.Body8BitMIME, UTF8: true, RequireTLS: true}}
	m := letter("ann", "team", "hi")
	r := h.Deliver(t.Context(), env, mime.Parse([]byte(m)).Root().Section())
	require.NoError(t, r.Err())
	assert.Empty(t, r[0].Host, "so that the queue says delivered")
	got := h.one().envs[0]
	assert.Equal(t, smtp.MailParams{Body: smtp.Body8BitMIME, UTF8: true, RequireTLS: true}, got.Params)
	assert.Equal(t, smtp.Recipient{Path: path("bob")}, got.To[0])
}

func TestPostTag(t *testing.T) {
	for _, c := range []struct{ subject, want string }{
		{"hello", "[team] hello"},
		{"Re: [team] hello", "Re: [team] hello"},
		{"Re: [TEAM] hello", "Re: [TEAM] hello"},
		{"=?utf-8?q?cr=C3=AApes?=", "[team] crêpes"},
	} {
		h := newHouse(t, "ann", "bob")
		h.team.Tag = "[team]"
		require.NoError(t, h.write("ann", "team", c.subject))
		p := h.one()
		assert.Equal(t, c.want, p.msg.Header().Subject())
		assertWellFormed(t, p)
	}
}

// A domain whose DMARC policy would have our copies refused.
func TestPostMunge(t *testing.T) {
	h := newHouse(t, "ann@strict.example", "bob")
	h.team.Munge = func(_ context.Context, domain string) bool { return domain == "strict.example" }
	require.NoError(t, h.send("ann@strict.example", "team", "From: =?utf-8?q?Ann_=C3=89?= <ann@strict.example>\r\nTo: team@hamburger.edu\r\nSubject: x\r\n\r\n"))
	hd := h.one().msg.Header()
	assert.Equal(t, []mime.Address{{Name: "Ann É via team", Addr: "team@hamburger.edu"}}, plain(hd.Addresses("From")))
	assert.Equal(t, []mime.Address{{Name: "Ann É", Addr: "ann@strict.example"}}, plain(hd.Addresses("Reply-To")))
	require.NoError(t, h.write("bob", "team", "x"))
	assert.Equal(t, "bob@hamburger.edu", h.one().msg.Header().Addresses("From")[0].Addr)
}

func plain(in []mime.Address) (out []mime.Address) {
	for _, a := range in {
		out = append(out, mime.Address{Name: a.Name, Addr: a.Addr})
	}
	return out
}

func TestPostEdit(t *testing.T) {
	h := newHouse(t, "ann", "bob", "eve")
	calls := 0
	h.team.Edit = func(_ context.Context, m *mime.Message, e *mime.Editor) error {
		if calls++; m.Header().Subject() == "no" {
			return smtp.Reject(550, "5.7.1", "not that")
		}
		return e.ReplaceBody(m.Root(), []byte("edited\r\n"))
	}
	require.NoError(t, h.write("ann", "team", "yes"))
	assert.Contains(t, h.one().body, "\r\n\r\nedited\r\n")
	assert.Equal(t, 1, calls, "once, for all members")
	assert.Equal(t, "550 5.7.1", code(h.write("ann", "team", "no")))
}

// Without keys a list works, as far as it can.
func TestPostWithoutRewriter(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	h.Rewriter = nil
	require.NoError(t, h.write("ann", "team", "x"))
	p := h.one()
	assert.Equal(t, path("team-bounces"), p.envs[0].From)
	assert.False(t, p.msg.Header().Has("List-Unsubscribe-Post"))
	assert.Equal(t, "550 5.7.2", code(h.write("mallory@crepes.fr", "team", "x")), "nothing is held that nobody can let go")
	for _, to := range []string{"team-join", "team-leave", "team-confirm+vaa", "team-probe+vaa", "team-accept+vaa", "team-admit+vaa", "team-leave+vaa"} {
		err := h.write("mallory@crepes.fr", to, "x")
		if to != "team-leave" {
			assert.Equal(t, "550 5.7.1", code(err), to)
		}
		assert.Empty(t, h.take())
	}
}

// What cannot be done now is tried again by whoever brought the message.
func TestErrorsAreTemporary(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	h.fail = errors.New("queue full")
	assert.Equal(t, "451 4.3.0", code(h.write("ann", "team", "x")))
	h.fail = smtp.Reject(452, "4.3.1", "full")
	assert.Equal(t, "452 4.3.1", code(h.write("ann", "team", "x")))
	h.fail, h.Members = nil, brokenMembers{h.store}
	for _, to := range []string{"team", "team-join", "team-leave", h.token("-confirm", "bob"), h.token("-leave", "bob"), h.token("-admit", "bob")} {
		assert.Equal(t, "451 4.3.0", code(h.write("ann", to, "x")), to)
	}
	h.Members = nil
	assert.Equal(t, "451 4.3.0", code(h.write("ann", "team", "x")))
	assert.Equal(t, "451 4.3.0", code((&Manager{Lists: h.Lists}).Deliver(t.Context(), smtp.Envelope{To: []smtp.Recipient{{Path: path("team")}}},
		mime.Parse(nil).Root().Section())[0].Err))
}

// token is an address that confirms something for somebody.
func (h *house) token(suffix, who string) string {
	p, err := h.Rewriter.VERP(h.team.at(suffix), path(who))
	require.NoError(h.t, err)
	return p.Address()
}

type brokenMembers struct{ *Memory }

func (brokenMembers) Update(context.Context, smtp.Path, smtp.Path, func(*Member) error) error {
	return errors.New("no database")
}

// A list with a mistake keeps its mail until it is mended, and is told of by Check.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		l    List
		ok   bool
	}{
		{"the least", List{Address: path("team")}, true},
		{"all", List{Address: path("Team"), ID: "a.b", Description: "Ünï \"x\" <y>", Tag: "[ü]", Help: "https://x.example/", Archive: "https://y.example/"}, true},
		{"beyond ASCII", List{Address: path("Büro@bücher.example"), ID: "buero.xn--bcher-kva.example"}, true},
		{"beyond ASCII, without an ID", List{Address: path("Büro@bücher.example")}, false},
		{"a long name", List{Address: path(strings.Repeat("x", 60))}, true},
		{"no address", List{}, false},
		{"a plus", List{Address: path("a+b")}, false},
		{"description of two lines", List{Address: path("team"), Description: "a\r\nBcc: x@y.z"}, false},
		{"a tag of two lines", List{Address: path("team"), Tag: "a\nb"}, false},
		{"odd line ends", List{Address: path("team"), Description: "a\u2028b"}, false},
		{"an ID with brackets", List{Address: path("team"), ID: "a.b>, <c.d"}, false},
		{"an archive that ends its brackets", List{Address: path("team"), Archive: "https://x/>\r\nX: y"}, false},
		{"a help that is no URL", List{Address: path("team"), Help: "\r\n\r\n<script>"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			h.Lists = []*List{&c.l}
			err := h.Check()
			if c.ok {
				assert.NoError(t, err)
				assert.True(t, h.Owns(c.l.Address))
				return
			}
			require.Error(t, err)
			if !c.l.Address.IsNull() {
				assert.True(t, h.Owns(c.l.Address), "its mail is not refused")
				assert.Equal(t, "451 4.3.0", code(h.send("ann", c.l.Address.Address(), "")))
			}
		})
	}
}

func TestOwns(t *testing.T) {
	h := newHouse(t)
	other := &List{Address: path("team-owner@lists.example")} // a name like a role
	two := &List{Address: path("team@lists.example")}
	h.Lists = append(h.Lists, other, two)
	for addr, want := range map[string]bool{
		"team": true, "TEAM": true, "team-request": true, "team-join": true, "team-leave": true, "team-owner": true, "owner-team": true,
		"team-bounces": true, "team-bounces+vaaxxx=b=c.d": true, "team-leave+x": true, "team-confirm+x": true, "team-accept+x": true,
		"team-confirm": false, "team-accept": false, "team-probe": false, "team+x": false, "team-request+x": false, "team-bounces+": false,
		"team-owner+x": false, "tea": false, "team-": false, "-request": false, "owner-": false, "team@crepes.fr": false, "team-x": false,
		"team-owner@lists.example": true, "team-owner-owner@lists.example": true,
	} {
		assert.Equal(t, want, h.Owns(path(addr)), addr)
	}
	l, at, _ := h.find(path("team-owner@lists.example"))
	assert.Equal(t, other, l, "a list goes before a role")
	assert.Equal(t, posts, at)
	assert.Equal(t, "550 5.1.1", code(h.write("ann", "nobody", "x")))
}
