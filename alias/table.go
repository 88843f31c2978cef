package alias

import (
	"context"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// Table is an aliases file in memory. The zero value is empty. It is never
// changed, so it may be used by many goroutines.
//
// A name is looked up in this order; the first entry counts:
//
//  1. exact: ann+news@hamburger.edu, the tag included
//  2. tagged: ann+*@hamburger.edu, for any tag of ann
//  3. bare: ann@hamburger.edu
//  4. catch-all: @hamburger.edu, then for a subdomain @*.hamburger.edu, @*.edu
//
// The case of local-parts makes no difference, unless the options say so;
// domains are compared as A-labels in lower case. "postmaster" without a
// domain is the one of [ParseOptions].Domain (RFC 5321 §4.5.1).
type Table struct {
	entries map[name]Entry
	order   []name // as in the file
	options ParseOptions
}

// name is a key of the table. A catch-all has no local-part; its domain begins
// with "*." if it is for subdomains. The tag "*" is for any.
type name struct{ local, domain string }

// anyTag stands behind the local-part of an entry for all its tags. No path
// holds a NUL, so no address can be taken for it.
const anyTag = "\x00*"

// Len is the number of names.
func (t *Table) Len() int { return len(t.entries) }

// Lookup finds the entry for an address; the error is always nil.
func (t *Table) Lookup(_ context.Context, p smtp.Path) (Entry, bool, error) {
	if len(t.entries) == 0 || p.IsNull() {
		return Entry{}, false, nil
	}
	k := t.options.key(p)
	if e, ok := t.entries[k]; ok {
		return e, true, nil
	}
	if user, tagged := t.options.cutTag(k.local); tagged {
		for _, local := range [...]string{user + anyTag, user} {
			if e, ok := t.entries[name{local, k.domain}]; ok {
				return e, true, nil
			}
		}
	}
	return t.catchAll(p, k.domain)
}

// catchAll finds the entry of a domain or of one above it.
func (t *Table) catchAll(p smtp.Path, domain string) (Entry, bool, error) {
	if e, ok := t.entries[name{"", domain}]; ok {
		return sameLocal(p, e), true, nil
	}
	for rest := domain; ; {
		_, up, ok := strings.Cut(rest, ".")
		if !ok || strings.HasPrefix(domain, "[") { // an address literal has no parents
			return Entry{}, false, nil
		}
		if e, ok := t.entries[name{"", "*." + up}]; ok {
			return sameLocal(p, e), true, nil
		}
		rest = up
	}
}

// sameLocal puts the local-part of p into targets that name a domain only.
func sameLocal(p smtp.Path, e Entry) Entry {
	var out []Target
	for i, t := range e.Targets {
		if t.Kind != wholeDomain {
			continue
		}
		if out == nil {
			out = append(out, e.Targets...)
		}
		// The domain was parsed with the table and the local-part is one, so
		// the path can only be too long; then nobody has that address.
		to, err := makePath(p.Local(), t.Text)
		if out[i] = (Target{Path: to}); err != nil {
			out[i] = Target{Kind: Refuse, Text: "550 5.1.3 address too long"}
		}
	}
	if out != nil {
		e.Targets = out
	}
	return e
}

// key is the form under which p stands in the table.
func (o *ParseOptions) key(p smtp.Path) name {
	k := name{p.Local(), p.Domain()}
	if k.domain == "" { // RFC 5321 §4.5.1
		k.domain = o.Domain
	}
	return o.fold(k)
}

func (o *ParseOptions) fold(k name) name {
	if !addr.IsASCII(k.domain) {
		if a, err := addr.ToASCII(k.domain); err == nil {
			k.domain = a
		}
	}
	k.domain = addr.Lower(k.domain)
	if !o.CaseSensitive || isRole(k.local) {
		k.local = addr.Lower(k.local)
	}
	return k
}

// isRole reports the names that RFC 2142 §1 wants recognized in any case.
func isRole(local string) bool {
	switch addr.Lower(local) {
	case "postmaster", "abuse", "noc", "security", "hostmaster", "webmaster", "www", "usenet",
		"news", "uucp", "ftp", "info", "marketing", "sales", "support", "mailer-daemon":
		return true
	}
	return false
}

// cutTag takes the tag off a local-part. With "-" as delimiter the names of
// lists stay whole.
func (o *ParseOptions) cutTag(local string) (user string, ok bool) {
	delimiter := o.Delimiter
	if delimiter == "" {
		delimiter = "+"
	}
	if strings.HasPrefix(local, ownerPrefix) || strings.HasSuffix(local, "-request") || local == "mailer-daemon" {
		delimiter = strings.ReplaceAll(delimiter, "-", "")
	}
	i := strings.IndexAny(local, delimiter)
	if i <= 0 { // a tag of nobody is none
		return local, false
	}
	return local[:i], true
}

// ownerPrefix makes the name behind it a list, whose owner is the name as a
// whole.
const ownerPrefix = "owner-"
