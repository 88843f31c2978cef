package list

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
)

// people are those of the model; each writes under any name, and knows what is in
// his own mailbox.
var people = []string{"ann", "bob", "jürgen", "mallory@crepes.fr", "zoe"}

// mailboxes are the addresses that people have seen in mail to them.
type mailboxes map[string][]string

var addressLike = regexp.MustCompile(`team[-a-z]*(\+|%2B)[^\s<>?,]+@hamburger\.edu`)

// receive notes what is in a post.
func (m mailboxes) receive(p posted) {
	for _, e := range p.envs {
		text := string(e.Prefix) + strings.ReplaceAll(p.body, "=\r\n", "") + " " + e.From.Address()
		for _, found := range addressLike.FindAllString(text, -1) {
			found = strings.NewReplacer("%2B", "+", "%3D", "=").Replace(found)
			for _, r := range e.To {
				who := r.Path.Address()
				m[who] = append(m[who], found)
			}
		}
	}
}

// TestNobodyDecidesForOthers lets five people write anything to anywhere, under
// each other's names, with every token they have ever been sent and with tokens
// they have made up. Whatever happens: what becomes of somebody's subscription is
// his own doing, or an owner's.
func TestNobodyDecidesForOthers(t *testing.T) {
	worlds, changes := 40, 0
	if os.Getenv("POSTILION_LONG") != "" {
		worlds = 2000
	}
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 7))
		h := newHouse(t, "bob")
		h.team.Join, h.team.Post, h.team.MaxBounces = JoinPolicy(r.IntN(2)), PostPolicy(r.IntN(4)), 2
		known := mailboxes{}
		for step := range 60 {
			h.pass(time.Duration(r.IntN(30)) * time.Hour)
			actor := people[r.IntN(len(people))]
			before := h.snapshot()
			what := h.act(r, known, actor)
			for _, p := range h.take() {
				known.receive(p)
			}
			for who, was := range before {
				if now := h.member(who); now != was {
					changes++
					require.True(t, actor == who || actor == "zoe", "seed %d, step %d: %s by %s made %s %+v, who was %+v", seed, step, what, actor, who, now, was)
				}
			}
		}
	}
	t.Logf("%d worlds, %d changes", worlds, changes)
	assert.Greater(t, changes, worlds, "the model does nothing")
}

func (h *house) snapshot() map[string]Member {
	out := map[string]Member{}
	for _, who := range people {
		out[who] = h.member(who)
	}
	return out
}

// act has the actor send something, and says what.
func (h *house) act(r *rand.Rand, known mailboxes, actor string) string {
	somebody := func() string { return people[r.IntN(len(people))] }
	to := []string{"team", "team-request", "team-join", "team-leave", "team-owner", "team-bounces"}[r.IntN(6)]
	if mine := known[path(actor).Address()]; len(mine) > 0 && r.IntN(2) == 0 {
		to = mine[r.IntN(len(mine))]
		switch r.IntN(8) {
		case 0: // for another
			to = strings.Replace(to, "="+path(actor).Local()+"=", "="+path(somebody()).Local()+"=", 1)
		case 1: // for another purpose
			roles := []string{"-bounces", "-leave", "-confirm", "-admit", "-accept", "-probe"}
			to = strings.Replace(to, roles[r.IntN(6)]+"+", roles[r.IntN(6)]+"+", 1)
		}
	}
	from, author := actor, actor
	if r.IntN(2) == 0 {
		from, author = somebody(), somebody()
	}
	subject := []string{"hello", "subscribe", "unsubscribe", "subscribe " + path(somebody()).Address(), "unsubscribe " + path(somebody()).Address()}[r.IntN(5)]
	message := letter(author, "team", subject)
	if r.IntN(3) == 0 {
		from, message = "", bounceOf(h.t, somebody(), "failed")
	}
	if p, err := smtp.ParsePath(to); err == nil && strings.Contains(to, "@") {
		to = p.Address()
	}
	err := h.send(from, to, message)
	return fmt.Sprintf("%q from %q to %s (%v)", subject, from, to, err)
}

// The model itself sees tokens: else it would prove nothing.
func TestModelSeesTokens(t *testing.T) {
	h, known := newHouse(t, "bob"), mailboxes{}
	require.NoError(t, h.write("zoe", "team", "hi"))
	known.receive(h.one())
	require.NoError(t, h.write("ann", "team-join", "hi"))
	known.receive(h.one())
	seen := strings.Join(slices.Concat(known["bob@hamburger.edu"], known["ann@hamburger.edu"]), " ")
	for _, want := range []string{"team-bounces+v", "team-leave+v", "team-confirm+v", "=bob=hamburger.edu@hamburger.edu"} {
		assert.Contains(t, seen, want)
	}
}
