package alias

import (
	"context"
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// Kind says what a [Target] is. The zero value is an address.
type Kind uint8

const (
	Address Kind = iota // Path is an address, looked up in turn
	Pipe                // Text is a command, without the bar; nothing here runs it
	File                // Text is the absolute path of a file; nothing here opens it
	Refuse              // Text refuses the mail: "550 5.1.6 moved away"
	Discard             // the mail is accepted and dropped
)

// String names the kind in lower case.
func (k Kind) String() string {
	names := [...]string{"address", "pipe", "file", "refuse", "discard"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Target is one thing that a name stands for.
type Target struct {
	Kind  Kind
	Path  smtp.Path // of an Address; the null path is a mistake
	Final bool      // an Address that is delivered as it is, without another lookup
	Text  string    // of all other kinds
}

// String is the target as an aliases file writes it; [Parse] reads it back.
func (t Target) String() string {
	switch t.Kind {
	case Pipe:
		return quote("|" + t.Text)
	case File:
		return quote(t.Text)
	case Refuse:
		return quote("error:" + t.Text)
	case Discard:
		return "/dev/null"
	}
	s := safeAddress(t.Path.Local(), t.Path.Domain())
	switch {
	case t.Kind == wholeDomain:
		return "@" + t.Text
	case t.Final:
		return `\` + s
	}
	return s
}

// safeAddress quotes the local-part wherever an aliases file might see more in
// it than an address.
func safeAddress(local, domain string) string {
	if strings.ContainsFunc(local, func(r rune) bool {
		return r < '-' || r == '/' || '9' < r && r < 'A' || 'Z' < r && r < '_' || '_' < r && r < 'a' || 'z' < r
	}) || addr.Quote(local) != local {
		local = quote(local)
	}
	if domain == "" {
		return local
	}
	return local + "@" + domain
}

// quote writes s between quotation marks.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Entry is what one name stands for. The zero value, with found true, stands
// for nobody, which is a mistake of the table: such mail waits.
type Entry struct {
	Targets []Target

	// Owner makes the entry a mailing list (RFC 5321 §3.9.2): each member gets
	// a copy of its own, and reports about it go to Owner. The null path makes
	// it an alias (RFC 5321 §3.9.1): one message, whose sender stays.
	Owner smtp.Path

	// Prefix is put on top of the copies of a list: whole header fields, each
	// with its CRLF. It must not be set for an alias, whose message stays
	// unchanged.
	Prefix []byte

	// KeepCopy delivers to the name itself as well, as if it stood among the
	// targets.
	KeepCopy bool
}

// Resolver finds what a name stands for. found is false where there is no
// entry: the name is then itself the address. An error means that this could
// not be found out, and the mail waits. Lookup is called by many goroutines;
// what it returns is not changed by anybody.
type Resolver interface {
	Lookup(ctx context.Context, addr smtp.Path) (e Entry, found bool, err error)
}

// Func is a func as a [Resolver].
type Func func(ctx context.Context, addr smtp.Path) (e Entry, found bool, err error)

// Lookup calls f.
func (f Func) Lookup(ctx context.Context, addr smtp.Path) (e Entry, found bool, err error) {
	return f(ctx, addr)
}

// Chain asks one resolver after the other until one has an entry or an error.
// A table with a catch-all belongs behind those that know who exists.
func Chain(r ...Resolver) Resolver { return chain(r) }

type chain []Resolver

func (c chain) Lookup(ctx context.Context, addr smtp.Path) (Entry, bool, error) {
	for _, r := range c {
		if e, found, err := r.Lookup(ctx, addr); found || err != nil {
			return e, found, err
		}
	}
	return Entry{}, false, nil
}

// makePath makes a path of a decoded local-part and a domain.
func makePath(local, domain string) (smtp.Path, error) {
	return smtp.ParsePath(addr.Quote(local) + "@" + domain)
}

// same is the form in which paths are compared: U-labels and A-labels of one
// domain are one name (RFC 5890 §2.3.2.4). The local-part is left alone, its
// case is its owner's business (RFC 5321 §2.4).
func same(p smtp.Path) smtp.Path {
	if addr.IsASCII(p.Domain()) {
		return p
	}
	domain, err := addr.ToASCII(p.Domain())
	if err != nil {
		return p
	}
	if q, err := makePath(p.Local(), domain); err == nil {
		return q
	}
	return p
}

// describe writes a way through names: "<team@…> → <ann@…>".
func describe(path []smtp.Path) string {
	var b strings.Builder
	for i, p := range path {
		if i > 0 {
			b.WriteString(" → ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}
