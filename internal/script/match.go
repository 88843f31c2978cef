package script

import "strings"

// Match reports whether a line, without its CRLF, fits a pattern: * is any run
// of characters, ** one star, and "* " at the very start is literal. Time is
// linear in the line for each star of the pattern.
func Match(pattern, line string) bool {
	parts := split(pattern)
	if len(parts) == 1 {
		return line == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(line) < len(first)+len(last) || !strings.HasPrefix(line, first) || !strings.HasSuffix(line, last) {
		return false
	}
	line = line[len(first) : len(line)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		// The leftmost place is as good as any: what follows may start anywhere after it.
		_, rest, ok := strings.Cut(line, p)
		if !ok {
			return false
		}
		line = rest
	}
	return true
}

// split cuts a pattern at its wildcards and undoes the escapes in between.
func split(pattern string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] != '*', untagged(pattern, i):
			b.WriteByte(pattern[i])
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteByte('*')
			i++
		default:
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	return append(parts, b.String())
}

// untagged reports whether the star at i is the mark of an IMAP response,
// RFC 9051 §7, which is literal.
func untagged(pattern string, i int) bool {
	return i == 0 && strings.HasPrefix(pattern, "* ")
}

// literal is a pattern as it is sent: a wildcard becomes a star.
func literal(pattern string) string { return strings.Join(split(pattern), "*") }

// quote is the pattern that fits the line and no other.
func quote(line string) string {
	if rest, ok := strings.CutPrefix(line, "* "); ok {
		return "* " + strings.ReplaceAll(rest, "*", "**")
	}
	return strings.ReplaceAll(line, "*", "**")
}
