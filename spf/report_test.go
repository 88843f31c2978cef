package spf_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
	"github.com/postilion-mail/postilion/spf/authres"
)

const policies = `
fail.test TXT "v=spf1 -all exp=why.test"
why.test  TXT "%{i} may not send for %{o}"
plain.test TXT "v=spf1 -all"
soft.test TXT "v=spf1 ~all"
pass.test TXT "v=spf1 ip4:192.0.2.1 -all"
six.test  TXT "v=spf1 ip6:2001:db8::1 -all"
neutral.test TXT "v=spf1 ?all"
open.test TXT "v=spf1 a:none.test"
broken.test TXT "v=spf1 bogus"
many.test TXT "v=spf1 a:x.test a:y.test a:z.test -all"
dead.test TIMEOUT
refused.test REFUSED
`

func report(t testing.TB, hello, from string) spf.Report {
	c := &spf.Checker{Resolver: dnstest.New(t, policies), Explanation: "see the postmaster"}
	return c.Check(t.Context(), spf.Request{IP: netip.MustParseAddr("192.0.2.1"), Hello: hello, MailFrom: from, Receiver: "mx.receiver.test"})
}

// Codes of RFC 7372 §3.2.
func TestErr(t *testing.T) {
	all := spf.Policy{RejectFail: true, RejectSoftFail: true, RejectPermError: true, DeferTempError: true}
	for _, c := range []struct {
		hello, from string
		want        string
	}{
		{"pass.test", "a@pass.test", ""},
		{"pass.test", "a@neutral.test", ""},
		{"none.test", "a@none.test", ""},
		{"pass.test", "a@fail.test", "550 5.7.23 SPF MAIL FROM check failed: fail.test explains: 192.0.2.1 may not send for fail.test"},
		{"pass.test", "a@plain.test", "550 5.7.23 SPF MAIL FROM check failed: plain.test explains: see the postmaster"},
		{"pass.test", "a@soft.test", "550 5.7.23 SPF MAIL FROM check failed: soft.test does not designate 192.0.2.1 as permitted sender"},
		{"pass.test", "a@broken.test", "550 5.7.24 SPF MAIL FROM check failed: the SPF record of broken.test is in error"},
		{"pass.test", "a@dead.test", "451 4.7.24 SPF check could not be made, try again later"},
		{"fail.test", "a@pass.test", "550 5.7.23 SPF HELO check failed: fail.test explains: 192.0.2.1 may not send for fail.test"},
		{"fail.test", "", "550 5.7.23 SPF MAIL FROM check failed: fail.test explains: 192.0.2.1 may not send for fail.test"},
		{"soft.test", "a@pass.test", ""},
		{"dead.test", "a@pass.test", ""},
		{"broken.test", "a@pass.test", ""},
	} {
		rep := report(t, c.hello, c.from)
		assert.NoError(t, rep.Err(spf.Policy{}), "the zero policy takes all mail")
		err := rep.Err(all)
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		var s interface{ SMTP() (int, string, string) }
		require.ErrorAs(t, err, &s, c.from)
		code, enhanced, text := s.SMTP()
		assert.Equal(t, c.want, fmt.Sprint(code, " ", enhanced, " ", text))
	}
	err := report(t, "pass.test", "a@dead.test").Err(all)
	assert.ErrorIs(t, err, dns.ErrTimeout)
	assert.EqualError(t, err, `spf: temperror for mailfrom dead.test: dns: "dead.test" TXT: no answer in time`)
}

// Pitfall: explanations come from the record that failed, and from nowhere if
// anything is wrong with them.
func TestPitfallExplanations(t *testing.T) {
	for _, c := range []struct{ name, record, why, want string }{
		{"plain", "v=spf1 -all exp=w.test", `w.test TXT "No. Really, %{s} (%{c}, %{r}, %{t})"`, "No. Really, x@a.test (192.0.2.1, mx.receiver.test, 1700000000)"},
		{"joined", "v=spf1 -all exp=w.test", `w.test TXT "one" "two"`, "onetwo"},
		{"macro in the name", "v=spf1 -all exp=%{d}.w.test", `a.test.w.test TXT ok`, "ok"},
		{"two records", "v=spf1 -all exp=w.test", `
w.test TXT one
w.test TXT two
`, ""},
		{"none", "v=spf1 -all exp=w.test", "", ""},
		{"dead", "v=spf1 -all exp=w.test", "w.test SERVFAIL", ""},
		{"not ASCII", "v=spf1 -all exp=w.test", `w.test TXT "caf\195\169"`, ""},
		{"a line break", "v=spf1 -all exp=w.test", `w.test TXT "one\010two"`, ""},
		{"bad macro", "v=spf1 -all exp=w.test", `w.test TXT "100%"`, ""},
		{"void is not counted", "v=spf1 a:n1.test a:n2.test -all exp=w.test", "", ""},
		{"only on fail", "v=spf1 ~all exp=w.test", "w.test TXT why", ""},
		{"of the redirect's target", "v=spf1 redirect=b.test exp=w.test", `
w.test TXT wrong
b.test TXT "v=spf1 -all exp=w2.test"
w2.test TXT right
`, "right"},
		{"not of an include", "v=spf1 include:b.test -all", `
w.test TXT wrong
b.test TXT "v=spf1 -all exp=w.test"
`, ""},
		{"long", "v=spf1 -all exp=w.test", `w.test TXT "` + strings.Repeat("x", 900) + `"`, strings.Repeat("x", 400)},
		{"no validated name", "v=spf1 -all exp=w.test", `w.test TXT "%{p}"`, "unknown"},
	} {
		v := check(t, `a.test TXT "`+c.record+"\"\n"+c.why, "192.0.2.1", "x@a.test")
		assert.Equal(t, c.want, v.Explanation, c.name)
		assert.NotEqual(t, spf.PermError, v.Result, c.name)
	}
	// What comes in by a macro is checked too.
	z := dnstest.New(t, `
a.test TXT "v=spf1 -all exp=w.test"
w.test TXT "you said %{h}"
`)
	c := &spf.Checker{Resolver: z}
	v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "evil\r\n250 ok")
	assert.Empty(t, v.Explanation)
}

func TestReceivedSPF(t *testing.T) {
	for _, c := range []struct{ hello, from, want string }{
		{"mail.pass.test", "ann@pass.test", `pass (mx.receiver.test: domain of pass.test designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from="ann@pass.test"; helo=mail.pass.test; receiver=mx.receiver.test; identity=mailfrom; mechanism="ip4:192.0.2.1"`},
		{"plain.test", "", `fail (mx.receiver.test: domain of plain.test does not designate 192.0.2.1 as permitted sender) client-ip=192.0.2.1; helo=plain.test; receiver=mx.receiver.test; identity=helo; mechanism=-all`},
		{"x", "a@soft.test", `softfail (mx.receiver.test: domain of transitioning soft.test does not designate 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from="a@soft.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; mechanism=~all`},
		{"x", "a@open.test", `neutral (mx.receiver.test: 192.0.2.1 is neither permitted nor denied by domain of open.test) client-ip=192.0.2.1; envelope-from="a@open.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; mechanism=default`},
		{"x", "a@none.test", `none (mx.receiver.test: domain of none.test does not designate permitted senders) client-ip=192.0.2.1; envelope-from="a@none.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom`},
		{"x", "a@refused.test", `temperror (mx.receiver.test: error in processing during lookup of refused.test) client-ip=192.0.2.1; envelope-from="a@refused.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; problem="DNS REFUSED"`},
		{"x", "a@dead.test", `temperror (mx.receiver.test: error in processing during lookup of dead.test) client-ip=192.0.2.1; envelope-from="a@dead.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; problem="DNS lookup failed"`},
		{"x", "a@broken.test", `permerror (mx.receiver.test: permanent error in the records of broken.test) client-ip=192.0.2.1; envelope-from="a@broken.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; problem="no such mechanism"`},
		{"x", "a@many.test", `permerror (mx.receiver.test: permanent error in the records of many.test) client-ip=192.0.2.1; envelope-from="a@many.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; problem="too many lookups without an answer"`},
		{"x", "jörg@pass.test", `pass (mx.receiver.test: domain of pass.test designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from="jörg@pass.test"; helo=x; receiver=mx.receiver.test; identity=mailfrom; mechanism="ip4:192.0.2.1"`},
	} {
		name, value := report(t, c.hello, c.from).ReceivedSPF()
		assert.Equal(t, "Received-SPF", name)
		assert.Equal(t, c.want, unfold(value))
		for line := range strings.SplitSeq(value, "\r\n\t") {
			assert.Less(t, len(line), 110, "the comment is the longest word")
		}
	}
	c := &spf.Checker{Resolver: dnstest.New(t, policies)}
	_, value := c.Check(t.Context(), spf.Request{IP: netip.MustParseAddr("2001:db8::1"), Hello: "h", MailFrom: "a@six.test"}).ReceivedSPF()
	assert.Contains(t, value, `client-ip="2001:db8::1"`)
	assert.Contains(t, value, "receiver=unknown")
}

func unfold(s string) string { return strings.ReplaceAll(s, "\r\n\t", " ") }

var evil = []string{
	"a\r\nX-Evil: yes", "a\nb", "a\x00b", `a"; identity=helo; x="`, `a\`, "a)(b", "a; spf=pass", "a\u2028b", "a\u0085b", "\xff\xfe", strings.Repeat("x", 2000),
	"(", ")", "=?utf-8?q?x?=", "a@b@c", " ", "", "a\tb",
}

// Pitfall: nothing of the sender may end the field or forge a pair of it.
func TestPitfallHeaderInjection(t *testing.T) {
	for _, hello := range evil {
		for _, local := range evil {
			for _, domain := range []string{"pass.test", "none.test", local} {
				rep := report(t, hello, local+"@"+domain)
				rep.Request.Receiver = local
				_, value := rep.ReceivedSPF()
				wellFormed(t, unfold(value))
				_, value = rep.AuthResults("mx.receiver.test").Field()
				assert.False(t, strings.ContainsAny(unfold(value), "\r\n\x00"))
				f, err := authres.Parse(value)
				require.NoError(t, err, value)
				require.Len(t, f.Results, 2)
				assert.Equal(t, string(rep.MailFrom.Result), f.Results[0].Value)
				assert.Equal(t, string(rep.Hello.Result), f.Results[1].Value)
			}
		}
	}
}

// wellFormed reads a value by the grammar of RFC 7208 §9.1.
func wellFormed(t *testing.T, value string) {
	t.Helper()
	require.True(t, utf8.ValidString(value) && len(value) < 998-len("Received-SPF: "), "%q", value)
	for _, r := range value {
		require.False(t, r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029', "%q", value)
	}
	open, end := strings.Index(value, " ("), strings.Index(value, ") client-ip=")
	require.True(t, 0 < open && open < end, "%q", value)
	assert.NotContains(t, value[open+2:end], "(")
	assert.NotContains(t, value[open+2:end], ")")
	assert.NotContains(t, value[open+2:end], `\`)
	keys := map[string]bool{}
	for rest := value[end+2:]; rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		require.True(t, ok, "%q in %q", rest, value)
		require.False(t, keys[key], "%q twice in %q", key, value)
		keys[key] = true
		require.Contains(t, []string{"client-ip", "envelope-from", "helo", "receiver", "identity", "mechanism", "problem"}, key, "%q", value)
		n := strings.IndexByte(after, ';')
		if strings.HasPrefix(after, `"`) {
			n = 1
			for n < len(after) && after[n] != '"' {
				if after[n] == '\\' {
					n++
				}
				n++
			}
			require.Less(t, n, len(after), "open string in %q", value)
			n++
		} else if n < 0 {
			n = len(after)
		}
		require.False(t, strings.ContainsAny(strings.Trim(after[:n], `"`), "\r\n"))
		rest = strings.TrimPrefix(after[n:], "; ")
	}
}

func TestAuthResults(t *testing.T) {
	name, value := report(t, "fail.test", "ann@pass.test").AuthResults("mx.receiver.test").Field()
	assert.Equal(t, "Authentication-Results", name)
	assert.Equal(t, "mx.receiver.test; spf=pass smtp.mailfrom=ann@pass.test; spf=fail smtp.helo=fail.test", unfold(value))
	_, value = report(t, "broken.test", "").AuthResults("mx.receiver.test").Field()
	assert.Equal(t, `mx.receiver.test; spf=permerror reason="no such mechanism" smtp.helo=broken.test`, unfold(value))
}

func TestErrorUnwraps(t *testing.T) {
	err := report(t, "x", "a@broken.test").Err(spf.Policy{RejectPermError: true})
	var syntax *spf.SyntaxError
	require.True(t, errors.As(err, &syntax))
	assert.Equal(t, "bogus", syntax.Term)
}
