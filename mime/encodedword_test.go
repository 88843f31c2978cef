package mime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEncodedWords holds RFC 2047 and what is sent in its name.
func TestEncodedWords(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "hello", "hello"},
		{"Q", "=?utf-8?q?a=20b_c?=", "a b c"},
		{"B", "=?UTF-8?B?4pyT?=", "✓"},
		{"between words of text", "a =?utf-8?q?b?= c", "a b c"},
		{"two words", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"two words folded", "=?utf-8?q?a?=\r\n\t=?utf-8?q?b?=", "ab"},
		{"two charsets", "=?utf-8?q?=C3=BC?= =?iso-8859-1?q?=FC?=", "üü"},
		{"no space between", "=?utf-8?q?a?==?utf-8?q?b?=", "ab"},
		{"text at both ends", "x=?utf-8?q?a?=y", "xay"},
		{"tag without a space", "[SPAM]=?utf-8?q?a?=", "[SPAM] a"},
		{"language", "=?utf-8*de?q?=C3=BC?=", "ü"},
		{"character cut in two, Q", "=?utf-8?q?=E2=9C?= =?utf-8?q?=93?=", "✓"},
		{"character cut in two, B", "=?utf-8?b?4pw=?= =?utf-8?b?kw==?=", "✓"},
		{"group cut in two", "=?utf-8?b?4p?= =?utf-8?b?yT?=", "✓"},
		{"no padding", "=?utf-8?b?4pyT4g?=", "✓\uFFFD"},
		{"too much padding", "=?utf-8?b?4pyT====?=", "✓"},
		{"spaces inside", "=?utf-8?q?a b c?=", "a b c"},
		{"folded inside", "=?utf-8?b?4py\r\n T?=", "✓"},
		{"question mark inside", "=?utf-8?q?what??=", "what?"},
		{"unknown charset", "=?klingon?q?abc?=", "abc"},
		{"unknown charset with UTF-8", "=?klingon?q?=C3=BC?=", "ü"},
		{"unknown charset with 8 bit", "=?klingon?q?=FC?=", "ü"},
		{"unknown encoding", "=?utf-8?x?abc?=", "=?utf-8?x?abc?="},
		{"no end", "=?utf-8?q?abc", "=?utf-8?q?abc"},
		{"no end, then a good one", "=?utf-8?q?abc =?utf-8?q?d?=", "=?utf-8?q?abc d"},
		{"empty", "a =?utf-8?q??= b", "a  b"},
		{"bad escape", "=?utf-8?q?a=xyb?=", "a=xyb"},
		{"lower-case escape", "=?utf-8?q?=c3=bc?=", "ü"},
		{"not UTF-8", "=?utf-8?q?a=FFb?=", "a\uFFFDb"},
		{"decoded once", "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=", "=?utf-8?q?x?="},
		{"line break hidden", "=?utf-8?q?x=0D=0ABcc:_a=40b?=", "x  Bcc: a@b"},
		{"other breaks hidden", "=?utf-8?q?a=C2=85b=E2=80=A8c=E2=80=A9d=00e=7Ff?=", "a b c d e f"},
		{"tab", "a\tb", "a b"},
		{"fold", "a\r\n b", "a b"},
		{"UTF-7", "=?utf-7?q?+AOQ-+2D3eAA-?=", "ä😀"},
		{"ISO-2022-JP", "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"},
		{"GB 2312", "=?gb2312?b?1tDOxA==?=", "中文"},
		{"Shift_JIS", "=?shift_jis?b?k/qWew==?=", "日本"},
		{"EUC-KR", "=?ks_c_5601-1987?b?x9GxuQ==?=", "한국"},
		{"KOI8-R", "=?koi8-r?b?8NLJ18XU?=", "Привет"},
		{"windows-1252", "=?iso-8859-1?q?=93x=94?=", "“x”"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, head("Subject: "+strings.ReplaceAll(c.in, "\r\n", "\n")).Subject())
		})
	}
}

func TestWordFlaws(t *testing.T) {
	for in, want := range map[string]wordFlaws{
		"plain":                              0,
		"=?utf-8?q?a?=":                      0,
		"=?utf-8?q?=FF?=":                    flawCharset,
		"=?klingon?q?a?=":                    flawCharset,
		"=?utf-8?q?=0A?=":                    flawControl,
		"=?utf-8?q?=zz?=":                    flawWord,
		"=?utf-8?b?a!b?=":                    flawWord,
		"=?utf-8?q?=E2=9C?= =?utf-8?q?=93?=": flawSplit,
		"ü":                                  flaw8bit,
		"\xfc":                               flaw8bit,
	} {
		_, got := decodeText([]byte(in))
		assert.Equal(t, want, got, in)
	}
}
