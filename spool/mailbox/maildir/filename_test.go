package maildir

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func TestSplitName(t *testing.T) {
	for name, want := range map[string][2]string{
		"1.x.h": {"1.x.h", ""}, "1.x.h:2,": {"1.x.h", ""}, "1.x.h:2,FS": {"1.x.h", "FS"}, "1.x.h:1,old": {"1.x.h", ""},
		"1.x.h,S=5,W=6:2,Sab": {"1.x.h,S=5,W=6", "Sab"},
	} {
		base, info := splitName(name)
		assert.Equal(t, want, [2]string{base, info}, name)
	}
}

// TestUniqueNames: pitfall: a process number and a counter are the same in every
// container. 80 random bits are not.
func TestUniqueNames(t *testing.T) {
	r, err := random(strings.NewReader("0123456789"))
	require.NoError(t, err)
	assert.Equal(t, "1000000000.Rgaytemzugu3doobz.mail,S=42,W=42", newBase(1e9, r, 42))
	assert.Equal(t, "0.Rx.mail,S=1,W=1", newBase(-5, "x", 1))
	_, err = random(strings.NewReader("short"))
	assert.Error(t, err)
}

func TestSizeIn(t *testing.T) {
	for base, want := range map[string]int64{"a,S=12,W=13": 12, "a,W=13,S=12": 12, "a,S=": -1, "a,S=-4": -1, "a,S=x": -1, "a": -1, "a,S=1:2,S": -1} {
		n, ok := sizeIn(base, ",S=")
		assert.Equal(t, want >= 0, ok, base)
		if ok {
			assert.Equal(t, want, n)
		}
	}
	sec, ok := timeIn("1000000000.M1P2.host")
	assert.True(t, ok)
	assert.EqualValues(t, 1e9, sec)
	_, ok = timeIn("x.y")
	assert.False(t, ok)
}

func flags(t testing.TB, names string) mailbox.Flags {
	f, err := mailbox.ParseFlags(strings.Fields(names)...)
	require.NoError(t, err)
	return f
}

func TestInfo(t *testing.T) {
	k := keywords{"work", "", "$Junk"}
	for _, c := range []struct{ names, old, info string }{
		{``, ``, ``},
		{`\Seen \Answered \Flagged \Deleted \Draft`, ``, `DFRST`},
		{`\Seen $Forwarded`, ``, `PS`},
		{`WORK $junk other`, ``, `ac`},
		{`\Flagged`, `SXb`, `FXb`},
		{`\Flagged`, `FF`, `F`},
	} {
		assert.Equal(t, c.info, k.encodeInfo(flags(t, c.names), c.old), c.names)
	}
	assert.Equal(t, flags(t, `\Seen $Junk`), k.decodeInfo("SXbc", mailbox.Flags{}))
	assert.Equal(t, flags(t, `other`), k.decodeInfo("", flags(t, `\Seen work $Forwarded other`)), "what no letter can say stays")
}

func TestKeywordsFile(t *testing.T) {
	k := parseKeywords([]byte("0 work\n2 $Junk\r\nx y\n1\n27 z\n-1 a\n3 \\Seen\n4 bad(\n5 WORK\n"))
	assert.Equal(t, keywords{"work", "", "$Junk", "", "", ""}[:len(k)], k)
	assert.Equal(t, "0 work\n2 $Junk\n", string(k.format()))
	more, changed := k.with(flags(t, "$junk new $Forwarded"))
	assert.True(t, changed)
	assert.Equal(t, 1, more.index("new"), "a free letter is used")
	_, changed = more.with(flags(t, "NEW"))
	assert.False(t, changed)
	var many keywords
	for i := range 40 {
		many, _ = many.with(mailbox.Flags{Keywords: "k" + string(rune('A'+i/26)) + string(rune('a'+i%26))})
	}
	assert.Len(t, many, maxLetters)
	assert.Empty(t, k.index("new")+1, "the old table stays as it is")
}

// FuzzInfo: letters that mean nothing to us survive, and flags come back.
func FuzzInfo(f *testing.F) {
	f.Add("FSX", "work $Junk", "0 work\n1 $Junk\n")
	f.Fuzz(func(t *testing.T, info, names, table string) {
		k := parseKeywords([]byte(table))
		fl, err := mailbox.ParseFlags(strings.Fields(names)...)
		if err != nil || len(info) > 100 {
			return
		}
		got := k.encodeInfo(fl, info)
		back := k.decodeInfo(got, fl)
		assert.True(t, strings.EqualFold(fl.String(), back.String()), "%q: %v became %v", got, fl, back)
		assert.Equal(t, got, k.encodeInfo(back, got))
		for i := range len(info) {
			if !k.known(info[i]) {
				assert.True(t, strings.Contains(got, info[i:i+1]))
			}
		}
	})
}
