package smtp

import (
	"github.com/postilion-mail/postilion/internal/addr"
)

// Path is an address of the envelope: a reverse-path or a forward-path
// (RFC 5321 §4.1.2). The zero value is the null reverse-path "<>", from which
// bounces come.
//
// [ParsePath] is the only way to make another one, so no Path holds CR, LF, NUL
// or what quoting does not cover, and none can carry a parameter or a command
// into a dialogue. Paths are comparable: the domain is in lower case, and the
// local-part is what quoting means, so <"ann"@example.org> == <ann@example.org>.
// The case of the local-part is its owner's business and is kept.
type Path struct{ local, domain string }

// ParsePath reads a path as it stands in a command, "<ann@example.org>" or
// "<>", or the same without brackets; "" is "<>" too. Source routes are read
// and dropped. The domain may hold U-labels and the local-part UTF-8 (RFC 6531
// §3.3). "postmaster", in any case, may stand without a domain (RFC 5321
// §4.5.1). The error is an *[Error] with 501 5.1.3.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return Path{}, nil
	}
	var p Path
	var rest string
	var err error
	if s[0] == '<' {
		p.local, p.domain, rest, err = addr.CutPath(s)
	} else {
		p.local, p.domain, err = addr.ParseMailbox(s)
	}
	if err == nil && rest != "" {
		err = addr.ErrSyntax
	}
	if err != nil {
		return Path{}, badPath(err)
	}
	return p, nil
}

// badPath says what is wrong in the words of addr, which are fit for the peer.
func badPath(err error) error {
	return &Error{Reply: Reply{501, "5.1.3", err.Error()}, Err: err}
}

// Local is the local-part without its quoting: `"a b"@example.org` gives `a b`.
func (p Path) Local() string { return p.local }

// Domain is the domain in lower case, or an address literal in brackets.
func (p Path) Domain() string { return p.domain }

// IsNull reports the null reverse-path.
func (p Path) IsNull() bool { return p == Path{} }

// IsASCII reports whether the path can be sent without SMTPUTF8, as it is or
// with its domain turned into A-labels.
func (p Path) IsASCII() bool { return addr.IsASCII(p.local) }

// ToASCII gives the path with A-labels in its domain (RFC 5890 §2.3.2.1), for
// a server without SMTPUTF8. It reports false where the local-part is not
// ASCII or the domain has no such form.
func (p Path) ToASCII() (Path, bool) {
	if addr.IsASCII(p.local) && addr.IsASCII(p.domain) {
		return p, true
	}
	domain, err := addr.ToASCII(p.domain)
	if err != nil || !addr.IsASCII(p.local) {
		return p, false
	}
	return Path{p.local, domain}, true
}

// Address is the path without brackets, quoted where needed:
// ann@example.org, "a b"@example.org; "" for the null path.
func (p Path) Address() string {
	local := p.local
	if local != "" || p.domain != "" {
		local = addr.Quote(local)
	}
	if p.domain == "" {
		return local
	}
	return local + "@" + p.domain
}

// String is the path as a command carries it, in angle brackets.
func (p Path) String() string { return "<" + p.Address() + ">" }

// MarshalText writes [Path.String].
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what [ParsePath] reads.
func (p *Path) UnmarshalText(b []byte) error {
	q, err := ParsePath(string(b))
	if err == nil {
		*p = q
	}
	return err
}
