package alias

import (
	"strings"

	"github.com/postilion-mail/postilion/smtp"
)

// name reads what stands before the colon.
func (p *parser) name(s string, l line) (name, bool) {
	bare, problem := bareAddress(s)
	if problem != "" {
		p.fail(l, 0, "%s: %s", problem, clip(s))
		return name{}, false
	}
	if bare == "*" { // the catch-all of our domain
		bare = "@" + p.options.Domain
	}
	if domain, ok := strings.CutPrefix(bare, "@"); ok {
		return p.catchAllName(domain, s, l)
	}
	bare, tagged := p.cutAnyTag(bare)
	path, problem := p.path(bare)
	if problem != "" {
		p.fail(l, 0, "%s: %s", problem, clip(s))
		return name{}, false
	}
	k := p.options.key(path)
	if tagged {
		k.local += anyTag
	}
	return k, true
}

func (p *parser) catchAllName(domain, s string, l line) (name, bool) {
	parent, sub := strings.CutPrefix(domain, "*.")
	if _, err := makePath("postmaster", parent); err != nil {
		p.fail(l, 0, "%s: %s", reason(err), clip(s))
		return name{}, false
	}
	k := p.options.fold(name{"", parent})
	if sub {
		k.domain = "*." + k.domain
	}
	return k, true
}

// cutAnyTag takes "+*" off the local-part, which stands for any tag. Quoted it
// stands for itself.
func (p *parser) cutAnyTag(s string) (bare string, ok bool) {
	local, domain, _ := strings.Cut(s, "@")
	if strings.HasPrefix(s, `"`) || len(local) < 3 || local[len(local)-1] != '*' {
		return s, false
	}
	user, tagged := p.options.cutTag(local)
	if !tagged || len(user) != len(local)-2 {
		return s, false
	}
	return user + s[len(local):len(s)-len(domain)] + domain, true
}

// path completes an address by the domain of the options.
func (p *parser) path(s string) (smtp.Path, string) {
	switch {
	case s == "":
		return smtp.Path{}, "an address is missing"
	case scan(s, "@") == len(s) && p.options.Domain != "":
		s += "@" + p.options.Domain
	case scan(s, "@") == len(s):
		return smtp.Path{}, "a domain is missing"
	}
	path, err := smtp.ParsePath(s)
	if err != nil {
		return smtp.Path{}, reason(err)
	}
	return path, ""
}
