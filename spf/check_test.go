package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// check evaluates a sender over a zone.
func check(t testing.TB, zone, ip, sender string) spf.Verdict {
	t.Helper()
	v, _ := checkZone(t, dnstest.New(t, zone), ip, sender)
	return v
}

func checkZone(t testing.TB, z *dnstest.Zone, ip, sender string) (spf.Verdict, *dnstest.Zone) {
	t.Helper()
	c := &spf.Checker{Resolver: z, Now: clock}
	return c.Check(t.Context(), spf.Request{IP: netip.MustParseAddr(ip), Hello: "helo.test", MailFrom: sender, Receiver: "mx.receiver.test"}).MailFrom, z
}

// row is a pitfall: what a sender at an address must come to over a zone.
type row struct {
	name, zone, ip, sender string
	want                   spf.Result
}

func run(t *testing.T, rows []row) {
	for _, r := range rows {
		v := check(t, r.zone, r.ip, r.sender)
		assert.Equal(t, r.want, v.Result, "%s\n%s", r.name, v)
	}
}

// manyTerms is a record with n terms of a kind, %d in them numbered.
func manyTerms(n int, term, end string) string {
	var b strings.Builder
	b.WriteString(`a.test TXT "v=spf1`)
	for i := range n {
		fmt.Fprintf(&b, " "+term, i)
	}
	b.WriteString(" " + end + "\"\n")
	return b.String()
}

func manyRecords(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line+"\n", i)
	}
	return b.String()
}

// Pitfall: selecting the record.
func TestPitfallSelection(t *testing.T) {
	run(t, []row{
		{"two records", `
a.test TXT "v=spf1 +all"
a.test TXT "v=spf1 +all"
`, "192.0.2.1", "x@a.test", spf.PermError},
		{"other versions do not count", `
a.test TXT "v=spf1 +all"
a.test TXT "v=spf10 -all"
a.test TXT "spf2.0/pra"
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"none", "a.test TXT hello", "192.0.2.1", "x@a.test", spf.None},
		{"joined without a space", `a.test TXT "v=spf1 ip4:192." "0.2.1 -all"`, "192.0.2.1", "x@a.test", spf.Pass},
		{"a lost space is not repaired", `a.test TXT "v=spf1 ip4:192.0.2.1" "-all"`, "192.0.2.1", "x@a.test", spf.PermError},
		{"error after a match", `a.test TXT "v=spf1 +all bogus"`, "192.0.2.1", "x@a.test", spf.PermError},
		{"behind an alias", `
a.test CNAME b.test
b.test TXT "v=spf1 +all"
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"no such domain", "", "192.0.2.1", "x@a.test", spf.None},
	})
}

// Pitfall: what include makes of the results of the other record, also nested.
func TestPitfallInclude(t *testing.T) {
	for inner, want := range map[string]spf.Result{
		"v=spf1 +all": spf.Pass, "v=spf1 ?all": spf.SoftFail, "v=spf1 ~all": spf.SoftFail, "v=spf1 -all": spf.SoftFail, "v=spf1": spf.SoftFail,
		"none at all": spf.PermError, "v=spf1 bogus": spf.PermError, "v=spf1 redirect=none.test": spf.PermError,
		"v=spf1 -include:in2.test": spf.SoftFail, "v=spf1 include:in2.test -all": spf.Pass, "v=spf1 -include:in2.test +all": spf.SoftFail,
	} {
		v := check(t, `
a.test TXT "v=spf1 include:in.test ~all"
in.test TXT "`+inner+`"
in2.test TXT "v=spf1 ip4:192.0.2.1 -all"
`, "192.0.2.1", "x@a.test")
		assert.Equal(t, want, v.Result, "%s\n%s", inner, v)
	}
	run(t, []row{
		{"qualifier of the include", `
a.test TXT "v=spf1 -include:in.test +all"
in.test TXT "v=spf1 ~ip4:192.0.2.9 +all"
`, "192.0.2.1", "x@a.test", spf.Fail},
		{"dead include", `
a.test TXT "v=spf1 include:in.test +all"
in.test TIMEOUT
`, "192.0.2.1", "x@a.test", spf.TempError},
		{"name that cannot be asked", `a.test TXT "v=spf1 include:%{l}.test +all"`, "192.0.2.1", "x..y@a.test", spf.PermError},
	})
}

// Pitfall: redirect.
func TestPitfallRedirect(t *testing.T) {
	r := `
r.test TXT "v=spf1 -all"
`
	run(t, []row{
		{"ignored beside all", `a.test TXT "v=spf1 redirect=r.test ?all"` + r, "192.0.2.1", "x@a.test", spf.Neutral},
		{"after the terms, wherever it stands", `a.test TXT "v=spf1 redirect=r.test ip4:192.0.2.1"` + r, "192.0.2.1", "x@a.test", spf.Pass},
		{"followed", `a.test TXT "v=spf1 ip4:192.0.2.9 redirect=r.test"` + r, "192.0.2.1", "x@a.test", spf.Fail},
		{"to nothing", `a.test TXT "v=spf1 redirect=none.test"`, "192.0.2.1", "x@a.test", spf.PermError},
		{"within an include", `
a.test TXT "v=spf1 include:b.test ?all"
b.test TXT "v=spf1 redirect=c.test"
c.test TXT "v=spf1 ip4:192.0.2.1 -all"
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"%{d} is the new domain", `
a.test TXT "v=spf1 redirect=b.test"
b.test TXT "v=spf1 exists:%{d}.x.test -all"
b.test.x.test A 127.0.0.1
`, "192.0.2.1", "x@a.test", spf.Pass},
	})
}

// Pitfall: addresses of the two families.
func TestPitfallFamilies(t *testing.T) {
	both := `
h.test A 192.0.2.1
h.test AAAA 2001:db8::1
`
	run(t, []row{
		{"//0 is for AAAA alone", `
a.test TXT "v=spf1 a:h4.test//0 -all"
h4.test A 192.0.2.1
`, "2001:db8::9", "x@a.test", spf.Fail},
		{"//0 matches any AAAA", `a.test TXT "v=spf1 a:h.test//0 -all"` + both, "2001:ffff::9", "x@a.test", spf.Pass},
		{"/0 is not for IPv6", `a.test TXT "v=spf1 a:h.test/0 -all"` + both, "2001:db8::9", "x@a.test", spf.Fail},
		{"dual", `a.test TXT "v=spf1 a:h.test/24//64 -all"` + both, "192.0.2.200", "x@a.test", spf.Pass},
		{"dual, IPv6", `a.test TXT "v=spf1 a:h.test/24//64 -all"` + both, "2001:db8::ffff", "x@a.test", spf.Pass},
		{"mapped client is IPv4", `a.test TXT "v=spf1 ip4:192.0.2.1 -all"`, "::ffff:192.0.2.1", "x@a.test", spf.Pass},
		{"mapped record is not", `a.test TXT "v=spf1 ip6:::ffff:0:0/96 -all"`, "192.0.2.1", "x@a.test", spf.Fail},
		{"nor for a mapped client", `a.test TXT "v=spf1 ip6:::ffff:192.0.2.1 -all"`, "::ffff:192.0.2.1", "x@a.test", spf.Fail},
		{"exists asks for A", `
a.test TXT "v=spf1 exists:h.test -all"
h.test A 127.0.0.2
`, "2001:db8::1", "x@a.test", spf.Pass},
		{"exists is blind for AAAA", `
a.test TXT "v=spf1 exists:h.test -all"
h.test AAAA ::1
`, "2001:db8::1", "x@a.test", spf.Fail},
		{"ip4:0.0.0.0/0", `a.test TXT "v=spf1 ip4:0.0.0.0/0 -all"`, "192.0.2.1", "x@a.test", spf.Pass},
		{"ip4 of all is not for IPv6", `a.test TXT "v=spf1 ip4:0.0.0.0/0 -all"`, "2001:db8::1", "x@a.test", spf.Fail},
		{"no address", `a.test TXT "v=spf1 +all"`, "::", "x@a.test", spf.Pass},
	})
	v := (&spf.Checker{Resolver: new(dnstest.Zone)}).CheckHost(t.Context(), netip.Addr{}, "a.test", "x@a.test", "h.test")
	assert.Equal(t, spf.None, v.Result)
}

// Pitfall: ptr needs a name that leads back, and ends at a label.
func TestPitfallPTR(t *testing.T) {
	rec := `
a.test TXT "v=spf1 ptr -all"
`
	run(t, []row{
		{"validated", rec + `1.2.0.192.in-addr.arpa PTR m.A.test
m.a.test A 192.0.2.1
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"the domain itself", rec + `1.2.0.192.in-addr.arpa PTR a.test
a.test A 192.0.2.1
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"not validated", rec + `1.2.0.192.in-addr.arpa PTR m.a.test
m.a.test A 192.0.2.9
`, "192.0.2.1", "x@a.test", spf.Fail},
		{"not a label", rec + `1.2.0.192.in-addr.arpa PTR nota.test
nota.test A 192.0.2.1
`, "192.0.2.1", "x@a.test", spf.Fail},
		{"PTR fails: no match", rec + "1.2.0.192.in-addr.arpa SERVFAIL", "192.0.2.1", "x@a.test", spf.Fail},
		{"address fails: next name", rec + `1.2.0.192.in-addr.arpa PTR m1.a.test
1.2.0.192.in-addr.arpa PTR m2.a.test
m1.a.test TIMEOUT
m2.a.test A 192.0.2.1
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"IPv6", rec + dns.Reverse(netip.MustParseAddr("2001:db8::1")) + ` PTR m.a.test
m.a.test AAAA 2001:db8::1
`, "2001:db8::1", "x@a.test", spf.Pass},
	})
}

// Pitfall: what the DNS cannot tell is a temperror, never a permerror or a none.
func TestPitfallTempErrors(t *testing.T) {
	for _, fault := range []string{"SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "TIMEOUT", "LAME"} {
		for _, zone := range []string{
			"a.test " + fault,
			`
a.test TXT "v=spf1 a:h.test -all"
h.test ` + fault,
			`
a.test TXT "v=spf1 mx:h.test -all"
h.test ` + fault,
			`
a.test TXT "v=spf1 mx:h.test -all"
h.test MX 1 m.test
m.test ` + fault,
			`
a.test TXT "v=spf1 exists:h.test -all"
h.test ` + fault,
			`
a.test TXT "v=spf1 include:h.test -all"
h.test ` + fault,
			`
a.test TXT "v=spf1 redirect=h.test"
h.test ` + fault,
		} {
			v := check(t, zone, "192.0.2.1", "x@a.test")
			assert.Equal(t, spf.TempError, v.Result, zone)
			var e *dns.Error
			assert.ErrorAs(t, v.Err, &e)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &spf.Checker{Resolver: dnstest.New(t, `a.test TXT "v=spf1 -all"`)}
	v := c.CheckHost(ctx, netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
	assert.Equal(t, spf.TempError, v.Result)
	assert.ErrorIs(t, v.Err, context.Canceled)
}

// A resolver that answers for the parts it has, in the order of evaluation: what
// matches before the failure still matches.
func TestMatchBeforeAFailure(t *testing.T) {
	run(t, []row{
		{"mx", `
a.test TXT "v=spf1 mx -all"
a.test MX 1 m1.test
a.test MX 2 m2.test
m1.test A 192.0.2.1
m2.test TIMEOUT
`, "192.0.2.1", "x@a.test", spf.Pass},
		{"terms", `
a.test TXT "v=spf1 ip4:192.0.2.1 a:dead.test -all"
dead.test TIMEOUT
`, "192.0.2.1", "x@a.test", spf.Pass},
	})
}

// Pitfall: the sender is divided at the last "@".
func TestPitfallSenders(t *testing.T) {
	zone := `
a.test TXT "v=spf1 exists:%{l}.l.test -all"
*.l.test TXT x
postmaster.l.test A 127.0.0.1
ann+x=y.l.test A 127.0.0.1
`
	z := dnstest.New(t, zone)
	z.Add(dns.RR{Name: `"a@b".l.test`, Type: dns.A, Addr: netip.MustParseAddr("127.0.0.1")})
	for sender, want := range map[string]spf.Result{
		"@a.test": spf.Pass, "a.test": spf.Pass, "postmaster@a.test": spf.Pass, `"a@b"@a.test`: spf.Pass, "ann+x=y@a.test": spf.Pass, "bob@a.test": spf.Fail,
		"bob@": spf.None, "bob@[192.0.2.1]": spf.None, "bob@localhost": spf.None, "bob@a..test": spf.None, "bob@.a.test": spf.None, "bob@A.TEST.": spf.Fail,
		"bob@" + strings.Repeat("x", 64) + ".test": spf.None, "bob@" + strings.Repeat("x.", 130) + "test": spf.None,
	} {
		v, _ := checkZone(t, z, "192.0.2.1", sender)
		assert.Equal(t, want, v.Result, "%s\n%s", sender, v)
	}
}

// Pitfall: both identities are checked and told apart.
func TestPitfallTwoIdentities(t *testing.T) {
	z := dnstest.New(t, `
helo.test TXT "v=spf1 -all"
a.test TXT "v=spf1 +all"
`)
	c := &spf.Checker{Resolver: z}
	req := spf.Request{IP: netip.MustParseAddr("192.0.2.1"), Hello: "helo.test", MailFrom: "ann@a.test"}
	rep := c.Check(t.Context(), req)
	assert.Equal(t, []any{spf.Fail, spf.Helo, "helo.test", "postmaster@helo.test"}, []any{rep.Hello.Result, rep.Hello.Identity, rep.Hello.Domain, rep.Hello.Sender})
	assert.Equal(t, []any{spf.Pass, spf.MailFrom, "a.test", "ann@a.test"}, []any{rep.MailFrom.Result, rep.MailFrom.Identity, rep.MailFrom.Domain, rep.MailFrom.Sender})
	z.Reset()
	req.MailFrom = ""
	rep = c.Check(t.Context(), req)
	assert.Equal(t, spf.Fail, rep.MailFrom.Result)
	assert.Equal(t, spf.MailFrom, rep.MailFrom.Identity)
	assert.Equal(t, rep.Hello.Steps, rep.MailFrom.Steps)
	assert.Len(t, z.Queries(), 1)
}

// Pitfall: internationalized addresses, RFC 8616 §4.
func TestPitfallEAI(t *testing.T) {
	a := `
xn--bcher-kva.test TXT "v=spf1 exists:%{l}.l.test include:%{s}.s.test exists:%{o}.o.test redirect=%{l}.r.test"
`
	assert.Equal(t, spf.Pass, check(t, a+"xn--bcher-kva.test.o.test A 127.0.0.1", "192.0.2.1", "jörg@bücher.test").Result)
	v := check(t, a+"xn--bcher-kva.test.o.test TXT x", "192.0.2.1", "jörg@BÜCHER.test")
	assert.Equal(t, spf.Neutral, v.Result, "%s", v)
	assert.Equal(t, "xn--bcher-kva.test", v.Domain)
	for _, s := range v.Steps {
		assert.NotContains(t, s.Target, "\xc3")
	}
	// In a record itself U-labels are an error.
	assert.Equal(t, spf.PermError, check(t, "a.test TXT \"v=spf1 a:b\\195\\188cher.test -all\"", "192.0.2.1", "x@a.test").Result)
}

// The steps tell the story, and its text cannot be broken by what is in it.
func TestStepsAndText(t *testing.T) {
	v := check(t, `
a.test TXT "v=spf1 a:h.test include:%{d2}.x.test ?all"
h.test A 203.0.113.1
a.test.x.test TXT "v=spf1 ip4:192.0.2.0/24 -all"
`, "192.0.2.1", "ann@a.test")
	assert.Equal(t, `a.test: a:h.test (h.test): no match
a.test: include:%{d2}.x.test (a.test.x.test): evaluate
  a.test.x.test: ip4:192.0.2.0/24: match
a.test: include:%{d2}.x.test: match
pass for mailfrom of a.test from 192.0.2.1; lookups: 2 terms, 0 void, 3 queries`, v.String())
	assert.Equal(t, "include:%{d2}.x.test", v.Term)
	assert.Equal(t, "a.test", v.Record)
	assert.Equal(t, time.Hour, v.TTL)

	evil := spf.Verdict{Result: spf.Fail, Domain: "a\r\nb", Steps: []spf.Step{{Domain: "x\n", Term: "y\x1b[2J", Target: strings.Repeat("z", 1000), Outcome: spf.NoMatch}}, Err: fmt.Errorf("bad\nthing")}
	assert.Equal(t, 1, strings.Count(evil.String(), "\n"))
	assert.NotContains(t, evil.String(), "\x1b")
	assert.Less(t, len(evil.String()), 1000)
}

func TestRedirectNamesTheRecord(t *testing.T) {
	v := check(t, `
a.test 60 TXT "v=spf1 redirect=b.test"
b.test TXT "v=spf1 -all"
`, "192.0.2.1", "ann@a.test")
	assert.Equal(t, []string{"-all", "b.test", "a.test"}, []string{v.Term, v.Record, v.Domain})
	assert.Equal(t, time.Minute, v.TTL)
}

func TestAuthentic(t *testing.T) {
	z := dnstest.New(t, `
a.test TXT "v=spf1 a -all"
a.test A 192.0.2.1
`)
	z.Authentic = true
	v, _ := checkZone(t, z, "192.0.2.1", "ann@a.test")
	assert.True(t, v.Authentic)
	c := &spf.Checker{Resolver: dns.ResolverFunc(func(ctx context.Context, n string, typ dns.Type) (dns.Answer, error) {
		a, err := z.Lookup(ctx, n, typ)
		a.Authentic = typ == dns.TXT
		return a, err
	})}
	assert.False(t, c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "ann@a.test", "h.test").Authentic)
}

func TestLimitsAreFields(t *testing.T) {
	z := dnstest.New(t, `
a.test TXT "v=spf1 a a:no.test -all"
a.test A 192.0.2.1
`)
	for limits, want := range map[spf.Limits]spf.Result{
		{}: spf.Pass, {Terms: -1}: spf.PermError, {Terms: 1}: spf.Pass, {Queries: 1}: spf.PermError, {Queries: -1}: spf.PermError, {Voids: -1}: spf.Pass,
	} {
		v := (&spf.Checker{Resolver: z, Limits: limits}).CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
		assert.Equal(t, want, v.Result, "%+v", limits)
	}
	v := (&spf.Checker{Resolver: z, Limits: spf.Limits{Voids: -1}}).CheckHost(t.Context(), netip.MustParseAddr("192.0.2.9"), "a.test", "x@a.test", "h.test")
	require.ErrorIs(t, v.Err, spf.ErrVoids)
}
