package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// pattern is what LIST compares names with: "*" stands for any run of
// characters, "%" for one within a level (RFC 9051 §6.3.9).
type pattern string

// newPattern simplifies: a run of wildcards matches what its strongest does.
func newPattern(s string) pattern {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '*' && s[i] != '%' {
			b.WriteByte(s[i])
			i++
			continue
		}
		wild := byte('%')
		for ; i < len(s) && (s[i] == '*' || s[i] == '%'); i++ {
			if s[i] == '*' {
				wild = '*'
			}
		}
		b.WriteByte(wild)
	}
	return pattern(b.String())
}

// levels reports whether levels of the hierarchy that are no mailboxes match
// too.
func (p pattern) levels() bool { return strings.HasSuffix(string(p), "%") }

// match compares. INBOX has any case. It takes no more than length of the
// pattern times length of the name steps, whatever they are: it follows all
// places of the pattern at once, as bits.
func (p pattern) match(name string) bool {
	inbox := 0
	if level, _, _ := strings.Cut(name, mailbox.Separator); level == mailbox.Inbox {
		inbox = len(level)
	}
	// reach[i]: the first i characters of the pattern match what was read.
	reach, next := make([]bool, len(p)+1), make([]bool, len(p)+1)
	reach[0] = true
	p.slide(reach)
	for i := range len(name) {
		c := name[i]
		clear(next)
		for j := range len(p) {
			switch q := p[j]; {
			case !reach[j]:
			case q == '*', q == '%' && c != mailbox.Separator[0]:
				next[j] = true // it stays, and takes one more
			case q == c, i < inbox && wire.EqualFold(string(q), string(c)):
				next[j+1] = true
			}
		}
		p.slide(next)
		reach, next = next, reach
	}
	return reach[len(p)]
}

// slide goes past wildcards, which may match nothing.
func (p pattern) slide(reach []bool) {
	for j := range len(p) {
		if reach[j] && (p[j] == '*' || p[j] == '%') {
			reach[j+1] = true
		}
	}
}
