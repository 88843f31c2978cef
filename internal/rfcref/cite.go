package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// cite is one RFC, and perhaps one section of it, named in a comment.
type cite struct {
	path    string // of the file, relative to the module
	line    int
	rfc     int
	section string // "" if the RFC is cited as a whole
	test    bool
}

// problem is a citation that is wrong.
type problem struct {
	cite
	text string
}

func (p problem) String() string { return fmt.Sprintf("%s:%d: %s", p.path, p.line, p.text) }

func (c cite) String() string {
	if c.section == "" {
		return fmt.Sprintf("RFC %d", c.rfc)
	}
	return fmt.Sprintf("RFC %d §%s", c.rfc, c.section)
}

// scan finds the citations in the comments of all Go files below root, those
// of nested modules too.
func scan(root fs.FS) (cites []cite, malformed []problem, err error) {
	err = fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		name := path.Base(p)
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (name == "testdata" || name[0] == '.' || name[0] == '_'):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		cs, ms, err := scanFile(p, src)
		cites, malformed = append(cites, cs...), append(malformed, ms...)
		return err
	})
	return cites, malformed, err
}

func scanFile(p string, src []byte) (cites []cite, malformed []problem, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	test := strings.HasSuffix(p, "_test.go")
	for _, g := range f.Comments {
		text, lines := flatten(fset, g)
		cs, ms := parseText(text)
		for _, c := range cs {
			cites = append(cites, cite{p, lines[c.at], c.rfc, c.section, test})
		}
		for _, m := range ms {
			malformed = append(malformed, problem{cite{path: p, line: lines[m.at], test: test}, m.text})
		}
	}
	return cites, malformed, nil
}

// flatten is the text of a comment without its marks, with the number of the
// line for each byte: a citation may go on after a line break.
func flatten(fset *token.FileSet, g *ast.CommentGroup) (string, []int) {
	var text strings.Builder
	var lines []int
	for _, c := range g.List {
		n := fset.Position(c.Pos()).Line
		for l := range strings.Lines(c.Text) {
			l = strings.TrimPrefix(strings.TrimSuffix(l, "\n"), "//") + "\n"
			text.WriteString(l)
			for range len(l) {
				lines = append(lines, n)
			}
			n++
		}
	}
	return text.String(), lines
}

// found is a citation, or a malformed one, at a byte of the text.
type found struct {
	at      int
	rfc     int
	section string
	text    string // what is wrong with it
}

const (
	sectionPat = `(?:[0-9]{1,3}|[A-Z])(?:\.[0-9]{1,3})*`
	appendPat  = `(?:[Aa]ppendix\s+)`
)

var (
	head = regexp.MustCompile(`\bRFC(s?)(\s+|-|)([0-9]+)`)
	// wordy is how a section is written by those who forget the sign.
	wordy = regexp.MustCompile(`^,?\s+(?:[Ss]ec(?:tion|\.)?s?|§)\s+[0-9A-Z]`)
	// term is how RFC5322.From goes on, which is a name of RFC 5598 for a header
	// field and not a citation.
	term  = regexp.MustCompile(`^\.[A-Z]`)
	first = regexp.MustCompile(`^\s+(?:(§§?)|` + appendPat + `)(` + sectionPat + `)`)
	again = regexp.MustCompile(`^(?:–|-|\s*,\s*(?:and\s+)?|\s+(?:and|or|to)\s+)(§?)(` + sectionPat + `)`)
	// another is the next number after the plural RFCs.
	another = regexp.MustCompile(`^(?:\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|to)\s+|–)([0-9]{3,5})\b`)
)

// parseText finds the citations in running text.
func parseText(s string) (cites, malformed []found) {
	for pos := 0; ; {
		m := head.FindStringSubmatchIndex(s[pos:])
		if m == nil {
			return cites, malformed
		}
		at := pos + m[0]
		plural, gap := m[3] > m[2], s[pos+m[4]:pos+m[5]]
		digits := s[pos+m[6] : pos+m[7]]
		pos += m[1]
		if strings.TrimSpace(gap) != "" || gap == "" {
			if gap != "" || !term.MatchString(s[pos:]) {
				malformed = append(malformed, found{at: at, text: "write RFC " + digits + ", with a space"})
			}
			continue
		}
		for {
			n, err := strconv.Atoi(digits)
			if err != nil {
				break
			}
			if wordy.MatchString(s[pos:]) {
				malformed = append(malformed, found{at: at, text: "write RFC " + digits + " §, then the section"})
			}
			var cs []found
			cs, pos = sections(s, at, pos, n)
			cites = append(cites, cs...)
			next := another.FindStringSubmatchIndex(s[pos:])
			if !plural || next == nil {
				break
			}
			digits = s[pos+next[2] : pos+next[3]]
			at, pos = pos+next[2], pos+next[1]
		}
	}
}

// sections reads what may follow the number of an RFC. With §§ a list goes on
// without further signs; with § only what carries one belongs to it, since
// "§4 and 5 of them" is not section 5. A range names its two ends.
func sections(s string, at, pos, rfc int) ([]found, int) {
	m := first.FindStringSubmatchIndex(s[pos:])
	if m == nil {
		return []found{{at: at, rfc: rfc}}, pos
	}
	many := m[3]-m[2] == len("§§")
	out := []found{{at: at, rfc: rfc, section: s[pos+m[4] : pos+m[5]]}}
	pos += m[1]
	for {
		m := again.FindStringSubmatchIndex(s[pos:])
		if m == nil || m[2] == m[3] && !many {
			return out, pos
		}
		out = append(out, found{at: at, rfc: rfc, section: s[pos+m[4] : pos+m[5]]})
		pos += m[1]
	}
}
