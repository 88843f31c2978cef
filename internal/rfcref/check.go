package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// check holds the citations against the index and, where lib is not empty,
// against the texts.
func check(ix index, lib string, cites []cite) []problem {
	texts := map[int][]string{} // nil where there is no text
	var ps []problem
	for _, c := range cites {
		e := ix[c.rfc]
		if e == nil {
			ps = append(ps, problem{c, fmt.Sprintf("RFC %d is not in index.txt; -update adds it if its text is at hand", c.rfc)})
			continue
		}
		if c.section == "" {
			continue
		}
		secs, known := texts[c.rfc]
		if !known && lib != "" {
			if b, err := os.ReadFile(textPath(lib, c.rfc)); err == nil {
				secs = outline(string(b))
			}
			texts[c.rfc] = secs
		}
		switch {
		case secs != nil && !slices.Contains(secs, c.section):
			ps = append(ps, problem{c, c.String() + " does not exist"})
		case !slices.Contains(e.sections, c.section):
			ps = append(ps, problem{c, c.String() + " is not in index.txt"})
		}
	}
	return ps
}

func byNumber(cites []cite) map[int][]cite {
	m := map[int][]cite{}
	for _, c := range cites {
		m[c.rfc] = append(m[c.rfc], c)
	}
	return m
}

// writeTable prints the RFCs that non-test code cites. Without packages: those
// of the public packages, in Markdown, with the packages that cite each. With
// packages: those that these and the packages below them cite, as a list for a
// doc comment.
func writeTable(w io.Writer, ix index, cites []cite, pkgs []string) error {
	nums := byNumber(slices.DeleteFunc(slices.Clone(cites), func(c cite) bool { return c.test || !wanted(c, pkgs) }))
	if len(pkgs) == 0 {
		fmt.Fprint(w, "| RFC | title | packages |\n|---|---|---|\n")
	}
	for _, n := range slices.Sorted(maps.Keys(nums)) {
		e := cmp.Or(ix[n], &entry{title: "?"})
		if len(pkgs) == 0 {
			fmt.Fprintf(w, "| %d | %s | %s |\n", n, e.title, strings.Join(packages(nums[n]), ", "))
			continue
		}
		fmt.Fprintf(w, "//   - RFC %d: %s\n", n, e.title)
	}
	return nil
}

func packages(cites []cite) []string {
	set := map[string]bool{}
	for _, c := range cites {
		set[path.Dir(c.path)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// wanted reports whether a citation is for the table: of a package asked for,
// or of any public one.
func wanted(c cite, pkgs []string) bool {
	if len(pkgs) == 0 {
		dir := path.Dir(c.path)
		return dir != "." && !strings.HasPrefix(dir, "examples/") && !slices.Contains(strings.Split(dir, "/"), "internal")
	}
	return slices.ContainsFunc(pkgs, func(p string) bool {
		return strings.HasPrefix(c.path, strings.Trim(strings.TrimPrefix(p, "./"), "/")+"/")
	})
}
