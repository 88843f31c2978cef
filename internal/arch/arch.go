// Package arch holds the rules about the shape of this module and checks them
// on its source: which package may import which, what non-test code does
// without, that every exported name is documented and every exported type has
// an example, and how long files and functions may grow. Its test runs over the
// whole module.
//
// It reads the files alone: no go command, no network, no build tags, so a
// file for another system is held to the same rules.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// Module is the path of the module that the rules are about.
const Module = "github.com/postilion-mail/postilion"

// File is one Go file of the module.
type File struct {
	Path      string // slash-separated, relative to the root of the module
	Pkg       string // its folder in the same form; "." for the root
	Test      bool   // a _test.go file
	Generated bool   // carries the mark "Code generated … DO NOT EDIT."
	AST       *ast.File
	Fset      *token.FileSet
	Lines     int
}

// Problem is one broken rule.
type Problem struct {
	Path string
	Line int // 0 if the problem is about the whole file or package
	Text string
}

// String returns the problem in the form of a compiler's message.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Path + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Text)
}

// Load parses all Go files below the root of the module. Nested modules,
// testdata and folders that start with a dot or an underscore are left out, as
// the go command does. Files that do not parse are problems.
func Load(root fs.FS) ([]*File, []Problem, error) {
	var files []*File
	var problems []Problem
	fset := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, p)
		case path.Ext(p) != ".go":
			return nil
		}
		f, err := load(root, fset, p)
		if err != nil {
			problems = append(problems, Problem{Path: p, Text: err.Error()})
			return nil
		}
		files = append(files, f)
		return nil
	})
	return files, problems, err
}

// enter reports with fs.SkipDir that a folder is not part of the module.
func enter(root fs.FS, p string) error {
	name := path.Base(p)
	if p == "." {
		return nil
	}
	if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(p, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func load(root fs.FS, fset *token.FileSet, p string) (*File, error) {
	src, err := fs.ReadFile(root, p)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &File{
		Path: p, Pkg: path.Dir(p), Test: strings.HasSuffix(p, "_test.go"), Generated: ast.IsGenerated(tree),
		AST: tree, Fset: fset, Lines: strings.Count(string(src), "\n"),
	}, nil
}

// problem is one at a place of the file.
func (f *File) problem(at token.Pos, format string, args ...any) Problem {
	return Problem{f.Path, f.Fset.Position(at).Line, fmt.Sprintf(format, args...)}
}

// Sort orders problems by place.
func Sort(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		if ps[i].Path != ps[j].Path {
			return ps[i].Path < ps[j].Path
		}
		return ps[i].Line < ps[j].Line
	})
}
