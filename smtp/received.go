package smtp

import (
	"context"
	"crypto/tls"
	"io"
	"strings"
	"time"
	"unicode"

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

// field writes the field; nothing in it can end it. Its lines stay within 78
// octets as far as what they tell lets them (RFC 5322 §2.1.1).
func (o ReceivedOptions) field(t *Transaction) []byte {
	s := t.Session
	f := fold{b: make([]byte, 0, 320)}
	f.b = append(f.b, "Received:"...)
	f.line = len(f.b)
	utf8 := t.Params.UTF8
	if !o.HideClient {
		f.add("from " + fieldAtom(s.Hello, utf8))
		if ip := s.Remote.Addr(); ip.IsValid() {
			f.add("(" + addr.Literal(ip) + ")")
		}
	}
	by := o.Name
	if by == "" {
		by = "localhost"
		if ip := s.Local.Addr(); ip.IsValid() {
			by = addr.Literal(ip)
		}
	}
	f.add("by " + fieldAtom(by, utf8))
	f.add("with " + fieldAtom(withProtocol(s.Protocol, utf8), false))
	if t.ID != "" {
		f.add("id " + fieldAtom(t.ID, false))
	}
	if len(t.To) == 1 {
		f.add("for " + t.To[0].Path.String())
	}
	if s.TLS != nil { // an additional clause stands behind the known ones (RFC 5321 §4.4)
		f.add("tls " + tls.CipherSuiteName(s.TLS.CipherSuite))
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	f.b = append(f.b, ';')
	f.add(now().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	return append(f.b, '\r', '\n')
}

// withProtocol: RFC 6531 §4.3.
func withProtocol(name string, utf8 bool) string {
	switch {
	case utf8 && strings.HasPrefix(name, "ESMTP"):
		return "UTF8SMTP" + name[len("ESMTP"):]
	case utf8 && strings.HasPrefix(name, "LMTP"):
		return "UTF8" + name
	}
	return name
}

// fold writes words with a space between, or a fold where the line gets long.
type fold struct {
	b    []byte
	line int // octets of the line so far
}

func (f *fold) add(word string) {
	first := len(f.b) == len("Received:")   // a line of nothing but the name confuses some
	if !first && f.line+1+len(word) >= 78 { // one octet is for the ";"
		f.b = append(f.b, "\r\n\t"...)
		f.line = 1
	} else {
		f.b = append(f.b, ' ')
		f.line++
	}
	f.b = append(f.b, word...)
	f.line += len(word)
}

// fieldAtom makes a name fit for the field: what a peer says of itself could
// hold parentheses, semicolons or more. Other than ASCII only mail may have
// that asked for SMTPUTF8.
func fieldAtom(s string, utf8 bool) string {
	clean := func(r rune) rune {
		if r <= ' ' || r >= 0x7f && !utf8 || !unicode.IsPrint(r) || strings.ContainsRune(`()<>;,"\`, r) {
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
