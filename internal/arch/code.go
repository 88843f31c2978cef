package arch

import (
	"go/ast"
	"go/token"
	"slices"
)

// The lengths in lines from which a file or a function is reported.
const (
	LongFile    = 400 // logged
	TooLongFile = 500 // refused
	TooLongFunc = 80  // refused
)

// Code checks what non-test code does without: func init, panic, and
// functions and files that nobody can keep in mind.
func Code(files []*File) []Problem {
	var ps []Problem
	for _, f := range files {
		if f.Test || f.Generated {
			continue
		}
		if f.Lines > TooLongFile {
			ps = append(ps, Problem{Path: f.Path, Text: "more than 500 lines"})
		}
		for _, d := range f.AST.Decls {
			ps = append(ps, f.checkDecl(d)...)
		}
	}
	return ps
}

func (f *File) checkDecl(d ast.Decl) []Problem {
	fn, ok := d.(*ast.FuncDecl)
	if !ok {
		return f.panics(d, "")
	}
	var ps []Problem
	if fn.Recv == nil && fn.Name.Name == "init" {
		ps = append(ps, f.problem(fn.Pos(), "func init"))
	}
	if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > TooLongFunc {
		ps = append(ps, f.problem(fn.Pos(), "%s has %d lines, more than %d", fn.Name.Name, n, TooLongFunc))
	}
	return append(ps, f.panics(d, funcName(fn))...)
}

func (f *File) line(p token.Pos) int { return f.Fset.Position(p).Line }

// panics finds the calls of the built-in panic that nothing allows.
func (f *File) panics(n ast.Node, name string) []Problem {
	if _, ok := mayPanic[f.Pkg+"."+name]; ok || slices.Contains(testHelpers, f.Pkg) {
		return nil
	}
	var ps []Problem
	ast.Inspect(n, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "panic" {
				ps = append(ps, f.problem(c.Pos(), "panic"))
			}
		}
		return true
	})
	return ps
}

// funcName is "Function" or "Type.Method".
func funcName(fn *ast.FuncDecl) string {
	if t := receiver(fn); t != "" {
		return t + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver is the name of the type of a method, or "".
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// LongFiles are the files that have grown beyond what is pleasant.
func LongFiles(files []*File) []*File {
	var out []*File
	for _, f := range files {
		if !f.Test && !f.Generated && f.Lines > LongFile {
			out = append(out, f)
		}
	}
	return out
}
