package dns_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// Twelve things that mail needs from a resolver and that are easily lost.

func serve(t *testing.T, zone string) (*dns.Client, *dnstest.Zone) {
	t.Helper()
	z := dnstest.New(t, zone)
	z.Authentic = true
	return &dns.Client{Servers: []string{z.Start(t)}, Timeout: time.Second, Attempts: 1}, z
}

func lookup(t *testing.T, r dns.Resolver, name string, typ dns.Type) dns.Answer {
	t.Helper()
	a, err := r.Lookup(t.Context(), name, typ)
	require.NoError(t, err)
	return a
}

func data(a dns.Answer) []string {
	var all []string
	for _, rr := range a.RRs {
		if rr.Addr.IsValid() {
			all = append(all, rr.Addr.String())
		} else {
			all = append(all, rr.Data)
		}
	}
	return all
}

func TestNeed01AnyNameIsAsked(t *testing.T) {
	names := []string{"a+b=c.test", "foo@bar.test", "100%.test", "srs0=hh=tt=x.example=u.test", "-lead.test", "12345", "a!b~c#d.test", "\xc3\xbc.test"}
	c, z := serve(t, "")
	for _, n := range names {
		z.Add(dns.RR{Name: n, Type: dns.TXT, Data: "found"})
	}
	for i, n := range names {
		assert.Equal(t, []string{"found"}, data(lookup(t, c, n, dns.TXT)), n)
		assert.Equal(t, n, z.Queries()[i].Name)
	}
}

func TestNeed02NXDomainIsNotNoData(t *testing.T) {
	c, _ := serve(t, `a.test A 192.0.2.1`)
	a := lookup(t, c, "a.test", dns.TXT)
	assert.Equal(t, dns.NoError, a.RCode)
	assert.Empty(t, a.RRs)
	a = lookup(t, c, "b.test", dns.TXT)
	assert.Equal(t, dns.NXDomain, a.RCode)
	a = lookup(t, c, "test", dns.TXT) // exists, being above a.test
	assert.Equal(t, dns.NoError, a.RCode)
}

func TestNeed03FailureIsTemporaryAndTheNextServerIsAsked(t *testing.T) {
	for fault, want := range map[string]dns.RCode{
		"SERVFAIL": dns.ServFail, "REFUSED": dns.Refused, "NOTIMP": dns.NotImp, "FORMERR": dns.FormErr, "LAME": 0,
	} {
		bad := dnstest.New(t, "a.test "+fault+"\n").Start(t)
		c := &dns.Client{Servers: []string{bad}, Timeout: time.Second, Attempts: 1}
		_, err := c.Lookup(t.Context(), "a.test", dns.A)
		var e *dns.Error
		require.ErrorAs(t, err, &e, fault)
		assert.Equal(t, want, e.RCode)
		assert.True(t, e.Temporary())
		assert.Equal(t, bad, e.Server)
		code, enhanced, _ := e.SMTP()
		assert.Equal(t, "451 4.4.3", strings.Join([]string{"451", enhanced}, " "))
		assert.Equal(t, 451, code)

		good := dnstest.New(t, `a.test A 192.0.2.1`).Start(t)
		c = &dns.Client{Servers: []string{bad, good}, Timeout: time.Second, Attempts: 1}
		assert.Equal(t, []string{"192.0.2.1"}, data(lookup(t, c, "a.test", dns.A)), fault)
	}
}

// The clock of TestCancellationIsImmediate is the test's own; here are real sockets.
// A machine that does other things too may be late now and then, not five times.
func TestNeed04CancellationReturnsAtOnce(t *testing.T) {
	c, _ := serve(t, "a.test TIMEOUT\nb.test TRUNCATE\nb.test DELAY 1h\n")
	c.Timeout = time.Minute
	for _, name := range []string{"a.test", "b.test"} {
		for _, typ := range []dns.Type{dns.A, dns.TXT, dns.MX, dns.PTR} {
			best := time.Minute
			for try := 0; try < 5 && best > 50*time.Millisecond; try++ {
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				time.AfterFunc(5*time.Millisecond, func() { at = time.Now(); cancel() })
				_, err := c.Lookup(ctx, name, typ)
				assert.ErrorIs(t, err, context.Canceled)
				best = min(best, time.Since(at))
			}
			assert.LessOrEqual(t, best, 50*time.Millisecond, "%s %v went on after its context had ended", name, typ)
		}
	}
}

func TestNeed05MXAsPublished(t *testing.T) {
	c, _ := serve(t, `
a.test MX 20 b.a.test
a.test MX 10 under_score.a.test
a.test MX 10 1.2.3.4.
null.test MX 0 .
`)
	for range 5 { // always in the server's order: shuffling is the caller's
		assert.Equal(t, []string{"b.a.test", "under_score.a.test", "1.2.3.4"}, data(lookup(t, c, "a.test", dns.MX)))
	}
	assert.Equal(t, []string{"."}, data(lookup(t, c, "null.test", dns.MX)))
}

func TestNeed06TTLChainAuthenticityAndRawTypes(t *testing.T) {
	c, _ := serve(t, `
www.test   300 CNAME mid.test
mid.test    60 CNAME end.test
end.test   900 A 192.0.2.1
_25._tcp.mx.test TYPE52 \# 6 030101 abcdef
`)
	a := lookup(t, c, "WWW.test.", dns.A)
	assert.Equal(t, []string{"mid.test", "end.test"}, a.CNAMEs)
	assert.Equal(t, "end.test", a.Canonical("www.test"))
	assert.Equal(t, time.Minute, a.TTL)
	assert.Equal(t, 15*time.Minute, a.RRs[0].TTL)
	assert.False(t, a.Authentic, "nobody said that the server may be trusted")

	c.TrustAD = true
	assert.True(t, lookup(t, c, "www.test", dns.A).Authentic)
	assert.Equal(t, []byte{3, 1, 1, 0xab, 0xcd, 0xef}, lookup(t, c, "_25._tcp.mx.test", dns.TLSA).RRs[0].Raw)
}

func TestNeed07AddressesFromTheDNSAlone(t *testing.T) {
	c, _ := serve(t, `
localhost A 192.0.2.99
both.test SERVFAIL AAAA
both.test A 192.0.2.9
both.test A 192.0.2.1
1.2.3.4   TXT "an ordinary name"
`)
	assert.Equal(t, []string{"192.0.2.99"}, data(lookup(t, c, "localhost", dns.A)), "the hosts file is not the DNS")
	assert.Equal(t, []string{"192.0.2.9", "192.0.2.1"}, data(lookup(t, c, "both.test", dns.A)), "the server's order")
	_, err := c.Lookup(t.Context(), "both.test", dns.AAAA)
	assert.Error(t, err, "one family's failure is not hidden by the other")
	assert.Empty(t, lookup(t, c, "1.2.3.4", dns.A).RRs, "an address is not a name that resolves to itself")
}

func TestNeed08NoSearchList(t *testing.T) {
	c, z := serve(t, `host.search.test A 192.0.2.1`)
	a := lookup(t, c, "host", dns.A)
	assert.Equal(t, dns.NXDomain, a.RCode)
	assert.Equal(t, []dnstest.Query{{Name: "host", Type: dns.A, Network: "udp"}}, z.Queries())
}

func TestNeed09NoAliasIsNoAnswer(t *testing.T) {
	c, _ := serve(t, `
a.test A 192.0.2.1
b.test CNAME a.test
`)
	assert.Empty(t, lookup(t, c, "a.test", dns.CNAME).RRs)
	assert.Equal(t, []string{"a.test"}, data(lookup(t, c, "b.test", dns.CNAME)))
}

func TestNeed10TextIsJoinedAndOnion(t *testing.T) {
	long := strings.Repeat("x", 600)
	c, _ := serve(t, `
a.test TXT "v=spf1 ip4:192." "0.2.1 -all"
a.onion TXT "asked"
l.test TXT "`+long+`"
`)
	assert.Equal(t, []string{"v=spf1 ip4:192.0.2.1 -all"}, data(lookup(t, c, "a.test", dns.TXT)))
	assert.Equal(t, []string{"asked"}, data(lookup(t, c, "a.onion", dns.TXT)))
	assert.Equal(t, []string{long}, data(lookup(t, c, "l.test", dns.TXT)))
}

// The foreign owner of the tenth point is in TestClientRefusesForeignRecords.

func TestNeed11DeadServerIsNotAskedFirstAgain(t *testing.T) {
	dead := dnstest.New(t, `
a.test TIMEOUT
b.test TIMEOUT
`)
	good := dnstest.New(t, `
a.test A 192.0.2.1
b.test A 192.0.2.2
`)
	c := &dns.Client{Servers: []string{dead.Start(t), good.Start(t)}, Timeout: 50 * time.Millisecond}
	lookup(t, c, "a.test", dns.A)
	lookup(t, c, "b.test", dns.A)
	assert.Len(t, dead.Queries(), 1)
	assert.Len(t, good.Queries(), 2)
}

func TestNeed12EveryQueryGoesThroughDial(t *testing.T) {
	boom := errors.New("no network")
	var dialled []string
	c := &dns.Client{Servers: []string{"192.0.2.53"}, Attempts: 1, Timeout: time.Second,
		Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			dialled = append(dialled, network+" "+addr)
			return nil, boom
		}}
	for _, q := range []struct {
		name string
		typ  dns.Type
	}{{"localhost", dns.A}, {"1.0.0.127.in-addr.arpa", dns.PTR}, {"x.local", dns.AAAA}} {
		_, err := c.Lookup(t.Context(), q.name, q.typ)
		assert.ErrorIs(t, err, boom)
	}
	assert.Equal(t, []string{"udp 192.0.2.53:53", "udp 192.0.2.53:53", "udp 192.0.2.53:53"}, dialled)
}
