package mailbox

import (
	"slices"
	"strings"
)

// SysFlags are the system flags that a message can keep, as bits
// (RFC 9051 §2.3.2). \Recent is none: it belongs to a session, see [Recent].
type SysFlags uint16

// The system flags.
const (
	Seen SysFlags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

// sysNames are the names of the bits, in their order.
var sysNames = [...]string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`}

// MaxKeyword is how many bytes a keyword may have.
const MaxKeyword = 255

// Flags are the flags of one message. Keywords is in canonical form: the
// keywords in alphabetical order, case ignored, each once, with one space
// between them. Flags in canonical form are equal exactly if == says so, up to
// the spelling of keywords: "$Junk" and "$junk" are one keyword to every method
// here, and a store keeps the spelling that came first; see [Spelling].
//
// [ParseFlags] and [FlagOp.Apply] give the canonical form.
type Flags struct {
	Sys      SysFlags
	Keywords string
}

// ParseFlags makes Flags of names such as `\Seen` and "$Forwarded", in any case
// and order. The error, [ErrCannot], is for names that can be no flag: an
// unknown one with a backslash, `\Recent`, or one that is no atom.
func ParseFlags(names ...string) (Flags, error) {
	var f Flags
	var words []string
	for _, n := range names {
		if i := slices.IndexFunc(sysNames[:], func(s string) bool { return strings.EqualFold(s, n) }); i >= 0 {
			f.Sys |= 1 << i
			continue
		}
		if !isKeyword(n) {
			return Flags{}, refuse(ErrCannot, "no such flag: "+clip(n))
		}
		words = append(words, n)
	}
	f.Keywords = canonical(words)
	return f, nil
}

// isKeyword reports whether s is an atom (RFC 9051 §9, flag-keyword). "]" is an
// atom character of IMAP4rev1 only in some places, and no keyword needs it.
func isKeyword(s string) bool {
	if s == "" || len(s) > MaxKeyword {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// canonical sorts words, drops those that came before, and joins them.
func canonical(words []string) string {
	slices.SortStableFunc(words, compareFold)
	words = slices.CompactFunc(words, strings.EqualFold)
	return strings.Join(words, " ")
}

// compareFold orders as if all were in lower case. Keywords are ASCII.
func compareFold(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// Names are all flags, system flags first, as IMAP writes them.
func (f Flags) Names() []string {
	var out []string
	for i, n := range sysNames {
		if f.Sys&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return append(out, strings.Fields(f.Keywords)...)
}

// String is the names with spaces between them.
func (f Flags) String() string { return strings.Join(f.Names(), " ") }

// Has reports whether the message has a flag of this name, case ignored.
func (f Flags) Has(name string) bool {
	for i, n := range sysNames {
		if strings.EqualFold(n, name) {
			return f.Sys&(1<<i) != 0
		}
	}
	return f.HasKeyword(name)
}

// HasKeyword reports whether the message has a keyword, case ignored. It does
// not allocate.
func (f Flags) HasKeyword(word string) bool {
	for w := range strings.SplitSeq(f.Keywords, " ") {
		if w != "" && strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// FlagOp says what SetFlags does with the flags it is given (RFC 9051 §6.4.6).
type FlagOp uint8

// The operations.
const (
	ReplaceFlags FlagOp = iota // the message has these flags and no others
	AddFlags                   // and these
	RemoveFlags                // but not these
)

// Apply returns what becomes of old. It is what every store would otherwise
// write for itself. Keywords that old has keep their spelling.
func (op FlagOp) Apply(old, f Flags) Flags {
	switch op {
	case AddFlags:
		f.Sys |= old.Sys
		if old.Keywords != "" {
			f.Keywords = canonical(append(strings.Fields(old.Keywords), strings.Fields(f.Keywords)...))
		}
		return f
	case RemoveFlags:
		old.Sys &^= f.Sys
		if f.Keywords != "" {
			words := slices.DeleteFunc(strings.Fields(old.Keywords), f.HasKeyword)
			old.Keywords = strings.Join(words, " ")
		}
		return old
	}
	return f
}
