package main

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// heading is a line that may open a section: a dotted number, or Appendix A,
// or A.1, then at least a space and a title.
var (
	heading  = regexp.MustCompile(`^( *)([0-9]{1,2}(?:\.[0-9]{1,2})*|[A-Z](?:\.[0-9]{1,2})+)\.?[ \t]+\S`)
	lettered = regexp.MustCompile(`^ {0,3}(?:(?:Appendix|APPENDIX)[ \t]+([A-Z])\b|([A-Z])\.[ \t]+[A-Z])`)
)

// maxIndent is how far a heading may be from the margin; RFC 1123 indents the
// third level by six.
const maxIndent = 9

// outline returns the numbers of the sections in the text of an RFC. Layouts
// differ: with and without a final dot, with indented headings and at the
// margin. So a number is believed if it is where a heading could be and what
// comes before it in the numbering is there too: 4.1.2 needs 4.1.1 and 4.1.
// Numbered lists and examples hardly ever pass; a table of contents does, and
// names what is there anyway.
func outline(text string) []string {
	seen := map[string]bool{}
	letters := map[string]bool{}
	indented := !margin.MatchString(text)
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\r\n")
		if m := lettered.FindStringSubmatch(l); m != nil {
			letters[cmp.Or(m[1], m[2])] = true
		}
		m := heading.FindStringSubmatch(l)
		if m == nil || len(m[1]) > maxIndent {
			continue
		}
		if strings.Contains(m[2], ".") || m[1] == "" || indented {
			seen[m[2]] = true
		}
	}
	for s := range seen {
		if a, _, _ := strings.Cut(s, "."); a[0] >= 'A' && letters[a] {
			seen[a] = true
		}
	}
	for a := range letters {
		seen[a] = true
	}
	return believe(seen)
}

// margin is the first heading of an RFC whose main sections start at the margin.
var margin = regexp.MustCompile(`(?m)^1\.?[ \t]+\S`)

// believe keeps the numbers whose predecessor and parent are kept, in order.
func believe(seen map[string]bool) []string {
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	slices.SortFunc(all, compareSections)
	kept := map[string]bool{}
	var out []string
	for _, s := range all {
		parent, last := cutLast(s)
		if parent != "" && !kept[parent] || !first1(last) && !kept[before(parent, last)] {
			continue
		}
		kept[s] = true
		out = append(out, s)
	}
	return out
}

// first1 reports whether a number can open its level.
func first1(last string) bool { return last == "1" || last == "A" }

func before(parent, last string) string {
	prev := string(last[0] - 1)
	if n, err := strconv.Atoi(last); err == nil {
		prev = strconv.Itoa(n - 1)
	}
	if parent == "" {
		return prev
	}
	return parent + "." + prev
}

// cutLast splits 4.1.2 into 4.1 and 2.
func cutLast(s string) (parent, last string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// compareSections orders by level and number, letters after digits.
func compareSections(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		return cmp.Compare(rank(x), rank(y))
	})
}

func rank(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return 1000 + int(s[0])
}
