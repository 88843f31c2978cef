package spf

import (
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mx/dns"
)

// maxExplanation keeps an explanation within one reply line with what stands around
// it (RFC 5321 §4.5.3.1.5).
const maxExplanation = 400

// explain finds the explanation of a fail (RFC 7208 §6.2): that of the record
// which failed, after redirects, never that of an included one. Whatever is wrong
// with it, the check does not suffer: there just is none.
func (e *eval) explain(f frame) string {
	if s := e.published(f); s != "" {
		return s
	}
	return e.checker.Explanation
}

// published asks for the explanation of the domain; "" if there is none to use.
func (e *eval) published(f frame) string {
	m := &f.record.Exp
	if m.Text == "" || m.target.silent(e) {
		return ""
	}
	name, ok := m.target.name, true
	if m.target.macro {
		name, ok = e.expand(name, f.domain)
	}
	if !ok || dns.CheckName(name) != nil {
		return ""
	}
	a, err := e.lookup(name, dns.TXT)
	if err != nil || len(a.RRs) != 1 {
		return ""
	}
	text := a.RRs[0].Data
	x := macroString(text, "", true)
	if x.fault != "" || x.uses.has("sl") && !addr.IsASCII(e.local) {
		return ""
	}
	e.buf = e.appendMacros(e.buf[:0], text, f.domain)
	return printable(e.buf)
}

// printable gives b as one line, or "" if it holds anything but printable ASCII,
// which a macro such as %{h} might bring in.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return strings.TrimSpace(string(b[:min(len(b), maxExplanation)]))
}
