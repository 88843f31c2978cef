package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func zone(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "zone")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestPassAndFail(t *testing.T) {
	file := zone(t, `
crepes.fr        TXT "v=spf1 mx ptr -all"
crepes.fr        MX 10 mail.crepes.fr
mail.crepes.fr   A 192.0.2.25
mail.crepes.fr   TXT "v=spf1 a -all"
`)
	var out, errOut bytes.Buffer
	assert.Equal(t, 0, run(t.Context(), []string{"-zone", file, "192.0.2.25", "alice@crepes.fr", "mail.crepes.fr"}, &out, &errOut))
	assert.Equal(t, `mail.crepes.fr: a: match
pass for helo of mail.crepes.fr from 192.0.2.25; lookups: 1 terms, 0 void, 2 queries

crepes.fr: mx: match
pass for mailfrom of crepes.fr from 192.0.2.25; lookups: 1 terms, 0 void, 3 queries

Received-SPF: pass
	(unknown: domain of crepes.fr designates 192.0.2.25 as permitted sender)
	client-ip=192.0.2.25; envelope-from="alice@crepes.fr";
	helo=mail.crepes.fr; receiver=unknown; identity=mailfrom; mechanism=mx
Authentication-Results: spfcheck.example; spf=pass
	smtp.mailfrom=alice@crepes.fr; spf=pass smtp.helo=mail.crepes.fr
advice: "ptr" at octet 10: slow and unreliable, should not be published
reply: 250 2.1.0 ok
`, out.String())
	assert.Empty(t, errOut.String())

	out.Reset()
	assert.Equal(t, 1, run(t.Context(), []string{"-zone", file, "203.0.113.66", "alice@crepes.fr"}, &out, &errOut))
	assert.Contains(t, out.String(), "crepes.fr: -all: match\nfail for mailfrom of crepes.fr from 203.0.113.66")
	assert.Contains(t, out.String(), "reply: 550 5.7.23 SPF MAIL FROM check failed: crepes.fr does not designate 203.0.113.66 as permitted sender\n")
}

func TestBrokenRecord(t *testing.T) {
	var out, errOut bytes.Buffer
	file := zone(t, `a.test TXT "v=spf1 ip4:1.2.3 -all"`)
	assert.Equal(t, 0, run(t.Context(), []string{"-zone", file, "192.0.2.1", "x@a.test"}, &out, &errOut))
	assert.Contains(t, out.String(), `error: spf: "ip4:1.2.3" at octet 7: not an address of this family`)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"192.0.2.1"}, {"nonsense", "x@a.test"}, {"-zone", "/nonexistent/zone", "192.0.2.1", "x@a.test"}, {"-bogus"},
		{"-zone", zone(t, "a NOPE"), "192.0.2.1", "x@a.test"}, {"1", "2", "3", "4"}} {
		var out, errOut bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, &out, &errOut), "%v", args)
		assert.Empty(t, out.String())
		assert.NotEmpty(t, errOut.String())
	}
}
