package smtptest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

const text = "Subject: Dinner\r\n\r\nDo you like ketchup?\r\n..\r\n"

func envelope(t testing.TB, from string, to ...string) smtp.Envelope {
	t.Helper()
	e, err := smtp.NewEnvelope(from, to...)
	require.NoError(t, err)
	return e
}

func send(t testing.TB, c *smtp.Client, to ...string) (*smtp.Sent, error) {
	t.Helper()
	if len(to) == 0 {
		to = []string{"bob@hamburger.edu"}
	}
	return c.Send(context.Background(), envelope(t, "alice@crepes.fr", to...), strings.NewReader(text))
}

// servers are all the ways to start one.
var servers = map[string]func(testing.TB, ...func(*smtp.Server)) *smtptest.Server{
	"New": smtptest.New, "NewTLS": smtptest.NewTLS, "NewLMTP": smtptest.NewLMTP,
	"NewPipe": smtptest.NewPipe, "NewPipeTLS": smtptest.NewPipeTLS,
}

func TestServersTakeMail(t *testing.T) {
	protocols := map[string]string{"New": "ESMTPSA", "NewTLS": "ESMTPSA", "NewLMTP": "LMTPS", "NewPipe": "ESMTPSA", "NewPipeTLS": "ESMTPSA"}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			srv := start(t)
			for range 2 { // the second over a connection of the pool
				_, err := send(t, srv.Client(), "bob@hamburger.edu", "carl@hamburger.edu")
				require.NoError(t, err)
			}
			got := srv.Wait(2)
			require.Len(t, got, 2)
			assert.Equal(t, text, string(got[0].Data))
			assert.Equal(t, "alice@crepes.fr", got[0].Envelope.From.Address())
			assert.Len(t, got[0].Envelope.To, 2)
			assert.Equal(t, protocols[name], got[0].Protocol)
			if name != "NewLMTP" {
				assert.Equal(t, "user", got[0].User)
			}
		})
	}
}

func TestPipeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := smtptest.NewPipe(t)
		srv.On(smtptest.EndOfData).Delay(9 * time.Minute)
		begun := time.Now()
		_, err := send(t, srv.Client())
		require.NoError(t, err)
		assert.Equal(t, 9*time.Minute, time.Since(begun))
		assert.Len(t, srv.Wait(1), 1)
	})
}

func TestTranscript(t *testing.T) {
	srv := smtptest.New(t, func(s *smtp.Server) { s.Without = []string{"CHUNKING"} })
	c := srv.Client()
	_, err := send(t, c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	// What EHLO lists is of no interest here.
	lines := strings.Split(srv.Transcript(), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "S: 250-") || l == "S: 250 HELP" })
	assert.Equal(t, `S: 220 mx.example.org ESMTP
C: EHLO localhost
C: STARTTLS
S: 220 2.0.0 Ready to start TLS
+TLS
C: EHLO localhost
C: AUTH PLAIN [hidden]
S: 235 2.7.0 Authentication successful
C: MAIL FROM:<alice@crepes.fr> SIZE=45
S: 250 2.1.0 Sender OK
C: RCPT TO:<bob@hamburger.edu>
S: 250 2.1.5 Recipient OK
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: Subject: Dinner
C:
C: Do you like ketchup?
C: ...
C: .
S: 250 2.0.0 OK
C: QUIT
S: 221 2.0.0 mx.example.org closing connection
`, strings.Join(lines, "\n"))
	require.NoError(t, srv.Compare(srv.Transcript()))
	require.ErrorContains(t, srv.Compare("S: 220 *\nC: HELO localhost\n"), "golden:2: the dialogue differs")
}
