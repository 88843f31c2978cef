package mime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCharsetLabels(t *testing.T) {
	for label, kind := range map[string]charsetKind{
		"": charsetNone, "us-ascii": charsetASCII, "US-ASCII": charsetASCII, "ANSI_X3.4-1968": charsetASCII,
		"utf-8": charsetUTF8, "UTF8": charsetUTF8, "\"utf-8\"": charsetUTF8, " utf-8 ": charsetUTF8, "charset=utf-8": charsetUTF8,
		"unicode-1-1-utf-8": charsetUTF8, "utf-8*en": charsetUTF8,
		"iso-8859-1": charsetLatin, "ISO_8859-1:1987": charsetLatin, "latin1": charsetLatin, "Windows-1252": charsetLatin, "cp-1252": charsetLatin,
		"utf-7": charsetUTF7, "unicode-1-1-utf-7": charsetUTF7, "iso-2022-kr": charset2022KR,
		"iso-8859-8-i": charsetTable, "ks_c_5601-1987": charsetTable, "cp-850": charsetTable, "x-sjis": charsetTable,
		"x-unknown": charsetUnknown, "klingon": charsetUnknown, strings.Repeat("x", 100): charsetUnknown,
	} {
		assert.Equal(t, kind, lookupCharset([]byte(label)).kind, label)
	}
}

func TestCharsetDecoding(t *testing.T) {
	for _, c := range []struct {
		label, in, want string
		ok              bool
	}{
		{"utf-8", "ü", "ü", true},
		{"utf-8", "a\xffb", "a\uFFFDb", false},
		{"utf-8", "\xe2\x9cx", "\uFFFDx", false},               // one for the start of a sequence
		{"utf-8", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", false}, // a surrogate is none
		{"utf-8", "\xf0\x9f\x98", "\uFFFD", false},
		{"", "ü\xff", "ü\uFFFD", false},
		{"us-ascii", "abc", "abc", true},
		{"us-ascii", "ü", "ü", false},
		{"us-ascii", "\xfc", "ü", false},
		{"iso-8859-1", "\x93\xfc\x94\x80", "“ü”€", true},
		{"windows-1252", "\x81", "\u0081", true},
		{"klingon", "abc", "abc", false},
		{"klingon", "\xfc", "ü", false},
		{"iso-8859-15", "\xa4", "€", true},
		{"windows-1251", "\xcf\xf0\xe8", "При", true},
		{"iso-8859-8-i", "\xf9", "ש", true},
		{"utf-16", "\xfe\xff\x00a", "a", true},
		{"utf-16le", "a\x00", "a", true},
		{"iso-2022-kr", "\x1b$)C\x0e\x47\x51\x0f a", "한 a", true},
		{"iso-2022-kr", "\x0e\x47\x51\nG", "한\nG", true},
		{"hz-gb-2312", "~{VPND~}", "中文", true},
		{"big5", "\xa4\xa4", "中", true},
		{"utf-7", "Hi +ZeVnLIqe-!", "Hi 日本語!", true},
		{"utf-7", "a+-b", "a+b", true},
		{"utf-7", "1 + 1", "1 + 1", false},
		{"utf-7", "+2D0-", "\uFFFD", false}, // half a pair
		{"utf-7", "\xfc", "ü", false},
	} {
		got, ok := decodeCharset(nil, lookupCharset([]byte(c.label)), []byte(c.in))
		assert.Equal(t, c.want, string(got), "%s %q", c.label, c.in)
		assert.Equal(t, c.ok, ok, "%s %q", c.label, c.in)
		s, ok := decodeCharsetString(lookupCharset([]byte(c.label)), []byte(c.in), false)
		assert.Equal(t, c.want, s)
		assert.Equal(t, c.ok, ok, "%s %q as a string", c.label, c.in)
	}
}

func TestTextOfParts(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Content-Type: text/plain; charset=iso-8859-1\n\nFr\xf6sche", "Frösche"},
		{"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nFr=F6sche", "Frösche"},
		{"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nRnLDtnNjaGU=", "Frösche"},
		{"\nFr\xf6sche", "Fr\uFFFDsche"},
		{"Content-Type: text/html\n\n<meta charset=\"iso-8859-1\">Fr\xf6sche", "<meta charset=\"iso-8859-1\">Frösche"},
		{"Content-Type: text/html\n\n<META http-equiv=x content='text/html; charset=koi8-r'>\xf0", "<META http-equiv=x content='text/html; charset=koi8-r'>П"},
		{"Content-Type: text/html\n\n<meta", "<meta"},
		{"Content-Type: text/plain; charset=x-unknown\n\nFr\xf6sche", "Frösche"},
	} {
		assert.Equal(t, c.want, Parse([]byte(c.in)).Root().Text(), c.in)
	}
	p := Parse([]byte("\nFr\xf6sche")).Root()
	text, ok := p.TextIn("latin1")
	assert.True(t, ok)
	assert.Equal(t, "Frösche", text)
	text, ok = p.TextIn("klingon")
	assert.False(t, ok)
	assert.Equal(t, "Fr\uFFFDsche", text)
}
