package script

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	s, err := Parse("x", "# c\r\n\nC:  two\nS:\nC! \"a\\x00\" 3\n+TLS\nC#x\nS# y\n-C\n-S")
	require.NoError(t, err)
	var got []item
	for _, it := range s.items {
		it.src, it.line = "", 0
		got = append(got, it)
	}
	assert.Equal(t, []item{{}, {}, {kind: line, by: client, text: " two"}, {kind: line, by: server},
		{kind: raw, by: client, text: "a\x00", n: 3}, {kind: startTLS}, {}, {}, {kind: closing, by: client}, {kind: closing, by: server}}, got)
	assert.Equal(t, "a\x00a\x00a\x00", s.items[4].bytes())
	assert.Equal(t, "\r\n", s.items[3].bytes())
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"X: a", "C a", "C", "+tls", "-X", "C! abc", "C! \"a\" x", "C! \"a\" 0", "C! \"a\" -1",
		"C! \"a\" 999999999999", "C! \"\\q\"", "-C\nC: a", "-S\n+TLS", "-C\n-C", " C: a"} {
		_, err := Parse("x", text)
		assert.Error(t, err, text)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "b", false},
		{"*", "", true}, {"*", "anything", true}, {"250 *", "250 ok", true}, {"250 *", "250-ok", false}, {"250 *", "250 ", true},
		{"a*b", "ab", true}, {"a*b", "aXb", true}, {"a*b", "abX", false}, {"a*a", "a", false},
		{"*b*", "abc", true}, {"*b*", "ac", false}, {"a*b*c*d", "a1b2c3d", true}, {"a*b*c*d", "a1c2b3d", false},
		{"a*ab*c", "aabc", true}, {"*aa*", "a", false},
		{"**", "*", true}, {"**", "a", false}, {"\\**", "\\*", true}, {"1:**", "1:*", true}, {"1:**", "1:5", false}, {"*****", "*x*", false}, {"*****", "**x", true},
		{"* OK", "* OK", true}, {"* OK", "x OK", false}, {"* OK *", "* OK hi", true}, {"* ** x", "* * x", true},
	} {
		assert.Equal(t, c.want, Match(c.pattern, c.line), "%q %q", c.pattern, c.line)
	}
}

func TestCompare(t *testing.T) {
	var long Transcript
	long.Client(strings.Repeat("a", 5000) + "\r\n")
	long.Client("NOOP\r\n")
	assert.NotContains(t, long.String(), strings.Repeat("a", 100))

	for _, c := range []struct {
		golden, got string
		line        int // of the difference; 0 for none
	}{
		{"# c\nS: 220 *\nC: QUIT\n", "S: 220 x\nC: QUIT\n", 0},
		{"S: 220 *\n+TLS\n-S\n", "S: 220 x\n+TLS\n-S\n", 0},
		{"C! \"QUIT\\r\\n\"\n", "C: QUIT\n", 0},
		{"C: \x80*\n", "C! \"\\x80a\\r\\n\"\n", 0},
		{"C: a*\n", "C! \"a\"\n", 1},
		{"C: NOOP\n", long.String(), 0},
		{"S: 220 *\n", "C: 220 x\n", 1},
		{"S: 220 *\nC: QUIT\n", "S: 220 x\n", 2},
		{"S: 220 *\n", "S: 220 x\n-C\n", 2},
		{"-S\n", "+TLS\n", 1},
	} {
		golden, err := Parse("golden", c.golden)
		require.NoError(t, err)
		err = Compare(golden, c.got)
		if c.line == 0 {
			assert.NoError(t, err, c.golden)
			continue
		}
		var diff *Error
		require.ErrorAs(t, err, &diff, c.golden)
		assert.Equal(t, c.line, diff.Line, c.golden)
	}
	golden, err := Parse("golden", "")
	require.NoError(t, err)
	assert.Error(t, Compare(golden, "nonsense"), "a transcript that is no dialogue")
}

// FuzzQuote asserts that a quoted line is a pattern that fits it, that it is
// sent as the line itself, and that it fits no line with something more.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "*", "**", "* OK", "* *", "a*b", " * "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := quote(s)
		if !Match(q, s) || literal(q) != s || len(split(q)) != 1 {
			t.Errorf("%q -> %q -> %q", s, q, literal(q))
		}
		if Match(q, s+"x") || !Match("*", s) {
			t.Errorf("%q: a pattern that fits too much or too little", s)
		}
	})
}

// FuzzTranscript asserts that what a transcript notes of arbitrary bytes is a
// dialogue, and one that sends these bytes again.
func FuzzTranscript(f *testing.F) {
	f.Add("220 ok\r\n", "QUIT\r\n")
	f.Add("* 1 EXISTS\r\n* a\r\n\r\n", "a\nb\rc")
	f.Add("\x00\xff\r\n", " \r\n")
	f.Fuzz(func(t *testing.T, s, c string) {
		if len(s)+len(c) > maxShown {
			t.Skip("shortened by design")
		}
		var tr Transcript
		tr.Server(s)
		tr.TLS()
		tr.Client(c)
		d, err := Parse("fuzz", tr.String())
		if err != nil {
			t.Fatal(err)
		}
		var got [2]string
		for _, it := range d.acts() {
			if it.kind != startTLS {
				got[index(it.by)] += it.bytes()
			}
		}
		if got != [2]string{c, s} {
			t.Errorf("%q became %q", [2]string{c, s}, got)
		}
		if err := Compare(d, tr.String()); err != nil {
			t.Error(err)
		}
	})
}

// FuzzMatch compares Match with the same pattern as a regular expression.
func FuzzMatch(f *testing.F) {
	f.Add("250-*SIZE *", "250-X SIZE 1")
	f.Add("* a**b*c", "* a*b*c")
	f.Add("a*ab*b", "aabb")
	f.Fuzz(func(t *testing.T, pattern, line string) {
		if len(pattern) > 100 || !utf8.ValidString(pattern) || !utf8.ValidString(line) {
			return
		}
		parts := split(pattern)
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		want := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(line)
		if got := Match(pattern, line); got != want {
			t.Errorf("Match(%q, %q) = %v", pattern, line, got)
		}
	})
}
