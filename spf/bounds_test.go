package spf_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
	"github.com/postilion-mail/postilion/spf/authres"
)

// A record as long as a TXT record can be costs what its length costs, and the
// verdict over it stays of a size.
func TestHugeRecord(t *testing.T) {
	long := "v=spf1" + strings.Repeat(" ip4:203.0.113.1", 4000) + " ip4:192.0.2.1 -all"
	z := new(dnstest.Zone)
	z.Add(dns.RR{Name: "a.test", Type: dns.TXT, Data: long})
	c := &spf.Checker{Resolver: z, Records: new(spf.RecordCache)}
	for range 2 {
		v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
		assert.Equal(t, spf.Pass, v.Result)
		assert.Equal(t, "ip4:192.0.2.1", v.Term)
		assert.Len(t, v.Steps, 1000)
	}
	assert.Len(t, z.Queries(), 2, "a record of this size is not kept")
}

// A broken record has a fault for each of its terms, and they all would be kept: the
// limit on what is kept is one on the text, whatever became of it.
func TestHugeBrokenRecordIsNotKept(t *testing.T) {
	z := new(dnstest.Zone)
	z.Add(dns.RR{Name: "huge.test", Type: dns.TXT, Data: "v=spf1" + strings.Repeat(" !", 30_000)})
	z.Add(dns.RR{Name: "small.test", Type: dns.TXT, Data: "v=spf1 !"})
	c := &spf.Checker{Resolver: z, Records: new(spf.RecordCache)}
	for domain, queries := range map[string]int{"huge.test": 2, "small.test": 1} {
		z.Reset()
		for range 2 {
			v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), domain, "x@"+domain, "h.test")
			assert.Equal(t, spf.PermError, v.Result)
			assert.Less(t, len(v.String()), 1000)
		}
		assert.Len(t, z.Queries(), queries, domain)
	}
}

// A DNS that does not answer for the client's names counts as void no time, not even
// when they are asked for again (RFC 7208 §4.6.4, §5.5).
func TestUnreachableNamesAreNoVoids(t *testing.T) {
	z := dnstest.New(t, `
a.test TXT "v=spf1 ptr ptr:b.test ptr:c.test ptr:d.test exists:%{p}.e.test -all"
1.2.0.192.in-addr.arpa SERVFAIL
unknown.e.test A 127.0.0.2
`)
	v := (&spf.Checker{Resolver: z}).CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
	assert.Equal(t, []any{spf.Pass, 0, 5}, []any{v.Result, v.Voids, v.Terms}, "%s", v)

	empty := dnstest.New(t, `a.test TXT "v=spf1 ptr ptr:b.test ptr:c.test -all"`)
	v = (&spf.Checker{Resolver: empty}).CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "x@a.test", "h.test")
	assert.ErrorIs(t, v.Err, spf.ErrVoids, "names that are not there count for each term")
}

// Whatever client and sender say of themselves, the two fields stay one field each,
// of lines that can be sent, and say what was checked.
func TestFieldsCannotBeInjected(t *testing.T) {
	z := dnstest.New(t, `
*.test TXT "v=spf1 -all exp=why.test"
why.test TXT "%{h} %{l} says no"
`)
	for _, evil := range []string{
		"x\r\nBcc: y", "x\ny", "x\x00y", `x";spf=pass y="`, `x\`, "x) (y", "x;y=z", "x@y", strings.Repeat("a", 5000), strings.Repeat("\"", 900), "\u2028", "\xff", "\u00fc",
	} {
		for _, r := range []spf.Request{
			{Hello: evil, MailFrom: "ann@a.test", Receiver: "mx.test"},
			{Hello: "h.test", MailFrom: `"` + evil + `"@a.test`, Receiver: "mx.test"},
			{Hello: "h.test", MailFrom: "ann@" + evil + ".test", Receiver: evil},
			{Hello: evil + ".test"},
		} {
			r.IP = netip.MustParseAddr("2001:db8::1%eth0")
			rep := (&spf.Checker{Resolver: z}).Check(t.Context(), r)
			_, received := rep.ReceivedSPF()
			_, results := rep.AuthResults("mx.test").Field()
			for _, value := range []string{received, results} {
				for i, line := range strings.Split(value, "\r\n") {
					assert.LessOrEqual(t, len(line), 990)
					assert.NotContains(t, line, "\r")
					assert.NotContains(t, line, "\n")
					assert.NotContains(t, line, "\x00")
					assert.Equal(t, i > 0, strings.HasPrefix(line, "\t"), "%q", value)
				}
			}
			parsed, err := authres.Parse(results)
			if assert.NoError(t, err, "%q", results) {
				assert.Equal(t, "mx.test", parsed.ID)
				for _, one := range parsed.Results {
					assert.NotEqual(t, "pass", one.Value, "%q", results)
				}
			}
			if err := rep.Err(spf.Policy{RejectFail: true}); err != nil {
				var e *spf.Error
				assert.ErrorAs(t, err, &e)
				_, _, text := e.SMTP()
				assert.NotContains(t, text, "\n")
				assert.Less(t, len(text), 480)
			}
		}
	}
}

// Many macros over a long sender must not multiply without an end.
func TestMacroExplosion(t *testing.T) {
	z := new(dnstest.Zone)
	z.Add(dns.RR{Name: "a.test", Type: dns.TXT, Data: "v=spf1 exists:" + strings.Repeat("%{S}", 10_000) + ".test -all exp=w.test"})
	z.Add(dns.RR{Name: "w.test", Type: dns.TXT, Data: strings.Repeat("%{S}", 10_000)})
	sender := strings.Repeat("a b", 20_000) + "@a.test"
	c := &spf.Checker{Resolver: z}
	start := time.Now()
	v := c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", sender, "h.test")
	assert.Equal(t, spf.Fail, v.Result)
	assert.LessOrEqual(t, len(v.Explanation), 400)
	assert.Less(t, time.Since(start), time.Minute) // it would be minutes and gigabytes
}

// One Checker serves all connections of a server.
func TestManyChecksAtOnce(t *testing.T) {
	z := dnstest.New(t, includes()+manyRecords(20, `
s%[1]d.test TXT "v=spf1 include:a.test exists:%%{l}.%%{d}.x.test ip4:198.51.100.%[1]d -all"
ann.s%[1]d.test.x.test TXT x
`))
	c := &spf.Checker{Resolver: &dns.Cache{Next: z}, Records: new(spf.RecordCache), Prefetch: 2}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				n := (i*7 + j) % 20
				domain := fmt.Sprintf("s%d.test", n)
				ip := netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
				v := c.CheckHost(t.Context(), ip, domain, "ann@"+domain, "h.test")
				assert.Equal(t, spf.PermError, v.Result, "%s", v) // eight includes and three more
				v = c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "ann@a.test", "h.test")
				assert.Equal(t, spf.Pass, v.Result)
				assert.Equal(t, "mx", v.Term)
			}
		})
	}
	wg.Wait()
}

// A record is parsed into the memory of another one: nothing of that may be left.
func TestRecordsDoNotMix(t *testing.T) {
	z := dnstest.New(t, `
full.test  TXT "v=spf1 include:x.test a:x.test/24//64 foo=bar redirect=r.test exp=why.test"
wrong.test TXT "v=spf1 a:%{l}.test redirect=bogus exp=why.test"
bare.test  TXT "v=spf1 ip4:192.0.2.9 a"
bare.test  A   192.0.2.200
x.test     TXT "v=spf1 ?all"
x.test     A   203.0.113.1
r.test     TXT "v=spf1 -all exp=why.test"
why.test   TXT "because"
deny.test  TXT "v=spf1 -all"
`)
	c := &spf.Checker{Resolver: z}
	at := func(domain string) spf.Verdict {
		return c.CheckHost(t.Context(), netip.MustParseAddr("192.0.2.1"), domain, "ann@"+domain, "h.test")
	}
	for range 3 {
		v := at("full.test")
		assert.Equal(t, []any{spf.Fail, "because", "r.test"}, []any{v.Result, v.Explanation, v.Record})
		assert.Equal(t, spf.PermError, at("wrong.test").Result)
		assert.Equal(t, spf.Neutral, at("bare.test").Result, "no redirect, no prefix length of the record before")
		v = at("deny.test")
		assert.Equal(t, []any{spf.Fail, ""}, []any{v.Result, v.Explanation})
	}
}
