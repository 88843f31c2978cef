package alias

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// ParseOptions say how an aliases file is read. The zero value reads whole
// addresses and nothing dangerous.
type ParseOptions struct {
	// Domain completes names and targets without one. "": such a name is a
	// mistake.
	Domain string

	// Include lets ":include:/path" read members from that file. Whoever may
	// write the file can then receive the mail, so it must not be writable by
	// everybody, and neither commands nor files may stand in it.
	Include bool

	// Commands lets "|command" and "/file" stand in the table, as data.
	Commands bool

	// Delimiter are the characters that begin a tag; "" means "+". "\x00",
	// which no address holds, switches tags off.
	Delimiter string

	// CaseSensitive tells Ann from ann. The role names of RFC 2142 stay the
	// same in any case.
	CaseSensitive bool

	// Every, Now and Report are for [Open]: how often the file is looked at
	// for changes, 0 means once a second; the clock, nil means time.Now; and
	// who hears of a change that cannot be read, once for each new mistake.
	Every  time.Duration
	Now    func() time.Time
	Report func(error)

	// MaxSize is the number of octets that the file and what it includes may
	// have together; 0 means 16 MiB.
	MaxSize int64
}

// wholeDomain is a target "@domain", whose local-part a lookup fills in. It
// never leaves the table.
const wholeDomain Kind = 0xff

// Parse reads a table in the format of aliases(5); the manual of the package
// describes it. The error is [ParseErrors], with every mistake there is, or
// that of r; then there is no table.
func Parse(r io.Reader, o ParseOptions) (*Table, error) {
	t, _, err := parse(r, "", o)
	return t, err
}

// parse also says which files it read, or could not.
func parse(r io.Reader, file string, o ParseOptions) (*Table, []stamp, error) {
	p := newParser(o)
	lines, err := p.readLines(r, file)
	if err != nil {
		return nil, nil, err
	}
	p.table.order = make([]name, 0, len(lines))
	for _, l := range lines {
		p.entry(l)
	}
	t, err := p.finish()
	return t, p.files, err
}

// FromMap makes a table of names and their targets, each written as in a file.
// The error is [ParseErrors].
func FromMap(m map[string][]string, o ParseOptions) (*Table, error) {
	p := newParser(o)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		k, ok := p.name(name, line{})
		if !ok {
			continue
		}
		before := len(p.errs)
		var targets []Target
		for _, s := range m[name] {
			targets = p.item(targets, item{s, 0}, line{text: s}, false)
		}
		if len(targets) > 0 || len(p.errs) == before {
			p.add(k, name, targets, line{})
		}
	}
	return p.finish()
}

// parser reads one table. Mistakes are collected, not returned: who mends a
// file wants to see all of them.
type parser struct {
	options ParseOptions
	table   *Table
	where   map[name]line
	errs    ParseErrors
	left    int64    // octets that may still be read
	within  []string // the files being included, the outermost first
	files   []stamp  // all that were included
}

func newParser(o ParseOptions) *parser {
	p := &parser{options: o, where: map[name]line{}, left: cmp.Or(o.MaxSize, 16<<20)}
	if o.Domain != "" {
		p.options.Domain = addr.Lower(o.Domain)
		if _, err := makePath("postmaster", o.Domain); err != nil {
			p.fail(line{}, 0, "the domain %q of the options: %s", o.Domain, reason(err))
		}
	}
	p.table = &Table{entries: map[name]Entry{}, options: p.options}
	return p
}

// line is a logical line: one that begins without white space, and those that
// continue it.
type line struct {
	file  string
	first int
	text  string // joined by "\n", so that offsets give line numbers
	more  []string
	lines []int // the number of each line in more
}

// number is the line of the file in which the octet at offset stands.
func (l line) number(offset int) int {
	n := strings.Count(l.text[:min(offset, len(l.text))], "\n")
	if n == 0 || n > len(l.lines) {
		return l.first
	}
	return l.lines[n-1]
}

func (p *parser) fail(l line, offset int, format string, args ...any) {
	if len(p.errs) < maxParseErrors {
		p.errs = append(p.errs, &ParseError{l.file, l.number(offset), fmt.Sprintf(format, args...)})
	}
}

// readLines reads all of r and joins continuation lines. Empty lines and
// comments, whose first octet that is not white space is "#", are no lines;
// they do not end the one above.
func (p *parser) readLines(r io.Reader, file string) ([]line, error) {
	var out []line
	in := bufio.NewReader(io.LimitReader(r, p.left+1))
	for n := 1; ; n++ {
		text, err := in.ReadString('\n')
		if p.left -= int64(len(text)); p.left < 0 {
			p.fail(line{file: file, first: n}, 0, "the table is larger than %d octets", cmp.Or(p.options.MaxSize, 16<<20))
			return nil, p.errs
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		out = p.join(out, strings.TrimRight(text, "\r\n"), file, n)
		if err == io.EOF {
			break
		}
	}
	for i := range out { // once, or long entries would cost their square
		if l := &out[i]; len(l.more) > 0 {
			l.text = strings.Join(append([]string{l.text}, l.more...), "\n")
			l.more = nil
		}
	}
	return out, nil
}

func (p *parser) join(out []line, text, file string, n int) []line {
	bare := strings.TrimLeft(text, " \t")
	here := line{file: file, first: n, text: text}
	switch {
	case bare == "" || bare[0] == '#':
		return out
	case !utf8.ValidString(text):
		p.fail(here, 0, "the line is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		p.fail(here, 0, "the line has a control character")
	case bare == text || len(p.within) > 0:
		return append(out, here)
	case len(out) == 0:
		p.fail(here, 0, "the first line begins with white space, there is nothing to continue")
	default:
		last := &out[len(out)-1]
		last.more = append(last.more, text)
		last.lines = append(last.lines, n)
	}
	return out
}

// entry reads "name: target, target".
func (p *parser) entry(l line) {
	n := scan(l.text, ":")
	if n == len(l.text) {
		p.fail(l, 0, "no colon after a name: %s", clip(l.text))
		return
	}
	spelt := strings.TrimSpace(l.text[:n])
	k, ok := p.name(spelt, l)
	before := len(p.errs)
	targets := p.items(l, n+1, false)
	if ok && (len(targets) > 0 || len(p.errs) == before) {
		p.add(k, spelt, targets, l)
	}
}

// add puts an entry into the table.
func (p *parser) add(k name, spelt string, targets []Target, l line) {
	if first, dup := p.where[k]; dup {
		p.fail(l, 0, "%s stands in the table before, in line %d", clip(spelt), first.first)
		return
	}
	refuses := slices.ContainsFunc(targets, func(t Target) bool { return t.Kind == Refuse })
	switch {
	case len(targets) == 0:
		p.fail(l, 0, "%s has no targets", clip(spelt))
	case refuses && len(targets) > 1:
		p.fail(l, 0, "%s refuses mail and has other targets", clip(spelt))
	case k.local != "" && slices.ContainsFunc(targets, func(t Target) bool { return t.Kind == wholeDomain }):
		p.fail(l, 0, "%s has a domain as target, which only a catch-all can have", clip(spelt))
	}
	p.where[k] = l
	p.table.entries[k] = Entry{Targets: targets}
	p.table.order = append(p.table.order, k)
}

// finish makes lists of the names that have an owner, as sendmail does.
func (p *parser) finish() (*Table, error) {
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	for k, e := range p.table.entries {
		if k.local == "" || strings.HasSuffix(k.local, anyTag) {
			continue
		}
		if _, ok := p.table.entries[name{ownerPrefix + k.local, k.domain}]; ok {
			// The owner's name was read as an address, so it is one.
			e.Owner, _ = makePath(ownerPrefix+k.local, k.domain)
			p.table.entries[k] = e
		}
	}
	return p.table, nil
}

// reason is what is wrong with an address, without the reply code before it.
func reason(err error) string {
	if e, ok := err.(*smtp.Error); ok {
		return e.Text
	}
	return err.Error()
}

// clip quotes what people wrote for an error, not too much of it.
func clip(s string) string {
	if len(s) > 60 {
		s = s[:57] + "..."
	}
	return fmt.Sprintf("%q", s)
}
