package postilion_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// snippet is one block of Go code in README.md.
type snippet struct {
	line int // of its first line of code
	code string
}

// snippets cuts the blocks marked ```go out of a Markdown text.
func snippets(markdown string) []snippet {
	var out []snippet
	var block *snippet
	n := 0
	for l := range strings.Lines(markdown) {
		n++
		switch mark := strings.TrimSpace(l); {
		case block == nil && mark == "```go":
			block = &snippet{line: n + 1}
		case block != nil && mark == "```":
			out = append(out, *block)
			block = nil
		case block != nil:
			block.code += l
		}
	}
	return out
}

// bodies returns the source between the braces of each Example function in
// the test files below root, by "folder.ExampleName".
func bodies(root fs.FS) (map[string]string, error) {
	out := map[string]string{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := path.Base(p); p != "." && (name == "testdata" || name[0] == '.' || name[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example") {
				from, to := fset.Position(fn.Body.Lbrace).Offset+1, fset.Position(fn.Body.Rbrace).Offset
				out[path.Dir(p)+"."+fn.Name.Name] = string(src[from:to])
			}
		}
		return nil
	})
	return out, err
}

var output = regexp.MustCompile(`(?mi)^\s*// (unordered )?output:(.*\n?)*`)

// normal formats code and drops what the comparison leaves out: indentation,
// empty lines at the ends, and the expected output.
func normal(code string) ([]string, error) {
	b, err := format.Source([]byte(output.ReplaceAllString(code, "")))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines, nil
}

// differ returns nil if the snippet is one of the bodies, else an error that
// shows the first difference from the body most like it.
func differ(s snippet, bodies map[string]string) error {
	want, err := normal(s.code)
	if err != nil {
		return fmt.Errorf("README.md:%d: %w", s.line, err)
	}
	best, common, message := "", -1, ""
	for name, body := range bodies {
		got, err := normal(body)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n, at := compare(want, got)
		if at < 0 {
			return nil
		}
		if n > common || n == common && name < best {
			best, common = name, n
			message = fmt.Sprintf("line %d\n  README  %s\n  Example %s", s.line+at, line(want, at), line(got, at))
		}
	}
	return fmt.Errorf("README.md:%d: the snippet is no Example; most like it is %s, which differs in %s", s.line, best, message)
}

// compare returns how many lines of a are in b, and the first that differs,
// or -1 if none does.
func compare(a, b []string) (common, at int) {
	has := map[string]bool{}
	for _, l := range b {
		has[l] = true
	}
	at = -1
	for i, l := range a {
		if has[l] {
			common++
		}
		if at < 0 && l != line(b, i) {
			at = i
		}
	}
	if at < 0 && len(b) > len(a) {
		at = len(a)
	}
	return common, at
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}

// TestREADMESnippets holds the Go code of the README against the Examples,
// which go test runs.
func TestREADMESnippets(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	bodies, err := bodies(os.DirFS("."))
	require.NoError(t, err)
	require.NotEmpty(t, bodies)
	for _, s := range snippets(string(readme)) {
		assert.NoError(t, differ(s, bodies))
	}
}

// TestREADMEDiffer is about the comparison itself, which must fail where it
// should.
func TestREADMEDiffer(t *testing.T) {
	bodies := map[string]string{
		"a.ExampleOne": "\n\tx := 1\n\tif x > 0 {\n\t\tfmt.Println(x)\n\t}\n\t// Output: 1\n",
		"b.ExampleTwo": "\n\ty := 2\n\tfmt.Println(y)\n\t// Unordered output:\n\t// 2\n",
	}
	for _, c := range []struct{ code, err string }{
		{"x := 1\nif x > 0 {\n\tfmt.Println(x)\n}\n", ""},
		{"  x   := 1\n\nif x > 0 {\nfmt.Println(x)\n}\n// Output: 1\n", "a.ExampleOne"}, // an empty line more
		{"\tx := 1\n\tif x > 0 {\n\t\tfmt.Println(x)\n\t}\n\t// Output: 1\n", ""},
		{"y := 2\nfmt.Println(y)\n", ""},
		{"y := 2\nfmt.Print(y)\n", "README.md:11: the snippet is no Example; most like it is b.ExampleTwo, which differs in line 12\n  README  fmt.Print(y)\n  Example fmt.Println(y)"},
		{"y := 2\n", "(the end)"},
		{"y := 2\nfmt.Println(y)\nreturn\n", "(the end)"},
		{"y := {\n", "README.md:11: 1:"},
	} {
		md := strings.Repeat("text\n", 9) + "```go\n" + c.code + "```\n```sh\ngo test\n```\n"
		ss := snippets(md)
		require.Len(t, ss, 1)
		if err := differ(ss[0], bodies); c.err == "" {
			assert.NoError(t, err, c.code)
		} else {
			assert.ErrorContains(t, err, c.err, c.code)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)\)`)

// TestREADMELinks finds links to files that are not there.
func TestREADMELinks(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, m := range link.FindAllStringSubmatch(string(readme), -1) {
		assert.FileExists(t, m[1])
	}
}

var symbol = regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z]*)`")

// TestREADMESymbols finds names in the README that no package exports.
func TestREADMESymbols(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	exported, err := exports(os.DirFS("."))
	require.NoError(t, err)
	for _, m := range symbol.FindAllStringSubmatch(string(readme), -1) {
		assert.True(t, exported[m[1]+"."+m[2]], "%s.%s is in the README and in no package", m[1], m[2])
	}
}

// exports are the types, functions, constants and variables of the public
// packages, as "package.Name".
func exports(root fs.FS) (map[string]bool, error) {
	out := map[string]bool{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		name := path.Base(p)
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (name == "testdata" || name == "internal" || name[0] == '.' || name[0] == '_'):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			for _, id := range declared(d) {
				out[f.Name.Name+"."+id.Name] = true
			}
		}
		return nil
	})
	return out, err
}

// declared are the names that a declaration brings into the package.
func declared(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var ids []*ast.Ident
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				ids = append(ids, s.Name)
			case *ast.ValueSpec:
				ids = append(ids, s.Names...)
			}
		}
		return ids
	}
	return nil
}
