package mime

import "strings"

// An Address is one mailbox of an address field (RFC 5322 §3.4), or, where a
// sender wrote something that is no address, what could be kept of it.
//
// It is a plain value: writing one needs no error check, because Build reports
// what cannot be sent. The zero Address stands for nobody.
type Address struct {
	// Name is the display name: decoded, valid UTF-8, without control
	// characters. Where there is none but a comment stands beside the
	// address, it is that comment, as senders of RFC 822 times meant it.
	Name string

	// Addr is local@domain without comments, folding or angle brackets; the
	// local part keeps its quotes only where it needs them. It is never
	// decoded (RFC 2047 §5). It has no "@" where the sender wrote a lone word
	// such as MAILER-DAEMON, and is empty where there was no address at all.
	Addr string

	// Comment holds the comments of a parsed address, decoded and joined by a
	// space, without the outer parentheses. It is never part of a phrase in
	// Name: a comment that looks like an address must not be shown as one.
	Comment string

	// Route is the obsolete source route of a parsed address, such as
	// "@a.example,@b.example" (RFC 5322 §4.4), without the colon. Mail is
	// never sent along it.
	Route string

	err error // why a text given to To is no address; reported by Build
}

// A Group is a named list of addresses (RFC 5322 §3.4), or a run of addresses
// that stand outside of any group.
type Group struct {
	Name    string    // decoded; empty for addresses outside of groups
	Comment string    // comments beside the name
	Named   bool      // true for a group, even with an empty name
	Members []Address // may be empty: "undisclosed-recipients:;"
}

// Local returns the part of Addr before the last "@", with its quotes, and
// the whole of Addr where there is no "@".
func (a Address) Local() string {
	if i := strings.LastIndexByte(a.Addr, '@'); i >= 0 {
		return a.Addr[:i]
	}
	return a.Addr
}

// Domain returns the part of Addr after the last "@", as written.
func (a Address) Domain() string {
	if i := strings.LastIndexByte(a.Addr, '@'); i >= 0 {
		return a.Addr[i+1:]
	}
	return ""
}

// String returns the address as a person wants to see it: not encoded, hence
// not what a header field needs.
func (a Address) String() string {
	switch {
	case a.Name == "":
		return a.Addr
	case a.Addr == "":
		return displayName(a.Name)
	}
	return displayName(a.Name) + " <" + a.Addr + ">"
}

// displayName quotes a name that would be read as something else without
// quotes (RFC 5322 §3.2.3: specials).
func displayName(name string) string {
	if !strings.ContainsAny(name, `()<>[]:;@\,."`) {
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 2)
	b.WriteByte('"')
	for i := range len(name) {
		if name[i] == '"' || name[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	b.WriteByte('"')
	return b.String()
}
