package arch

import (
	"go/ast"
)

// Undocumented finds the exported names without a doc comment: functions,
// methods of exported types, types, constants and variables, of all packages
// but programs. The comment of a group of constants or variables, or one at
// the end of the line, counts for the names in it.
func Undocumented(files []*File) []Problem {
	var ps []Problem
	for _, f := range files {
		if f.Test || f.AST.Name.Name == "main" {
			continue
		}
		for _, d := range f.AST.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				t := receiver(d)
				if d.Name.IsExported() && (t == "" || ast.IsExported(t)) && !documented(d.Doc) {
					ps = append(ps, f.problem(d.Pos(), "%s", funcName(d)))
				}
			case *ast.GenDecl:
				ps = append(ps, f.undocumentedSpecs(d)...)
			}
		}
	}
	return ps
}

func (f *File) undocumentedSpecs(d *ast.GenDecl) []Problem {
	var ps []Problem
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			// The comment of a group of types says nothing about each of them.
			if s.Name.IsExported() && !documented(s.Doc, s.Comment) && (d.Lparen.IsValid() || !documented(d.Doc)) {
				ps = append(ps, f.problem(s.Pos(), "%s", s.Name.Name))
			}
		case *ast.ValueSpec:
			ps = append(ps, f.undocumentedValues(d, s)...)
		}
	}
	return ps
}

func (f *File) undocumentedValues(d *ast.GenDecl, s *ast.ValueSpec) []Problem {
	if documented(s.Doc, s.Comment, d.Doc) {
		return nil
	}
	var ps []Problem
	for _, n := range s.Names {
		if n.IsExported() {
			ps = append(ps, f.problem(n.Pos(), "%s", n.Name))
		}
	}
	return ps
}

// documented reports whether one of the comments has text; a directive such
// as //go:embed alone is none.
func documented(groups ...*ast.CommentGroup) bool {
	for _, g := range groups {
		if g != nil && g.Text() != "" {
			return true
		}
	}
	return false
}

// PackageDocs finds the packages that no file introduces.
func PackageDocs(files []*File) []Problem {
	has := map[string]bool{}
	var order []string
	for _, f := range files {
		if f.Test {
			continue
		}
		if _, ok := has[f.Pkg]; !ok {
			order = append(order, f.Pkg)
			has[f.Pkg] = false
		}
		has[f.Pkg] = has[f.Pkg] || documented(f.AST.Doc)
	}
	var ps []Problem
	for _, p := range order {
		if !has[p] {
			ps = append(ps, Problem{Path: p, Text: "no package comment"})
		}
	}
	return ps
}
