package mailbox

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inbox is the name of the mailbox that mail arrives in. Every [Store] has it.
const Inbox = "INBOX"

// Separator stands between the levels of a name: "Work/Projects". It is the same
// for every store; one whose engine has another translates.
const Separator = "/"

// Limits of names.
const (
	MaxName  = 1000 // bytes
	MaxDepth = 64   // levels
)

// CheckName returns the canonical form of a name: the first level INBOX is
// written so, in whatever case it came (RFC 9051 §5.1). The error, [ErrCannot],
// is for names that no mailbox may have: not UTF-8, control characters, line
// separators, empty levels, a level that is "." or "..", too long, too deep.
//
// Names are compared byte for byte: whoever takes them from a person or a peer
// normalises them to NFC before.
func CheckName(name string) (string, error) {
	switch {
	case name == "" || len(name) > MaxName || !utf8.ValidString(name):
		return "", refuse(ErrCannot, "bad name "+clip(name))
	case strings.Count(name, Separator) >= MaxDepth:
		return "", refuse(ErrCannot, "name with too many levels")
	case strings.ContainsFunc(name, badInName):
		return "", refuse(ErrCannot, "control character in name "+clip(name))
	}
	for level := range strings.SplitSeq(name, Separator) {
		if level == "" || level == "." || level == ".." {
			return "", refuse(ErrCannot, "empty level in name "+clip(name))
		}
	}
	if first, _, _ := strings.Cut(name, Separator); strings.EqualFold(first, Inbox) {
		name = Inbox + name[len(first):]
	}
	return name, nil
}

// badInName: what could end a line or hide in one (RFC 9051 §5.1).
func badInName(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
}
