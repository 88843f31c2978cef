package smtp

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Row 4: what comes behind STARTTLS in plaintext is never executed.
func TestRow04_STARTTLSInjection(t *testing.T) {
	server, client := bothTLS(t)
	for name, how := range map[string]func(p *peer){
		"same packet": func(p *peer) {
			p.send("STARTTLS\r\nMAIL FROM:<evil@evil.example>\r\n")
			p.expect("554")
			p.over()
		},
		"next packet": func(p *peer) {
			p.want("STARTTLS", "220")
			p.send("MAIL FROM:<evil@evil.example>\r\n")
			rest, _ := io.ReadAll(p.r)
			assert.NotContains(p.t, string(rest), "250")
		},
		"argument":    func(p *peer) { p.want("STARTTLS now", "501"); p.inStep() },
		"transaction": func(p *peer) { p.mail(); p.want("STARTTLS", "503"); p.inStep() },
		"state": func(p *peer) {
			p.want("STARTTLS", "220")
			p.startTLS(client)
			p.want("MAIL FROM:<a@b.example>", "503") // the EHLO is forgotten
			list := p.want("EHLO again", "250-")
			assert.NotContains(p.t, list, "STARTTLS")
			p.want("STARTTLS", "503")
			p.mail()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b box
			onBoth(t, func() *Server { return &Server{TLSConfig: server, Handler: b.handler()} }, func(t *testing.T, p *peer) {
				p.hello()
				how(p)
				assert.Empty(t, b.got())
			})
		})
	}
	t.Run("after login", func(t *testing.T) {
		s := &Server{TLSConfig: server, Auth: users(), InsecureAuth: true}
		p := serveTCP(t, s)
		p.hello()
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "235")
		p.want("STARTTLS", "503")
	})
}

// Row 4: what the peer said before TLS is forgotten, what Connect noted is not.
func TestRow04_ValuesFromPlaintextAreForgotten(t *testing.T) {
	server, client := bothTLS(t)
	kept, said := NewKey[string](), NewKey[string]()
	s := &Server{TLSConfig: server}
	s.Handler.Connect = func(_ context.Context, s *Session) error { kept.Set(&s.Values, "kept"); return nil }
	s.Handler.Hello = func(_ context.Context, s *Session) error {
		if s.TLS == nil {
			said.Set(&s.Values, s.Hello)
			kept.Set(&s.Values, "changed")
			return nil
		}
		_, ok := said.Get(&s.Values)
		assert.False(t, ok)
		v, _ := kept.Get(&s.Values)
		assert.Equal(t, "kept", v)
		assert.Empty(t, s.User)
		return nil
	}
	p := serveTCP(t, s)
	p.hello()
	p.want("STARTTLS", "220")
	p.startTLS(client)
	p.want("EHLO again", "250")
}

func users() *sasl.Authenticator {
	return &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, password string) error {
		if l.User == "ann" && password == "sesame" {
			return nil
		}
		return sasl.ErrCredentials
	}}
}

// Row 7: where AUTH is out of place, and how often it may fail.
func TestRow07_AUTH(t *testing.T) {
	server, client := bothTLS(t)
	mk := func() *Server { return &Server{TLSConfig: server, Auth: users()} }
	onBoth(t, mk, func(t *testing.T, p *peer) {
		p.expect("220")
		p.want("AUTH PLAIN", "503") // before EHLO
		p.want("HELO c", "250")
		p.want("AUTH PLAIN", "503")
		assert.NotContains(t, p.want("EHLO c", "250-"), "AUTH")
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "538 5.7.11")
		p.want("AUTH CRAM-MD5", "504")
		p.want("STARTTLS", "220")
		p.startTLS(client)
		assert.Contains(t, p.want("EHLO c", "250-"), "AUTH PLAIN LOGIN")
		p.want("MAIL FROM:<a@b.example>", "250")
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "503") // in a transaction
		p.want("RSET", "250")
		p.want("AUTH", "501")
		p.want("AUTH PLAIN !", "501")
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "235 2.7.0")
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "503")
		p.want("RSET", "250") // keeps the login
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "503")
		assert.NotContains(t, p.want("EHLO c", "250-"), "AUTH")
		p.want("MAIL FROM:<a@b.example> AUTH=ann@b.example", "250")
	})
	insecure := func() *Server { return &Server{Auth: users(), InsecureAuth: true} }
	onBoth(t, insecure, func(t *testing.T, p *peer) {
		p.hello()
		p.want("AUTH PLAIN", "334 ")
		p.want("*", "501 5.7.0")
		p.want("AUTH PLAIN", "334 ")
		p.want("not base64 !", "501 5.5.2")
		p.want("AUTH PLAIN", "334 ")
		p.want(strings.Repeat("A", 12288), "5")
		p.want("AUTH PLAIN", "334 ")
		p.want(strings.Repeat("A", 12289)+"\r\nXCMD", "500 5.5.6")
		p.expect("500 5.5.1", "the line after")
		p.want("AUTH PLAIN =", "501") // an empty response is too short for PLAIN
		p.over421(t)
	})
	onBoth(t, insecure, func(t *testing.T, p *peer) {
		p.hello() // a token may be longer than a command
		p.want("AUTH PLAIN "+strings.Repeat("A", 12000), "5")
		p.want("NOOP "+strings.Repeat("A", 3000), "500 5.5.6")
		p.inStep()
	})
	onBoth(t, insecure, func(t *testing.T, p *peer) {
		p.hello()
		p.want("AUTH PLAIN AGFubgB3cm9uZw==", "535 5.7.8")
		p.want("AUTH PLAIN AGFubgB3cm9uZw==", "535 5.7.8")
		p.want("AUTH PLAIN AGFubgB3cm9uZw==", "535 5.7.8")
		p.expect("421")
		p.over()
	})
}

// over421 takes mistakes until the server has had enough.
func (p *peer) over421(t *testing.T) {
	for range 40 {
		p.send("XJUNK\r\n")
		if r := p.reply(); strings.HasPrefix(r, "421") {
			p.over()
			return
		}
	}
	t.Error("no end of mistakes")
}
