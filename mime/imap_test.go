package mime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEnvelope holds RFC 9051 §7.5.2.
func TestEnvelope(t *testing.T) {
	const bob = `((NIL NIL "bob" "hamburger.edu"))`
	for _, c := range []struct{ name, in, want string }{
		{"empty", "A: b", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"usual", "Date: Mon, 23 Nov 2026 09:12:40 +0100\nSubject: hello\nFrom: bob@hamburger.edu\nTo: Alice <alice@example.org>\nMessage-ID: <1@b>\nIn-Reply-To: <0@b>",
			`("Mon, 23 Nov 2026 09:12:40 +0100" "hello" ` + bob + ` ` + bob + ` ` + bob + ` (("Alice" NIL "alice" "example.org")) NIL NIL "<0@b>" "<1@b>")`},
		{"sender and reply-to of their own", "From: bob@hamburger.edu\nSender: s@x\nReply-To: r@x",
			`(NIL NIL ` + bob + ` ((NIL NIL "s" "x")) ((NIL NIL "r" "x")) NIL NIL NIL NIL NIL)`},
		{"empty sender is that of from", "From: bob@hamburger.edu\nSender: \nReply-To: ",
			`(NIL NIL ` + bob + ` ` + bob + ` ` + bob + ` NIL NIL NIL NIL NIL)`},
		{"not decoded", "Subject: =?utf-8?q?=C3=BC?=\nTo: =?utf-8?q?=C3=BC?= <a@b>",
			`(NIL "=?utf-8?q?=C3=BC?=" NIL NIL NIL (("=?utf-8?q?=C3=BC?=" NIL "a" "b")) NIL NIL NIL NIL)`},
		{"folded", "Subject: one\n two", `(NIL "one two" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"quotes", `Subject: say "hi" \o/`, `(NIL "say \"hi\" \\o/" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"group", "To: Friends: a@b, c@d;, e@f",
			`(NIL NIL NIL NIL NIL ((NIL NIL "Friends" NIL)(NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "e" "f")) NIL NIL NIL NIL)`},
		{"empty group", "To: undisclosed-recipients:;", `(NIL NIL NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
		{"route", "To: <@r.example:a@b>", `(NIL NIL NIL NIL NIL ((NIL "@r.example" "a" "b")) NIL NIL NIL NIL)`},
		{"quoted local part", `To: <"a b"@c>`, `(NIL NIL NIL NIL NIL ((NIL NIL "a b" "c")) NIL NIL NIL NIL)`},
		{"no host is not a group", "To: MAILER-DAEMON", `(NIL NIL NIL NIL NIL ((NIL NIL "MAILER-DAEMON" "")) NIL NIL NIL NIL)`},
		{"comment and nothing else", "From: bob@hamburger.edu\nSender: (nobody)\nTo: (a), (b), g: (c);",
			`(NIL NIL ` + bob + ` ` + bob + ` ` + bob + ` ((NIL NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
		{"no comma", "To: Bob <bob@hamburger.edu> Alice <a@b> Carol",
			`(NIL NIL NIL NIL NIL (("Bob" NIL "bob" "hamburger.edu")("Alice Carol" NIL "a" "b")) NIL NIL NIL NIL)`},
		{"comment for a name", "To: a@b (Alice)", `(NIL NIL NIL NIL NIL (("Alice" NIL "a" "b")) NIL NIL NIL NIL)`},
		{"8 bit is a literal", "Subject: \xfc", "(NIL {1}\r\n\xfc NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"bare CR is a literal", "Subject: a\rb", "(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"NUL is left out", "Subject: a\x00b", `(NIL "ab" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"long is a literal", "Subject: " + strings.Repeat("x", 1025), "(NIL {1025}\r\n" + strings.Repeat("x", 1025) + " NIL NIL NIL NIL NIL NIL NIL NIL)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Parse(withLF([]byte(c.in + "\n\n")))
			if strings.Contains(c.in, "\r") {
				m = Parse([]byte(c.in + "\n\n"))
			}
			assert.Equal(t, c.want, string(m.AppendEnvelope(nil)))
			assert.Equal(t, "X "+c.want, string(m.AppendEnvelope([]byte("X "))))
		})
	}
}

// TestBodyStructure holds RFC 9051 §7.5.2.
func TestBodyStructure(t *testing.T) {
	const noEnvelope = `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`
	const longEmptyBody = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`
	for _, c := range []struct{ name, in, body, structure string }{
		{"no type", "A: b\n\none\ntwo\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2 NIL NIL NIL NIL)`},
		{"all fields", "Content-Type: text/html; charset=\"utf-8\"; format=x\nContent-ID: <a@b>\nContent-Description: what\nContent-Transfer-Encoding: Quoted-Printable\n" +
			"Content-MD5: abc\nContent-Disposition: attachment; filename=\"a b\"\nContent-Language: de, en\nContent-Location: here\n\nx",
			`("text" "html" ("charset" "utf-8" "format" "x") "<a@b>" "what" "Quoted-Printable" 1 0)`,
			`("text" "html" ("charset" "utf-8" "format" "x") "<a@b>" "what" "Quoted-Printable" 1 0 "abc" ("attachment" ("filename" "a b")) ("de" "en") "here")`},
		{"image", "Content-Type: IMAGE/Png\nContent-Disposition: inline\nContent-Language: de\n\nx", `("IMAGE" "Png" NIL NIL NIL "7bit" 1)`,
			`("IMAGE" "Png" NIL NIL NIL "7bit" 1 NIL ("inline" NIL) "de" NIL)`},
		{"multipart", mixed("--b\n\nx\n--b\nContent-Type: a/b\n\ny\n--b--\n"),
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)("a" "b" NIL NIL NIL "7bit" 1) "mixed")`,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)("a" "b" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"multipart without parts", mixed("--b--\n"), `(` + emptyBody + ` "mixed")`, `(` + longEmptyBody + ` "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"multipart not divided", "Content-Type: multipart/mixed\n\nx", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)`},
		{"message", "Content-Type: message/rfc822\n\nA: b\n\nx\n",
			`("message" "rfc822" NIL NIL NIL "7bit" 11 ` + noEnvelope + ` ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3)`,
			`("message" "rfc822" NIL NIL NIL "7bit" 11 ` + noEnvelope + ` ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)`},
		// RFC 9051 §7.5.2: envelope, structure and lines stand after each of them.
		{"encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYg==\n",
			`("message" "rfc822" NIL NIL NIL "base64" 10 ` + noEnvelope + ` ` + emptyBody + ` 1)`,
			`("message" "rfc822" NIL NIL NIL "base64" 10 ` + noEnvelope + ` ` + longEmptyBody + ` 1 NIL NIL NIL NIL)`},
		{"encoded message/global", "Content-Type: message/Global\nContent-Transfer-Encoding: base64\n\nQTogYg==",
			`("message" "Global" NIL NIL NIL "base64" 8 ` + noEnvelope + ` ` + emptyBody + ` 0)`,
			`("message" "Global" NIL NIL NIL "base64" 8 ` + noEnvelope + ` ` + longEmptyBody + ` 0 NIL NIL NIL NIL)`},
		{"no charset, but a name like it", "Content-Type: text/plain; charset-edition=2\n\n", `("text" "plain" ("charset-edition" "2" "charset" "us-ascii") NIL NIL "7bit" 0 0)`,
			`("text" "plain" ("charset-edition" "2" "charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
		{"multipart told as a text", "Content-Type: multipart/mixed; boundary=b; charset=utf-8; x=y\n\nx", `("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 1 0)`,
			`("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)`},
		{"parameters as written", "Content-Type: a/b; f*=utf-8''%C3%BC; g=\"x\\\"y\"", `("a" "b" ("f*" "utf-8''%C3%BC" "g" "x\"y") NIL NIL "7bit" 0)`,
			`("a" "b" ("f*" "utf-8''%C3%BC" "g" "x\"y") NIL NIL "7bit" 0 NIL NIL NIL NIL)`},
		{"odd fields", "Content-Transfer-Encoding: \nContent-Language: ,\nContent-Disposition: \n\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range [][]byte{withLF([]byte(c.in)), withCRLF([]byte(c.in))} {
				assert.Equal(t, c.body, string(Parse(in).AppendBodyStructure(nil, false)))
				assert.Equal(t, c.structure, string(Parse(in).AppendBodyStructure(nil, true)))
			}
		})
	}
}

// TestParametersInPieces: RFC 2231 §6 wants them joined.
func TestParametersInPieces(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", `f*0=one; f*1=" two"`, `"f" "one two"`},
		{"encoded", `f*0*=utf-8'de'%C3; f*1*=%BC`, `"f*" "utf-8'de'%C3%BC"`},
		{"one piece", `f*0*=utf-8''a%20b`, `"f*" "utf-8''a%20b"`},
		{"mixed", `f*0*=utf-8''%C3%BC; f*1=" 100%"`, `"f*" "utf-8''%C3%BC%20100%25"`},
		{"charset of none", `f*0=a; f*1*=%20b`, `"f*" "''a%20b"`},
		{"in any order, among others", `a=1; f*2=z; f*0=x; b=2; F*1=y; c=3`, `"a" "1" "f" "xyz" "b" "2" "c" "3"`},
		{"two names", `f*0=a; g*0=b; f*1=c; g*1=d`, `"f" "ac" "g" "bd"`},
		{"gap", `f*0=a; f*2=c`, `"f" "a"`},
		{"no beginning", `f*1=b; f*2=c`, `"f*1" "b" "f*2" "c"`},
		{"number used twice", `f*0=a; f*0=b; f*1=c`, `"f" "ac"`},
		{"whole", `f*=utf-8''%C3%BC`, `"f*" "utf-8''%C3%BC"`},
		{"no number", `f*0x=a; f*1000=b; f*=c`, `"f" "a" "f*" "c"`},
	} {
		m := Parse([]byte("Content-Type: a/b; " + c.in + "\nContent-Disposition: inline; " + c.in + "\n\n"))
		assert.Equal(t, `("a" "b" (`+c.want+`) NIL NIL "7bit" 0 NIL ("inline" (`+c.want+`)) NIL NIL)`, string(m.AppendBodyStructure(nil, true)), c.name)
		// Who decodes what is told reads what is written.
		told := "Content-Type: a/b"
		words := readIMAP(t, []byte("("+c.want+")"))
		for i := 0; i < len(words); i += 2 {
			name, value := words[i].(string), words[i+1].(string)
			if !strings.HasSuffix(name, "*") {
				value = `"` + value + `"`
			}
			told += "; " + name + "=" + value
		}
		again := Parse([]byte(told + "\n\n"))
		assert.Equal(t, m.Header().ContentType().Param("f"), again.Header().ContentType().Param("f"), c.name)
	}
}

// TestSections holds RFC 9051 §6.4.5.1.
func TestSections(t *testing.T) {
	get := func(in, spec string) string {
		m := Parse([]byte(in))
		off, size, ok := m.Section(spec)
		if !ok {
			return "none"
		}
		return in[off : off+size]
	}
	for _, c := range []struct{ spec, want string }{
		{"", nested},
		{"HEADER", "Content-Type: multipart/mixed; boundary=a\r\n\r\n"},
		{"header", "Content-Type: multipart/mixed; boundary=a\r\n\r\n"},
		{"TEXT", nested[len("Content-Type: multipart/mixed; boundary=a\r\n\r\n"):]},
		{"1", "one"},
		{"1.MIME", "Content-Type: text/plain\r\n\r\n"},
		{"2.MIME", "Content-Type: message/rfc822\r\n\r\n"},
		{"2.HEADER", "Subject: inner\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"},
		{"2.TEXT", "--b\r\n\r\ntwo one\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo two\r\n--b--"},
		{"2.1", "two one"},
		{"2.2", "two two"},
		{"2.2.MIME", "Content-Type: text/html\r\n\r\n"},
		{"3", "Subject: single\r\n\r\nthree"},
		{"3.1", "three"},
		{"3.HEADER", "Subject: single\r\n\r\n"},
		{"4.1", "four one"},
		{"4", "--c\r\n\r\nfour one\r\n--c--"},
		{"5", "none"},
		{"0", "none"},
		{"1.1", "none"},
		{"1.HEADER", "none"},
		{"1.TEXT", "none"},
		{"2.3", "none"},
		{"3.2", "none"},
		{"3.1.1", "none"},
		{"MIME", "none"},
		{"junk", "none"},
		{"1.junk", "none"},
		{"99999999999999999999", "none"},
	} {
		assert.Equal(t, c.want, get(nested, c.spec), c.spec)
	}
	for _, c := range []struct{ in, spec, want string }{
		{"A: b\n\nx", "1", "x"},
		{"A: b\n\nx", "1.MIME", "A: b\n\n"},
		{"A: b\n\nx", "2", "none"},
		{"A: b\n\nx", "1.1", "none"},
		{"Content-Type: message/rfc822\n\nA: b\n\nx", "1", "A: b\n\nx"},
		{"Content-Type: message/rfc822\n\nA: b\n\nx", "1.1", "x"},
		{"Content-Type: message/rfc822\n\nA: b\n\nx", "1.HEADER", "A: b\n\n"},
	} {
		assert.Equal(t, c.want, get(c.in, c.spec), "%q %s", c.in, c.spec)
	}
	// Every part is found by its own number.
	m := Parse([]byte(nested))
	for path, p := range m.Walk() {
		numbers, what := splitSection(path)
		found, ok := m.PartAt(numbers...)
		assert.True(t, ok && what == "", path)
		assert.True(t, found == p || found == p.Parent() && p.IsMultipart(), path)
	}
}

func TestHeaderFieldsSections(t *testing.T) {
	h := head("Subject: a\nTo: b\nX-Y: c\n d\nSUBJECT: e")
	assert.Equal(t, "Subject: a\r\nSUBJECT: e\r\n\r\n", string(h.AppendFields(nil, []string{"subject", "absent"}, false)))
	assert.Equal(t, "To: b\r\nX-Y: c\r\n d\r\n\r\n", string(h.AppendFields(nil, []string{"SUBJECT"}, true)))
	assert.Equal(t, "\r\n", string(h.AppendFields(nil, nil, false)))
	assert.Equal(t, string(h.Raw()), string(h.AppendFields(nil, nil, true)))
}

// TestHeaderWithoutItsLine: RFC 9051 §6.4.5.1 has the empty line in all headers
// but those of a message that has neither it nor a body.
func TestHeaderWithoutItsLine(t *testing.T) {
	for in, want := range map[string]string{
		"A: b\r\nC: d\r\n":         "A: b\r\n",
		"A: b\r\nC: d":             "A: b\r\n",
		"C: d\r\n":                 "",
		"C: d\r\n\r\n":             "\r\n",
		"A: b\r\nC: d\r\n\r\n":     "A: b\r\n\r\n",
		"A: b\r\nC: d\r\n\r\ntext": "A: b\r\n\r\n",
		"\r\ntext":                 "\r\n",
		"":                         "",
	} {
		assert.Equal(t, want, string(Parse([]byte(in)).Header().AppendFields(nil, []string{"A"}, false)), "%q", in)
	}
}
