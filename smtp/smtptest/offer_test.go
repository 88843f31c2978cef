package smtptest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// offered gives what EHLO lists, in the clear.
func offered(t *testing.T, srv *smtptest.Server) map[string]bool {
	t.Helper()
	w := dial(t, srv)
	w.send("EHLO a\r\n")
	words := map[string]bool{}
	for l := range strings.Lines(w.want("250")) {
		word, _, _ := strings.Cut(strings.TrimSpace(l[4:]), " ")
		words[word] = true
	}
	return words
}

// TestExtensionsOffAndOn: what is offered by default, and that each can be
// taken away, and put there although it does not work.
func TestExtensionsOffAndOn(t *testing.T) {
	all := []string{"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME", "SMTPUTF8",
		"STARTTLS", "DSN", "DELIVERBY", "MT-PRIORITY", "RRVS", "LIMITS", "HELP"}
	words := offered(t, smtptest.NewPipe(t))
	for _, word := range all {
		assert.True(t, words[word], "%s is not offered", word)
	}
	assert.False(t, words["PRDR"])
	assert.False(t, words["FUTURERELEASE"]) // RFC 4865 §4: on submission only
	assert.False(t, words["AUTH"])          // all of its mechanisms want TLS
	for _, word := range all {
		t.Run(word, func(t *testing.T) {
			srv := smtptest.NewPipe(t, func(s *smtp.Server) { s.Without = []string{strings.ToLower(word)} })
			assert.False(t, offered(t, srv)[word])
			srv.Advertise(word)
			assert.True(t, offered(t, srv)[word])
		})
	}
	words = offered(t, smtptest.NewPipe(t, func(s *smtp.Server) { s.Extensions, s.TLSConfig = 0, nil }))
	for _, word := range []string{"BINARYMIME", "SMTPUTF8", "DSN", "DELIVERBY", "MT-PRIORITY", "RRVS", "STARTTLS"} {
		assert.False(t, words[word], word)
	}
	words = offered(t, smtptest.NewPipe(t, func(s *smtp.Server) { s.Profile, s.InsecureAuth = smtp.Submission, true }))
	assert.True(t, words["FUTURERELEASE"])
	assert.True(t, words["AUTH"])
}
