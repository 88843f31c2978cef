package spf_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/spf"
)

// scenario is one of the openspf suite: tests over a zone.
type scenario struct {
	Description string
	Tests       []struct {
		Name, Helo, Host, Mailfrom string
		Result                     []string
		Explanation                *string
	}
	Zone []struct {
		Name    string
		Records []struct {
			Type    string
			Pref    uint16
			Value   string
			Strings []string
		}
	}
}

// suite reads the openspf test suite for RFC 7208, which is not part of the
// repository.
func suite(t testing.TB) []scenario {
	t.Helper()
	dir := os.Getenv("POSTILION_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	b, err := os.ReadFile(filepath.Join(dir, "spf", "rfc7208-tests.json"))
	if err != nil {
		t.Skip("the openspf suite is not here: ", err)
	}
	var all []scenario
	require.NoError(t, json.Unmarshal(b, &all))
	return all
}

// zone makes a resolver of the zone of a scenario.
func (s scenario) zone(t testing.TB) *dnstest.Zone {
	z := new(dnstest.Zone)
	for _, n := range s.Zone {
		for _, r := range n.Records {
			s.add(z, n.Name, r.Type, r.Pref, r.Value, r.Strings)
		}
	}
	// Names under "error" that the zone does not have are to time out.
	for _, n := range []string{"error", "*.error"} {
		z.Fail(n, "TIMEOUT")
	}
	return z
}

func (s scenario) add(z *dnstest.Zone, name, typ string, pref uint16, value string, texts []string) {
	rr := dns.RR{Name: name, Pref: pref, Data: value}
	rr.Type, _ = dns.ParseType(typ)
	switch typ {
	case "SPF":
		return // the obsolete type; its TXT twin stands beside it
	case "TIMEOUT":
		z.Fail(name, "TIMEOUT", s.missing(name)...)
		return
	case "TXT":
		for _, s := range texts {
			rr.Data += latin1(s)
		}
	case "A", "AAAA":
		rr.Addr = netip.MustParseAddr(value)
	case "MX":
		if value == "" {
			rr.Data = "."
		}
	}
	z.Add(rr)
}

// missing are the types that a name with TIMEOUT has no records of: what stands
// before the TIMEOUT still answers.
func (s scenario) missing(name string) []dns.Type {
	types := []dns.Type{dns.A, dns.AAAA, dns.MX, dns.PTR, dns.TXT, dns.CNAME}
	for _, n := range s.Zone {
		if n.Name != name {
			continue
		}
		for _, r := range n.Records {
			if typ, ok := dns.ParseType(r.Type); ok {
				types = slices.DeleteFunc(types, func(t dns.Type) bool { return t == typ })
			}
		}
	}
	return types
}

// latin1 undoes the conversion of the octets of a record into JSON.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// clock stands still, so that what comes out of a cache equals what went in.
func clock() time.Time { return time.Unix(1_700_000_000, 0) }

// TestRFC7208 runs the whole suite, both serially and with prefetch and cache, and
// logs what it counted.
func TestRFC7208(t *testing.T) {
	passed, total, explained, explanations, skipped := 0, 0, 0, 0, 0
	for _, s := range suite(t) {
		z := s.zone(t)
		plain := &spf.Checker{Resolver: z, Explanation: "DEFAULT"}
		ahead := &spf.Checker{Resolver: z, Explanation: "DEFAULT", Prefetch: 8, Records: new(spf.RecordCache), Now: clock}
		for _, c := range s.Tests {
			total++
			if c.Explanation != nil {
				explanations++
			}
			ip, err := netip.ParseAddr(c.Host)
			if err != nil {
				skipped++
				continue
			}
			req := spf.Request{IP: ip, Hello: c.Helo, MailFrom: c.Mailfrom}
			v := plain.Check(t.Context(), req).MailFrom
			ok := assert.Contains(t, c.Result, string(v.Result), "%s: %s\n%s", s.Description, c.Name, v)
			if ok {
				passed++
			}
			if c.Explanation != nil && assert.Equal(t, *c.Explanation, v.Explanation, "%s: %s", s.Description, c.Name) {
				explained++
			}
			for range 2 { // the second time out of the cache
				assert.Equal(t, v, ahead.Check(t.Context(), req).MailFrom, "%s: %s", s.Description, c.Name)
			}
		}
	}
	t.Logf("rfc7208: %d/%d, explanations %d/%d, skipped %d", passed, total, explained, explanations, skipped)
	assert.Equal(t, 203, total)
	assert.Equal(t, 22, explanations)
	assert.Zero(t, skipped)
}
