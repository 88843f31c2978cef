package alias

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// targetsOf shows what a name stands for, in the way a file writes it.
func targetsOf(t testing.TB, tab Resolver, name string) string {
	t.Helper()
	e, found, err := tab.Lookup(background, path(name))
	require.NoError(t, err)
	if !found {
		return "-"
	}
	var out []string
	for _, target := range e.Targets {
		out = append(out, strings.ReplaceAll(target.String(), "@hamburger.edu", ""))
	}
	return strings.Join(out, ", ")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, file, look, want string }{
		{"one", "a: b", "a", "b"},
		{"several", "a: b,c , d@x.example", "a", "b, c, d@x.example"},
		{"space before the colon", "a  :b", "a", "b"},
		{"case of a name", "Ann: b", "aNN", "b"},
		{"case of a target is kept", "a: Bob", "a", "Bob"},
		{"CRLF", "a: b\r\nc: d\r\n", "a", "b"},
		{"comments and empty lines", "# x\n\n  # y\na: b\n", "a", "b"},
		{"continuation", "a: b,\n\tc,\n  d", "a", "b, c, d"},
		{"continuation behind the name", "a:\n b", "a", "b"},
		{"comment within", "a: b,\n# not c\n\n  # nor d\n e", "a", "b, e"},
		{"quoted name", `"a b": c`, `"a b"@hamburger.edu`, "c"},
		{"quoted name with a colon", `"a:b": c`, `"a:b"@hamburger.edu`, "c"},
		{"name with domain", "a@x.example: b", "a@X.Example", "b"},
		{"name of an address literal", "a@[IPv6:2001:db8::1]: b", "a@[IPv6:2001:DB8::1]", "b"},
		{"quoted target", `a: "b c", "d,e"`, "a", `"b c", "d,e"`},
		{"quoted local-part of an address", `a: "b,c"@x.example`, "a", `"b,c"@x.example`},
		{"comments in parentheses", `a (x: y): b (boss, (old)), c(\))`, "a", "b, c"},
		{"display names", `a: Bob B <b@x.example>, "C, D" <c>`, "a", "b@x.example, c"},
		{"angle brackets", "a: <b>, <c@x.example>", "a", "b, c@x.example"},
		{"final", `a: \a, \b@x.example`, "a", `\a, \b@x.example`},
		{"pipe", `a: "|/bin/cat -n, x"`, "a", `"|/bin/cat -n, x"`},
		{"pipe with quotes inside", `a: |"/bin/cat -n, x"`, "a", `"|/bin/cat -n, x"`},
		{"pipe without quotes", `a: |/bin/cat (x) "a, b", c`, "a", `"|/bin/cat (x) \"a, b\"", c`},
		{"pipe with escaped quotes", `a: "|cat \"x\" \\"`, "a", `"|cat \"x\" \\"`},
		{"file", `a: /var/x, "/var/y z"`, "a", `"/var/x", "/var/y z"`},
		{"bit bucket", "a: /dev/null", "a", "/dev/null"},
		{"refusal", `a: "error:550 5.7.1 no, not here"`, "a", `"error:550 5.7.1 no, not here"`},
		{"refusal without quotes", "a: ERROR: gone away", "a", `"error:gone away"`},
		{"tag is exact first", "a: b\na+x: c\na+*: d", "a+x", "c"},
		{"then any tag", "a: b\na+x: c\na+*: d", "a+y", "d"},
		{"then bare", "a: b\na+x: c", "a+y+z", "b"},
		{"any tag is not bare", "a+*: d", "a", "-"},
		{"quoted it is no wildcard", `"a+*": d`, "a+x", "-"},
		{"then the catch-all", "b: c\n@hamburger.edu: d", "a+y", "d"},
		{"catch-all last", "a: c\n@hamburger.edu: d", "a+y", "c"},
		{"star is our catch-all", "*: d", "a", "d"},
		{"and of no other domain", "*: d", "a@x.example", "-"},
		{"catch-all of a subdomain", "@*.example: d", "a@b.c.example", "d"},
		{"is not for the domain", "@*.example: d", "a@example", "-"},
		{"the nearest wins", "@*.example: d\n@*.c.example: e", "a@b.c.example", "e"},
		{"an address literal has no parents", "@*.0.2.1: d", "a@[192.0.2.1]", "-"},
		{"domain to domain", "@x.example: @y.example, z", "ann@x.example", "ann@y.example, z"},
		{"postmaster without a domain", "PostMaster: a", "postmaster@hamburger.edu", "a"},
		{"a target with octets that matter", `a: "|x"@x.example, "/y"@x.example, "#z"@x.example`, "a",
			`"|x"@x.example, "/y"@x.example, "#z"@x.example`},
		{"UTF-8", "jürgen: bob@bürger.example", "jürgen", `bob@bürger.example`},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, targetsOf(t, table(t, c.file), c.look))
		})
	}
	p := path("postmaster@hamburger.edu")
	assert.Equal(t, "hamburger.edu", p.Domain())
	_, found, _ := table(t, "postmaster: a").Lookup(background, mustParse("<PostMaster>"))
	assert.True(t, found, "RFC 5321 §4.5.1")
	assert.Equal(t, 0, new(Table).Len())
	assert.Equal(t, "-", targetsOf(t, new(Table), "a"))
}

func TestOwnersMakeLists(t *testing.T) {
	tab := table(t, "team: a", "owner-team: b", "Other: c", "OWNER-other: d", "alias: e")
	for who, owner := range map[string]string{"team": "owner-team", "team+x": "owner-team", "OTHER": "owner-other", "alias": "", "owner-team": ""} {
		e, found, err := tab.Lookup(background, path(who))
		require.NoError(t, err)
		require.True(t, found)
		assert.Equal(t, path(owner), e.Owner, who)
	}
}

func TestParseOptions(t *testing.T) {
	parse := func(file string, o ParseOptions) *Table {
		t.Helper()
		tab, err := Parse(strings.NewReader(file), o)
		require.NoError(t, err)
		return tab
	}
	o := ParseOptions{Domain: "Hamburger.EDU", Delimiter: "-_"}
	assert.Equal(t, "b", targetsOf(t, parse("a: b", o), "a-x"))
	assert.Equal(t, "b", targetsOf(t, parse("a: b", o), "a_x"))
	assert.Equal(t, "-", targetsOf(t, parse("a: b", o), "a+x"))
	for _, whole := range []string{"owner-x", "x-request", "mailer-daemon"} {
		assert.Equal(t, "-", targetsOf(t, parse("owner: b\nx: b\nmailer: b", o), whole), "the names of lists stay whole")
	}
	o.Delimiter = "\x00"
	assert.Equal(t, "-", targetsOf(t, parse("a: b", o), "a+x"))
	o.CaseSensitive = true
	assert.Equal(t, "c", targetsOf(t, parse("a: b\nA: c", o), "A"))
	assert.Equal(t, "b", targetsOf(t, parse("Postmaster: b\n", o), "POSTMASTER"), "RFC 5321 §4.5.1")
	tab := parse("a@x.example: b@y.example", ParseOptions{})
	assert.Equal(t, "b@y.example", targetsOf(t, tab, "a@x.example"))
}

// Nothing is dropped in silence, and one run names every mistake.
func TestPitfallMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no colon", "a: b\nfoo bar\n", "2: no colon"},
		{"no targets", "a:\n", "1: \"a\" has no targets"},
		{"no targets before a comment", "a:\n# x\nb: c", "1: \"a\" has no targets"},
		{"no name", ": b", "1: an address is missing"},
		{"twice", "a: b\n\nA: c", "3: \"A\" stands in the table before, in line 1"},
		{"twice by domain", "a: b\na@hamburger.edu: c", "2: "},
		{"a comma too many", "a: b,,c", "1: an empty target"},
		{"a comma at the end", "a: b,\nc: d", "1: an empty target"},
		{"white space for a comma", "a: b c", "1: malformed address"},
		{"comment at the end", "a: b # the boss", "1: malformed"},
		{"comment as a target", "a: b, #c", "1: a comment stands on a line of its own"},
		{"line of a continuation", "a: b,\n# x\n c,\n d e,\n f", "4: malformed"},
		{"open quote", `a: "b`, "1: a quotation mark is missing"},
		{"open quote in the name", `"a: b`, "1: no colon"},
		{"quote over two lines", "a: \"b\n c\"", "1: a quoted text goes over the end"},
		{"open parenthesis", "a: b (c", "1: a parenthesis"},
		{"behind the brackets", "a: <b> c", "1: nothing may follow"},
		{"include not allowed", "a: :include:/x", "1: :include: is not allowed"},
		{"unknown directive", "a: :fail: x", "1: unknown directive"},
		{"a command without a name", `a: "|"`, "1: a pipe without a name"},
		{"a command over two lines", "a: |b\n c", "1: a pipe without a name, or over several lines"},
		{"a refusal beside others", "a: error:no, b", "1: \"a\" refuses mail and has other targets"},
		{"a refusal that accepts", `a: "error:250 ok"`, "1: a refusal cannot have the code"},
		{"codes that do not agree", `a: "error:450 5.1.1 x"`, "1: the codes 450 and 5.1.1 do not agree"},
		{"a refusal without a text", `a: "error:550 "`, "1: a refusal needs a text"},
		{"a domain as the target of a name", "a: @x.example", "1: \"a\" has a domain as target"},
		{"a bad domain", "@-x: b", "1: malformed domain"},
		{"a bad domain as target", "@x: @-y", "1: malformed domain"},
		{"a control character", "a: b\x01", "1: the line has a control character"},
		{"not UTF-8", "a: b\xff", "1: the line is not UTF-8"},
		{"nothing to continue", "# x\n  a: b", "2: the first line begins with white space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab, err := Parse(strings.NewReader(c.file), ParseOptions{Domain: "hamburger.edu", Commands: true})
			assert.Nil(t, tab)
			assert.ErrorContains(t, err, "aliases:"+c.want)
		})
	}
	_, err := Parse(strings.NewReader("a b\nc: d,,e f\n\ng:\n"), ParseOptions{Domain: "x.example"})
	var all ParseErrors
	require.ErrorAs(t, err, &all)
	assert.Len(t, all, 4, "%v", err)
	var one *ParseError
	require.ErrorAs(t, err, &one)
	assert.Equal(t, 1, one.Line)
	_, err = Parse(strings.NewReader(strings.Repeat("x\n", 5000)), ParseOptions{})
	require.ErrorAs(t, err, &all)
	assert.Len(t, all, maxParseErrors)
}

func TestParseWithoutDomain(t *testing.T) {
	_, err := Parse(strings.NewReader("a: b@x.example"), ParseOptions{})
	assert.ErrorContains(t, err, "aliases:1: a domain is missing")
	_, err = Parse(strings.NewReader(""), ParseOptions{Domain: "-"})
	assert.ErrorContains(t, err, "the domain")
}

// Who can write a file of members must not become who can run commands.
func TestPitfallCommandsNotAllowed(t *testing.T) {
	for _, target := range []string{`"|rm -rf /"`, "|rm", "/etc/passwd", `"/x y"`} {
		_, err := Parse(strings.NewReader("a: "+target), ParseOptions{Domain: "hamburger.edu"})
		assert.ErrorContains(t, err, "is not allowed", target)
	}
}

func TestPitfallSizeAndLength(t *testing.T) {
	line := "a: b\n"
	_, err := Parse(strings.NewReader(line), ParseOptions{Domain: "x.example", MaxSize: int64(len(line))})
	assert.NoError(t, err)
	_, err = Parse(strings.NewReader(line+"#"), ParseOptions{Domain: "x.example", MaxSize: int64(len(line))})
	assert.ErrorContains(t, err, "larger than 5 octets")
	_, err = Parse(iotest.ErrReader(io.ErrUnexpectedEOF), ParseOptions{})
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)

	// 50,000 members on as many lines: the time is linear.
	var b strings.Builder
	b.WriteString("a: x")
	for i := range 50_000 {
		fmt.Fprintf(&b, ",\n m%d", i)
	}
	tab := table(t, b.String())
	e, _, _ := tab.Lookup(background, path("a"))
	assert.Len(t, e.Targets, 50_001)
}

func TestFromMap(t *testing.T) {
	tab, err := FromMap(map[string][]string{
		"team": {"ann", "Bob B <bob@x.example>"}, "owner-team": {"ann"}, "@x.example": {"@hamburger.edu"},
	}, ParseOptions{Domain: "hamburger.edu"})
	require.NoError(t, err)
	assert.Equal(t, 3, tab.Len())
	assert.Equal(t, "ann, bob@x.example", targetsOf(t, tab, "team"))
	assert.Equal(t, "zoe", targetsOf(t, tab, "zoe@x.example"))
	_, err = FromMap(map[string][]string{"a": {"b c"}, "d": {}, "": {"e"}, "f": {"|x", ""}}, ParseOptions{Domain: "x.example"})
	var all ParseErrors
	require.ErrorAs(t, err, &all)
	assert.Len(t, all, 5, "%v", err)
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	o := ParseOptions{Domain: "hamburger.edu", Include: true, Commands: true}
	parse := func(file string) (*Table, error) { return Parse(strings.NewReader("a: x, :include:"+file+", y\n"), o) }

	inner := write("inner", "# members\nann\n  bob, carol@x.example\n")
	tab, err := parse(inner)
	require.NoError(t, err)
	assert.Equal(t, "x, ann, bob, carol@x.example, y", targetsOf(t, tab, "a"))
	tab, err = parse(write("outer", "dora\n:include:"+inner+"\n"))
	require.NoError(t, err)
	assert.Equal(t, "x, dora, ann, bob, carol@x.example, y", targetsOf(t, tab, "a"))

	self := filepath.Join(dir, "self")
	for _, c := range []struct{ name, file, want string }{
		{"itself", write("self", "b\n:include:"+self), "self:2: a file includes itself"},
		{"a mistake", write("bad", "b\n\nc d\n"), "bad:3: malformed address"},
		{"a command", write("cmd", "|rm\n"), "cmd:1: a pipe cannot stand in an included file"},
		{"a file", write("file", "/x\n"), "file:1: a file cannot stand in an included file"},
		{"no file", filepath.Join(dir, "none"), "aliases:1: "},
		{"a directory", dir, "is not a regular file"},
		{"a relative path", "inner", "needs its whole path"},
	} {
		_, err := parse(c.file)
		assert.ErrorContains(t, err, c.want, c.name)
	}
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Chmod(inner, 0o666))
		_, err = parse(inner)
		assert.ErrorContains(t, err, "can be written by everybody")
	}
	o.MaxSize = 200
	_, err = parse(write("large", strings.Repeat("b\n", 200)))
	assert.ErrorContains(t, err, "larger than 200 octets", "what is included counts")

	last := write("deep0", "b\n")
	for i := 1; i <= maxIncludes; i++ {
		last = write(fmt.Sprint("deep", i), ":include:"+last)
	}
	o.MaxSize = 0
	_, err = parse(last)
	assert.ErrorContains(t, err, "files include each other")
}

func TestWriteTo(t *testing.T) {
	text := `@x.example: @y.example
a: b, "|x \"y\"", \c, "d e"@x.example
a+*: "error:550 gone"
"x+*": "#b"
owner-a: /dev/null
`
	tab := table(t, text)
	var b strings.Builder
	n, err := tab.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, int64(b.Len()), n)
	assert.Equal(t, tab, table(t, b.String()), b.String())
	_, err = tab.WriteTo(failing{})
	assert.ErrorIs(t, err, errDown)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDown }

func TestKindString(t *testing.T) {
	assert.Equal(t, "pipe", Pipe.String())
	assert.Equal(t, "Kind(99)", Kind(99).String())
	assert.True(t, errors.As(ParseErrors{{Line: 3}}, new(*ParseError)))
}

func TestLookupDoesNotAllocate(t *testing.T) {
	tab := table(t, "ann: bob", "@hamburger.edu: root")
	for _, s := range []string{"ann", "ann+news", "nobody", "zoe@crepes.fr"} {
		p := path(s)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = tab.Lookup(background, p) }), s)
	}
}
