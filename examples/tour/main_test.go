package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tell(t *testing.T, o options) string {
	t.Helper()
	var out bytes.Buffer
	if o.from == "" {
		o.from, o.to = "alice@crepes.fr", "bob@hamburger.edu"
	}
	require.NoError(t, run(t.Context(), &out, o))
	return out.String()
}

func TestStory(t *testing.T) {
	text := tell(t, options{})
	at := 0
	for _, line := range []string{
		"Alice writes to Bob", "== at crepes.fr ==", "S: 220 crepes.fr", "C: MAIL FROM:<alice@crepes.fr>",
		"-- crepes.fr tries mx1.hamburger.edu, preference 10: does not answer",
		"== at hamburger.edu ==", "S: 220 hamburger.edu", "C: EHLO crepes.fr", "C: MAIL FROM:<alice@crepes.fr>",
		"C: RCPT TO:<bob@hamburger.edu>", "C: DATA", "S: 354", "C: Do you like ketchup?", "C: How about pickles?", "C: .", "S: 250",
		"-- crepes.fr tries mx2.hamburger.edu, preference 20: takes the message",
		"A forger writes to Bob as the bank", "C: MAIL FROM:<boss@bank.example>", "S: 550 5.7.23",
		"== Bob's mailbox ==", "Received-SPF: pass", "by hamburger.edu with ESMTP", "by crepes.fr with ESMTP", "How about pickles?",
	} {
		i := strings.Index(text[at:], line)
		require.GreaterOrEqual(t, i, 0, "%q is not told, or not here:\n%s", line, text)
		at += i
	}
}

func TestTLS(t *testing.T) {
	text := tell(t, options{tls: true})
	assert.Equal(t, 3, strings.Count(text, "C: STARTTLS"))
	assert.Contains(t, text, "by hamburger.edu with ESMTPS")
}

func TestChecklist(t *testing.T) {
	for _, tls := range []bool{false, true} {
		text := tell(t, options{quiet: true, tls: tls})
		assert.Equal(t, 7, strings.Count(text, "ok  "), text)
		assert.NotContains(t, text, "C: ")
	}
}

// A message of the user's own, dots and bare line ends in it.
func TestOwnMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "letter.eml")
	require.NoError(t, os.WriteFile(file, []byte("Subject: x\n\n.\n..dots\nlast line"), 0o600))
	text := tell(t, options{message: file, from: "ann@example.org", to: "ben@example.net"})
	assert.True(t, strings.HasSuffix(text, "Subject: x\n\n.\n..dots\nlast line\n"), text)
	assert.Contains(t, text, "RCPT TO:<ben@example.net>")
}

func TestMistakes(t *testing.T) {
	var out bytes.Buffer
	assert.Error(t, run(t.Context(), &out, options{from: "alice", to: "bob@hamburger.edu"}))
	assert.Error(t, run(t.Context(), &out, options{message: "no such file", from: "a@b.example", to: "b@c.example"}))
}
