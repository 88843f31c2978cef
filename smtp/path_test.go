package smtp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "<>",
		"<>":                          "<>",
		"ann@example.org":             "<ann@example.org>",
		"<Ann@EXAMPLE.org>":           "<Ann@example.org>",
		`"ann"@example.org`:           "<ann@example.org>",
		`<"a\ b"@example.org>`:        `<"a b"@example.org>`,
		`<"a@b"@example.org>`:         `<"a@b"@example.org>`,
		`<""@example.org>`:            `<""@example.org>`,
		"<@a.example,@b.example:x@c>": "<x@c>",
		"<x@[192.0.2.1]>":             "<x@[192.0.2.1]>",
		"<x@[IPv6:2001:DB8:0::1]>":    "<x@[IPv6:2001:db8::1]>",
		"<Postmaster>":                "<Postmaster>",
		"<ü@ü.example>":               "<ü@ü.example>",
	} {
		p, err := ParsePath(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, p.String(), in)
		assert.Equal(t, want == "<>", p.IsNull())
		var q Path
		b, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &q))
		assert.Equal(t, p, q)
	}
	for _, in := range []string{"<", ">", "<ann>", "ann", "<a@b", "a@b>", "<a@b>x", "<a b@c>", "a@b@c", "<.a@b>", "<a.@b>", "<a..b@c>", "a@-b", "a@b-", "a@b..c", "a@", "@b",
		"<a@b>\r\nRCPT TO:<c@d>", "a\x00@b", "a\r@b", "\"a\nb\"@c", "a@b c", "a@[300.1.1.1]", "a@[IPv6:192.0.2.1]", "a@[::1]", "\xff@b", "a@\u0085.example", strings.Repeat("a", 300) + "@b"} {
		_, err := ParsePath(in)
		require.Error(t, err, "%q", in)
		assert.Equal(t, 501, ReplyTo(err).Code)
	}
}

func TestPathToASCII(t *testing.T) {
	for in, want := range map[string]string{"a@Bücher.example": "a@xn--bcher-kva.example", "a@b": "a@b"} {
		p, err := ParsePath(in)
		require.NoError(t, err)
		q, ok := p.ToASCII()
		assert.True(t, ok)
		assert.Equal(t, want, q.Address())
	}
	p, err := ParsePath("ü@b.example")
	require.NoError(t, err)
	_, ok := p.ToASCII()
	assert.False(t, ok)
	assert.False(t, p.IsASCII())
}

// FuzzPath: what is parsed is written so that it parses to the same, and holds
// nothing that could end a command.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<ann@example.org>", `"a \"b"@c`, "<@x:y@[IPv6:::1]>", "postmaster", "ü@ü.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		out := p.String()
		if q, err := ParsePath(out); err != nil || q != p {
			t.Errorf("%q -> %q -> %v, %v", s, out, q, err)
		}
		if q, err := ParsePath(p.Address()); err != nil || q != p {
			t.Errorf("%q -> %q -> %v, %v", s, p.Address(), q, err)
		}
		if strings.ContainsAny(out, "\r\n\x00") || len(out) > len(s)+2*len(s)+4 {
			t.Errorf("%q -> %q", s, out)
		}
		// A server reads what was meant, and nothing behind it.
		if q, rest, err := cutPathArg("TO:"+out+" NOTIFY=NEVER", "TO:", ""); err != nil || q != p || rest != " NOTIFY=NEVER" {
			t.Errorf("%q: %v, rest %q, %v", out, q, rest, err)
		}
	})
}

func TestValues(t *testing.T) {
	a, b, s := NewKey[int](), NewKey[int](), NewKey[string]()
	var v Values
	_, ok := a.Get(&v)
	assert.False(t, ok)
	a.Set(&v, 1)
	s.Set(&v, "x")
	c := v.clone()
	a.Set(&v, 2)
	n, ok := a.Get(&c)
	assert.True(t, ok)
	assert.Equal(t, 1, n)
	_, ok = b.Get(&v)
	assert.False(t, ok, "two keys of one type are two keys")
	x, _ := s.Get(&v)
	assert.Equal(t, "x", x)
}

// FuzzXtext: decoding undoes encoding, and what is encoded is one word.
func FuzzXtext(f *testing.F) {
	f.Add("a+b=c d\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(appendXtext(nil, s))
		if strings.ContainsAny(out, " =\r\n\x00") || len(out) > 3*len(s) {
			t.Errorf("%q -> %q", s, out)
		}
		back, err := parseXtext(out)
		if hostile := strings.ContainsAny(s, "\r\n\x00"); hostile != (err != nil) || !hostile && back != s {
			t.Errorf("%q -> %q -> %q, %v", s, out, back, err)
		}
		if in, err := parseXtext(s); err == nil {
			if again, err := parseXtext(string(appendXtext(nil, in))); err != nil || again != in {
				t.Errorf("%q -> %q -> %q, %v", s, in, again, err)
			}
		}
	})
}

func TestXtext(t *testing.T) {
	for _, bad := range []string{"+", "+2", "+2b", "+zz", "a=b", "a b", "\x80", "+0D", "+0A", "+00"} {
		_, err := parseXtext(bad)
		assert.Error(t, err, "%q", bad)
	}
	for in, want := range map[string]string{`utf-8;\x{E9}t`: "utf-8;ét", "rfc822;a+2Bb": "rfc822;a+b", "utf-8;é": "utf-8;é"} {
		got, err := parseORcpt(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"", ";a", "rfc822", "rfc822;", "utf-8;\\x{110000}", "utf-8;\\x{D800}", "utf-8;\\x{0A}", "utf-8;\\y", "utf-8;\\x{", "a b;c", "rfc822;" + strings.Repeat("a", 501)} {
		_, err := parseORcpt(bad)
		assert.Error(t, err, "%q", bad)
	}
}
