package smtptest_test

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// TestChannelBinding: although TLS ends in the fake, the server behind it is
// bound to the connection that the client sees.
func TestChannelBinding(t *testing.T) {
	for name, version := range map[string]uint16{"tls-exporter": tls.VersionTLS13, "tls-server-end-point": tls.VersionTLS12} {
		for kind, start := range map[string]func(testing.TB, ...func(*smtp.Server)) *smtptest.Server{"STARTTLS": smtptest.New, "implicit": smtptest.NewTLS} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				srv := start(t, mechanisms("SCRAM-SHA-256-PLUS"), func(s *smtp.Server) { s.TLSConfig.MaxVersion = version })
				c := srv.Client()
				c.Auth = &sasl.Credentials{User: "user", Password: "password", Binding: name}
				require.Equal(t, accepted, deliver(t.Context(), t, c, text).Status, srv.Transcript())
				assert.Equal(t, "user", srv.Wait(1)[0].User)
				assert.Contains(t, srv.Transcript(), "C: AUTH SCRAM-SHA-256-PLUS [hidden]")
			})
		}
	}
}

func TestClientCertificate(t *testing.T) {
	for kind, start := range map[string]func(testing.TB, ...func(*smtp.Server)) *smtptest.Server{"STARTTLS": smtptest.New, "implicit": smtptest.NewTLS} {
		t.Run(kind, func(t *testing.T) {
			srv := start(t)
			c := srv.Client()
			c.TLSConfig = c.TLSConfig.Clone()
			c.TLSConfig.Certificates = []tls.Certificate{srv.Certificate("alice")}
			c.Auth = &sasl.Credentials{Mechanisms: []string{"EXTERNAL"}}
			require.Equal(t, accepted, deliver(t.Context(), t, c, text).Status, srv.Transcript())
			assert.Equal(t, "alice", srv.Wait(1)[0].User)
		})
	}
}

// TestHandlerSeesTheClientsTLS is about hooks of a test's own.
func TestHandlerSeesTheClientsTLS(t *testing.T) {
	var seen []uint16
	srv := smtptest.NewTLS(t, func(s *smtp.Server) {
		s.TLSConfig.MaxVersion = tls.VersionTLS12
		hook := func(_ context.Context, s *smtp.Session) error {
			seen = append(seen, s.TLS.Version)
			return nil
		}
		s.Handler.Connect, s.Handler.Hello = hook, hook
	})
	require.Equal(t, accepted, deliver(t.Context(), t, srv.Client(), text).Status)
	assert.Equal(t, []uint16{tls.VersionTLS12, tls.VersionTLS12}, seen)
}

func TestWithoutTLS(t *testing.T) {
	srv := smtptest.NewTLS(t, func(s *smtp.Server) { s.TLSConfig = nil })
	assert.Nil(t, srv.TLS)
	assert.Nil(t, srv.CA)
	assert.Equal(t, accepted, deliver(t.Context(), t, srv.Client(), text).Status)
	assert.Equal(t, "ESMTP", srv.Wait(1)[0].Protocol)
}

func TestWithoutAUTH(t *testing.T) {
	for _, change := range []func(*smtp.Server){
		func(s *smtp.Server) { s.Auth = nil },
		func(s *smtp.Server) { s.Without = []string{"auth"} },
	} {
		srv := smtptest.New(t, change)
		assert.Equal(t, accepted, deliver(t.Context(), t, srv.Client(), text).Status)
		assert.Empty(t, srv.Wait(1)[0].User)
	}
}

func TestSubmission(t *testing.T) {
	srv := smtptest.New(t, func(s *smtp.Server) { s.Profile = smtp.Submission })
	assert.Equal(t, accepted, deliver(t.Context(), t, srv.Client(), text).Status, srv.Transcript())
	c := srv.Client()
	c.Auth = nil
	assert.Equal(t, permanent, deliver(t.Context(), t, c, text).Status)
}

// TestAnyLogin: nobody is refused, whatever the mechanism.
func TestAnyLogin(t *testing.T) {
	for _, m := range []string{"PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"} {
		t.Run(m, func(t *testing.T) {
			srv := smtptest.New(t)
			c := srv.Client()
			c.Auth = &sasl.Credentials{User: "anybody", Mechanisms: []string{m}}
			if m == "PLAIN" || m == "LOGIN" {
				c.Auth.Password = "anything"
			} else {
				c.Auth.Token = func(context.Context) (string, error) { return "anything", nil }
			}
			require.Equal(t, accepted, deliver(t.Context(), t, c, text).Status, srv.Transcript())
			assert.Equal(t, "anybody", srv.Wait(1)[0].User)
			assert.NotContains(t, srv.Transcript(), "YW55dGhpbmc")
		})
	}
}
