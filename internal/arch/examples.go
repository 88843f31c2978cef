package arch

import (
	"go/ast"
	"slices"
	"strings"
)

// Unexampled finds the exported types of public packages that no Example
// function is named after.
func Unexampled(files []*File) []Problem {
	shown := map[[2]string]bool{} // by package and type
	for _, f := range files {
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.Test && fn.Recv == nil {
				if name, ok := strings.CutPrefix(fn.Name.Name, "Example"); ok {
					name, _, _ = strings.Cut(name, "_")
					shown[[2]string{f.Pkg, name}] = true
				}
			}
		}
	}
	var ps []Problem
	for _, f := range files {
		if f.Test || f.AST.Name.Name == "main" || slices.Contains(strings.Split(f.Pkg, "/"), "internal") {
			continue
		}
		for _, t := range f.types() {
			if t.Name.IsExported() && !shown[[2]string{f.Pkg, t.Name.Name}] {
				ps = append(ps, f.problem(t.Pos(), "%s", t.Name.Name))
			}
		}
	}
	return ps
}

// types are the types that a file declares.
func (f *File) types() (all []*ast.TypeSpec) {
	for _, d := range f.AST.Decls {
		if g, ok := d.(*ast.GenDecl); ok {
			for _, s := range g.Specs {
				if t, ok := s.(*ast.TypeSpec); ok {
					all = append(all, t)
				}
			}
		}
	}
	return all
}
