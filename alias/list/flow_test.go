package list

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
)

// TestJoinByMail: asked, asked back, confirmed, welcomed.
func TestJoinByMail(t *testing.T) {
	for _, c := range []struct{ name, to, message string }{
		{"an address for it", "team-join", letter("Bob", "team-join", "anything")},
		{"a subject", "team-request", letter("Bob", "team-request", "Subscribe")},
		{"an answer", "team-request", letter("Bob", "team-request", "Re: subscribe")},
		{"a line of text", "team-request", strings.Replace(letter("Bob", "team-request", "please"), "hello", "\r\n  join\r\nregards", 1)},
		{"for an address of one's own", "team-request", letter("Bob@work.example", "team-request", "subscribe Bob@hamburger.edu")},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			require.NoError(t, h.send("Bob", c.to, c.message))
			p := h.one()
			assert.Equal(t, []string{"Bob"}, p.to())
			assert.True(t, p.envs[0].From.IsNull(), "RFC 3834 §3.3")
			assert.Equal(t, "auto-replied", p.msg.Header().Get("Auto-Submitted"))
			id, _ := p.msg.Header().ListID()
			assert.Equal(t, "team.hamburger.edu", id, "RFC 2919 §3: on answers too")
			assertWellFormed(t, p)
			assert.Zero(t, h.state("bob"), "not yet")

			require.NoError(t, h.write("Bob", p.reply(), "Re: "+p.msg.Header().Subject()))
			assert.Equal(t, Subscribed, h.state("bob"))
			assert.Equal(t, h.clock, h.member("bob").Joined)
			assert.Contains(t, h.one().msg.Header().Subject(), "You are a member")
			require.NoError(t, h.write("Bob", p.reply(), "again"))
			assert.Empty(t, h.take(), "nothing is news")
			require.NoError(t, h.write("Bob", "team-join", "x"))
			assert.Contains(t, h.one().body, "already")
		})
	}
}

func TestJoinPolicy(t *testing.T) {
	h := newHouse(t)
	h.team.Join = NobodyJoins
	confirm := h.token("-confirm", "bob")
	for _, to := range []string{"team-join", "team-request", confirm} {
		assert.Equal(t, "550 5.7.1", code(h.write("bob", to, "subscribe")), to)
	}

	h = newHouse(t)
	h.team.Join = OwnersAdmit
	require.NoError(t, h.write("bob", "team-join", "x"))
	require.NoError(t, h.write("bob", h.one().reply(), "yes"))
	p := h.one()
	assert.Equal(t, []string{"zoe"}, p.to())
	assert.Contains(t, p.body, "bob@hamburger.edu")
	assert.Zero(t, h.state("bob"))
	require.NoError(t, h.write("zoe", p.reply(), "yes"))
	assert.Equal(t, Subscribed, h.state("bob"))
	assert.Equal(t, []string{"bob"}, h.one().to())

	// One who was a member is asked about by nobody.
	require.NoError(t, h.store.Update(t.Context(), h.team.Address, path("bob"), func(m *Member) error { m.State = Disabled; return nil }))
	require.NoError(t, h.write("bob", h.token("-confirm", "bob"), "yes"))
	assert.Equal(t, Subscribed, h.state("bob"))
}

func TestLeaveByMail(t *testing.T) {
	h := newHouse(t, "bob", "eve")
	require.NoError(t, h.write("bob", "team-leave", "x"))
	p := h.one()
	assert.Equal(t, Subscribed, h.state("bob"), "anybody can write bob's name")
	assert.Equal(t, []string{"bob"}, p.to())
	require.NoError(t, h.write("bob@work.example", p.reply(), "yes"))
	assert.Zero(t, h.state("bob"))
	assert.Contains(t, h.one().msg.Header().Subject(), "You have left")
	require.NoError(t, h.write("mallory@crepes.fr", "team-request", "unsubscribe eve@hamburger.edu"))
	assert.Equal(t, []string{"eve"}, h.one().to(), "the question goes to whom it is about")

	// With the token of a copy it needs no question: RFC 2369 §3.2.
	require.NoError(t, h.send("zoe", "team", letter("zoe", "team", "hi")))
	urls := h.one().msg.Header().ListURLs("List-Unsubscribe")
	to := strings.NewReplacer("mailto:", "", "%2B", "+", "%3D", "=").Replace(urls[len(urls)-1])
	h.pass(300 * day)
	require.NoError(t, h.write("eve", to, "unsubscribe"))
	assert.Zero(t, h.state("eve"), "even after most of a year")
	h.take()
	require.NoError(t, h.write("eve", to, "unsubscribe"))
	assert.Empty(t, h.take())
}

func TestModeration(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	require.NoError(t, h.write("mallory@crepes.fr", "team", "buy"))
	got := h.take()
	require.Len(t, got, 2)
	ask, told := got[0], got[1]
	assert.Equal(t, []string{"zoe"}, ask.to())
	assert.Contains(t, ask.body, "Subject: buy", "the post is attached")
	assert.Contains(t, ask.body, "the author is no member")
	assert.Equal(t, []string{"mallory"}, told.to())
	assertWellFormed(t, ask)

	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	post := h.one()
	assert.Equal(t, []string{"ann", "bob"}, post.to())
	assert.Equal(t, "buy", post.msg.Header().Subject())
	assert.Equal(t, "q1", post.envs[0].ID, "it is the message that came then")
	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	assert.Empty(t, h.take(), "once")

	require.NoError(t, h.write("mallory@crepes.fr", "team", "more"))
	ask = h.take()[0]
	i := strings.Index(ask.body, "team-discard+")
	discard := ask.body[i : i+strings.IndexAny(ask.body[i:], "\r\n")]
	require.NoError(t, h.write("zoe", discard, "no"))
	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	assert.Empty(t, h.take(), "it is gone, and nobody is told")
	assert.Zero(t, h.store.bytes)
}

// A post that came again, since a later step had failed, is held once; and a post
// that an owner cannot be told of is not accepted.
func TestHoldAgain(t *testing.T) {
	h := newHouse(t, "ann")
	h.fail = smtp.Reject(452, "4.3.1", "full")
	m := letter("mallory@crepes.fr", "team", "buy")
	assert.Equal(t, "452 4.3.1", code(h.send("mallory@crepes.fr", "team", m)))
	h.fail, h.n = nil, 0
	require.NoError(t, h.send("mallory@crepes.fr", "team", m))
	assert.Len(t, h.store.held, 1)
	ask := h.take()[0]
	// A second post under the name of the first does not take its place.
	h.n = 0
	require.NoError(t, h.send("mallory@crepes.fr", "team", strings.Replace(m, "hello", "jello", 1)))
	h.take()
	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	assert.Contains(t, h.one().body, "hello")
}

// A post stays if it cannot be sent on at once.
func TestAcceptFails(t *testing.T) {
	h := newHouse(t, "ann")
	require.NoError(t, h.write("mallory@crepes.fr", "team", "buy"))
	ask := h.take()[0]
	h.fail = smtp.Reject(452, "4.3.1", "full")
	assert.Equal(t, "452 4.3.1", code(h.write("zoe", ask.reply(), "ok")))
	h.fail = nil
	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	assert.Equal(t, []string{"ann"}, h.one().to())

	// Two owners at once: the second is told to come again, and finds nothing then.
	require.NoError(t, h.write("mallory@crepes.fr", "team", "more"))
	ask = h.take()[0]
	inner := h.Post
	h.Post = func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
		h.Post = inner
		assert.Equal(t, "451 4.3.0", code(h.write("zoe", ask.reply(), "me too")))
		return inner(ctx, body, envs...)
	}
	require.NoError(t, h.write("zoe", ask.reply(), "ok"))
	assert.Equal(t, []string{"ann"}, h.one().to())
	require.NoError(t, h.write("zoe", ask.reply(), "me too"))
	assert.Empty(t, h.take())
}

func TestHeldIsBounded(t *testing.T) {
	h := newHouse(t)
	h.store.MaxHeld = 300
	require.NoError(t, h.write("mallory@crepes.fr", "team", "one"))
	require.NoError(t, h.write("mallory@crepes.fr", "team", "two"))
	assert.Equal(t, "452 4.3.1", code(h.write("mallory@crepes.fr", "team", "three")))
}

// The name of a list may be so long that no token of an owner's fits.
func TestHoldWithALongName(t *testing.T) {
	h := newHouse(t)
	h.Lists = []*List{{Address: path(strings.Repeat("x", 40)), Owners: h.team.Owners}}
	assert.Equal(t, "550 5.7.2", code(h.write("mallory@crepes.fr", strings.Repeat("x", 40), "buy")))
	assert.Empty(t, h.take())
}

func TestOwner(t *testing.T) {
	h := newHouse(t)
	h.team.Owners = append(h.team.Owners, path("yves"))
	for _, to := range []string{"team-owner", "owner-team"} {
		require.NoError(t, h.write("mallory@crepes.fr", to, "complaint"))
		p := h.one()
		assert.Equal(t, []string{"zoe", "yves"}, p.to())
		assert.Equal(t, path("mallory@crepes.fr"), p.envs[0].From, "as an alias does")
		assert.Equal(t, "554 5.4.6", code(h.send("mallory@crepes.fr", to, string(p.envs[0].Prefix)+p.body)), "and not round and round")
	}
	h.team.Owners = nil
	assert.Equal(t, "550 5.1.1", code(h.write("mallory@crepes.fr", "team-owner", "x")))
}

func TestHelp(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, h.write("bob", "team-request", "How do I join?"))
	assert.Contains(t, h.one().body, "unsubscribe")
	require.NoError(t, h.write("bob", "team-request", "I said how?"))
	assert.Empty(t, h.take(), "once a day")
	h.pass(25 * time.Hour)
	require.NoError(t, h.write("bob", "team-request", "hello?"))
	assert.Len(t, h.take(), 1)
	require.NoError(t, h.write("bob", "team-request", "subscribe me to the list please"))
	assert.Zero(t, h.state("bob"))
}

// A member with an address that no local-part has room for, or beyond ASCII.
func TestLongAddresses(t *testing.T) {
	for _, who := range []string{strings.Repeat("long", 15) + "@a-rather-long-domain.example", "jürgen@hamburger.edu"} {
		h := newHouse(t)
		require.NoError(t, h.write(who, "team-join", "x"))
		p := h.one()
		assert.Equal(t, !path(who).IsASCII(), p.envs[0].Params.UTF8)
		assert.LessOrEqual(t, len(path(p.reply()).Local()), 64)
		assert.Equal(t, "550 5.7.1", code(h.write("mallory@crepes.fr", p.reply(), "yes")), "the token says only whether it is he")
		require.NoError(t, h.write(who, p.reply(), "yes"))
		assert.Equal(t, Subscribed, h.state(who))
		h.take()
		require.NoError(t, h.write("zoe", "team", "hi"))
		sent := h.one()
		require.NoError(t, h.send("", sent.envs[0].From.Address(), bounceOf(t, "x", "failed")))
		assert.Equal(t, 1, h.member(who).Bounces)
		urls := sent.msg.Header().ListURLs("List-Unsubscribe")
		to := strings.NewReplacer("mailto:", "", "%2B", "+", "%3D", "=").Replace(urls[1])
		require.NoError(t, h.write("someone", to, "x"))
		assert.Zero(t, h.state(who))
	}
}
