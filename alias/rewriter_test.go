package alias

import (
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	oldKey = []byte("an old key of 24 octets!")
	newKey = []byte("a newer key of 25 octets!")
)

func rewriter() *Rewriter {
	return &Rewriter{Keys: [][]byte{oldKey}, Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }}
}

func (w Rewriter) later(days int) *Rewriter {
	now := w.Now()
	w.Now = func() time.Time { return now.AddDate(0, 0, days) }
	return &w
}

// rewritten is one address of each scheme, by what it stands for.
func rewritten(t testing.TB, w *Rewriter) map[Scheme][2]smtp.Path {
	t.Helper()
	must := func(p smtp.Path, err error) smtp.Path {
		t.Helper()
		require.NoError(t, err)
		return p
	}
	alice, bob := path("Alice.B=c+d@crepes.fr"), path("bob+x=y@hamburger.edu")
	return map[Scheme][2]smtp.Path{
		SchemeSRS0: {must(w.SRS(alice, "hamburger.edu")), alice},
		SchemeSRS1: {must(w.SRS(path("SRS0+HHHH=TT=crepes.fr=alice@relay.example"), "hamburger.edu")),
			path("SRS0+HHHH=TT=crepes.fr=alice@relay.example")},
		SchemeVERP: {must(w.VERP(path("owner-team@lists.example"), bob)), bob},
		SchemeBATV: {must(w.BATV(alice)), alice},
	}
}

func TestReverse(t *testing.T) {
	w := rewriter()
	for scheme, pair := range rewritten(t, w) {
		t.Log(pair[0])
		orig, got, err := w.Reverse(pair[0])
		require.NoError(t, err, scheme)
		assert.Equal(t, scheme, got)
		assert.Equal(t, pair[1], orig, scheme)

		for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper} {
			orig, _, err = w.Reverse(path(fold(pair[0].Address())))
			require.NoError(t, err, "some hosts fold the case: %s", scheme)
			assert.Equal(t, fold(pair[1].Local()), fold(orig.Local()))
		}
	}
	for _, s := range []string{"ann", "ann+news", "ann+very=odd@x.example", "srs0@hamburger.edu", "SRS0@hamburger.edu", "prvs@x.example", ""} {
		orig, scheme, err := w.Reverse(path(s))
		assert.NoError(t, err)
		assert.Equal(t, Scheme(""), scheme, s)
		assert.Equal(t, path(s), orig)
	}
}

// An unsigned VERP or SRS address is a way to unsubscribe others, and an open
// relay: every octet counts.
func TestPitfallForgedAddresses(t *testing.T) {
	w := rewriter()
	for scheme, pair := range rewritten(t, w) {
		local := pair[0].Local()
		for i := range local {
			b := []byte(local)
			if b[i]++; b[i] > 'z' {
				b[i] = 'a'
			}
			p, err := makePath(string(b), pair[0].Domain())
			if err != nil || strings.EqualFold(string(b), local) {
				continue
			}
			orig, got, err := w.Reverse(p)
			if got == "" {
				continue // no longer looks like one
			}
			var bad *RewriteError
			if assert.ErrorAs(t, err, &bad, "%s: %s", scheme, p) {
				assert.Equal(t, "550 5.7.1", code(err))
				assert.NotEmpty(t, bad.Error())
			}
			assert.Equal(t, smtp.Path{}, orig)
		}
		p, _ := makePath(local, "other.example")
		_, _, err := w.Reverse(p)
		assert.Error(t, err, "%s: the domain is signed too", scheme)
	}
}

func TestExpiry(t *testing.T) {
	w := rewriter()
	w.MaxAge = 7 * 24 * time.Hour
	for scheme, pair := range rewritten(t, w) {
		for days, good := range map[int]bool{-1: true, 0: true, 7: true, 8: false, 30: false, 300: false} {
			_, _, err := w.later(days).Reverse(pair[0])
			assert.Equal(t, good, err == nil, "%s after %d days: %v", scheme, days, err)
			if !good {
				var bad *RewriteError
				require.ErrorAs(t, err, &bad)
				assert.True(t, bad.Expired)
				assert.Equal(t, "550 5.7.1", code(err))
				assert.Contains(t, err.Error(), "expired")
			}
		}
	}
}

func TestKeyRotation(t *testing.T) {
	w := rewriter()
	before := rewritten(t, w)
	w.Keys = [][]byte{newKey, oldKey}
	after := rewritten(t, w)
	for scheme := range before {
		assert.NotEqual(t, before[scheme][0], after[scheme][0], "the first key signs")
		_, _, err := w.Reverse(before[scheme][0])
		assert.NoError(t, err, "%s: all keys are accepted", scheme)
	}
	w.Keys = [][]byte{newKey}
	for scheme := range before {
		_, _, err := w.Reverse(before[scheme][0])
		assert.Error(t, err, "%s: until they are dropped", scheme)
		_, _, err = w.Reverse(after[scheme][0])
		assert.NoError(t, err)
	}
}

func TestRewriterWithoutKeys(t *testing.T) {
	good := rewritten(t, rewriter())
	for _, w := range []*Rewriter{{}, {Keys: [][]byte{[]byte("short")}}} {
		_, err := w.SRS(path("a@crepes.fr"), "hamburger.edu")
		assert.ErrorIs(t, err, errKey)
		_, err = w.SRS(path("SRS0=a=b=c=d@crepes.fr"), "hamburger.edu")
		assert.ErrorIs(t, err, errKey)
		_, err = w.VERP(path("a@crepes.fr"), path("b"))
		assert.ErrorIs(t, err, errKey)
		_, err = w.BATV(path("a@crepes.fr"))
		assert.ErrorIs(t, err, errKey)
		for scheme, pair := range good {
			_, _, err := w.Reverse(pair[0])
			assert.Error(t, err, scheme)
		}
	}
}

func TestSRSLeavesAlone(t *testing.T) {
	w := rewriter()
	for _, s := range []string{"", "ann@hamburger.edu", "SRS0=x=y=z=w@hamburger.edu"} {
		got, err := w.SRS(path(s), "Hamburger.EDU")
		assert.NoError(t, err)
		assert.Equal(t, path(s), got)
	}
	got, err := w.BATV(smtp.Path{})
	assert.NoError(t, err)
	assert.True(t, got.IsNull())
	_, err = w.SRS(path(strings.Repeat("a", 250)+"@crepes.fr"), "hamburger.edu")
	assert.Error(t, err, "over 255 octets")
}

// The address does not grow with every host: SRS1 of SRS1 names the first host
// and drops the one between.
func TestSRS1Chain(t *testing.T) {
	w := rewriter()
	first, err := w.SRS(path("alice@crepes.fr"), "one.example")
	require.NoError(t, err)
	second, err := w.SRS(first, "two.example")
	require.NoError(t, err)
	third, err := w.SRS(second, "three.example")
	require.NoError(t, err)
	assert.Equal(t, len(second.Local()), len(third.Local()))
	orig, scheme, err := w.Reverse(third)
	require.NoError(t, err)
	assert.Equal(t, SchemeSRS1, scheme)
	assert.Equal(t, first, orig, "the bounce goes straight to the first host")
	orig, _, err = w.Reverse(orig)
	require.NoError(t, err)
	assert.Equal(t, path("alice@crepes.fr"), orig)

	foreign, err := w.SRS(path("SRS1=HH=one.example==XX=TT=crepes.fr=alice@two.example"), "three.example")
	require.NoError(t, err)
	orig, _, err = w.Reverse(foreign)
	require.NoError(t, err)
	assert.Equal(t, path("SRS0=XX=TT=crepes.fr=alice@one.example"), orig, "the form that others write")
}

func TestPitfallVERPTooLong(t *testing.T) {
	w := rewriter()
	owner := path("owner-team@lists.example")
	for _, s := range []string{strings.Repeat("x", 50) + "@hamburger.edu", "jürgen@hamburger.edu"} {
		member := path(s)
		from, err := w.VERP(owner, member)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(from.Local()), 64)
		assert.True(t, from.IsASCII())
		orig, scheme, err := w.Reverse(from)
		require.NoError(t, err, "the signature holds")
		assert.Equal(t, SchemeVERP, scheme)
		assert.True(t, orig.IsNull(), "whose it is stands nowhere")
		assert.True(t, w.Match(from, owner, member))
		assert.False(t, w.Match(from, owner, path("bob")))
		assert.False(t, w.Match(from, path("owner-x@lists.example"), member))
		assert.False(t, w.later(30).Match(from, owner, member))
		rotated := &Rewriter{Keys: [][]byte{newKey, oldKey}, Now: w.Now}
		assert.True(t, rotated.Match(from, owner, member))
	}
	from, err := w.VERP(owner, path("bob"))
	require.NoError(t, err)
	assert.True(t, w.Match(from, owner, path("BOB")))
	assert.False(t, w.Match(from, owner, path("ann")))
	assert.False(t, w.Match(path("ann"), owner, path("ann")))
	_, err = w.VERP(smtp.Path{}, path("bob"))
	assert.Error(t, err)
}

func TestVERPOwnerWithTag(t *testing.T) {
	w := rewriter()
	from, err := w.VERP(path("l+vabcdefghijkl=x@l.example"), path("bob+vabcdefghijkl=y@x.example"))
	require.NoError(t, err)
	orig, _, err := w.Reverse(from)
	require.NoError(t, err)
	assert.Equal(t, path("bob+vabcdefghijkl=y@x.example"), orig)
}

func TestRewriterResolves(t *testing.T) {
	w := rewriter()
	r := Chain(w, table(t, "team: bob", "owner-team: carol"))
	all := rewritten(t, w)
	assert.Equal(t, []string{"alice@crepes.fr > Alice.B=c+d@crepes.fr"}, expandAll(t, r, all[SchemeSRS0][0].Address()))
	assert.Equal(t, []string{"alice@crepes.fr > Alice.B=c+d@crepes.fr"}, expandAll(t, r, all[SchemeBATV][0].Address()))
	verp, err := w.VERP(path("owner-team"), path("bob"))
	require.NoError(t, err)
	assert.Equal(t, []string{"alice@crepes.fr > carol"}, expandAll(t, r, verp.Address()))
	err = (&Expander{Resolver: r}).Verify(background, path("SRS0=aaaaaaaaaa=aa=crepes.fr=alice@hamburger.edu"), nil)
	assert.Equal(t, "550 5.7.1", code(err))
}
