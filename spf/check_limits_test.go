package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// Pitfall: ten terms, not nine and not eleven; the eleventh makes no query.
func TestPitfallTermLimit(t *testing.T) {
	hosts := manyRecords(12, `
x%[1]d.test A 203.0.113.%[1]d
x%[1]d.test TXT "v=spf1 ?all"
x%[1]d.test MX 10 x%[1]d.test
`)
	for _, term := range []string{"a:x%d.test", "mx:x%d.test", "include:x%d.test"} {
		v := check(t, manyTerms(10, term, "+all")+hosts, "192.0.2.1", "ann@a.test")
		assert.Equal(t, spf.Pass, v.Result, "%s\n%s", term, v)
		assert.Equal(t, 10, v.Terms)
		v, z := checkZone(t, dnstest.New(t, manyTerms(11, term, "+all")+hosts), "192.0.2.1", "ann@a.test")
		assert.Equal(t, spf.PermError, v.Result, term)
		assert.ErrorIs(t, v.Err, spf.ErrTerms)
		for _, q := range z.Queries() {
			assert.NotContains(t, q.Name, "x10.", "the eleventh was asked for")
		}
	}
	// A redirect counts, and so do the terms of included records.
	nine := manyTerms(9, "a:x%d.test", "redirect=r.test") + hosts
	assert.Equal(t, spf.Pass, check(t, nine+`r.test TXT "v=spf1 +all"`, "192.0.2.1", "ann@a.test").Result)
	assert.Equal(t, spf.PermError, check(t, nine+`r.test TXT "v=spf1 a:x11.test +all"`, "192.0.2.1", "ann@a.test").Result)
	assert.Equal(t, spf.PermError, check(t, manyTerms(10, "a:x%d.test", "redirect=r.test")+hosts+`r.test TXT "v=spf1 +all"`, "192.0.2.1", "ann@a.test").Result)
	// all, ip4 and ip6 do not.
	assert.Equal(t, spf.Fail, check(t, manyTerms(100, "ip4:203.0.113.%d", "-all"), "192.0.2.1", "ann@a.test").Result)
	// The macro %{p} does: it asks for the PTR records.
	ptr := `
1.2.0.192.in-addr.arpa PTR x1.test
`
	assert.Equal(t, spf.PermError, check(t, ptr+hosts+manyTerms(9, "a:x%d.test", "exists:%{p}.a.test +all"), "192.0.2.1", "ann@a.test").Result)
	assert.Equal(t, spf.Pass, check(t, ptr+hosts+manyTerms(8, "a:x%d.test", "exists:%{p}.a.test +all"), "192.0.2.1", "ann@a.test").Result)
}

// Pitfall: two void lookups are allowed, the third is a permerror; only the query
// that a term is about counts.
func TestPitfallVoidLimit(t *testing.T) {
	v := check(t, `a.test TXT "v=spf1 a:no1.test exists:no2.test ip4:192.0.2.1 -all"`, "192.0.2.1", "ann@a.test")
	assert.Equal(t, spf.Pass, v.Result, "%s", v)
	assert.Equal(t, 2, v.Voids)
	v = check(t, `
a.test TXT "v=spf1 a:no1.test exists:no2.test mx:no3.test ip4:192.0.2.1 -all"
no3.test TXT "NODATA is void too"
`, "192.0.2.1", "ann@a.test")
	assert.Equal(t, spf.PermError, v.Result)
	assert.ErrorIs(t, v.Err, spf.ErrVoids)
	// Two voids, then terms that find something.
	v = check(t, `
a.test TXT "v=spf1 a:no1.test a:no2.test a:yes.test mx:yes.test ip4:192.0.2.1 -all"
yes.test A 203.0.113.1
yes.test MX 1 yes.test
`, "192.0.2.1", "ann@a.test")
	assert.Equal(t, spf.Pass, v.Result, "%s", v)
	// Hosts of an mx without an address of the client's family are ordinary.
	v = check(t, `
a.test TXT "v=spf1 mx -all"
`+manyRecords(5, `
a.test MX %[1]d m%[1]d.test
m%[1]d.test A 203.0.113.%[1]d
`), "2001:db8::1", "ann@a.test")
	assert.Equal(t, spf.Fail, v.Result, "%s", v)
	assert.Zero(t, v.Voids)
	// So are the names of the client.
	v = check(t, `
a.test TXT "v=spf1 ptr -all"
`+manyRecords(5, "1.2.0.192.in-addr.arpa PTR m%d.a.test"), "192.0.2.1", "ann@a.test")
	assert.Equal(t, spf.Fail, v.Result, "%s", v)
	assert.Zero(t, v.Voids)
}

// Pitfall: ten hosts of an mx are taken, eleven are a permerror, wherever the match
// would be; of the client's names the first ten are taken.
func TestPitfallMXAndPTRLimits(t *testing.T) {
	hosts := func(n int) string {
		return `
a.test TXT "v=spf1 mx -all"
` + manyRecords(n, `
a.test MX %[1]d m%[1]d.test
m%[1]d.test A 192.0.2.%[1]d
`)
	}
	assert.Equal(t, spf.Pass, check(t, hosts(10), "192.0.2.9", "ann@a.test").Result)
	v := check(t, hosts(11), "192.0.2.0", "ann@a.test")
	assert.Equal(t, spf.PermError, v.Result)
	assert.ErrorIs(t, v.Err, spf.ErrMX)

	names := func(n int) string {
		return `
a.test TXT "v=spf1 ptr -all"
` + manyRecords(n-1, "1.2.0.192.in-addr.arpa PTR m%d.other.test") +
			`1.2.0.192.in-addr.arpa PTR m.a.test
m.a.test A 192.0.2.1
`
	}
	assert.Equal(t, spf.Pass, check(t, names(10), "192.0.2.1", "ann@a.test").Result)
	assert.Equal(t, spf.Fail, check(t, names(11), "192.0.2.1", "ann@a.test").Result)
}

// Pitfall: amplification. One record may make a hundred lookups by the RFC's rules;
// the budget ends that, and only one family is asked for.
func TestPitfallAmplification(t *testing.T) {
	var b strings.Builder
	b.WriteString(manyTerms(10, "mx:x%d.test", "-all"))
	for i := range 10 {
		for j := range 10 {
			fmt.Fprintf(&b, "x%d.test MX 1 h%d-%d.test\n", i, i, j)
		}
	}
	z := dnstest.New(t, b.String())
	v, _ := checkZone(t, z, "192.0.2.1", "ann@a.test")
	assert.Equal(t, spf.Fail, v.Result)
	assert.Equal(t, 111, v.Queries)
	for _, q := range z.Queries() {
		assert.NotEqual(t, dns.AAAA, q.Type)
	}
	c := &spf.Checker{Resolver: z, Limits: spf.Limits{Queries: 50}}
	v = c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "ann@a.test", "h.test")
	assert.Equal(t, spf.PermError, v.Result)
	assert.ErrorIs(t, v.Err, spf.ErrQueries)
	assert.Equal(t, 50, v.Queries)
}

// Pitfall: an attacker's DNS answers just before each timeout.
func TestPitfallTotalTime(t *testing.T) {
	for _, prefetch := range []int{0, 4} {
		synctest.Test(t, func(t *testing.T) {
			z := dnstest.New(t, manyTerms(10, "include:x%d.test", "-all")+manyRecords(10, `x%d.test TXT "v=spf1 ptr ?all"`))
			z.Delay = 9 * time.Second
			c := &spf.Checker{Resolver: z, Prefetch: prefetch, Limits: spf.Limits{Terms: 50}}
			start := time.Now()
			rep := c.Check(t.Context(), spf.Request{IP: netip.MustParseAddr("192.0.2.1"), Hello: "h.test", MailFrom: "ann@a.test"})
			assert.Equal(t, spf.TempError, rep.MailFrom.Result)
			assert.ErrorIs(t, rep.MailFrom.Err, context.DeadlineExceeded)
			assert.Equal(t, 20*time.Second, time.Since(start))
		})
	}
}

// A ptr that runs out of time must not end in the fail that stands behind it.
func TestPitfallTimeInPTRIsNoFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := dnstest.New(t, `
a.test TXT "v=spf1 ptr -all"
1.2.0.192.in-addr.arpa DELAY 1m
`)
		v, _ := checkZone(t, z, "192.0.2.1", "ann@a.test")
		assert.Equal(t, spf.TempError, v.Result)
	})
}

// Pitfall: a record that leads to itself ends at the limit, not in a crash.
func TestPitfallSelfReference(t *testing.T) {
	for _, text := range []string{"v=spf1 redirect=a.test", "v=spf1 include:a.test -all", "v=spf1 include:b.test -all"} {
		z := dnstest.New(t, `a.test TXT "`+text+`"
b.test TXT "v=spf1 redirect=a.test"
`)
		v, _ := checkZone(t, z, "192.0.2.1", "ann@a.test")
		assert.Equal(t, spf.PermError, v.Result, text)
		assert.ErrorIs(t, v.Err, spf.ErrTerms)
		assert.LessOrEqual(t, len(z.Queries()), 12)
		// Even without a limit to speak of, the stack is not the goroutine's.
		c := &spf.Checker{Resolver: z, Limits: spf.Limits{Terms: 100_000, Queries: 100_000}}
		v = c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "ann@a.test", "h.test")
		assert.Equal(t, spf.PermError, v.Result)
	}
}
