package mailbox

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func flags(t testing.TB, names ...string) Flags {
	t.Helper()
	f, err := ParseFlags(names...)
	require.NoError(t, err)
	return f
}

func TestParseFlags(t *testing.T) {
	assert.Equal(t, Flags{}, flags(t))
	assert.Equal(t, Flags{Sys: Seen | Draft}, flags(t, `\draft`, `\SEEN`))
	assert.Equal(t, Flags{Deleted, "$Forwarded $Junk work"}, flags(t, "work", "$Junk", `\Deleted`, "$Forwarded", "$junk"))
	for _, bad := range []string{"", `\Recent`, `\Other`, "two words", "a(b", "a\r\nb", "ä", "a]", `q"`, strings.Repeat("k", MaxKeyword+1)} {
		_, err := ParseFlags(bad)
		assert.ErrorIs(t, err, ErrCannot, "%q", bad)
	}
}

func TestFlagsNames(t *testing.T) {
	f := flags(t, "b", "A", `\Flagged`, `\Seen`)
	assert.Equal(t, []string{`\Seen`, `\Flagged`, "A", "b"}, f.Names())
	assert.Equal(t, `\Seen \Flagged A b`, f.String())
	assert.True(t, f.Has(`\seen`))
	assert.True(t, f.Has("B"))
	assert.False(t, f.Has(`\Draft`))
	assert.False(t, f.HasKeyword(""))
	assert.False(t, Flags{}.HasKeyword(""))
}

func TestFlagOpApply(t *testing.T) {
	old := flags(t, `\Seen`, "$Junk", "work")
	for _, c := range []struct {
		name string
		op   FlagOp
		f    Flags
		want Flags
	}{
		{"replace", ReplaceFlags, flags(t, "x"), flags(t, "x")},
		{"replace by nothing", ReplaceFlags, Flags{}, Flags{}},
		{"add", AddFlags, flags(t, `\Draft`, "a"), flags(t, `\Seen`, `\Draft`, "$Junk", "a", "work")},
		{"add in another case keeps the spelling", AddFlags, flags(t, "WORK"), old},
		{"add nothing", AddFlags, Flags{}, old},
		{"remove", RemoveFlags, flags(t, `\Seen`, "WORK"), flags(t, "$Junk")},
		{"remove what is not there", RemoveFlags, flags(t, `\Draft`, "other"), old},
		{"remove nothing", RemoveFlags, Flags{}, old},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, c.op.Apply(old, c.f)) })
	}
}

func TestFlagsDoNotAllocate(t *testing.T) {
	f := flags(t, "$Junk", "work")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if !f.Has("WORK") || f.HasKeyword("wor") || AddFlags.Apply(Flags{Sys: Draft}, Flags{Sys: Seen}).Sys != Seen|Draft {
			t.Error("wrong")
		}
	}))
}

func TestSpelling(t *testing.T) {
	var s Spelling
	assert.Equal(t, 2, s.Unknown(flags(t, "$Junk", "work")))
	assert.Equal(t, flags(t, "$Junk", "work"), s.Fix(flags(t, "$Junk", "work"), true))
	assert.Equal(t, flags(t, `\Seen`, "$Junk"), s.Fix(flags(t, `\Seen`, "$JUNK"), true))
	assert.Equal(t, flags(t, "$Junk", "new"), s.Fix(flags(t, "$junk", "new"), false))
	assert.Equal(t, []string{"$Junk", "work"}, s.Words(), "new was not remembered")
	assert.Equal(t, 1, s.Unknown(flags(t, "$junk", "new")))
	assert.Equal(t, Flags{Sys: Seen}, s.Fix(Flags{Sys: Seen}, true))
}

// TestSpellingBounded: combinations are only a cache.
func TestSpellingBounded(t *testing.T) {
	var s Spelling
	word := func(i int) string { return string([]byte{'a' + byte(i%26), 'a' + byte(i/26%26), 'a' + byte(i/676)}) }
	for i := range 2 * maxCombinations {
		s.Fix(Flags{Keywords: canonical([]string{word(i % 200), word(i / 200)})}, true)
	}
	assert.LessOrEqual(t, len(s.seen), maxCombinations+1)
	assert.Equal(t, "aaa zzz", s.Fix(Flags{Keywords: "aaa zzz"}, false).Keywords)
}

// FuzzFlags: the canonical form is a fixed point, and Apply stays in it.
func FuzzFlags(f *testing.F) {
	f.Add("$Junk", "WORK", uint8(1))
	f.Add(`\Seen`, "work", uint8(2))
	f.Fuzz(func(t *testing.T, a, b string, op uint8) {
		x, err := ParseFlags(a, b, a)
		if err != nil {
			return
		}
		again, err := ParseFlags(x.Names()...)
		require.NoError(t, err)
		assert.Equal(t, x, again)
		y, err := ParseFlags(b)
		require.NoError(t, err)
		z := FlagOp(op%3).Apply(x, y)
		again, err = ParseFlags(z.Names()...)
		require.NoError(t, err)
		assert.Equal(t, z, again)
	})
}
