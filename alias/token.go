package alias

import (
	"errors"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
)

// item is one target as it is written, and where in its line.
type item struct {
	text   string
	offset int
}

// scan is how far s goes before one of the characters of stop that is neither
// quoted, nor in a comment, nor behind a backslash.
func scan(s, stop string) int {
	quoted, depth := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '"':
			quoted = depth == 0
		case depth == 0 && strings.IndexByte(stop, c) >= 0:
			return i
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case c == '[' && depth == 0 && i > 0 && s[i-1] == '@': // an address literal has colons
			i += max(strings.IndexByte(s[i:], ']'), 0)
		}
	}
	return len(s)
}

// items reads the targets of a line from an offset on.
func (p *parser) items(l line, from int, included bool) []Target {
	var out []Target
	rest := l.text[from:]
	if strings.TrimSpace(rest) == "" {
		return nil
	}
	for more := true; more; {
		n := scanItem(rest)
		out = p.item(out, item{rest[:n], from}, l, included)
		if more = n < len(rest); more {
			rest, from = rest[n+1:], from+n+1
		}
	}
	return out
}

// scanItem finds the comma after the first target. A command without quotes
// around all of it has no comments: a shell means something else by "(".
func scanItem(s string) int {
	if !strings.HasPrefix(strings.TrimLeft(s, " \t\n"), "|") {
		return scan(s, ",")
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return i
		}
	}
	return len(s)
}

// item appends what one target is.
func (p *parser) item(out []Target, it item, l line, included bool) []Target {
	s := strings.TrimSpace(it.text)
	at := it.offset + len(it.text) - len(strings.TrimLeft(it.text, " \t\n"))
	if s == "" {
		p.fail(l, at, "an empty target: a comma too many?")
		return out
	}
	text, all, err := unquote(s)
	if err != "" {
		p.fail(l, at, "%s: %s", err, clip(s))
		return out
	}
	if !all {
		text = s
	}
	lower := addr.Lower(text)
	switch {
	case text == "/dev/null":
		return append(out, Target{Kind: Discard})
	case strings.HasPrefix(text, "|"), strings.HasPrefix(text, "/"):
		return p.command(out, text, all, at, l, included)
	case strings.HasPrefix(lower, ":include:"):
		return p.include(out, strings.TrimSpace(text[len(":include:"):]), at, l)
	case strings.HasPrefix(lower, "error:"):
		return p.refusal(out, strings.TrimSpace(text[len("error:"):]), at, l)
	case strings.HasPrefix(text, ":") && !all:
		p.fail(l, at, "unknown directive %s", clip(text))
		return out
	case !all && strings.HasPrefix(s, "#"):
		p.fail(l, at, "a comment stands on a line of its own: %s", clip(s))
		return out
	}
	return p.address(out, s, at, l)
}

// unquote undoes the quotes if they stand around all of s.
func unquote(s string) (text string, all bool, problem string) {
	if s[0] != '"' {
		return s, false, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1, ""
		case '\\':
			if i++; i == len(s) {
				return "", false, "a quotation mark is missing"
			}
		case '\n': // a continuation line in the middle of a quoted text
			return "", false, "a quoted text goes over the end of the line"
		}
		b.WriteByte(s[i])
	}
	return "", false, "a quotation mark is missing"
}

// command takes "|command" and "/file".
func (p *parser) command(out []Target, text string, all bool, at int, l line, included bool) []Target {
	kind, body := File, text
	if text[0] == '|' {
		kind, body = Pipe, strings.TrimSpace(text[1:])
	}
	if !all && strings.HasPrefix(body, `"`) { // |"command": the quotes are around the command
		if inner, whole, problem := unquote(body); whole && problem == "" {
			body = strings.TrimSpace(inner)
		}
	}
	switch {
	case included:
		p.fail(l, at, "a %v cannot stand in an included file: %s", kind, clip(text))
	case !p.options.Commands:
		p.fail(l, at, "a %v is not allowed: %s", kind, clip(text))
	case strings.TrimSpace(body) == "" || strings.Contains(body, "\n"):
		p.fail(l, at, "a %v without a name, or over several lines: %s", kind, clip(text))
	default:
		return append(out, Target{Kind: kind, Text: body})
	}
	return out
}

func (p *parser) refusal(out []Target, text string, at int, l line) []Target {
	_, err := parseRefusal(text)
	if err == nil && strings.Contains(text, "\n") {
		err = errors.New("a refusal over several lines")
	}
	if err != nil {
		p.fail(l, at, "%v: %s", err, clip(text))
		return out
	}
	return append(out, Target{Kind: Refuse, Text: text})
}

// address takes an address in any of the ways people write one.
func (p *parser) address(out []Target, s string, at int, l line) []Target {
	bare, problem := bareAddress(s)
	if problem != "" {
		p.fail(l, at, "%s: %s", problem, clip(s))
		return out
	}
	final := strings.HasPrefix(bare, `\`)
	bare = strings.TrimPrefix(bare, `\`)
	if domain, ok := strings.CutPrefix(bare, "@"); ok && !final {
		if _, err := makePath("postmaster", domain); err != nil {
			p.fail(l, at, "%s: %s", reason(err), clip(s))
			return out
		}
		return append(out, Target{Kind: wholeDomain, Text: p.options.fold(name{"", domain}).domain})
	}
	path, err := p.path(bare)
	if err != "" {
		p.fail(l, at, "%s: %s", err, clip(s))
		return out
	}
	return append(out, Target{Path: path, Final: final})
}

// bareAddress drops comments in parentheses, and the name before an address in
// angle brackets.
func bareAddress(s string) (bare, problem string) {
	var b strings.Builder
	for s != "" {
		n := scan(s, "(")
		b.WriteString(s[:n])
		if n == len(s) {
			break
		}
		end := scanComment(s[n:])
		if end < 0 {
			return "", "a parenthesis is not closed"
		}
		s = s[n+end:]
	}
	s = strings.TrimSpace(b.String())
	open := scan(s, "<")
	if open == len(s) {
		return s, ""
	}
	if !strings.HasSuffix(s, ">") {
		return "", "nothing may follow an address in angle brackets"
	}
	return strings.TrimSpace(s[open+1 : len(s)-1]), ""
}

// scanComment is the length of the comment s begins with, -1 if it has no end.
func scanComment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
