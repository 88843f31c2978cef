package mime_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// A draft is what a client submits, though neither package knows the other.
var _ smtp.Outgoing = (*mime.Draft)(nil)

// What is built here is what arrives there, to the octet: dots, eight bits,
// Bcc and a file included.
func TestSubmit(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789\r\n.\r\n"), 20_000)
	d, err := (&mime.Builder{
		From: mime.To("Alice <alice@crepes.fr>"), To: mime.To("Bob <bob@hamburger.edu>"), Bcc: mime.To("carol@bücher.example"),
		Subject: "Grüße", Text: ".\n..\nFrom here ü\n\n.", HTML: "<p>.\n.</p>", EightBit: true, Date: time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC),
		Files: []mime.File{mime.AttachBytes("a.bin", file), mime.AttachBytes("m.eml", []byte("Subject: ü\n\n.\n"))},
	}).Build()
	require.NoError(t, err)
	want, err := d.Bytes()
	require.NoError(t, err)

	srv := smtptest.New(t)
	_, err = srv.Client().Submit(context.Background(), d)
	require.NoError(t, err)
	got := srv.Wait(1)[0]
	assert.Equal(t, "alice@crepes.fr", got.Envelope.From.String()[1:len(got.Envelope.From.String())-1])
	require.Len(t, got.Envelope.To, 2)
	body := got.Data
	if i := bytes.Index(body, []byte("Date: ")); i > 0 {
		body = body[i:] // the server's own fields stand on top
	}
	assert.True(t, bytes.Equal(want, body), "%.2000q", body)

	m := mime.Parse(body)
	assert.False(t, m.Ambiguous(), "%v", m.Defects())
	assert.False(t, m.Header().Has("Bcc"))
	assert.Equal(t, "Grüße", m.Header().Subject())
	assert.Equal(t, ".\r\n..\r\nFrom here ü\r\n\r\n.", m.TextBody()[0].Text())
	b, err := io.ReadAll(m.Attachments()[0].Open())
	require.NoError(t, err)
	assert.True(t, bytes.Equal(file, b))
	inner, ok := m.Attachments()[1].Message()
	require.True(t, ok)
	assert.Equal(t, "ü", inner.Header().Subject())
}

// An answer goes back over the wire as well.
func TestSubmitReply(t *testing.T) {
	srv := smtptest.New(t)
	d, err := mime.Parse([]byte(message)).Reply(mime.Reply{From: mime.Address{Addr: "alice@example.org"}, All: true, Text: "I come."}).Build()
	require.NoError(t, err)
	_, err = srv.Client().Submit(context.Background(), d)
	require.NoError(t, err)
	got := srv.Wait(1)[0]
	assert.Len(t, got.Envelope.To, 2)
	assert.Contains(t, string(got.Data), "In-Reply-To: <1@hamburger.edu>\r\n")
}
