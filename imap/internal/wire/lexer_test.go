package wire

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// take runs one parser over all of src.
func take[T any](src string, f func(*Lexer) T) (T, error) {
	l := NewLexer([]byte(src))
	v := f(&l)
	l.End()
	return v, l.Err()
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		f              func(*Lexer) string
	}{
		{"atom", "FETCH", "FETCH", (*Lexer).Atom},
		{"word folds", "fEtCh", "FETCH", (*Lexer).Word},
		{"atom with plus", "a+b", "a+b", (*Lexer).Atom},
		{"tag", "a.1]", "a.1]", (*Lexer).Tag},
		{"astring atom", "a]b", "a]b", (*Lexer).AString},
		{"astring tilde", "~peter/mail", "~peter/mail", (*Lexer).AString},
		{"astring empty", `""`, "", (*Lexer).AString},
		{"astring quoted", `"a b"`, "a b", (*Lexer).AString},
		{"escapes", `"a\"\\b"`, `a"\b`, (*Lexer).String},
		{"escape at start", `"\\"`, `\`, (*Lexer).String},
		{"literal", "{3}\r\na\rb", "a\rb", (*Lexer).String},
		{"literal non-sync", "{3+}\r\nabc", "abc", (*Lexer).AString},
		{"literal with CRLF", "{4}\r\n\r\n\r\n", "\r\n\r\n", (*Lexer).AString},
		{"literal8", "~{3}\r\na\x00b", "a\x00b", (*Lexer).String},
		{"literal empty", "{0}\r\n", "", (*Lexer).AString},
		{"pattern", "%.*", "%.*", (*Lexer).ListMailbox},
		{"pattern quoted", `"% *"`, "% *", (*Lexer).ListMailbox},
		{"flag", `\Seen`, `\Seen`, (*Lexer).Flag},
		{"keyword", `$Forwarded`, `$Forwarded`, (*Lexer).Flag},
		{"any flag", `\*`, `\*`, (*Lexer).Flag},
		{"text", `a (b`, `a (b`, (*Lexer).Text},
	} {
		got, err := take(c.in, c.f)
		assert.NoError(t, err, c.name)
		assert.Equal(t, c.want, got, c.name)
	}
}

func TestBadTokens(t *testing.T) {
	for _, c := range []struct {
		name, in string
		f        func(*Lexer) string
	}{
		{"atom empty", "", (*Lexer).Atom},
		{"atom 8 bit", "\xff", (*Lexer).Atom},
		{"atom DEL", "a\x7f", (*Lexer).Atom},
		{"atom bracket", "a]", (*Lexer).Atom},
		{"atom wildcard", "a%", (*Lexer).Atom},
		{"tag plus", "+", (*Lexer).Tag},
		{"quoted open", `"abc`, (*Lexer).String},
		{"quoted open escape", `"abc\`, (*Lexer).String},
		{"quoted escape", `"a\b"`, (*Lexer).String},
		{"quoted CR", "\"a\rb\"", (*Lexer).String},
		{"quoted NUL", "\"a\x00b\"", (*Lexer).String},
		{"quoted 8 bit", "\"\xc3\xbc\"", (*Lexer).String},
		{"literal short", "{4}\r\nabc", (*Lexer).String},
		{"literal huge", "{4294967295}\r\nabc", (*Lexer).String},
		{"literal endless", "{99999999999999999999}\r\nabc", (*Lexer).String},
		{"literal without CR", "{3}\nabc", (*Lexer).String},
		{"literal NUL", "{3}\r\na\x00b", (*Lexer).String},
		{"literal minus", "{-3}\r\nabc", (*Lexer).String},
		{"literal junk", "{x3}\r\nabc", (*Lexer).String},
		{"literal alone", "{", (*Lexer).String},
		{"string atom", "abc", (*Lexer).String},
		{"flag alone", `\`, (*Lexer).Flag},
		{"flag space", `\ Seen`, (*Lexer).Flag},
	} {
		got, err := take(c.in, c.f)
		assert.Error(t, err, "%s: %q", c.name, got)
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "42": 42, "0042": 42, "9223372036854775807": math.MaxInt64} {
		got, err := take(in, (*Lexer).Number64)
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"", "-1", "x", "9223372036854775808", "99999999999999999999999"} {
		_, err := take(in, (*Lexer).Number64)
		assert.Error(t, err, in)
	}
	_, err := take("4294967296", (*Lexer).Number)
	assert.Error(t, err)
	n, err := take("4294967295", (*Lexer).Number)
	assert.NoError(t, err)
	assert.Equal(t, uint32(math.MaxUint32), n)
	_, err = take("0", (*Lexer).NZNumber)
	assert.Error(t, err)
}

// The first mistake stays, and whoever goes on parsing gets nothing.
func TestFirstMistakeStays(t *testing.T) {
	l := NewLexer([]byte("a b"))
	l.Number()
	l.Fail("something else")
	assert.Empty(t, l.Atom())
	assert.Zero(t, l.Peek())
	assert.False(t, l.AtEnd())
	assert.EqualError(t, l.Err(), "expected number at 0")
}

func TestTakeWord(t *testing.T) {
	l := NewLexer([]byte("uid store(BODY.PEEK[]"))
	assert.False(t, l.TakeWord("UI"))
	assert.True(t, l.TakeWord("UID"))
	l.SP()
	assert.True(t, l.TakeWord("STORE"))
	l.Want('(')
	assert.False(t, l.TakeWord("BODY"))
	assert.True(t, l.TakeWord("BODY.PEEK["))
	assert.Equal(t, "]", string(l.Rest()))
}

func TestLists(t *testing.T) {
	var got []string
	l := NewLexer([]byte(`(a b (c) ())`))
	var item func()
	item = func() {
		if l.Peek() == '(' {
			got = append(got, "(")
			l.List(item)
			got = append(got, ")")
			return
		}
		got = append(got, l.Atom())
	}
	l.List(item)
	l.End()
	require.NoError(t, l.Err())
	assert.Equal(t, "a b ( c ) ( )", strings.Join(got, " "))
	for _, bad := range []string{"(a  b)", "( a)", "(a ", "(a)b", "a"} {
		_, err := take(bad, func(l *Lexer) any { l.List(func() { l.Atom() }); return nil })
		assert.Error(t, err, bad)
	}
}

// TestParenDepth: parentheses are entered so deep and no deeper, and those that
// stay open are no mistake that costs memory (CVE-2026-27857).
func TestParenDepth(t *testing.T) {
	deepest := 0
	l := NewLexer([]byte(strings.Repeat("(", 4000)))
	var item func()
	depth := 0
	item = func() {
		depth++
		deepest = max(deepest, depth)
		l.List(item)
		depth--
	}
	l.List(item)
	assert.Error(t, l.Err())
	assert.LessOrEqual(t, deepest, MaxDepth)
}

func TestNString(t *testing.T) {
	for in, want := range map[string]string{"NIL": "- false", "nil": "- false", `"NIL"`: "NIL true", `""`: " true", "{1}\r\nx": "x true"} {
		l := NewLexer([]byte(in))
		s, ok := l.NString()
		if !ok {
			s = "-"
		}
		assert.Equal(t, want, fmt.Sprint(s, " ", ok))
	}
}

func TestUTF8InQuoted(t *testing.T) {
	l := NewLexer([]byte("\"\xc3\xbc\""))
	l.UTF8 = true
	assert.Equal(t, "ü", l.String())
	l = NewLexer([]byte("\"\xff\""))
	l.UTF8 = true
	_ = l.String()
	assert.Error(t, l.Err())
	l = NewLexer([]byte("\"\\x\xff\""))
	l.Lenient = true
	assert.Equal(t, "x\xff", l.String())
	assert.NoError(t, l.Err())
}

func TestLiteralAt(t *testing.T) {
	for in, want := range map[string]string{
		"a {5}":                        "{5 false false} 2",
		"a {5+}":                       "{5 true false} 2",
		"a ~{5}":                       "{5 false true} 2",
		"a ~{5+}":                      "{5 true true} 2",
		"a {0}":                        "{0 false false} 2",
		"{9999999999999999999999999+}": "{9223372036854775807 true false} 0",
		"a {5} ":                       "none",
		"a {}":                         "none",
		"a {+}":                        "none",
		"a 5}":                         "none",
		"a {-5}":                       "none",
		"}":                            "none",
		"":                             "none",
	} {
		got := "none"
		if l, at, ok := LiteralAt([]byte(in)); ok {
			got = fmt.Sprint(l, at)
		}
		assert.Equal(t, want, got, in)
	}
}

func TestDates(t *testing.T) {
	for _, in := range []string{`1-Feb-1994`, `"1-Feb-1994"`, `01-feb-1994`, `1-FEB-1994`} {
		got, err := take(in, (*Lexer).Date)
		assert.NoError(t, err, in)
		assert.Equal(t, time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC), got, in)
	}
	for _, in := range []string{`1-Feb-94`, `31-Feb-1994`, `"1-Feb-1994`, `1-Fob-1994`, `1 Feb 1994`, ``, `0-Feb-1994`, `1-Feb-0000`} {
		_, err := take(in, (*Lexer).Date)
		assert.Error(t, err, in)
	}
	for _, in := range []string{`" 7-Feb-1994 21:52:25 -0800"`, `"07-Feb-1994 21:52:25 -0800"`} {
		got, err := take(in, (*Lexer).DateTime)
		assert.NoError(t, err, in)
		assert.Equal(t, `" 7-Feb-1994 21:52:25 -0800"`, string(AppendDateTime(nil, got)))
	}
	for _, in := range []string{`7-Feb-1994 21:52:25 -0800`, `"7-Feb-1994 21:52:25"`, `" 7-Feb-1994 25:52:25 -0800"`, `""`} {
		_, err := take(in, (*Lexer).DateTime)
		assert.Error(t, err, in)
	}
	assert.Equal(t, "7-Feb-1994", string(AppendDate(nil, time.Date(1994, 2, 7, 0, 0, 0, 0, time.UTC))))
}

func TestFold(t *testing.T) {
	assert.Equal(t, "INBOX", Upper("iNbOx"))
	assert.Equal(t, "\u017f", Upper("\u017f"))
	assert.True(t, EqualFold("abc", []byte("AbC")))
	assert.False(t, EqualFold("s", "\u017f"))
	assert.False(t, EqualFold("a", "b"))
	assert.True(t, IsAtom("x-y.z"))
	assert.False(t, IsAtom(""))
	assert.False(t, IsTag([]byte("a+")))
}

// Dates are written as package time would.
func TestAppendDateTime(t *testing.T) {
	for _, zone := range []int{0, 3600, -8 * 3600, 5*3600 + 1800, -30 * 60} {
		for _, s := range []int64{0, 1, 760683145, 1767323045, -1, 253402300799, -62135596800} {
			at := time.Unix(s, 0).In(time.FixedZone("", zone))
			assert.Equal(t, `"`+at.Format(dateTimeLayout)+`"`, string(AppendDateTime(nil, at)))
		}
	}
}
