package spf_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spf"
)

func TestParseTyped(t *testing.T) {
	r, err := spf.Parse("v=SPF1  ip4:192.0.2.0/24 -IP6:2001:db8::/32 ~a:%{d}/28//64 ?mx//96 include:_spf.example.org exists:%{ir}.x.org ptr -all  EXP=e.example.org redirect=r.example.org x-y_z.1=%{s} ")
	require.NoError(t, err)
	require.Len(t, r.Terms, 8)
	assert.Equal(t, netip.MustParsePrefix("192.0.2.0/24"), r.Terms[0].Prefix)
	assert.Equal(t, 8, r.Terms[0].Offset)
	assert.Equal(t, spf.Pass, r.Terms[0].Result())
	assert.Equal(t, spf.IP6, r.Terms[1].Mechanism)
	assert.Equal(t, spf.Fail, r.Terms[1].Result())
	assert.Equal(t, "%{d}", r.Terms[2].Domain)
	assert.EqualValues(t, []uint8{28, 64}, []uint8{r.Terms[2].Bits4, r.Terms[2].Bits6})
	assert.Equal(t, spf.SoftFail, r.Terms[2].Result())
	assert.EqualValues(t, []uint8{32, 96}, []uint8{r.Terms[3].Bits4, r.Terms[3].Bits6})
	assert.Equal(t, spf.Neutral, r.Terms[3].Result())
	assert.Equal(t, "-all", r.Terms[7].Text)
	assert.Equal(t, "all", r.Terms[7].Mechanism.String())
	assert.Equal(t, "e.example.org", r.Exp.Value)
	assert.Equal(t, "r.example.org", r.Redirect.Value)
	require.Len(t, r.Unknown, 1)
	assert.Equal(t, "x-y_z.1", r.Unknown[0].Name)
	assert.True(t, strings.HasPrefix(r.String(), "v=SPF1"))
}

// Pitfall: "v=spf10" and a tab after the version are other people's records.
func TestPitfallVersion(t *testing.T) {
	for text, want := range map[string]bool{
		"v=spf1": true, "V=SpF1 -all": true, "v=spf1 ": true, "v=spf10": false, "v=spf1\t-all": false,
		" v=spf1 -all": false, "v=spf1.0 -all": false, "v=spf": false, "": false, "spf2.0/pra": false, "v=\u017fpf1": false,
	} {
		assert.Equal(t, want, spf.Is(text), "%q", text)
	}
}

// Every error is found, at its place, and the rest is still read.
func TestParseFindsAllErrors(t *testing.T) {
	r, err := spf.Parse("v=spf1 ip4:1.2.3 mx bogus a:museum -all/8 ip6:::1/129")
	var all spf.SyntaxErrors
	require.ErrorAs(t, err, &all)
	var got []string
	for _, e := range all {
		got = append(got, e.Term)
		assert.Equal(t, e.Term, r.Text[e.Offset:e.Offset+len(e.Term)])
	}
	assert.Equal(t, []string{"ip4:1.2.3", "bogus", "a:museum", "-all/8", "ip6:::1/129"}, got)
	require.Len(t, r.Terms, 1)
	assert.Equal(t, "mx", r.Terms[0].Text)
	var first *spf.SyntaxError
	require.True(t, errors.As(err, &first))
	assert.Equal(t, 7, first.Offset)
	assert.Contains(t, err.Error(), `"bogus" at octet 20: no such mechanism`)
	_, err = spf.Parse("hello")
	assert.ErrorContains(t, err, "does not begin with v=spf1")
}

func terms(valid bool, all ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, term := range all {
			_, err := spf.Parse("v=spf1 " + term)
			assert.Equal(t, valid, err == nil, "%q: %v", term, err)
		}
	}
}

// Pitfall: prefix lengths.
func TestPitfallCIDR(t *testing.T) {
	terms(true, "a/0", "a//0", "a/0//0", "a/32//128", "mx/24", "mx:x.org/24//64", "ip4:1.2.3.4/0", "ip6:::/0", "ip6:::1/128", "a:x.org//64", "a:%{d}//64")(t)
	terms(false, "a/33", "a/032", "a/00", "a//129", "a/24//129", "a/24/64", "a/", "a//", "a/x", "a/-1", "a/24//", "a:/24", "mx:", "ip4:1.2.3.4/33",
		"ip4:1.2.3.4//32", "ip4:1.2.3.4/032", "ip4:1.2.3.4/", "ip6:::1/129", "ip6:::1/064", "all/24", "include:x.org/24", "exists:x.org/24", "ptr/24", "ptr:x.org/24", "a/999", "a/4294967328")(t)
}

// Pitfall: ip4 must refuse IPv6 and sloppy numbers, ip6 must refuse IPv4.
func TestPitfallNetworks(t *testing.T) {
	terms(true, "ip4:192.0.2.1", "ip6:2001:DB8::1", "ip6:::ffff:1.2.3.4", "ip6:::")(t)
	terms(false, "ip4:2001:db8::1", "ip4:::ffff:1.2.3.4", "ip4:192.0.2.01", "ip4:192.0.2", "ip4:192.0.2.256", "ip4", "ip4:", "ip4/24", "ip6:192.0.2.1",
		"ip6", "ip6:2001::db8::1", "ip6:fe80::1%eth0", "ip6:[::1]")(t)
}

// Pitfall: syntax of domain-spec.
func TestPitfallDomainSpec(t *testing.T) {
	terms(true, "a:x.org", "a:x.org.", "a:_x.org", "a:%{d}", "a:%{d}.org", "a:x.%{d}", "a:foo/bar.org", "a:foo:8080.org", "a:x.a-b", "a:x.1-2", "a:.org", "a:a..org", "exists:x.%%",
		"exists:%-", "include:%{D}", "a:x.%{d1r-+,/_=}", "a:a@b.org")(t)
	terms(false, "a:", "a:museum", "a:museum.", "a:1.2.3.4", "a:x.org-", "a:x.-org", "a:x.o_g", "a:x.org..", "a:x.or%", "a:x.%{d", "a:%{}", "a:%{x}", "a:%{d0}", "a:%{d00}", "a:%{dx}",
		"a:%(d)", "a:%d.org", "a:x.org\x7f", "a:\xc3\xbc.org", "a:x.\torg", "include", "include:", "exists", "exists:", "include:x", "a:%{c}.org", "a:%{r}.org", "a:%{t}.org", "a:%{d-r}", "all:", "all:x.org", "a:%%%")(t)
}

// Pitfall: what is a modifier and what is not.
func TestPitfallModifiers(t *testing.T) {
	terms(true, "all=x", "mx=1.2.3", "foo=", "foo=%{s}", "x.y-z_1=/:=", "FOO=a foo=b", "redirect=x.org", "REDIRECT=x.org", "exp=x.org redirect=y.org")(t)
	terms(false, "redirect=", "exp=", "redirect=x", "redirect:x.org", "redirect", "redirect=x.org redirect=y.org", "redirect=x.org Redirect=x.org", "exp=x.org EXP=y.org",
		"-redirect=x.org", "+foo=bar", "?exp=x.org", "foo=%", "foo=%{", "foo=%{q}", "foo=a\tb", "1foo=bar", "=bar", "-", "+", "~~all", "foo=%{c}")(t)
}

// Pitfall: only spaces part terms.
func TestPitfallSpaces(t *testing.T) {
	for text, ok := range map[string]bool{
		"v=spf1    mx    -all   ": true, "v=spf1 mx\t-all": false, "v=spf1 mx\n-all": false, "v=spf1 mx\r\n -all": false, "v=spf1 \u00a0-all": false, "v=spf1 mx\x00-all": false,
	} {
		_, err := spf.Parse(text)
		assert.Equal(t, ok, err == nil, "%q", text)
	}
}

// FuzzRecord: each term lies where it says, a record without errors reads the same
// from the texts of its terms, and errors name places within the record.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		"v=spf1 mx a:x.org/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:%{d2}.x.org exists:%{ir}.%{l1r+-}.x.org ptr ~all exp=e.x.org redirect=r.x.org foo=bar",
		"v=spf1 a/33 mx:museum %% -", "V=SPF1", "v=spf1 a:%{", "v=spf1 ip6:::ffff:1.2.3.4/96",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := spf.Parse(s)
		var bad spf.SyntaxErrors
		if errors.As(err, &bad) {
			for _, e := range bad {
				if e.Offset < 0 || e.Offset+len(e.Term) > len(s) {
					t.Errorf("%v", e)
				}
			}
			return
		}
		again := "v=spf1"
		for i := range r.Terms {
			x := &r.Terms[i]
			if s[x.Offset:x.Offset+len(x.Text)] != x.Text || x.Result() == "" {
				t.Errorf("%+v", x)
			}
			again += " " + x.Text
		}
		for _, m := range append([]spf.Modifier{r.Redirect, r.Exp}, r.Unknown...) {
			if m.Text != "" {
				again += " " + m.Text
			}
		}
		q, err := spf.Parse(again)
		if err != nil || len(q.Terms) != len(r.Terms) || len(q.Unknown) != len(r.Unknown) {
			t.Errorf("%q -> %q: %v", s, again, err)
		}
		r.Lint()
	})
}
