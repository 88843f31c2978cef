package list

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bounceDays bounces bob's mail once on each of n days.
func (h *house) bounceDays(n int) {
	for range n {
		h.pass(25 * time.Hour)
		require.NoError(h.t, h.send("", h.token("-bounces", "bob"), bounceOf(h.t, "bob", "failed")))
	}
}

func TestBounces(t *testing.T) {
	h := newHouse(t, "bob", "ann")
	h.bounceDays(4)
	assert.Empty(t, h.take())
	assert.Equal(t, 4, h.member("bob").Bounces)
	h.bounceDays(1)
	probe := h.one()
	assert.Equal(t, []string{"bob"}, probe.to())
	assert.True(t, h.Rewriter.Match(probe.envs[0].From, path("team-probe"), path("bob")), "%v", probe.envs[0].From)
	assert.Equal(t, Subscribed, h.state("bob"))
	h.bounceDays(3)
	assert.Empty(t, h.take(), "the probe decides now")

	require.NoError(t, h.send("", probe.envs[0].From.Address(), bounceOf(t, "bob", "failed")))
	assert.Equal(t, Disabled, h.state("bob"))
	told := h.one()
	assert.Equal(t, []string{"zoe"}, told.to())
	assert.Contains(t, told.body, "bob@hamburger.edu")
	require.NoError(t, h.write("zoe", "team", "hi"))
	assert.Equal(t, []string{"ann"}, h.one().to())
	require.NoError(t, h.send("", probe.envs[0].From.Address(), bounceOf(t, "bob", "failed")))
	assert.Empty(t, h.take())

	require.NoError(t, h.write("bob", "team-join", "x")) // he is back
	require.NoError(t, h.write("bob", h.one().reply(), "yes"))
	back := Member{Path: path("bob"), State: Subscribed, Joined: h.member("bob").Joined}
	assert.Equal(t, back, h.member("bob"))
	require.NoError(t, h.send("", probe.envs[0].From.Address(), bounceOf(t, "bob", "failed")))
	assert.Equal(t, back, h.member("bob"), "the probe of then says nothing of now")
}

func TestBouncesCountDays(t *testing.T) {
	h := newHouse(t, "bob")
	for range 100 {
		require.NoError(t, h.send("", h.token("-bounces", "bob"), bounceOf(t, "bob", "failed")))
	}
	assert.Equal(t, 1, h.member("bob").Bounces, "one bad day")
	h.pass(15 * day)
	h.bounceDays(1)
	assert.Equal(t, 1, h.member("bob").Bounces, "two weeks without one end it")
	h.team.MaxBounces = 2
	h.bounceDays(1)
	assert.Len(t, h.take(), 1)
}

// A probe that does not come back has arrived, and all begins anew.
func TestProbeArrives(t *testing.T) {
	h := newHouse(t, "bob")
	h.bounceDays(5)
	h.take()
	h.pass(14 * day)
	h.bounceDays(1)
	assert.Equal(t, 1, h.member("bob").Bounces)
	assert.True(t, h.member("bob").Probed.IsZero())
	assert.Equal(t, Subscribed, h.state("bob"))
}

// A probe that could not be sent is sent another day.
func TestProbeFails(t *testing.T) {
	h := newHouse(t, "bob")
	h.bounceDays(4)
	h.pass(25 * time.Hour)
	h.fail = assert.AnError
	assert.Equal(t, "451 4.3.0", code(h.send("", h.token("-bounces", "bob"), bounceOf(t, "bob", "failed"))))
	h.fail = nil
	assert.True(t, h.member("bob").Probed.IsZero())
	h.bounceDays(1)
	assert.Len(t, h.take(), 1)
}

// What is no failure does not count.
func TestBouncesThatAreNone(t *testing.T) {
	vacation := letter("bob", "x", "I am away", "Auto-Submitted: auto-replied")
	for _, c := range []struct {
		name, message string
		owners        bool
	}{
		{"a delay", bounceOf(t, "bob", "delayed"), false},
		{"a success", bounceOf(t, "bob", "delivered"), false},
		{"a vacation notice", vacation, false},
		{"generated mail", letter("bob", "x", "x", "Auto-Submitted: auto-generated"), false},
		{"a person", letter("bob", "x", "stop this"), true},
		{"a report of another kind", letter("MAILER-DAEMON", "x", "Returned mail"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, "bob")
			for _, suffix := range []string{"-bounces", "-probe"} {
				require.NoError(t, h.send("", h.token(suffix, "bob"), c.message))
				assert.Zero(t, h.member("bob").Bounces)
				got := h.take()
				if !c.owners {
					assert.Empty(t, got)
					continue
				}
				require.Len(t, got, 1)
				assert.Equal(t, []string{"zoe"}, got[0].to(), "RFC 3461 §5.2.7.1 (a)")
				assert.True(t, got[0].envs[0].From.IsNull())
			}
		})
	}
	h := newHouse(t)
	require.NoError(t, h.send("", "team-bounces", bounceOf(t, "bob", "failed")))
	assert.Equal(t, []string{"zoe"}, h.one().to(), "without a token it is a matter for people")
	h.team.Owners = nil
	require.NoError(t, h.send("", "team-bounces", bounceOf(t, "bob", "failed")))
	assert.Empty(t, h.take())
}

// Who has left while his mail was on its way.
func TestBounceOfOneWhoLeft(t *testing.T) {
	h := newHouse(t)
	for _, who := range []string{"bob", "jürgen"} {
		require.NoError(t, h.send("", h.token("-bounces", who), bounceOf(t, "bob", "failed")))
		require.NoError(t, h.send("", h.token("-probe", who), bounceOf(t, "bob", "failed")))
		assert.Zero(t, h.state(who))
	}
	assert.Empty(t, h.take())
}
