package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCitations is the check of the whole module.
func TestCitations(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out, false, false, nil); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestIndex holds the committed index against the texts.
func TestIndex(t *testing.T) {
	b, err := os.ReadFile("index.txt")
	require.NoError(t, err)
	ix, err := parseIndex(string(b))
	require.NoError(t, err)
	assert.Equal(t, string(b), string(ix.bytes()), "as -update writes it")

	root, err := moduleRoot()
	require.NoError(t, err)
	lib := library(root)
	if lib == "" {
		t.Skip("no RFC texts: neither $POSTILION_RFC nor ../shared/rfc is a folder")
	}
	require.NoError(t, ix.refresh(lib, nil))
	assert.Equal(t, string(b), string(ix.bytes()), "stale: run go run ./internal/rfcref -update")
}

func TestParseText(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
		bad  string
	}{
		{"nothing here, not even an RFC or RFC xxxx", nil, ""},
		{"RFC 5321", []string{"RFC 5321"}, ""},
		{"RFC 5321 §4.5.2", []string{"RFC 5321 §4.5.2"}, ""},
		{"see RFC 5321 §4.5.2.", []string{"RFC 5321 §4.5.2"}, ""},
		{"RFC 5321\n §4.5.2, and", []string{"RFC 5321 §4.5.2"}, ""},
		{"(RFC 1870 §3); RFC 5321 §4.5.3.1.4; more", []string{"RFC 1870 §3", "RFC 5321 §4.5.3.1.4"}, ""},
		{"RFC 5321 §§4.1–4.2", []string{"RFC 5321 §4.1", "RFC 5321 §4.2"}, ""},
		{"RFC 5321 §§4.1, 4.2 and 4.3", []string{"RFC 5321 §4.1", "RFC 5321 §4.2", "RFC 5321 §4.3"}, ""},
		{"RFC 5321 §4.1, §4.2 and §A", []string{"RFC 5321 §4.1", "RFC 5321 §4.2", "RFC 5321 §A"}, ""},
		{"RFC 5321 §4.1–§4.2", []string{"RFC 5321 §4.1", "RFC 5321 §4.2"}, ""},
		{"RFC 5321 §4 and 5 others", []string{"RFC 5321 §4"}, ""},
		{"RFC 5321 §4, 5 replies", []string{"RFC 5321 §4"}, ""},
		{"RFC 5321 Appendix D.3", []string{"RFC 5321 §D.3"}, ""},
		{"RFC 7208 erratum 5436", []string{"RFC 7208"}, ""},
		{"RFCs 1939 and 2449", []string{"RFC 1939", "RFC 2449"}, ""},
		{"RFCs 1939, 2449, and 5034 §4", []string{"RFC 1939", "RFC 2449", "RFC 5034 §4"}, ""},
		{"RFCs 2045–2049", []string{"RFC 2045", "RFC 2049"}, ""},
		{"RFCs 5321 §2 and 5322 §3", []string{"RFC 5321 §2", "RFC 5322 §3"}, ""},
		{"RFC 5321 and 2449 other things", []string{"RFC 5321"}, ""},
		{"the RFC5322.From field", nil, ""},
		{"an HRFC 12", nil, ""},
		{"RFC5321", nil, "write RFC 5321, with a space"},
		{"as in RFC5321.", nil, "write RFC 5321, with a space"},
		{"RFC-5321", nil, "write RFC 5321, with a space"},
		{"RFC 5321 section 4.1", []string{"RFC 5321"}, "write RFC 5321 §, then the section"},
		{"RFC 5321, Section 4.1", []string{"RFC 5321"}, "write RFC 5321 §, then the section"},
		{"RFC 5321 § 4.1", []string{"RFC 5321"}, "write RFC 5321 §, then the section"},
		{"RFC 5321, §4.1", []string{"RFC 5321"}, ""},
	} {
		cites, bad := parseText(c.text)
		var got []string
		for _, f := range cites {
			got = append(got, cite{rfc: f.rfc, section: f.section}.String())
		}
		assert.Equal(t, c.want, got, c.text)
		if c.bad == "" {
			assert.Empty(t, bad, c.text)
		} else if assert.Len(t, bad, 1, c.text) {
			assert.Equal(t, c.bad, bad[0].text)
		}
	}
}

func TestScan(t *testing.T) {
	cites, bad, err := scan(fstest.MapFS{
		"a/a.go": {Data: []byte(`package a

// A is from RFC 5321 §2
// and from RFC 5322
// §3, RFC822.
const A = "RFC 1 is no comment"

/* RFC 2033
   and RFC 2034 */
`)},
		"a/a_test.go":     {Data: []byte("package a // RFC 9\n")},
		"a/testdata/b.go": {Data: []byte("nonsense RFC 10")},
		".git/b.go":       {Data: []byte("nonsense RFC 10")},
	})
	require.NoError(t, err)
	assert.Equal(t, []cite{
		{"a/a.go", 3, 5321, "2", false}, {"a/a.go", 4, 5322, "3", false},
		{"a/a.go", 8, 2033, "", false}, {"a/a.go", 9, 2034, "", false}, {"a/a_test.go", 1, 9, "", true},
	}, cites)
	require.Len(t, bad, 1)
	assert.Equal(t, "a/a.go:5: write RFC 822, with a space", bad[0].String())
}

func TestOutline(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"modern", "1.  Introduction\n1.1.  Of\n2.  Next\n   3. an item of a list\n2.1.  A\n2.2 B\n2.4. after a gap\nAppendix A.  Notes\nA.1.  More\nB.  Last\n", "1-2 A-B 1.1 2.1-2 A.1"},
		{"a table of contents is no harm", "   1.  Introduction ..... 3\n     1.1.  Of ..... 4\n1.  Introduction\n1.1.  Of\n", "1 1.1"},
		{"indented", "   1. Introduction\n      1.1  Of\n   2. Next\n", "1-2 1.1"},
		{"deep and indented", "1.  INTRODUCTION\n   1.1  A\n      1.1.1  B\n      1.1.2  C\n", "1 1.1 1.1.1-2"},
		{"examples", "1. Introduction\n   9.2  is a version\n10.1.2.3 is an address\n250 ok\n", "1"},
		{"ten follows nine", strings.Join([]string{"1. A", "2. A", "3. A", "4. A", "5. A", "6. A", "7. A", "8. A", "9. A", "10. A"}, "\n"), "1-10"},
		{"carriage returns and pages", "1. A\r\n\f\r\n1.1. B\r\n", "1 1.1"},
	} {
		assert.Equal(t, c.want, compact(outline(c.text)), c.name)
	}
}

func TestIndexText(t *testing.T) {
	for _, s := range []string{"", "1", "1-3", "1-3 A-C 1.1 2.1-4 2.2.1 A.1-2", "1-12 4.1.1-11"} {
		secs, err := expand(s)
		require.NoError(t, err, s)
		assert.Equal(t, s, compact(secs))
	}
	for _, s := range []string{"1-", "-1", "3-1", "1-900", "1.", "A-BC", "01-x", "a", "1.A"} {
		_, err := expand(s)
		assert.Error(t, err, s)
	}
	for _, s := range []string{"x\ty\tz", "1\ttitle", "1\ttitle\t3-1"} {
		_, err := parseIndex(s)
		assert.Error(t, err, s)
	}
}

// fakeLibrary is a folder of RFC texts with one in it.
func fakeLibrary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"INDEX.md":    "# x\n\n- [5321](rfc5321.txt) Simple (Mail) (draft standard)\n- [821](rfc821.txt) Old (internet standard) — obsoleted by RFC2821\n",
		"rfc5321.txt": "1. A\n2. B\n2.1. C\n",
		"rfc821.txt":  "1. A\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestCheck(t *testing.T) {
	lib := fakeLibrary(t)
	ix, err := parseIndex("5321\tMail\t1-3\n9422\tLimits\t\n")
	require.NoError(t, err)
	for _, c := range []struct {
		cite         cite
		text, noText string // the problem with and without the texts
	}{
		{cite{rfc: 5321}, "", ""},
		{cite{rfc: 5321, section: "2"}, "", ""},
		{cite{rfc: 5321, section: "3"}, "RFC 5321 §3 does not exist", ""},
		{cite{rfc: 5321, section: "2.1"}, "RFC 5321 §2.1 is not in index.txt", "RFC 5321 §2.1 is not in index.txt"},
		{cite{rfc: 9422}, "", ""},
		{cite{rfc: 9422, section: "1"}, "RFC 9422 §1 is not in index.txt", "RFC 9422 §1 is not in index.txt"},
		{cite{rfc: 1}, "RFC 1 is not in index.txt", "RFC 1 is not in index.txt"},
	} {
		for dir, want := range map[string]string{lib: c.text, "": c.noText} {
			ps := check(ix, dir, []cite{c.cite})
			if want == "" {
				assert.Empty(t, ps, c.cite)
			} else if assert.Len(t, ps, 1, c.cite) {
				assert.True(t, strings.HasPrefix(ps[0].text, want), "%s: %s", want, ps[0].text)
			}
		}
	}
}

func TestRefresh(t *testing.T) {
	ix, err := parseIndex("5321\told\t9\n9422\tLimits\t1-2\n")
	require.NoError(t, err)
	require.NoError(t, ix.refresh(fakeLibrary(t), []cite{{rfc: 821, section: "1"}, {rfc: 3}}))
	assert.Equal(t, preamble+"821\tOld\t1\n5321\tSimple (Mail)\t1-2 2.1\n9422\tLimits\t1-2\n", string(ix.bytes()))
	assert.Error(t, ix.refresh("", nil), "no texts")
}

func TestTable(t *testing.T) {
	ix, err := parseIndex("5321\tMail\t1\n1939\tPost\t\n")
	require.NoError(t, err)
	cites := []cite{
		{"smtp/a.go", 1, 5321, "1", false}, {"smtp/sasl/a.go", 1, 5321, "", false}, {"pop3/a.go", 1, 1939, "", false},
		{"pop3/a_test.go", 1, 822, "", true}, {"internal/rfcref/main.go", 1, 5321, "", false},
	}
	var b strings.Builder
	require.NoError(t, writeTable(&b, ix, cites, nil))
	assert.Equal(t, "| RFC | title | packages |\n|---|---|---|\n| 1939 | Post | pop3 |\n| 5321 | Mail | smtp, smtp/sasl |\n", b.String())
	b.Reset()
	require.NoError(t, writeTable(&b, ix, cites, []string{"./smtp/"}))
	assert.Equal(t, "//   - RFC 5321: Mail\n", b.String())
}

func TestReadme(t *testing.T) {
	ix, err := parseIndex("5321\tMail\t1\n")
	require.NoError(t, err)
	cites := []cite{{"smtp/a.go", 1, 5321, "1", false}}
	root := t.TempDir()
	file := filepath.Join(root, "README.md")
	assert.Error(t, checkReadme(root, ix, cites), "there is no README")
	require.NoError(t, os.WriteFile(file, []byte("before\n"), 0o600))
	assert.Error(t, updateReadme(root, ix, cites), "there is no place for the table")
	require.NoError(t, os.WriteFile(file, []byte("before\n"+tableBegin+"old"+tableEnd+"after\n"), 0o600))
	assert.ErrorContains(t, checkReadme(root, ix, cites), "-update")
	require.NoError(t, updateReadme(root, ix, cites))
	assert.NoError(t, checkReadme(root, ix, cites))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "before\n"+tableBegin+"| RFC | title | packages |\n|---|---|---|\n| 5321 | Mail | smtp |\n"+tableEnd+"after\n", string(b))
}

// FuzzSections asserts that what expand accepts survives compact.
func FuzzSections(f *testing.F) {
	f.Add("1-3 A-C 1.1 2.1-4 2.2.1 A.1-2")
	f.Add("4.1.1-11 9-A 01-1")
	f.Fuzz(func(t *testing.T, s string) {
		secs, err := expand(s)
		if err != nil || len(s) > 200 {
			return
		}
		again, err := expand(compact(secs))
		if err != nil {
			t.Fatalf("%q -> %q: %v", s, compact(secs), err)
		}
		if len(again) != len(secs) {
			t.Errorf("%q: %q became %q", s, secs, again)
		}
	})
}

// FuzzParseText asserts that each citation found starts where it says, with
// its number or the word in front of it.
func FuzzParseText(f *testing.F) {
	f.Add("RFC 5321 §4.1, §4.2 and RFCs 1939, 2449 and 5034 §4; RFC5321, RFC 1 section 2")
	f.Fuzz(func(t *testing.T, s string) {
		cites, bad := parseText(s)
		for _, c := range append(cites, bad...) {
			if !strings.HasPrefix(s[c.at:], "RFC") && (s[c.at] < '0' || s[c.at] > '9') {
				t.Errorf("%q: nothing at %d", s, c.at)
			}
			if !strings.Contains(s, c.section) {
				t.Errorf("%q: no section %s", s, c.section)
			}
		}
	})
}
