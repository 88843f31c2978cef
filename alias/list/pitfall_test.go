package list

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias"
)

// TestSubscribeBombing: an address that others write in again and again gets one
// question an hour, all together get a bounded number, and no word of whoever did
// it is in there.
func TestSubscribeBombing(t *testing.T) {
	h := newHouse(t)
	h.MaxAnswers = 10
	for range 50 {
		require.NoError(t, h.write("victim@crepes.fr", "team-join", "BUY PILLS"))
		require.NoError(t, h.write("mallory@crepes.fr", "team-request", "subscribe victim@crepes.fr", "Reply-To: PILLS <x@pills.example>"))
	}
	p := h.one()
	assert.NotContains(t, strings.ToLower(p.body), "pills")
	assert.Zero(t, h.state("victim@crepes.fr"))
	for i := range 50 {
		require.NoError(t, h.write(fmt.Sprintf("v%d@crepes.fr", i), "team-join", "x"))
	}
	assert.Len(t, h.take(), 9)
	h.pass(time.Hour)
	require.NoError(t, h.write("victim@crepes.fr", "team-join", "x"))
	assert.Len(t, h.take(), 1)
}

// TestBackscatter: mail in the names of others causes a bounded number of answers
// to them, whatever it asks for.
func TestBackscatter(t *testing.T) {
	h := newHouse(t)
	h.MaxAnswers = 5
	for i := range 100 {
		who := fmt.Sprintf("v%d@crepes.fr", i)
		require.NoError(t, h.write(who, "team-request", "What?"))
		require.NoError(t, h.write(who, "team", "buy"))
	}
	n := 0
	for _, p := range h.take() {
		if p.to()[0] != "zoe" {
			n++
		}
	}
	assert.Equal(t, 5, n)
}

// Memory does not grow with the number of addresses that somebody makes up.
func TestSubscribeBombingMemory(t *testing.T) {
	var q quota
	now := time.Unix(1e9, 0)
	for i := range 2 * maxQuota {
		q.take(now, fmt.Sprint(i), day, 0)
	}
	assert.Len(t, q.until, maxQuota)
	assert.True(t, q.take(now.Add(2*day), "new", day, 0), "those of yesterday are forgotten")
	assert.Len(t, q.until, 1)
}

// TestMembershipIsPrivate: whoever asks hears the same of members and others.
func TestMembershipIsPrivate(t *testing.T) {
	h := newHouse(t, "bob")
	for _, command := range []string{"subscribe", "unsubscribe"} {
		for _, who := range []string{"bob", "nobody"} {
			assert.NoError(t, h.write("mallory@crepes.fr", "team-request", command+" "+who+"@hamburger.edu"))
			for _, p := range h.take() {
				assert.Equal(t, []string{who}, p.to(), "%s: only he is told", command)
			}
		}
	}
}

// TestForgedBounces: who can write mail cannot throw members out.
func TestForgedBounces(t *testing.T) {
	h := newHouse(t, "bob", "eve")
	other := &alias.Rewriter{Keys: [][]byte{[]byte("another key 0123")}, Now: h.Now}
	forged, err := other.VERP(path("team-bounces"), path("bob"))
	require.NoError(t, err)
	mine := path(h.token("-bounces", "eve")) // eve has one, and would like bob's
	stolen := strings.Replace(mine.Address(), "=eve=", "=bob=", 1)
	for range 10 {
		h.pass(25 * time.Hour)
		for _, to := range []string{forged.Address(), stolen, "team-bounces+vaaaaaaaaaaaa=bob=hamburger.edu", strings.Replace(mine.Address(), "-bounces", "-probe", 1)} {
			assert.Equal(t, "550 5.7.1", code(h.send("", to, bounceOf(t, "bob", "failed"))), to)
		}
		require.NoError(t, h.send("", "team-bounces", bounceOf(t, "bob", "failed")))
	}
	assert.Equal(t, Member{Path: path("bob"), State: Subscribed, Joined: h.member("bob").Joined}, h.member("bob"))

	// A token that was found in old mail is worth nothing.
	h.pass(30 * day)
	assert.Equal(t, "550 5.7.1", code(h.send("", mine.Address(), bounceOf(t, "eve", "failed"))))
}

// TestTokensOfOneRoleOnly: a token does what it was made for, for one list.
func TestTokensOfOneRoleOnly(t *testing.T) {
	h := newHouse(t, "bob")
	h.Lists = append(h.Lists, &List{Address: path("other"), Owners: h.team.Owners})
	suffixes := []string{"-bounces", "-leave", "-confirm", "-admit", "-accept", "-discard", "-probe"}
	for _, from := range suffixes {
		for _, to := range suffixes {
			token := h.token(from, "bob")
			if from != to {
				token = strings.Replace(token, "team"+from+"+", "team"+to+"+", 1)
				assert.Equal(t, "550 5.7.1", code(h.write("bob", token, "x")), "%s as %s", from, to)
			} else {
				assert.Equal(t, "550 5.7.1", code(h.write("bob", strings.Replace(token, "team", "other", 1), "x")), "%s of another list", from)
			}
		}
	}
	assert.Equal(t, "550 5.7.1", code(h.write("zoe", h.token("-accept", "bob"), "x")), "a member is no post")
	assert.Equal(t, Subscribed, h.state("bob"))
}

// TestKeyRotation: what the old key signed is good as long as the key is there.
func TestKeyRotation(t *testing.T) {
	h := newHouse(t, "bob")
	old := h.token("-leave", "bob")
	h.Rewriter.Keys = append([][]byte{[]byte("a new key 012345")}, h.Rewriter.Keys...)
	require.NoError(t, h.write("bob", old, "x"))
	assert.Zero(t, h.state("bob"))
	h.Rewriter.Keys = h.Rewriter.Keys[:1]
	h.add("bob")
	assert.Equal(t, "550 5.7.1", code(h.write("bob", old, "x")))
}

// TestForgedListFields: what only a list may say is not taken from who posts.
func TestForgedListFields(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	h.team.Sublist = true
	require.NoError(t, h.write("ann", "team", "hi", "List-Unsubscribe: <https://evil.example/>", "list-id: <evil.example>", "LIST-POST: <mailto:evil@evil.example>",
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click", "List-Evil: evil.example", "Sender: evil@evil.example", "Return-Path: <evil@evil.example>",
		"Errors-To: evil@evil.example", "Precedence: special-evil", "List-Archive: <https://parent.example/>", "Auto-Submitted: auto-generated", "DKIM-Signature: d=hamburger.edu"))
	p := h.one()
	whole := string(p.envs[0].Prefix) + p.body
	assert.NotContains(t, whole, "evil")
	for _, name := range []string{"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Post", "Precedence"} {
		n := 0
		for range p.msg.Header().All(name) {
			n++
		}
		assert.Equal(t, 1, n, name)
	}
	assert.Contains(t, whole, "parent.example", "RFC 2369 §4: a list in a list leaves it")
	assert.Contains(t, whole, "Auto-Submitted: auto-generated")
	assert.Contains(t, whole, "DKIM-Signature")
	h.team.Sublist = false
	require.NoError(t, h.write("ann", "team", "hi", "List-Archive: <https://parent.example/>"))
	assert.NotContains(t, h.one().body, "parent.example")
}

// TestHeaderInjection: no text that others choose becomes a field.
func TestHeaderInjection(t *testing.T) {
	evil := "x\r\nBcc: evil@evil.example\r\n\r\nevil"
	h := newHouse(t, "ann", "bob")
	h.team.Tag, h.team.Description = "[t]", `Team <b@c.d>, Überall`
	require.NoError(t, h.write("ann", "team", "=?utf-8?q?x=0D=0ABcc:_evil@evil.example?="))
	p := h.one()
	assert.False(t, p.msg.Header().Has("Bcc"), "%s", p.body)
	assertWellFormed(t, p)
	_, description := p.msg.Header().ListID()
	assert.Contains(t, description, h.team.Description)
	for _, l := range []List{{Tag: evil}, {Description: evil}, {ID: evil}, {Archive: evil}, {Help: evil}} {
		l.Address = path("team")
		assert.Error(t, l.check())
	}
	// Names of people, in munged From fields and in messages to owners.
	h.team.Munge = func(context.Context, string) bool { return true }
	require.NoError(t, h.send("ann", "team", "From: =?utf-8?q?A=0D=0ABcc:_evil?= <ann@hamburger.edu>\r\nTo: team@hamburger.edu\r\nSubject: x\r\n\r\n"))
	p = h.one()
	assert.False(t, p.msg.Header().Has("Bcc"))
	assertWellFormed(t, p)
}

// TestLoops: a post that was here does not come through again, whatever happened
// to it on its way.
func TestLoops(t *testing.T) {
	h := newHouse(t, "ann", "other@lists.example")
	other := &List{Address: path("other@lists.example"), Sublist: true, Post: AnyonePosts, ExplicitToo: true}
	h.Lists = append(h.Lists, other)
	require.NoError(t, h.write("ann", "team", "hi"))
	p := h.one()
	back := string(p.envs[0].Prefix) + p.body
	assert.Equal(t, "554 5.4.6", code(h.send("ann", "team", back)))
	// Another list puts its own List-Id in the place of ours.
	_, err := h.subscribe(t.Context(), other, path("team"))
	require.NoError(t, err)
	require.NoError(t, h.send(p.envs[0].From.Address(), "other@lists.example", back))
	q := h.one()
	assert.Equal(t, []string{"team"}, q.to())
	assert.Equal(t, "554 5.4.6", code(h.send("ann", "team", string(q.envs[0].Prefix)+q.body)))
	// A host that goes round and round (RFC 5321 §6.3).
	hops := strings.Repeat("Received: from here\r\n", 51)
	assert.Equal(t, "554 5.4.6", code(h.send("ann", "team", hops+letter("ann", "team", "x"))))
	assert.NoError(t, h.send("ann", "team", hops[21:]+letter("ann", "team", "x")))
}

// TestVacationGuards: programs are not posted and not answered (RFC 3834 §2), and
// what they answer confirms nothing.
func TestVacationGuards(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	assert.Equal(t, "550 5.7.1", code(h.write("", "team", "x")))
	assert.Equal(t, "550 5.7.1", code(h.write("ann", "team", "away", "Auto-Submitted: auto-replied (vacation)")))
	assert.Equal(t, "550 5.7.1", code(h.write("ann", "team", "away", "X-Autoreply: yes")))
	assert.NoError(t, h.write("ann", "team", "nightly build", "Auto-Submitted: auto-generated"), "that was on purpose")
	h.take()
	for _, c := range []struct{ from, author, field string }{
		{"", "carl", ""}, {"carl", "carl", "Auto-Submitted: auto-generated"}, {"carl", "carl", "Auto-Submitted: auto-replied"},
		{"carl", "carl", "Precedence: bulk"}, {"carl", "carl", "Precedence: Junk"}, {"carl", "carl", "List-Id: <x.y>"},
		{"list-owner@crepes.fr", "carl", ""}, {"owner-list@crepes.fr", "carl", ""}, {"carl", "list-request@crepes.fr", ""},
		{"MAILER-DAEMON@crepes.fr", "carl", ""}, {"carl", "team-join", ""}, {"carl", "team", ""},
	} {
		for _, to := range []string{"team-join", "team-request", "team-leave"} {
			fields := []string{}
			if c.field != "" {
				fields = []string{c.field}
			}
			assert.NoError(t, h.send(c.from, to, letter(c.author, to, "help", fields...)))
			assert.Empty(t, h.take(), "%v to %s", c, to)
		}
	}
	for _, suffix := range []string{"-confirm", "-admit"} {
		assert.NoError(t, h.write("", h.token(suffix, "carl"), "x"))
		assert.NoError(t, h.write("carl", h.token(suffix, "carl"), "I am away", "Auto-Submitted: auto-replied"))
		assert.Zero(t, h.state("carl"), "nobody has confirmed")
	}
	assert.NoError(t, h.write("bob", h.token("-leave", "bob"), "I am away", "Auto-Submitted: auto-replied"))
	assert.Equal(t, Subscribed, h.state("bob"))
	require.NoError(t, h.write("mallory@crepes.fr", "team", "buy"))
	ask := h.take()[0]
	assert.NoError(t, h.write("zoe", ask.reply(), "I am away", "Auto-Submitted: auto-replied"))
	assert.Empty(t, h.take(), "no owner has decided")
}

// TestImplicitDestination: mail that names the list nowhere is most often spam.
func TestImplicitDestination(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	h.team.Refuse = true
	assert.Equal(t, "550 5.7.2", code(h.send("ann", "team", letter("ann", "everybody@crepes.fr", "x"))))
	h.team.Sublist = true
	assert.NoError(t, h.send("ann", "team", letter("ann", "parent@crepes.fr", "x")))
}

// TestAnswersGoToTheSender: not to whom the message names as its author.
func TestAnswersGoToTheSender(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, h.send("mallory@crepes.fr", "team-request", letter("victim@crepes.fr", "team-request", "?")))
	assert.Equal(t, []string{"mallory"}, h.one().to())
	require.NoError(t, h.send("mallory@crepes.fr", "team", letter("victim@crepes.fr", "team", "buy")))
	assert.Equal(t, []string{"mallory"}, h.take()[1].to())
}

// TestStrayCommands do not go to all members.
func TestStrayCommands(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	for _, s := range []string{"unsubscribe", " Subscribe ", "HELP"} {
		err := h.write("ann", "team", s)
		assert.Equal(t, "550 5.7.2", code(err), s)
		assert.ErrorContains(t, err, "team-request@hamburger.edu")
	}
	assert.NoError(t, h.write("ann", "team", "how to unsubscribe?"))
}

// TestPostNeedsAnAuthor: a policy cannot be asked of nobody, nor of two.
func TestPostNeedsAnAuthor(t *testing.T) {
	h := newHouse(t, "ann")
	for _, m := range []string{"", "Subject: x\r\n\r\n", "From: ann\r\n\r\n", "From: ann@hamburger.edu, eve@hamburger.edu\r\n\r\n",
		"From: ann@hamburger.edu\r\nFrom: eve@hamburger.edu\r\n\r\n", "From: <>\r\n\r\n"} {
		assert.Equal(t, "550 5.6.0", code(h.send("ann", "team", m)), "%q", m)
	}
}
