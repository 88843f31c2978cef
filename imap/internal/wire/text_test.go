package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestUTF7(t *testing.T) {
	for name, enc := range map[string]string{
		"INBOX":              "INBOX",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", // RFC 3501 §5.1.3
		"a&b":                "a&-b",
		"&":                  "&-",
		"Entwürfe":           "Entw&APw-rfe",
		"😀":                  "&2D3eAA-",
		"ü-":                 "&APw--",
		"\t":                 "&AAk-",
	} {
		assert.Equal(t, enc, EncodeUTF7(name))
		got, err := DecodeUTF7(enc)
		assert.NoError(t, err, enc)
		assert.Equal(t, name, got)
	}
}

// TestUTF7Strictness: names have one spelling. The second ones are the ways in
// which a check was passed by (Dovecot PR #311, CVE class of UTF-7 overlongs).
func TestUTF7Strictness(t *testing.T) {
	for what, in := range map[string]string{
		"no end":                    "&APw",
		"null shift":                "&APw-&APw-",
		"printable ASCII encoded":   "&AGE-",
		"dot encoded":               "&AC4ALg-",
		"odd UTF-16":                "&AA-",
		"lone high surrogate":       "&2D0-",
		"lone low surrogate":        "&3gA-",
		"pad bits":                  "&APx-",
		"raw 8 bit":                 "\xfc",
		"8 bit in shift":            "&AAE\x80-",
		"control character":         "a\x01",
		"DEL":                       "a\x7f",
		"slash of plain base64":     "&U/BTFw-",
		"ampersand alone":           "a&b",
		"ampersand encoded":         "&ACY-",
		"surrogates the wrong way":  "&3gDYPQ-",
		"surrogate and a character": "&2D0A,A-",
	} {
		_, err := DecodeUTF7(in)
		assert.ErrorIs(t, err, ErrUTF7, what)
	}
}

func TestEncode(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, c := range []struct{ name, got, want string }{
		{"quoted", string(AppendString(nil, `a"b\`, false)), `"a\"b\\"`},
		{"empty", string(AppendString(nil, "", false)), `""`},
		{"8 bit", string(AppendString(nil, "ü", false)), "{2}\r\nü"},
		{"UTF-8", string(AppendString(nil, "ü", true)), `"ü"`},
		{"not UTF-8", string(AppendString(nil, "\xff", true)), "{1}\r\n\xff"},
		{"long", string(AppendString(nil, long, true)), "{1025}\r\n" + long},
		{"NUL", string(AppendString(nil, "a\x00b", true)), "{2}\r\nab"},
		{"nil", string(AppendNString(nil, "x", false, true)), "NIL"},
		{"not nil", string(AppendNString(nil, "", true, true)), `""`},
		{"atom", string(AppendAString(nil, "a]", true)), "a]"},
		{"NIL as a name", string(AppendAString(nil, "nil", true)), `"nil"`},
		{"no atom", string(AppendAString(nil, "a%", true)), `"a%"`},
		{"mailbox", string(AppendMailbox(nil, "ü&", false)), "&APw-&-"},
		{"mailbox UTF-8", string(AppendMailbox(nil, "ü&", true)), `"ü&"`},
		{"literal8", string(AppendLiteralHeader(nil, Literal{3, true, true})), "~{3+}\r\n"},
		{"text", string(AppendText(nil, "a\r\n* BYE\x00")), "a  * BYE "},
	} {
		assert.Equal(t, c.want, c.got, c.name)
	}
}

// TestResponseInjection: whatever a message or a mailbox name holds, no line of
// it begins a response.
func TestResponseInjection(t *testing.T) {
	for _, s := range []string{"a\r\n* BYE gone", "\r\n", "\n* 1 EXPUNGE", `"\r\n`, "\x00\r"} {
		for _, out := range [][]byte{AppendString(nil, s, true), AppendMailbox(nil, s, false), AppendMailbox(nil, s, true)} {
			l := NewLexer(out)
			l.UTF8 = true
			l.AString()
			l.End()
			assert.NoError(t, l.Err(), "%q", out)
		}
	}
}

func FuzzLexer(f *testing.F) {
	for _, s := range []string{"a1 LOGIN {3}\r\nabc {1+}\r\nx", `a FETCH 1:* (FLAGS BODY[HEADER.FIELDS ("a" b)]<0.1>)`, `x "\\\"" NIL () ((()))`, "~{2}\r\na\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := NewLexer(b)
		l.UTF8 = true
		n := 0
		var item func()
		item = func() {
			at := l.Pos()
			switch c := l.Peek(); {
			case c == '(':
				l.List(item)
			case c == '\\':
				l.Flag()
			case c == '"', c == '{', l.isLiteral8():
				s := l.String()
				n += len(s)
				if l.OK() { // what was read is written so that it reads the same
					again := NewLexer(AppendString(nil, s, true))
					again.UTF8 = true
					if r := again.String(); again.Err() != nil || r != strings.ReplaceAll(s, "\x00", "") {
						t.Errorf("%q -> %q, %v", s, r, again.Err())
					}
				}
			default:
				n += len(l.AString())
			}
			if l.OK() && l.Pos() <= at {
				t.Fatal("no progress")
			}
		}
		for l.OK() && !l.AtEnd() {
			item()
			l.Take(' ')
		}
		if n > len(b) {
			t.Errorf("%d octets became %d", len(b), n)
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"1", "1:*", "*:4,7", "3,2,1:9", "4294967295:1"} {
		f.Add(s, uint32(7))
	}
	f.Fuzz(func(t *testing.T, s string, last uint32) {
		v, err := ParseSet(s)
		if err != nil {
			return
		}
		if w, err := ParseSet(v.String()); err != nil || w.String() != v.String() {
			t.Errorf("%q -> %v -> %v, %v", s, v, w, err)
		}
		r := v.Resolve(last)
		if len(r) > len(v) || r.String() != r.Resolve(last).String() {
			t.Errorf("%v is not in order", r)
		}
	})
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"INBOX", "&U,BTFw-", "&-", "&APw-&APw-", "&2D3eAA-", "ü", "&\r000-", "&00\n0-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := DecodeUTF7(s); err == nil {
			if again := EncodeUTF7(name); again != s {
				t.Errorf("%q -> %q -> %q", s, name, again)
			}
		}
		if enc := EncodeUTF7(s); !strings.ContainsRune(s, '\uFFFD') && strings.ToValidUTF8(s, "\uFFFD") == s {
			if back, err := DecodeUTF7(enc); err != nil || back != s {
				t.Errorf("%q -> %q -> %q, %v", s, enc, back, err)
			}
		}
	})
}

func FuzzDate(f *testing.F) {
	f.Add(`" 7-Feb-1994 21:52:25 -0800"`)
	f.Add(`"17-Jul-1996 02:44:25 +0000"`)
	f.Fuzz(func(t *testing.T, s string) {
		l := NewLexer([]byte(s))
		v := l.DateTime()
		if l.Err() != nil {
			return
		}
		l = NewLexer(AppendDateTime(nil, v))
		if w := l.DateTime(); l.Err() != nil || !w.Equal(v) {
			t.Errorf("%q -> %v -> %v, %v", s, v, w.In(time.UTC), l.Err())
		}
	})
}
