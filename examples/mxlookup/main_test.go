package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const zone = `
hamburger.edu        MX 10 mail.hamburger.edu
hamburger.edu        MX 20 backup.example.net
hamburger.edu        MX 30 192.0.2.99
mail.hamburger.edu   A 192.0.2.1
mail.hamburger.edu   AAAA 2001:db8::1
backup.example.net   SERVFAIL
null.test            MX 0 .
bare.test            A 192.0.2.7
www.test             CNAME bare.test
lonely.test          TXT "no address"
evil.test            CNAME \027[2J.test
\027[2J.test         MX 10 \027]0\;x.test
`

func TestRoutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zone")
	require.NoError(t, os.WriteFile(file, []byte(zone), 0o600))
	for _, c := range []struct {
		domain string
		code   int
		want   string
	}{
		{"hamburger.edu", 0, `mail hosts of hamburger.edu
     10 mail.hamburger.edu
     20 backup.example.net
     30 192.0.2.99: left out, an address in the place of a name
dial in this order
      1 2001:db8::1 (mail.hamburger.edu)
      2 192.0.2.1 (mail.hamburger.edu)
`},
		{"www.test", 0, `www.test has no MX record, the mail goes to its own address
  is an alias for bare.test
      0 bare.test
dial in this order
      1 192.0.2.7 (bare.test)
`},
		{"[192.0.2.5]", 0, `[192.0.2.5] is an address
      0 [192.0.2.5]
dial in this order
      1 192.0.2.5 ([192.0.2.5])
`},
		{"null.test", 1, `mail hosts of null.test
        mx: "null.test": domain takes no mail
        reply: 556 5.1.10 domain takes no mail
`},
		{"none.test", 1, `        mx: "none.test": no such domain
        reply: 550 5.1.2 no such domain
`},
		{"evil.test", 1, `mail hosts of evil.test
  is an alias for "\x1b[2J.test"
     10 "\x1b]0;x.test": left out, not a host name
        mx: "evil.test": no usable mail host
        reply: 550 5.4.4 no usable mail host
`},
		{"lonely.test", 1, `lonely.test has no MX record, the mail goes to its own address
      0 lonely.test
dial in this order
        mx: "lonely.test": no address to send to
        reply: 550 5.1.2 no address to send to
`},
	} {
		var out, errOut bytes.Buffer
		assert.Equal(t, c.code, run(t.Context(), []string{"-zone", file, c.domain}, &out, &errOut), c.domain)
		if c.domain == "hamburger.edu" {
			assert.Contains(t, out.String(), c.want)
			assert.Contains(t, out.String(), "reply: 451 4.4.3 DNS lookup failed, try again later\n")
			continue
		}
		assert.Equal(t, c.want, out.String())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"a", "b"}, {"-bogus"}, {"-zone", "/nonexistent/zone", "a.test"}} {
		var out, errOut bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, &out, &errOut), "%v", args)
		assert.Empty(t, out.String())
		assert.NotEmpty(t, errOut.String())
	}
}
