package spf_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/spf"
)

// The DNS of RFC 7208 Appendix A.
const appendix = `
$ORIGIN example.com.
@           MX  10 mail-a
            MX  20 mail-b
            A   192.0.2.10
            A   192.0.2.11
amy         A   192.0.2.65
bob         A   192.0.2.66
mail-a      A   192.0.2.129
mail-b      A   192.0.2.130
www         CNAME example.com.
$ORIGIN example.org.
@           MX  10 mail-c
mail-c      A   192.0.2.140
$ORIGIN 2.0.192.in-addr.arpa.
10          PTR example.com.
11          PTR example.com.
65          PTR amy.example.com.
66          PTR bob.example.com.
129         PTR mail-a.example.com.
130         PTR mail-b.example.com.
140         PTR mail-c.example.org.
$ORIGIN 0.0.10.in-addr.arpa.
4           PTR bob.example.com.
$ORIGIN .
`

// RFC 7208 Appendix A.1: which addresses pass, of all that the examples name.
func TestAppendixSimple(t *testing.T) {
	all := []string{
		"192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "192.0.2.130",
		"192.0.2.131", "192.0.2.140", "192.0.2.143", "192.0.2.144", "10.0.0.4",
	}
	for _, c := range []struct {
		record string
		pass   []string
	}{
		{"v=spf1 +all", all},
		{"v=spf1 a -all", []string{"192.0.2.10", "192.0.2.11"}},
		{"v=spf1 a:www.example.com -all", []string{"192.0.2.10", "192.0.2.11"}},
		{"v=spf1 a:example.org -all", nil},
		{"v=spf1 mx -all", []string{"192.0.2.129", "192.0.2.130"}},
		{"v=spf1 mx:example.org -all", []string{"192.0.2.140"}},
		{"v=spf1 mx mx:example.org -all", []string{"192.0.2.129", "192.0.2.130", "192.0.2.140"}},
		{"v=spf1 mx/30 mx:example.org/30 -all", []string{"192.0.2.129", "192.0.2.130", "192.0.2.131", "192.0.2.140", "192.0.2.143"}},
		{"v=spf1 ptr -all", []string{"192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "192.0.2.130"}},
		{"v=spf1 ip4:192.0.2.128/28 -all", []string{"192.0.2.129", "192.0.2.130", "192.0.2.131", "192.0.2.140", "192.0.2.143"}},
	} {
		var pass []string
		for _, ip := range all {
			v := check(t, appendix+`example.com TXT "`+c.record+`"`, ip, "ann@example.com")
			if v.Result == spf.Pass {
				pass = append(pass, ip)
			} else {
				assert.Equal(t, spf.Fail, v.Result, "%s\n%s", c.record, v)
			}
		}
		assert.Equal(t, c.pass, pass, c.record)
	}
}

// RFC 7208 Appendix A.2: include makes a union, redirect a common policy.
func TestAppendixSeveralDomains(t *testing.T) {
	zone := appendix + `
example.org     TXT "v=spf1 include:example.com include:example.net -all"
example.com     TXT "v=spf1 mx -all"
example.net     TXT "v=spf1 ip4:198.51.100.0/24 -all"
la.example.org  TXT "v=spf1 redirect=example.org"
ny.example.org  TXT "v=spf1 redirect=example.org"
`
	for _, domain := range []string{"example.org", "la.example.org", "ny.example.org"} {
		for ip, want := range map[string]spf.Result{"192.0.2.130": spf.Pass, "198.51.100.9": spf.Pass, "192.0.2.140": spf.Fail} {
			v := check(t, zone, ip, "ann@"+domain)
			assert.Equal(t, want, v.Result, "%s", v)
			assert.Equal(t, "example.org", v.Record)
		}
	}
}

// RFC 7208 Appendix A.3: users named in the DNS.
func TestAppendixUsers(t *testing.T) {
	zone := appendix + `
example.com TXT "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all"
mobile-users._spf.example.com TXT "v=spf1 exists:%{l1r+}.%{d}"
remote-users._spf.example.com TXT "v=spf1 exists:%{ir}.%{l1r+}.%{d}"
mary.mobile-users._spf.example.com                A 127.0.0.2
fred.mobile-users._spf.example.com                A 127.0.0.2
15.15.168.192.joel.remote-users._spf.example.com  A 127.0.0.2
16.15.168.192.joel.remote-users._spf.example.com  A 127.0.0.2
`
	run(t, []row{
		{"anywhere", zone, "203.0.113.1", "mary@example.com", spf.Pass},
		{"with a tag", zone, "203.0.113.1", "fred+lists@example.com", spf.Pass},
		{"from home", zone, "192.168.15.15", "joel@example.com", spf.Pass},
		{"from elsewhere", zone, "192.168.15.17", "joel@example.com", spf.Fail},
		{"not in the list", zone, "203.0.113.1", "eve@example.com", spf.Fail},
		{"through the server", zone, "192.0.2.129", "eve@example.com", spf.Pass},
	})
}

// RFC 7208 Appendix A.4: two requirements at once, by De Morgan.
func TestAppendixSeveralRequirements(t *testing.T) {
	zone := appendix + `
example.com TXT ( "v=spf1 "
                  "-include:ip4._spf.%{d} "
                  "-include:ptr._spf.example.com "
                  "+all" )
ip4._spf.example.com TXT "v=spf1 -ip4:192.0.2.0/24 +all"
ptr._spf.example.com TXT "v=spf1 -ptr:example.com +all"
`
	run(t, []row{
		{"both", zone, "192.0.2.65", "ann@example.com", spf.Pass},
		{"no name", zone, "192.0.2.140", "ann@example.com", spf.Fail},
		{"neither", zone, "10.0.0.4", "ann@example.com", spf.Fail},
	})
}

// RFC 7208 Appendix C: a record that logs who asks, by names nobody has published.
func TestAppendixTracking(t *testing.T) {
	v, z := checkZone(t, zone(`example.com TXT "v=spf1 exists:_h.%{h}._l.%{l}._o.%{o}._i.%{i}._spf.%{d} ?all"`), "192.0.2.1", "ann+x@example.com")
	assert.Equal(t, spf.Neutral, v.Result)
	assert.Equal(t, "_h.helo.test._l.ann+x._o.example.com._i.192.0.2.1._spf.example.com", z.Queries()[len(z.Queries())-1].Name)
}
