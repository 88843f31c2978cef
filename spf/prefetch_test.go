package spf_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// randomZone makes a tangle of records that include, redirect and name one another,
// with names that fail, and mistakes.
func randomZone(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	name := func() string { return fmt.Sprintf("d%d.test", r.IntN(8)) }
	spec := func() string {
		return pick(name(), name(), name(), name(), "none.test", "%{d}", "%{o}", "%{l}.d1.test", "%{p}", "%{ir}.d2.test", "%{d1r}.d3.test", "a..b.test")
	}
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, "d%d.test TXT \"v=spf1", i)
		for range r.IntN(5) {
			term := pick("a", "mx", "ptr", "ip4:192.0.2.9", "ip4:203.0.113.0/24", "ip6:2001:db8::/64", "a:"+spec(), "mx:"+spec(), "a:"+spec()+"/24", "mx:"+spec()+"//64",
				"include:"+spec(), "include:"+spec(), "include:"+spec(), "exists:"+spec(), "ptr:"+name())
			b.WriteString(" " + pick("", "", "", "+", "-", "~", "?") + term)
		}
		b.WriteString(" " + pick("-all", "~all", "?all", "", "redirect="+spec(), "redirect="+name(), "-all exp="+name(), "foo=bar", "bogus") + "\"\n")
		for range r.IntN(3) {
			fmt.Fprintf(&b, "d%d.test A %s\n", i, pick("192.0.2.1", "192.0.2.2", "203.0.113.5"))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "d%d.test AAAA 2001:db8::%d\n", i, r.IntN(3))
		}
		for range r.IntN(4) {
			fmt.Fprintf(&b, "d%d.test MX %d %s\n", i, r.IntN(3), name())
		}
		if r.IntN(12) == 0 {
			fmt.Fprintf(&b, "d%d.test %s %s\n", i, pick("SERVFAIL", "TIMEOUT", "REFUSED"), pick("", "A", "MX", "TXT"))
		}
	}
	fmt.Fprintf(&b, "1.2.0.192.in-addr.arpa PTR %s\n", name())
	return b.String()
}

func rounds(short, long int) int {
	if os.Getenv("POSTILION_LONG") != "" {
		return long
	}
	return short
}

// Prefetch and the record cache must not change anything of a verdict: not the
// result, not a count, not a step.
func TestPrefetchEqualsSerial(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 208))
	seen := map[spf.Result]int{}
	for i := range rounds(600, 20_000) {
		z := dnstest.New(t, randomZone(r))
		ip := netip.MustParseAddr([]string{"192.0.2.1", "2001:db8::1"}[r.IntN(2)])
		serial := &spf.Checker{Resolver: z, Now: clock}
		want := serial.CheckHost(t.Context(), ip, "d0.test", "ann@d1.test", "h.test")
		seen[want.Result]++
		for _, c := range []*spf.Checker{
			{Resolver: z, Now: clock, Prefetch: 1 + r.IntN(8)},
			{Resolver: z, Now: clock, Records: new(spf.RecordCache)},
			{Resolver: z, Now: clock, Prefetch: 4, Records: new(spf.RecordCache)},
		} {
			for range 2 {
				if got := c.CheckHost(t.Context(), ip, "d0.test", "ann@d1.test", "h.test"); !assert.Equal(t, want, got, "round %d", i) {
					return
				}
			}
		}
	}
	t.Log(seen)
	for _, res := range []spf.Result{spf.Pass, spf.Fail, spf.SoftFail, spf.Neutral, spf.TempError, spf.PermError} {
		assert.NotZero(t, seen[res], "the zones never lead to %s", res)
	}
}

const eightIncludes = `
a.test TXT "v=spf1 include:i1.test include:i2.test include:i3.test include:i4.test include:i5.test include:i6.test include:i7.test include:i8.test a mx -all"
a.test A 203.0.113.1
a.test MX 1 m.test
m.test A 192.0.2.1
`

func includes() string {
	return eightIncludes + manyRecords(9, `i%[1]d.test TXT "v=spf1 ip4:203.0.113.%[1]d ?all"`)
}

// With 20 ms for each answer, what takes 12 turns serially takes 3: the record,
// all it names, the host of the mx.
func TestPrefetchSavesTime(t *testing.T) {
	took := func(prefetch int) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			z := dnstest.New(t, includes())
			z.Delay = 20 * time.Millisecond
			c := &spf.Checker{Resolver: z, Prefetch: prefetch}
			start := time.Now()
			v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
			d = time.Since(start)
			assert.Equal(t, spf.Pass, v.Result)
		})
		return d
	}
	assert.Equal(t, 12*20*time.Millisecond, took(0))
	assert.Equal(t, 3*20*time.Millisecond, took(10))
	assert.LessOrEqual(t, took(4), 120*time.Millisecond)
}

// What is asked in vain is bounded, however the records branch.
func TestPrefetchIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "d%d.test TXT \"v=spf1", i)
		for j := range 40 {
			fmt.Fprintf(&b, " include:d%d.test mx:d%d.test", (i*41+j+1)%300, (i*41+j+1)%300)
		}
		b.WriteString(" -all\"\n")
		for j := range 10 {
			fmt.Fprintf(&b, "d%d.test MX 1 m%d-%d.test\n", i, i, j)
		}
	}
	z := dnstest.New(t, b.String())
	c := &spf.Checker{Resolver: z, Prefetch: 100}
	v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "d0.test", "x@d0.test", "h.test")
	assert.Equal(t, spf.PermError, v.Result)
	assert.LessOrEqual(t, len(z.Queries()), 2*120)
	assert.Less(t, v.Queries, 120)
}

// When the check is over, so are the queries begun for it.
func TestPrefetchEndsWithTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine stays behind
		z := dnstest.New(t, `
a.test TXT "v=spf1 ip4:192.0.2.1 include:slow.test a:slow2.test -all"
slow.test DELAY 1h
slow2.test DELAY 1h
`)
		c := &spf.Checker{Resolver: z, Prefetch: 2}
		start := time.Now()
		v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
		assert.Equal(t, spf.Pass, v.Result)
		assert.Zero(t, time.Since(start))
	})
}

func TestRecordCache(t *testing.T) {
	z := dnstest.New(t, `
a.test 600 TXT "v=spf1 include:b.test -all"
b.test 60 TXT "v=spf1 ip4:192.0.2.1 -all"
bad.test 600 TXT "v=spf1 bogus"
dead.test SERVFAIL
long.test 90000 TXT "v=spf1 -all"
`)
	now := clock()
	k := &spf.RecordCache{Max: 3}
	c := &spf.Checker{Resolver: z, Records: k, Now: func() time.Time { return now }}
	ask := func(domain string, queries int) spf.Verdict {
		t.Helper()
		z.Reset()
		v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), domain, "x@"+domain, "h.test")
		assert.Len(t, z.Queries(), queries, domain)
		return v
	}
	assert.Equal(t, time.Minute, ask("a.test", 2).TTL)
	now = now.Add(20 * time.Second)
	assert.Equal(t, 40*time.Second, ask("a.test", 0).TTL)
	now = now.Add(41 * time.Second)
	ask("a.test", 1)
	ask("bad.test", 1)
	assert.Equal(t, spf.PermError, ask("bad.test", 0).Result)
	ask("dead.test", 1)
	assert.Equal(t, spf.TempError, ask("dead.test", 1).Result, "errors are not kept")
	now = now.Add(time.Hour)
	for i := range 50 { // the cache stays at its size
		ask(fmt.Sprintf("n%d.test", i), 1)
	}
	ask("long.test", 1)
	ask("long.test", 0)
	now = now.Add(time.Hour)
	ask("long.test", 1)
}

// A check uses the memory of the last one, and nothing of what was in it.
func TestChecksDoNotMix(t *testing.T) {
	z := dnstest.New(t, `
p.test TXT "v=spf1 ptr -all"
1.2.0.192.in-addr.arpa PTR p.test
p.test A 192.0.2.1
f.test TXT "v=spf1 include:none.test -all"
`)
	c := &spf.Checker{Resolver: z}
	first := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "p.test", "x@p.test", "h.test")
	steps := fmt.Sprint(first.Steps)
	for range 10 {
		assert.Equal(t, spf.PermError, c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "f.test", "x@f.test", "h.test").Result)
		v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.2"), "p.test", "x@p.test", "h.test")
		assert.Equal(t, []any{spf.Fail, 1, 1, 2}, []any{v.Result, v.Terms, v.Voids, v.Queries})
	}
	assert.Equal(t, steps, fmt.Sprint(first.Steps))
}

// Budget of allocations, for a check over answers that cost none.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	z := dnstest.New(t, includes()+`p.test TXT "v=spf1 ip4:192.0.2.0/24 -all"
e.test TXT "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d2} -all"
`)
	answers := map[string]dns.Answer{}
	r := dns.ResolverFunc(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		if a, ok := answers[name]; ok && typ == dns.TXT {
			return a, nil
		}
		a, err := z.Lookup(ctx, name, typ)
		if typ == dns.TXT {
			answers[name] = a
		}
		return a, err
	})
	c := &spf.Checker{Resolver: r}
	ip := netip.MustParseAddr("192.0.2.1")
	bg := t.Context()
	assert.LessOrEqual(t, testing.AllocsPerRun(200, func() { c.CheckHost(bg, ip, "p.test", "ann@p.test", "h.test") }), 3.0)
}
