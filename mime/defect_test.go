package mime

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCodes: every code has a name of its own, and the numbers never change.
func TestCodes(t *testing.T) {
	seen := map[string]Code{}
	for c, info := range codes {
		if info.name == "" {
			continue
		}
		assert.NotContains(t, seen, info.name)
		seen[info.name] = Code(c)
		assert.Equal(t, info.name, Code(c).String())
		assert.Equal(t, info.severity, Code(c).Severity())
	}
	assert.Len(t, seen, 14+16+19+9)
	for name, number := range map[string]Code{"LeadingContinuation": 1, "FromLine": 13, "ByteOrderMark": 14, "NoBoundaryParam": 32, "Truncated": 47, "BadMediaType": 64, "FilenamesDiffer": 82, "B64Junk": 96, "DecodedLimit": 104} {
		assert.Equal(t, number, seen[name], name)
	}
	assert.Equal(t, "code 200", Code(200).String())
	assert.Equal(t, Info, Code(200).Severity())
	assert.Equal(t, []string{"info", "warn", "ambiguous", "lost", "severity 9"}, []string{Info.String(), Warn.String(), Ambiguous.String(), Lost.String(), Severity(9).String()})
	assert.Equal(t, "NotClosed (warn) at 7", Defect{Code: NotClosed, Severity: Warn, Offset: 7}.String())
}

// TestInspect holds the defects of values and contents, each alone.
func TestInspect(t *testing.T) {
	for in, want := range map[string]string{
		"Subject: a":                                 "",
		"Content-Type: junk":                         "BadMediaType",
		"Content-Type: text/plain; a=1; a=2":         "DupParam",
		"Content-Type: text/plain; a=1; a=1":         "EqualParam",
		"Content-Type: text/plain; a":                "BadParam",
		"Content-Type: text/plain; a==?utf-8?q?b?=":  "Param2047",
		"Content-Type: text/plain; a*1=b":            "Param2231Gap",
		"Content-Type: text/plain; a=1; a*=utf-8''2": "Param2231Mixed",
		"Content-Type: text/plain; charset=klingon":  "UnknownCharset",
		"Content-Type: text/plain; name=a\r\nContent-Disposition: attachment; filename=b": "FilenamesDiffer",
		"Content-Disposition: attachment; a=1; a=2":                                       "DupParam",
		"Content-Transfer-Encoding: x-yenc":                                               "UnknownEncoding",
		"From: <a@b":                                                                      "BadAddress",
		"To: a@b,,c@d":                                                                    "EmptyAddress",
		"Cc: =?utf-8?q?a?=@b":                                                             "EncodedAddrSpec",
		"To: A (c) <a@b>":                                                                 "CommentInPhrase",
		"Date: never":                                                                     "BadDate",
		"Message-ID: abc":                                                                 "BadMsgID",
		"Message-ID: <a@b> <c@d>":                                                         "BadMsgID",
		"References: <a@b> <c@d>":                                                         "",
		"In-Reply-To: <a@b":                                                               "BadMsgID",
		"Subject: =?utf-8?q?=zz?=":                                                        "BadEncodedWord",
		"Subject: =?klingon?q?a?=":                                                        "BadEncodedWord",
		"Subject: =?utf-8?q?=E2=9C?= =?utf-8?q?=93?=":                                     "SplitMultibyte",
		"X-Any: =?utf-8?q?a=0Ab?=":                                                        "ControlInDecoded",
		"To: =?utf-8?q?a=0Ab?= <a@b>":                                                     "ControlInDecoded",
	} {
		assert.Equal(t, want, codeNames(Parse([]byte(in+"\r\n\r\nx")).Inspect()), in)
	}
	for in, want := range map[string]string{
		"Content-Transfer-Encoding: base64\r\n\r\naGVs*bG8=":                             "B64Junk",
		"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8":                               "B64Padding",
		"Content-Transfer-Encoding: base64\r\n\r\nYQ==YQ==":                              "B64AfterPad",
		"Content-Transfer-Encoding: base64\r\n\r\naGVsb":                                 "B64Truncated",
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=zz":                         "QPBadEscape",
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nx=":                          "QPSoftAtEnd",
		"Content-Transfer-Encoding: x-uuencode\r\n\r\n~":                                 "UUBad",
		"Content-Type: text/plain; charset=utf-8\r\n\r\n\xff":                            "InvalidInCharset",
		"Content-Type: image/png\r\n\r\n\xff":                                            "",
		"Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("ü\n", 1<<20): "",
	} {
		assert.Equal(t, want, codeNames(Parse([]byte(in)).Inspect()), in[:min(len(in), 80)])
	}
}

// TestDefectPlaces: a defect says where it is.
func TestDefectPlaces(t *testing.T) {
	m := Parse([]byte("A: b\r\nDate: never\r\nContent-Transfer-Encoding: base64\r\n\r\naG*\r\n"))
	got := m.Inspect()
	assert.Equal(t, []Defect{{BadDate, Warn, 0, 6}, {B64Padding, Warn, 0, 61}}[0], got[0])
	assert.Equal(t, int64(58), got[1].Offset)
	m = Parse([]byte(mixed("--b\n\nx\n--b\nA : c\n\ny\n--b--\n")))
	i := slices.IndexFunc(m.Defects(), func(d Defect) bool { return d.Code == SpaceBeforeColon })
	assert.Equal(t, Defect{SpaceBeforeColon, Ambiguous, 2, 54}, m.Defects()[i])
}

// TestAmbiguous holds the patterns that gateways and readers are known to read
// differently, and mail that is odd but means one thing.
func TestAmbiguous(t *testing.T) {
	for _, in := range []string{
		"From: a@b\nFrom: c@d\n\nx",
		"Subject: a\nSubject: b\n\nx",
		"Content-Type: text/plain\nContent-Type: text/html\n\nx",
		"Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nx",
		"MIME-Version: 1.0\nMIME-Version: 1.0\n\nx",
		"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\nx\n--a--\n",
		"Content-Type: multipart/mixed; boundary=\"a \"\n\n--a\n\nx\n--a--\n",
		"Content-Type: multipart/mixed\n\n--a\n",
		"Content-Type: multipart/mixed; boundary=a\n\n--b\n",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
		mixed("--b\n\nx\n--b--\n--b\n\ny\n--b--\n"),
		"Content-Transfer-Encoding: base65\n\nx",
		"Content-Transfer-Encoding: base64\n\nYQ==YQ==",
		"Subject : a\n\nx",
		"Subject: a\x00b\n\nx",
		"Subject: a\rb\n\nx",
		"Subject: =?utf-8?q?a=0AB?=\n\nx",
		"To: =?utf-8?q?a=40b?=@c\n\nx",
		"Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=b.exe\n\nx",
		"Content-Disposition: attachment; filename=a.txt; filename*=utf-8''b.exe\n\nx",
	} {
		assert.True(t, Parse([]byte(in)).Ambiguous(), in)
	}
	for _, in := range []string{"", "x", nested, "Subject: a\n\nx", mixed("--b\n\nx\n"), "Date: never\n\nx", "To: a@b,,c\n\nx", mixed("--b\n\nx\n--b--\nfooter\n")} {
		assert.False(t, Parse([]byte(in)).Ambiguous(), in)
	}
}
