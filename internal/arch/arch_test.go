package arch_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/postilion-mail/postilion/internal/arch"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the module that this test belongs to.
var root = os.DirFS("../..")

func module(t *testing.T, root fs.FS) []*arch.File {
	t.Helper()
	files, problems, err := arch.Load(root)
	require.NoError(t, err)
	report(t, problems)
	return files
}

func report(t *testing.T, ps []arch.Problem) {
	t.Helper()
	arch.Sort(ps)
	for _, p := range ps {
		t.Error(p)
	}
}

func TestModule(t *testing.T) {
	files := module(t, root)
	require.NotEmpty(t, files)
	t.Run("imports", func(t *testing.T) { report(t, arch.Imports(files)) })
	t.Run("go.mod", func(t *testing.T) {
		ps, err := arch.GoMod(root)
		require.NoError(t, err)
		report(t, ps)
	})
	t.Run("code", func(t *testing.T) {
		report(t, arch.Code(files))
		for _, f := range arch.LongFiles(files) {
			t.Logf("%s: %d lines", f.Path, f.Lines)
		}
	})
	t.Run("package comments", func(t *testing.T) { report(t, arch.PackageDocs(files)) })
	t.Run("doc comments", func(t *testing.T) {
		ps := arch.Undocumented(files)
		report(t, ps)
		fmt.Printf("exported names without a doc comment: %d\n", len(ps))
	})
	t.Run("examples", func(t *testing.T) {
		ps := arch.Unexampled(files)
		report(t, ps)
		fmt.Printf("exported types without an example: %d\n", len(ps))
	})
}

// TestTable holds the table against the folders: a row whose package is gone
// would allow what nobody has looked at. Packages still to come are logged.
func TestTable(t *testing.T) {
	for _, p := range arch.Missing(root) {
		t.Logf("not here yet: %s", p)
	}
	assert.Empty(t, arch.Cycles())
}

// tree is a module of files given as path → source; a source that is no whole
// file is wrapped as imports.
func tree(files map[string]string) fs.FS {
	m := fstest.MapFS{"go.mod": {Data: []byte("module " + arch.Module + "\n")}}
	for p, src := range files {
		if imp, ok := strings.CutPrefix(src, "import "); ok {
			src = "package p\nimport \"" + imp + "\"\n"
		}
		m[p] = &fstest.MapFile{Data: []byte(src)}
	}
	return m
}

func TestImports(t *testing.T) {
	const m = arch.Module + "/"
	for _, c := range []struct {
		path, imp string
		problem   string // "" if allowed
	}{
		{"smtp/a.go", "net", ""},
		{"smtp/a.go", m + "smtp/sasl", ""},
		{"smtp/a.go", m + "internal/wire", ""},
		{"smtp/a.go", "golang.org/x/text/secure/precis", ""}, // by way of sasl
		{"smtp/a.go", "golang.org/x/net/idna", "no such arrow"},
		{"smtp/a.go", m + "mime", "no such arrow"},
		{"smtp/a.go", m + "smtp/smtptest", "no such arrow"},
		{"smtp/sasl/a.go", m + "smtp", "no such arrow"},
		{"spool/dirspool/a.go", m + "mime", ""}, // by way of spool and smtp
		{"spool/dirspool/a.go", m + "mx", "no such arrow"},
		{"imap/a.go", m + "imap/internal/wire", ""},
		{"imap/imaptest/a.go", m + "spool/mailbox/memory", ""},
		{"mx/dns/a.go", "golang.org/x/net/dns/dnsmessage", ""},
		{"mx/dns/a.go", "golang.org/x/net/dns/dnsmessagex", "no such arrow"},
		{"spf/a.go", m + "smtp", "no such arrow"},
		{"internal/addr/a.go", "golang.org/x/net/idna", ""},
		{"internal/wire/a.go", m + "smtp", "below all public"},
		{"examples/tour/main.go", m + "spool", ""},
		{"examples/tour/main.go", m + "examples/send", "no such arrow"},
		{"examples/tour/main.go", "github.com/spf13/cobra", "no such arrow"},
		{"smtp/a.go", m[:len(m)-1], "holds no identifiers"},
		{"smtp/a.go", "testing", "tests and test helpers"},
		{"smtp/a.go", "testing/synctest", "tests and test helpers"},
		{"smtp/a_test.go", "testing/synctest", ""},
		{"smtp/smtptest/a.go", "testing", ""},
		{"smtp/smtptest/a.go", "github.com/stretchr/testify/assert", "testify belongs in tests"},
		{"smtp/a_test.go", "github.com/stretchr/testify/assert", ""},
		{"smtp/a_test.go", m + "mime", ""},
		{"smtp/a_test.go", "github.com/google/go-cmp/cmp", "not even for tests"},
		{"webmail/a.go", "net", "no row"},
		{"internal/misc/a.go", "net", "no row"},
	} {
		ps := arch.Imports(module(t, tree(map[string]string{c.path: "import " + c.imp})))
		if c.problem == "" {
			assert.Empty(t, ps, "%s imports %s", c.path, c.imp)
			continue
		}
		if assert.Len(t, ps, 1, "%s imports %s", c.path, c.imp) {
			assert.Contains(t, ps[0].String(), c.problem)
		}
	}
}

func TestLoadLeavesOut(t *testing.T) {
	files, problems, err := arch.Load(tree(map[string]string{
		"smtp/a.go": "package smtp\n", "smtp/testdata/x.go": "nonsense", "internal/bench/go.mod": "module x\n",
		"internal/bench/a.go": "nonsense", "_old/a.go": "nonsense", ".git/a.go": "nonsense", "mime/broken.go": "nonsense",
	}))
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.Equal(t, "smtp/a.go", files[0].Path)
	require.Len(t, problems, 1)
	assert.Equal(t, "mime/broken.go", problems[0].Path)
}

func TestGoMod(t *testing.T) {
	ps, err := arch.GoMod(fstest.MapFS{"go.mod": {Data: []byte(`module x

require golang.org/x/net v0.1.0
require (
	golang.org/x/text v0.1.0
	// a comment
	golang.org/x/crypto v0.1.0 // indirect
)
replace x => ../x
tool honnef.co/go/tools/cmd/staticcheck
`)}})
	require.NoError(t, err)
	var got []string
	for _, p := range ps {
		got = append(got, p.String())
	}
	assert.Equal(t, []string{"go.mod:7: requires golang.org/x/crypto",
		"go.mod:9: replace belongs in a nested module", "go.mod:10: tool belongs in a nested module"}, got)
}

func TestCode(t *testing.T) {
	long := strings.Repeat("\n", 79)
	for _, c := range []struct{ path, src, problem string }{
		{"smtp/a.go", "package smtp\nfunc init() {}\n", "smtp/a.go:2: func init"},
		{"smtp/a.go", "package smtp\ntype T int\nfunc (T) init() {}\n", ""},
		{"smtp/a.go", "package smtp\nfunc f() { panic(1) }\n", "smtp/a.go:2: panic"},
		{"smtp/a.go", "package smtp\nvar f = func() { panic(1) }\n", "smtp/a.go:2: panic"},
		{"smtp/a_test.go", "package smtp\nfunc f() { panic(1) }\n", ""},
		{"smtp/smtptest/a.go", "package smtptest\nfunc f() { panic(1) }\n", ""},
		{"smtp/a.go", "package smtp\nfunc f() {" + long + "}\n", ""},
		{"smtp/a.go", "package smtp\nfunc f() {\n" + long + "}\n", "smtp/a.go:2: f has 81 lines, more than 80"},
		{"smtp/a.go", "package smtp\n" + strings.Repeat("\n", 500), "smtp/a.go: more than 500 lines"},
		{"smtp/a.go", "package smtp\n" + strings.Repeat("\n", 499), ""},
		{"smtp/a.go", "// Code generated by x. DO NOT EDIT.\npackage smtp\n" + strings.Repeat("\n", 500), ""},
		{"smtp/a_test.go", "package smtp\n" + strings.Repeat("\n", 900), ""},
	} {
		ps := arch.Code(module(t, tree(map[string]string{c.path: c.src})))
		if c.problem == "" {
			assert.Empty(t, ps, c.src)
		} else if assert.Len(t, ps, 1, c.src) {
			assert.Equal(t, c.problem, ps[0].String())
		}
	}
}

func TestLongFiles(t *testing.T) {
	files := module(t, tree(map[string]string{
		"smtp/a.go": "package smtp\n" + strings.Repeat("\n", 400),
		"smtp/b.go": "package smtp\n" + strings.Repeat("\n", 399),
	}))
	long := arch.LongFiles(files)
	require.Len(t, long, 1)
	assert.Equal(t, "smtp/a.go", long[0].Path)
}

func TestUndocumented(t *testing.T) {
	src := `package smtp

func A() {}

// B is documented.
func B() {}

func c() {}

type D struct{}

func (D) E()    {}
func (*D) F()   {}
func (G[T]) H() {}
func (i) J()    {}

// G is documented.
type G[T any] struct{}

type i struct{}

// A group of types.
type (
	K int
	// L is documented.
	L int
	M int // M is documented.
)

// A group of constants.
const (
	N = 1
	O = 2
)

var P, q, R = 1, 2, 3

var (
	S = 1 // S is documented.
	T = 2
)

//go:noinline
func U() {}
`
	files := module(t, tree(map[string]string{"smtp/a.go": src, "examples/tour/main.go": "package main\nfunc A() {}\n", "smtp/a_test.go": "package smtp\nfunc V() {}\n"}))
	var got []string
	for _, p := range arch.Undocumented(files) {
		got = append(got, p.Text)
	}
	assert.Equal(t, []string{"A", "D", "D.E", "D.F", "G.H", "K", "P", "R", "T", "U"}, got)
}

func TestUnexampled(t *testing.T) {
	files := module(t, tree(map[string]string{
		"smtp/a.go":             "package smtp\ntype A struct{}\ntype B struct{}\ntype c struct{}\nfunc f() { type D int }\ntype (\n\tE int\n\tF int\n)\n",
		"smtp/a_test.go":        "package smtp_test\ntype G int\nfunc ExampleA() {}\nfunc ExampleE_method() {}\nfunc (G) ExampleB() {}\n",
		"pop3/a_test.go":        "package pop3\nfunc ExampleB() {}\n",
		"internal/wire/a.go":    "package wire\ntype A int\n",
		"examples/tour/main.go": "package main\ntype A int\n",
	}))
	var got []string
	for _, p := range arch.Unexampled(files) {
		got = append(got, p.String())
	}
	assert.ElementsMatch(t, []string{"smtp/a.go:3: B", "smtp/a.go:8: F"}, got)
}

func TestPackageDocs(t *testing.T) {
	files := module(t, tree(map[string]string{
		"smtp/a.go": "package smtp\n", "smtp/doc.go": "// Package smtp is here.\npackage smtp\n",
		"mime/a.go": "package mime\n", "spf/a_test.go": "package spf\n",
	}))
	ps := arch.PackageDocs(files)
	require.Len(t, ps, 1)
	assert.Equal(t, "mime: no package comment", ps[0].String())
}

func ExampleProblem() {
	fmt.Println(arch.Problem{Path: "smtp/conn.go", Line: 12, Text: "panic"})
	// Output: smtp/conn.go:12: panic
}
