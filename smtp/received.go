package smtp

import (
	"context"
	"crypto/tls"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
)

// ReceivedOptions says what the trace field tells.
type ReceivedOptions struct {
	Name       string           // after "by"; "" the address the client came to
	HideClient bool             // leave out who the client is: for submission, where it is a person at home
	Now        func() time.Time // nil is time.Now
}

// Received puts the trace field (RFC 5321 §4.4) below all others in t.Prefix:
// Received-SPF and its like stand above it (RFC 7208 §9.1). It tells the
// protocol as RFC 3848 has it and the cipher (RFC 8314 §4.3), and names the
// recipient where there is only one, since others are nobody's business.
func Received(o ReceivedOptions) Middleware {
	return func(next Handler) Handler {
		message := next.Message
		next.Message = func(ctx context.Context, t *Transaction, body io.Reader) error {
			t.Prefix = append(t.Prefix, o.field(t)...)
			if message == nil {
				_, err := io.Copy(io.Discard, body)
				return err
			}
			return message(ctx, t, body)
		}
		return next
	}
}

// field writes the field; nothing in it can end it.
func (o ReceivedOptions) field(t *Transaction) []byte {
	s := t.Session
	var b strings.Builder
	b.WriteString("Received: ")
	if !o.HideClient {
		b.WriteString("from " + helloAtom(s.Hello))
		if ip := s.Remote.Addr(); ip.IsValid() {
			b.WriteString(" (" + addr.Literal(ip) + ")")
		}
		b.WriteString("\r\n\t")
	}
	by := o.Name
	if by == "" {
		by = "localhost"
		if ip := s.Local.Addr(); ip.IsValid() {
			by = addr.Literal(ip)
		}
	}
	b.WriteString("by " + helloAtom(by))
	with := s.Protocol
	if t.Params.UTF8 && strings.HasPrefix(with, "ESMTP") { // RFC 6531 §4.3
		with = "UTF8SMTP" + with[len("ESMTP"):]
	} else if t.Params.UTF8 && strings.HasPrefix(with, "LMTP") {
		with = "UTF8" + with
	}
	b.WriteString(" with " + helloAtom(with))
	if s.TLS != nil {
		b.WriteString("\r\n\ttls " + tls.CipherSuiteName(s.TLS.CipherSuite))
	}
	if t.ID != "" {
		b.WriteString("\r\n\tid " + helloAtom(t.ID))
	}
	if len(t.To) == 1 {
		b.WriteString("\r\n\tfor " + t.To[0].Path.String())
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	b.WriteString(";\r\n\t" + now().Format("Mon, 2 Jan 2006 15:04:05 -0700") + "\r\n")
	return []byte(b.String())
}

// helloAtom makes a name fit for the field: what a peer says of itself could
// hold parentheses, semicolons or more.
func helloAtom(s string) string {
	clean := func(r rune) rune {
		if r <= ' ' || r == 0x7f || r >= 0x80 && r <= 0x9f || strings.ContainsRune(`()<>;,"\`, r) || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}
	if s = strings.Map(clean, s); s == "" {
		return "unknown"
	}
	if len(s) > 255 {
		s = s[:255]
	}
	return strings.ToValidUTF8(s, "?")
}
