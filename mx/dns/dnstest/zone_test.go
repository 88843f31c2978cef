package dnstest_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

const zoneFile = `
$TTL 2h
$ORIGIN example.org.
@        IN SOA ns.example.org. host.example.org. ( 2026112301 ; serial
             7200 3600 1209600
             900 ) ; minimum
         MX    10 mail
         MX 0  .
         300 IN TXT "v=spf1 mx" " -all" ; comment
         TXT   plain
mail     A     192.0.2.1
     60  AAAA  2001:db8::1
alias    CNAME mail
chain    CNAME alias
out      CNAME www.example.com.
loop     CNAME pool
pool     CNAME loop
*.wild   A     192.0.2.7
a.b.wild TXT   "exists"
quote    TXT   "a\"b\\c\032d;e"
raw      TYPE52 \# 4 0102 0304
dead     TIMEOUT
odd      SERVFAIL TXT MX
odd      A     192.0.2.9
no       REFUSED
lame     LAME
bad      FORMERR
unk      NOTIMP
cut      TRUNCATE
cut      A     192.0.2.5
many     TXT   "` + "%s" + `"
`

func zone(t *testing.T) *dnstest.Zone {
	return dnstest.New(t, strings.Replace(zoneFile, "%s", strings.Repeat("0123456789", 90), 1))
}

// show writes an answer in one line.
func show(a dns.Answer, err error) string {
	if e, ok := err.(*dns.Error); ok {
		if e.Err != nil {
			return e.Err.Error()
		}
		return e.RCode.String()
	}
	s := a.RCode.String()
	for _, rr := range a.RRs {
		switch {
		case rr.Addr.IsValid():
			s += fmt.Sprintf(" %v", rr.Addr)
		case rr.Type == dns.MX:
			s += fmt.Sprintf(" %d/%s", rr.Pref, rr.Data)
		case rr.Raw != nil:
			s += fmt.Sprintf(" %x", rr.Raw)
		default:
			s += " " + rr.Data
		}
	}
	return s + fmt.Sprintf(" %v %v", a.CNAMEs, a.TTL)
}

var answers = []struct {
	name string
	typ  dns.Type
	want string
}{
	{"example.org", dns.MX, "NOERROR 10/mail.example.org 0/. [] 2h0m0s"},
	{"EXAMPLE.org.", dns.TXT, "NOERROR v=spf1 mx -all plain [] 5m0s"},
	{"mail.example.org", dns.AAAA, "NOERROR 2001:db8::1 [] 1m0s"},
	{"mail.example.org", dns.MX, "NOERROR [] 15m0s"},
	{"none.example.org", dns.MX, "NXDOMAIN [] 15m0s"},
	{"none.example.com", dns.MX, "NXDOMAIN [] 5m0s"},
	{"chain.example.org", dns.AAAA, "NOERROR 2001:db8::1 [alias.example.org mail.example.org] 1m0s"},
	{"chain.example.org", dns.CNAME, "NOERROR alias.example.org [] 2h0m0s"},
	{"alias.example.org", dns.MX, "NOERROR [mail.example.org] 15m0s"},
	{"out.example.org", dns.A, "NXDOMAIN [www.example.com] 5m0s"},
	{"x.wild.example.org", dns.A, "NOERROR 192.0.2.7 [] 2h0m0s"},
	{"x.y.wild.example.org", dns.A, "NOERROR 192.0.2.7 [] 2h0m0s"},
	{"x.wild.example.org", dns.MX, "NOERROR [] 15m0s"},
	{"b.wild.example.org", dns.A, "NOERROR [] 15m0s"},    // between: exists, so no wildcard
	{"x.b.wild.example.org", dns.A, "NXDOMAIN [] 15m0s"}, // its closest encloser has no wildcard
	{"quote.example.org", dns.TXT, `NOERROR a"b\c d;e [] 2h0m0s`},
	{"raw.example.org", dns.TLSA, "NOERROR 01020304 [] 2h0m0s"},
	{"odd.example.org", dns.TXT, "SERVFAIL"},
	{"odd.example.org", dns.A, "NOERROR 192.0.2.9 [] 2h0m0s"},
	{"no.example.org", dns.A, "REFUSED"},
	{"lame.example.org", dns.A, dns.ErrLame.Error()},
	{"bad.example.org", dns.A, "FORMERR"},
	{"unk.example.org", dns.A, "NOTIMP"},
	{"cut.example.org", dns.A, "NOERROR 192.0.2.5 [] 2h0m0s"},
	{"dead.example.org", dns.A, dns.ErrTimeout.Error()},
	{"many.example.org", dns.TXT, "NOERROR " + strings.Repeat("0123456789", 90) + " [] 2h0m0s"},
}

func TestLookup(t *testing.T) {
	z := zone(t)
	for _, c := range answers {
		assert.Equal(t, c.want, show(z.Lookup(t.Context(), c.name, c.typ)), "%s %v", c.name, c.typ)
	}
	assert.Equal(t, dns.ErrLoop.Error(), show(z.Lookup(t.Context(), "loop.example.org", dns.A)))
	assert.Equal(t, dns.ErrName.Error(), show(z.Lookup(t.Context(), "a..b", dns.A)))
}

// Over the wire a Client finds what Lookup gives.
func TestServedIsTheSame(t *testing.T) {
	z := zone(t)
	c := &dns.Client{Servers: []string{z.Start(t)}, Attempts: 1, Timeout: 200 * time.Millisecond}
	for _, q := range answers {
		assert.Equal(t, q.want, show(c.Lookup(t.Context(), q.name, q.typ)), "%s %v", q.name, q.typ)
	}
	assert.Equal(t, "SERVFAIL", show(c.Lookup(t.Context(), "loop.example.org", dns.A)))
}

// A plain resolver sends no EDNS or a small size, and has to come over TCP.
func TestServesNetResolver(t *testing.T) {
	z := zone(t)
	addr := z.Start(t)
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	txt, err := r.LookupTXT(t.Context(), "many.example.org.")
	require.NoError(t, err)
	assert.Len(t, txt[0], 900)
	hosts, err := r.LookupHost(t.Context(), "chain.example.org.")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"192.0.2.1", "2001:db8::1"}, hosts)
}

func TestDelayEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := dnstest.New(t, `
a DELAY 1h
b DELAY 2s TXT
b A 192.0.2.1
`)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := z.Lookup(ctx, "a", dns.A)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
		_, err = z.Lookup(t.Context(), "b", dns.TXT)
		assert.NoError(t, err)
		_, err = z.Lookup(t.Context(), "b", dns.A)
		assert.NoError(t, err)
		assert.Equal(t, time.Minute+2*time.Second, time.Since(start))
	})
}

func TestQueriesAndReset(t *testing.T) {
	var z dnstest.Zone
	_, _ = z.Lookup(t.Context(), "A.test.", dns.MX)
	assert.Equal(t, []dnstest.Query{{Name: "a.test", Type: dns.MX}}, z.Queries())
	z.Reset()
	assert.Empty(t, z.Queries())
	z.Add(dns.RR{Name: "x.test", Type: dns.TXT, Data: "t"})
	z.Fail("y.test", "SERVFAIL", dns.TXT)
	assert.Equal(t, "NOERROR t [] 1h0m0s", show(z.Lookup(t.Context(), "x.test", dns.TXT)))
	assert.Equal(t, "SERVFAIL", show(z.Lookup(t.Context(), "y.test", dns.TXT)))
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a.test NOPE x":             "line 1: no such type: NOPE",
		"\n\na.test":                "line 3: no type",
		"a A 1.2.3":                 "line 1: A: ",
		"a A ::1":                   "line 1: A: address of the other family",
		"a AAAA 192.0.2.1":          "address of the other family",
		"a A":                       "one address wanted",
		"a MX mail":                 "preference and host wanted",
		"a MX 70000 mail":           "out of range",
		"a PTR":                     "one name wanted",
		"a SOA x":                   "five numbers wanted",
		"a SOA x y 1 2 3 4 z":       "bad number",
		"a TYPE52 abc":              "hexadecimal data wanted",
		`a TYPE52 \# 3 0102`:        "length does not fit",
		`a TXT "open`:               "string without its end",
		"a TXT \"open\n\"":          "string without its end",
		`a TXT ( "x"`:               "parentheses do not match",
		"a DELAY":                   "needs a duration",
		"a DELAY soon":              "invalid duration",
		"a SERVFAIL NOPE":           "no such type",
		"$TTL soon":                 "bad TTL",
		"a..b A 192.0.2.1":          "not a domain name",
		"a A 192.0.2.1\n b.c. NOPE": "line 2",
	} {
		_, err := dnstest.Parse(text)
		assert.ErrorContains(t, err, want, text)
	}
}

// FuzzParse: a zone file is read or refused, and what was read answers.
// Units of time, types and class in any case, as name servers take them.
func TestParseIsAsLooseAsNameServers(t *testing.T) {
	z := dnstest.New(t, `
s.test 30s in A 192.0.2.1
m.test IN 2m aaaa 2001:db8::1
h.test 3h mx 10 x.test
d.test 1d txt x
f.test SERVFAIL txt
`)
	for name, want := range map[string]struct {
		typ dns.Type
		ttl time.Duration
	}{"s.test": {dns.A, 30 * time.Second}, "m.test": {dns.AAAA, 2 * time.Minute}, "h.test": {dns.MX, 3 * time.Hour}, "d.test": {dns.TXT, 24 * time.Hour}} {
		a, err := z.Lookup(t.Context(), name, want.typ)
		require.NoError(t, err)
		assert.Len(t, a.RRs, 1, name)
		assert.Equal(t, want.ttl, a.TTL, name)
	}
	_, err := z.Lookup(t.Context(), "f.test", dns.TXT)
	assert.Error(t, err)
	_, err = z.Lookup(t.Context(), "f.test", dns.A)
	assert.NoError(t, err)
}

// What cannot be written to the wire becomes a failure there, not a wrong answer and
// not a crash; other types go through as they are.
func TestServesWhatItCan(t *testing.T) {
	z := dnstest.New(t, "ns.test NS ns1.test\nns.test TYPE65280 \\# 2 abcd\nns.test PTR p.test\n")
	z.Add(dns.RR{Name: "huge.test", Type: dns.TXT, Data: strings.Repeat("x", 70_000)})
	c := &dns.Client{Servers: []string{z.Start(t)}, Attempts: 1}
	for typ, want := range map[dns.Type]string{dns.NS: "ns1.test", dns.PTR: "p.test", 65280: ""} {
		a, err := c.Lookup(t.Context(), "ns.test", typ)
		require.NoError(t, err)
		require.Len(t, a.RRs, 1)
		assert.Equal(t, want, a.RRs[0].Data)
	}
	_, err := c.Lookup(t.Context(), "huge.test", dns.TXT)
	assert.Error(t, err)
}

func FuzzParse(f *testing.F) {
	f.Add(zoneFile)
	f.Add("a A 192.0.2.1\n  MX 10 b\n$ORIGIN x.\n@ TXT \"\\032\"")
	f.Fuzz(func(t *testing.T, text string) {
		z, err := dnstest.Parse(text)
		if err != nil || strings.Contains(text, "DELAY") {
			return
		}
		for _, typ := range []dns.Type{dns.A, dns.TXT, dns.MX} {
			a, err := z.Lookup(t.Context(), "a", typ)
			for _, rr := range a.RRs {
				if err != nil || rr.Type != typ || rr.Name == "" {
					t.Errorf("%+v %v", rr, err)
				}
			}
		}
	})
}

func ExampleZone() {
	z, err := dnstest.Parse(`
example.org       MX 10 mail.example.org
mail.example.org  A 192.0.2.1
`)
	if err != nil {
		panic(err)
	}
	a, _ := z.Lookup(context.Background(), "example.org", dns.MX)
	fmt.Println(a.RRs[0].Data)
	fmt.Println(z.Queries()[0].Name, z.Queries()[0].Type)
	// Output:
	// mail.example.org
	// example.org MX
}
