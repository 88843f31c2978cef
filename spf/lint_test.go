package spf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spf"
)

func TestLint(t *testing.T) {
	for text, want := range map[string][]string{
		"v=spf1 mx ip4:203.0.113.0/24 ip6:2001:db8::/32 a:mail.example.org include:x.test ~all": nil,
		"v=spf1 redirect=_spf.example.org": nil,
		"v=spf1 mx":                        {"neither all nor redirect"},
		"v=spf1 +all":                      {"whole Internet"},
		"v=spf1 -all mx":                   {"never reached"},
		"v=spf1 MX +mx -all":               {"stands twice"},
		"v=spf1 ptr -all":                  {"should not be published"},
		"v=spf1 ip4:203.0.113.9/24 -all":   {"203.0.113.0/24 is meant"},
		"v=spf1 ip4:0.0.0.0/0 -all":        {"matches every address"},
		"v=spf1 a/0 -all":                  {"matches every address"},
		"v=spf1 ip6:::ffff:192.0.2.1 -all": {"matches no client"},
		"v=spf1 ip4:10.0.0.1 -all":         {"not an address that mail comes from"},
		"v=spf1 exists:x.test -all":        {"same for every client"},
		"v=spf1 -include:x.test -all":      {"surprises"},
		"v=spf1 exists:%{p}.x.test -all":   {"%{p} is slow"},
		"v=spf1 a:x.test. -all":            {"final dot"},
		"v=spf1 redirect=x.test -all":      {"without effect"},
		"v=spf1 redirect=x.test mx":        {"should stand at the end"},
		"v=spf1 -all exp=%{p}.x.test":      {"%{p} is slow"},
		"v=spf1 mx -all foo=bar":           {"unknown modifier"},
		"v=spf1" + strings.Repeat(" a:abcdefghij.test", 11) + " -all": strings.Split(strings.Repeat("stands twice|", 10)+"11 terms", "|"),
		"v=spf1 ip4:203.0.113.1 -all x=" + strings.Repeat("y", 450):   {"octets", "unknown"},
	} {
		r, err := spf.Parse(text)
		require.NoError(t, err, text)
		got := r.Lint()
		require.Len(t, got, len(want), "%s: %v", text, got)
		for i := range want {
			assert.Contains(t, got[i].String(), want[i], text)
		}
	}
}
