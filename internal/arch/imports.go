package arch

import (
	"bufio"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Imports checks every import against the table of arrows.
func Imports(files []*File) []Problem {
	var ps []Problem
	seen := map[string]bool{}
	for _, f := range files {
		if _, ok := allowed[f.Pkg]; !ok && !isExample(f.Pkg) && !seen[f.Pkg] {
			seen[f.Pkg] = true
			ps = append(ps, Problem{Path: f.Pkg, Text: "the package has no row in the table of internal/arch"})
		}
		for _, spec := range f.AST.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has complained
			}
			if why := refuse(f, imp); why != "" {
				ps = append(ps, f.problem(spec.Pos(), "imports %s: %s", imp, why))
			}
		}
	}
	return ps
}

// refuse returns why a file may not import a package, or "".
func refuse(f *File, imp string) string {
	local, ours := strings.CutPrefix(imp, Module+"/")
	switch {
	case below(imp, "testing") && !f.Test && !slices.Contains(testHelpers, f.Pkg):
		return "testing belongs in tests and test helpers"
	case isStd(imp):
		return ""
	case imp == Module:
		return "the root package holds no identifiers"
	case f.Test:
		return refuseTest(imp, ours)
	case !ours:
		return refuseForeign(f.Pkg, imp)
	case isInternal(local):
		return ""
	case isInternal(f.Pkg):
		return "an internal package stands below all public ones"
	case isExample(f.Pkg) && !isExample(local), slices.Contains(closure(f.Pkg), local), below(local, f.Pkg+"/internal"):
		return ""
	}
	return "no such arrow"
}

func refuseTest(imp string, ours bool) string {
	if ours || slices.ContainsFunc(testModules, func(m string) bool { return below(imp, m) }) {
		return ""
	}
	return "no such dependency, not even for tests"
}

func refuseForeign(pkg, imp string) string {
	if slices.ContainsFunc(closure(pkg), func(a string) bool { return below(imp, a) }) {
		return ""
	}
	if below(imp, "github.com/stretchr/testify") {
		return "testify belongs in tests"
	}
	return "no such arrow"
}

// GoMod checks that the root module requires nothing beyond the few modules
// it may depend on.
func GoMod(root fs.FS) ([]Problem, error) {
	f, err := root.Open("go.mod")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ps []Problem
	block := ""
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		words := strings.Fields(sc.Text())
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "//"):
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		case words[0] == ")":
			block = ""
			continue
		case block != "":
			words = append([]string{block}, words...)
		}
		switch words[0] {
		case "require":
			if !slices.Contains(modules, words[1]) {
				ps = append(ps, Problem{"go.mod", n, "requires " + words[1]})
			}
		case "replace", "exclude", "tool":
			ps = append(ps, Problem{"go.mod", n, words[0] + " belongs in a nested module"})
		}
	}
	return ps, sc.Err()
}
