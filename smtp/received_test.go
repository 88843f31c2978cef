package smtp

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func receivedOf(t *testing.T, o ReceivedOptions, tx *Transaction) string {
	t.Helper()
	h := Received(o)(Handler{Message: func(context.Context, *Transaction, io.Reader) error { return nil }})
	require.NoError(t, h.Message(context.Background(), tx, strings.NewReader("")))
	field := string(tx.Prefix)
	require.True(t, strings.HasPrefix(field, "Received: ") && strings.HasSuffix(field, "\r\n"), field)
	lines := strings.Split(strings.TrimSuffix(field, "\r\n"), "\r\n")
	for i, line := range lines {
		assert.False(t, i > 0 && !strings.HasPrefix(line, "\t"), "%q begins another field", line)
		assert.NotContains(t, line, "\r")
		assert.NotContains(t, line, "\n")
	}
	return field
}

func TestReceived(t *testing.T) {
	env := envelope(t, "a@b.example", "c@d.example")
	env.ID = "abc.1"
	s := &Session{Hello: "crepes.fr", Protocol: "ESMTPSA", Remote: netip.MustParseAddrPort("192.0.2.1:7"), Local: netip.MustParseAddrPort("[2001:db8::1]:25"),
		TLS: &tls.ConnectionState{CipherSuite: tls.TLS_AES_128_GCM_SHA256}}
	o := ReceivedOptions{Name: "hamburger.edu", Now: clock}
	assert.Equal(t, "Received: from crepes.fr ([192.0.2.1]) by hamburger.edu with ESMTPSA id abc.1\r\n"+
		"\tfor <c@d.example> tls TLS_AES_128_GCM_SHA256; Thu, 1 Jan 2026 00:00:00 +0000\r\n", receivedOf(t, o, &Transaction{Session: s, Envelope: env.Clone()}))

	o.HideClient, o.Name = true, ""
	two := envelope(t, "a@b.example", "c@d.example", "secret@d.example")
	assert.Equal(t, "Received: by [IPv6:2001:db8::1] with ESMTPSA tls TLS_AES_128_GCM_SHA256;\r\n\tThu, 1 Jan 2026 00:00:00 +0000\r\n",
		receivedOf(t, o, &Transaction{Session: s, Envelope: two}))

	// Below what others have put there (RFC 7208 §9.1).
	tx := &Transaction{Session: s, Envelope: Envelope{Prefix: []byte("Received-SPF: pass\r\n")}}
	h := Chain(Handler{}, Received(o))
	require.NoError(t, h.Message(context.Background(), tx, strings.NewReader("")))
	assert.True(t, strings.HasPrefix(string(tx.Prefix), "Received-SPF: pass\r\nReceived: "))

	for protocol, want := range map[string]string{"ESMTP": "UTF8SMTP", "ESMTPSA": "UTF8SMTPSA", "LMTPS": "UTF8LMTPS", "SMTP": "SMTP"} {
		tx := &Transaction{Session: &Session{Protocol: protocol, Hello: "ü.example"}}
		tx.Params.UTF8 = true
		field := receivedOf(t, ReceivedOptions{}, tx)
		assert.Contains(t, field, " with "+want) // RFC 6531 §4.3
		assert.Contains(t, field, "ü.example")
	}
}

// Row 11: nothing a peer says of itself can end the field or forge a clause.
func TestRow11_HeaderInjection(t *testing.T) {
	env := envelope(t, "a@b.example", `"x) (y; \" z"@d.example`)
	for _, hello := range []string{"a\rX: y", "a\r\nX: y", "a\nb", "(", ")", "a; Mon", "a\x00b", "\u0085", "\u2028x", "ü", "", strings.Repeat("a", 1<<20), "a by evil.example", "\xff"} {
		for _, utf8 := range []bool{false, true} {
			tx := &Transaction{Session: &Session{Hello: hello, Protocol: "ESMTP\r\nX: y"}, Envelope: env.Clone()}
			tx.Params.UTF8, tx.ID = utf8, "id\r\nX: y"
			field := receivedOf(t, ReceivedOptions{Name: "x\r\nX: y"}, tx)
			assert.Less(t, len(field), 700)
			assert.Equal(t, 1, strings.Count(field, "Received:"))
			if !utf8 {
				assert.NotContains(t, field, "ü")
			}
		}
	}
}

func FuzzReceived(f *testing.F) {
	f.Add("a\rX: y", "id", "(", true)
	f.Fuzz(func(t *testing.T, hello, id, name string, utf8 bool) {
		tx := &Transaction{Session: &Session{Hello: hello, Protocol: "ESMTP"}}
		tx.ID, tx.Params.UTF8 = id, utf8
		receivedOf(t, ReceivedOptions{Name: name}, tx)
	})
}
