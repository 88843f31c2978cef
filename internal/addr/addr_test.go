package addr

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCutPath(t *testing.T) {
	for _, c := range []struct{ in, local, domain, rest string }{
		{"<>", "", "", ""},
		{"<> SIZE=1", "", "", " SIZE=1"},
		{"<ann@example.org>", "ann", "example.org", ""},
		{"<Ann@Example.ORG> BODY=7BIT", "Ann", "example.org", " BODY=7BIT"},
		{"<@a.example,@b.example:ann@c.example>", "ann", "c.example", ""},
		{`<"a b"@x.example>`, "a b", "x.example", ""},
		{`<"x@y"@z.example>`, "x@y", "z.example", ""},
		{`<"x> NOTIFY=NEVER"@z.example>`, "x> NOTIFY=NEVER", "z.example", ""},
		{`<"a\"b\\c"@z.example>`, `a"b\c`, "z.example", ""},
		{`<""@z.example>`, "", "z.example", ""},
		{"<PostMaster>", "PostMaster", "", ""},
		{"<ann@[192.0.2.1]>", "ann", "[192.0.2.1]", ""},
		{"<ann@[ipv6:2001:DB8:0::1]>", "ann", "[IPv6:2001:db8::1]", ""},
		{"<jörg@müller.example>", "jörg", "müller.example", ""},
		{"<a_b@host_1.example>", "a_b", "host_1.example", ""},
	} {
		local, domain, rest, err := CutPath(c.in)
		require.NoError(t, err, c.in)
		assert.Equal(t, c.local, local, c.in)
		assert.Equal(t, c.domain, domain, c.in)
		assert.Equal(t, c.rest, rest, c.in)
	}
}

func TestCutPathRefuses(t *testing.T) {
	for _, in := range []string{
		"", "ann@example.org", "<ann@example.org", "<ann>", "<@>", "<ann@>", "<@example.org>",
		"<.ann@example.org>", "<ann.@example.org>", "<an..n@example.org>", "<a b@example.org>",
		"<ann@exa mple.org>", "<ann@example..org>", "<ann@-x.org>", "<ann@x-.org>", "<ann@example.org.>",
		"<ann@[192.0.2]>", "<ann@[2001:db8::1]>", "<ann@[IPv6:192.0.2.1]>", "<ann@[IPv6:fe80::1%eth0]>", "<ann@[192.0.2.1>",
		"<ann@example.org\r\n>", "<an\rn@example.org>", "<an\x00n@example.org>", "<\"a\nb\"@example.org>", "<\"a\\\nb\"@example.org>",
		"<an\xffn@example.org>", "<ann@ex\xffample.org>", "<an\u0085n@example.org>", "<an\u2028n@example.org>",
		"<@a.example,b.example:ann@c.example>", "<@a.example ann@c.example>", "<ann<x@example.org>", `<"ann@example.org>`,
		"<po\u017ftmaster>",
		"<" + strings.Repeat("a", 256) + "@example.org>", "<a@" + strings.Repeat("a", 64) + ".org>",
		"<a@" + strings.Repeat("a.", 200) + "org>",
	} {
		_, _, _, err := CutPath(in)
		assert.Error(t, err, "%q", in)
	}
}

func TestParseMailbox(t *testing.T) {
	local, domain, err := ParseMailbox("ann@example.org")
	require.NoError(t, err)
	assert.Equal(t, "ann@example.org", local+"@"+domain)
	_, _, err = ParseMailbox("ann@example.org ")
	assert.Error(t, err)
	_, _, err = ParseMailbox("<ann@example.org>")
	assert.Error(t, err)
}

// Case folding (U+017F and U+212A fold to s and k in Unicode, never here).
func TestFoldsASCIIOnly(t *testing.T) {
	assert.False(t, EqualFold("LAST", "LA\u017fT"))
	assert.False(t, EqualFold("k", "\u212a"))
	assert.True(t, EqualFold("StartTLS", "sTARTtls"))
	assert.Equal(t, "\u212a", Lower("\u212a"))
}

func TestToASCII(t *testing.T) {
	for in, want := range map[string]string{
		"Example.ORG":        "example.org",
		"bücher.example":     "xn--bcher-kva.example",
		"BÜCHER.example":     "xn--bcher-kva.example",
		"straße.example":     "xn--strae-oqa.example",
		"_dmarc.example.org": "_dmarc.example.org",
		"ab--cd.example":     "ab--cd.example",
	} {
		got, err := ToASCII(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"", "a..b", "a b", strings.Repeat("ü", 63) + ".example", "[192.0.2.1]", "a\u200b\u2028.example"} {
		_, err := ToASCII(in)
		assert.Error(t, err, in)
	}
	assert.Equal(t, "bücher.example", ToUnicode("xn--bcher-kva.example"))
}

// FuzzPath: what is read can be written again and reads the same.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<ann@example.org>", `<"a\"b"@x>`, "<@a:b@c>", "<a@[IPv6:::1]>", "<ü@ü.example>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		local, domain, _, err := CutPath(s)
		if err != nil || domain == "" {
			return
		}
		again := "<" + Quote(local) + "@" + domain + ">"
		l, d, rest, err := CutPath(again)
		if err != nil || l != local || d != domain || rest != "" {
			t.Errorf("%q -> %q -> %q@%q %q %v", s, again, l, d, rest, err)
		}
		if strings.ContainsAny(again, "\r\n\x00") {
			t.Errorf("%q carries a control", again)
		}
	})
}
