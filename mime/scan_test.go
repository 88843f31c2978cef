package mime

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shape writes the tree of a message: types, and the raw bodies of leaves.
func shape(p Part) string {
	var b strings.Builder
	b.WriteString(p.Type().String())
	switch {
	case p.IsMultipart() || p.IsMessage():
		b.WriteByte('(')
		for c := range p.Children() {
			if !strings.HasSuffix(b.String(), "(") {
				b.WriteByte(' ')
			}
			b.WriteString(shape(c))
		}
		b.WriteByte(')')
	default:
		fmt.Fprintf(&b, "%q", p.RawBody())
	}
	return b.String()
}

// codeNames lists the codes of defects, without BareLF, which most tests
// cause by the way they are written.
func codeNames(defects []Defect) string {
	var names []string
	for _, d := range defects {
		if d.Code != BareLF {
			names = append(names, d.Code.String())
		}
	}
	return strings.Join(names, " ")
}

// mixed is a message with a multipart/mixed of boundary b.
func mixed(body string) string { return "Content-Type: multipart/mixed; boundary=b\n\n" + body }

// TestStructure holds the rules by which a message is divided.
func TestStructure(t *testing.T) {
	for _, c := range []struct{ name, in, shape, defects string }{
		{"empty", "", `text/plain""`, ""},
		{"header only", "Subject: x\n", `text/plain""`, ""},
		{"header and empty line", "Subject: x\n\n", `text/plain""`, ""},
		{"body only", "\nbody", `text/plain"body"`, ""},
		{"two parts", mixed("pre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n--b--\npost\n"),
			`multipart/mixed(text/plain"one" text/html"two")`, "TextAfterClose"},
		{"boundary in quotes with a space", "Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\n\nx\n--a b--\n",
			`multipart/mixed(text/plain"x")`, ""},
		{"boundary folded", "Content-Type: multipart/mixed; boundary=\"foo\n bar\"\n\n--foo bar\n\nx\n--foo bar--\n",
			`multipart/mixed(text/plain"x")`, ""},
		{"boundary in pieces", "Content-Type: multipart/mixed; boundary*0=foo; boundary*1=bar\n\n--foobar\n\nx\n--foobar--\n",
			`multipart/mixed(text/plain"x")`, ""},
		{"boundary like an encoded word", "Content-Type: multipart/mixed; boundary=\"=?utf-8?q?b?=\"\n\n--=?utf-8?q?b?=\n\nx\n--=?utf-8?q?b?=--\n",
			`multipart/mixed(text/plain"x")`, ""},
		{"boundary with trailing space", "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b\n\nx\n--b--\n",
			`multipart/mixed(text/plain"x")`, "BoundaryIllegalChar"},
		{"boundary too long", "Content-Type: multipart/mixed; boundary=" + strings.Repeat("x", 80) + "\n\n--" + strings.Repeat("x", 80) + "\n\nx\n--" + strings.Repeat("x", 80) + "--\n",
			`multipart/mixed(text/plain"x")`, "BoundaryTooLong"},
		{"padding after a delimiter", mixed("--b \t\n\nx\n--b-- \n"), `multipart/mixed(text/plain"x")`, ""},
		{"delimiter in mid-line", mixed("--b\n\nx --b\n--b--\n"), `multipart/mixed(text/plain"x --b")`, ""},
		{"delimiter by prefix", mixed("--b\n\nx\n--bc\n--b--\n"), `multipart/mixed(text/plain"x\n--bc")`, ""},
		{"first delimiter at once", "Content-Type: multipart/mixed; boundary=b\n--b\n\nx\n--b--\n",
			`multipart/mixed(text/plain"x")`, "MissingSeparator"},
		{"delimiter in a part's header", mixed("--b\nContent-Type: text/html\n--b\n\nx\n--b--\n"),
			`multipart/mixed(text/html"" text/plain"x")`, "MissingSeparator"},
		{"no parts", mixed("--b--\n"), `multipart/mixed()`, "EmptyMultipart"},
		{"empty parts", mixed("--b\n--b\n\n--b--\n"), `multipart/mixed(text/plain"" text/plain"")`, "MissingSeparator"},
		{"not closed", mixed("--b\n\nx\n"), `multipart/mixed(text/plain"x\n")`, "NotClosed"},
		{"delimiter at the end", mixed("--b\n\nx\n--b\n"), `multipart/mixed(text/plain"x")`, "NotClosed"},
		{"nothing but a delimiter", mixed("--b\n"), `multipart/mixed()`, "EmptyMultipart"},
		{"boundary never comes", mixed("text\n"), `multipart/mixed"text\n"`, "BoundaryNotFound"},
		{"no boundary", "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", `multipart/mixed"--b\n\nx\n--b--\n"`, "NoBoundaryParam"},
		{"boundary without semicolon", "Content-Type: multipart/mixed\n\tboundary=b\n\n--b\n\nx\n--b--\n", `multipart/mixed(text/plain"x")`, ""},
		{"parts after the end", mixed("--b\n\nx\n--b--\n--b\n\ny\n--b--\n"), `multipart/mixed(text/plain"x")`, "DelimiterAfterClose TextAfterClose"},
		{"parent ends child", mixed("--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--\n"),
			`multipart/mixed(multipart/alternative(text/plain"x") text/plain"y")`, "ClosedByParent"},
		{"same boundary inside", mixed("--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"),
			`multipart/mixed(multipart/mixed(text/plain"x"))`, "NotClosed"},
		{"boundary that ends in dashes", "Content-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n\nx\n--b----\n",
			`multipart/mixed(text/plain"x")`, ""},
		{"encoded multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
			`multipart/mixed(text/plain"x")`, "EncodedMultipart"},
		{"message", "Content-Type: message/rfc822\n\nSubject: in\n\nx\n", `message/rfc822(text/plain"x\n")`, ""},
		{"message in 8bit", "Content-Type: message/global\nContent-Transfer-Encoding: 8bit\n\nSubject: in\n\nx\n", `message/global(text/plain"x\n")`, ""},
		{"encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaW4KCng=\n",
			`message/rfc822"U3ViamVjdDogaW4KCng=\n"`, "EncodedMessage"},
		{"message that is text", "Content-Type: message/rfc822\n\nnot a message\n", `message/rfc822(text/plain"not a message\n")`, "PartWithoutHeader"},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b--\n", `multipart/digest(message/rfc822(text/plain"x"))`, ""},
		{"digest with a type", "Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n--b--\n", `multipart/digest(text/plain"x")`, ""},
		{"last of two types", "Content-Type: text/html\nContent-Type: text/plain\n\nx", `text/plain"x"`, "DuplicateSingleton"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, []byte(c.in))
			assert.Equal(t, c.shape, shape(m.Root()))
			assert.Equal(t, c.defects, codeNames(m.Defects()))
			// CRLF changes no shape.
			crlf := Parse(withCRLF([]byte(c.in)))
			assert.Equal(t, c.shape, strings.ReplaceAll(shape(crlf.Root()), `\r\n`, `\n`))
			assert.Equal(t, c.defects, codeNames(crlf.Defects()))
			checkFrontEnds(t, []byte(c.in))
		})
	}
}

// TestHeaderLines holds the rules by which a header is read.
func TestHeaderLines(t *testing.T) {
	for _, c := range []struct{ name, in, fields, body, defects string }{
		{"usual", "A: b\nC: d\n\nx", "A=b C=d", "x", ""},
		{"folded", "A: b\n\tc\n  d\n\nx", "A=b\tc  d", "x", ""},
		{"folded with a blank line of spaces", "A: b\n \n c\n\nx", "A=b  c", "x", ""},
		{"space before colon", "A : b\n\nx", "A=b", "x", "SpaceBeforeColon"},
		{"no space after colon", "A:b\n\nx", "A=b", "x", ""},
		{"colon first", ": b\nA: c\n\nx", "= A=c", "x", "NoColon"},
		{"junk line", "A: b\njunk\nC: d\n\nx", "A=b = C=d", "x", "NoColon"},
		{"name with a space", "A: b\nhello world: x\nC: d\n\nx", "A=b = C=d", "x", "NoColon"},
		{"text at once", "hello\nworld\n\nx", "", "hello\nworld\n\nx", "PartWithoutHeader"},
		{"one line of text", "hello", "", "hello", "PartWithoutHeader"},
		{"junk before a field", "hello\nA: b\n\nx", "= A=b", "x", "NoColon"},
		{"text without separator", "A: b\nhello\nworld\n\nx", "A=b", "hello\nworld\n\nx", "BodyInHeader"},
		{"leading space", " x\nA: b\n\nx", "= A=b", "x", "LeadingContinuation"},
		{"mbox line", "From bob Mon Nov 23 2026\nA: b\n\nx", "= A=b", "x", "FromLine"},
		{"quoted mbox line", ">From bob Mon Nov 23 2026\nA: b\n\nx", "= A=b", "x", "FromLine"},
		{"8 bit", "A: \xff\xfe\n\nx", "A=\xff\xfe", "x", "Raw8bit"},
		{"8 bit name", "\xc3\xa4: b\n\nx", "\xc3\xa4=b", "x", "Raw8bit BadName"},
		{"byte order mark", "\uFEFFA: b\nC: d\n\nx", "A=b C=d", "x", "Raw8bit ByteOrderMark"},
		{"byte order mark before text", "\uFEFFtext\n", "", "\uFEFFtext\n", "PartWithoutHeader"},
		{"NUL", "A: b\x00c\n\nx", "A=b\x00c", "x", "NUL"},
		{"bare CR", "A: b\rc\n\nx", "A=b\rc", "x", "BareCR"},
		{"double CR", "A: b\r\r\n\r\nx", "A=b", "x", "BareCR"},
		{"long line", "A: " + strings.Repeat("b", 1100) + "\n\nx", "A=" + strings.Repeat("b", 1100), "x", "LineTooLong"},
		{"twice", "Subject: a\nSUBJECT: b\nsubject: c\n\nx", "Subject=a SUBJECT=b subject=c", "x", "DuplicateSingleton"},
		{"cut in a line", "A: b\nC: d", "A=b C=d", "", "Truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, []byte(c.in))
			var fields []string
			for f := range m.Header().Fields() {
				value := f.Value()
				if f.Name() == "" {
					value = ""
				}
				fields = append(fields, f.Name()+"="+value)
			}
			assert.Equal(t, c.fields, strings.Join(fields, " "))
			assert.Equal(t, c.body, string(m.Root().RawBody()))
			assert.Equal(t, c.defects, codeNames(m.Defects()))
			checkFrontEnds(t, []byte(c.in))
		})
	}
}

// TestBareLFIsReportedOnce: most mail on disk has nothing but LF.
func TestBareLFIsReportedOnce(t *testing.T) {
	m := Parse([]byte("A: b\r\nC: d\n\nx\ny\n"))
	require.Len(t, m.Defects(), 1)
	assert.Equal(t, Defect{Code: BareLF, Severity: Warn, Offset: 10}, m.Defects()[0])
	assert.Empty(t, Parse([]byte("A: b\r\n\r\nx\r\n")).Defects())
}

// TestDelimiterLineBound: padding after a delimiter is read to a bound, which
// is what lets a message be read in pieces.
func TestDelimiterLineBound(t *testing.T) {
	for _, n := range []int{2000, 2040, 2041, 2042, 2043, 2044, 2045, 2046, 3000} {
		in := mixed("--b\n\nx\n--b--" + strings.Repeat(" ", n) + "\n")
		checkFrontEnds(t, []byte(in))
		closed := codeNames(Parse([]byte(in)).Defects()) == ""
		assert.Equal(t, n <= 2042, closed, n)
	}
}

func TestSpanCountsLinesAndOctets(t *testing.T) {
	m := Parse([]byte("A: b\n\none\r\ntwo\nthree"))
	assert.Equal(t, Span{Begin: 0, Body: 6, End: 20, Lines: 2, CRLFOctets: 15}, m.Root().Span())
	m = Parse([]byte(mixed("--b\n\none\n\n--b--\n")))
	assert.Equal(t, Span{Begin: 47, Body: 48, End: 52, Lines: 1, CRLFOctets: 5}, m.Part(1).Span())
}

// TestLimits: beyond each limit there is one opaque part and a defect.
func TestLimits(t *testing.T) {
	parts := mixed(strings.Repeat("--b\n\nx\n", 20) + "--b--\n")
	m := Parser{Limits{Parts: 5}}.Parse([]byte(parts))
	assert.Equal(t, 5, m.Len())
	assert.Contains(t, codeNames(m.Defects()), "PartLimit")
	assert.Equal(t, "application/octet-stream", m.Part(4).Type().String())
	assert.True(t, strings.HasSuffix(string(m.Part(4).RawBody()), "--b--\n"))

	deep := strings.Repeat("Content-Type: message/rfc822\n\n", 20)
	m = Parser{Limits{Depth: 5}}.Parse([]byte(deep))
	assert.Equal(t, 5, m.Len())
	assert.Equal(t, "DepthLimit", codeNames(m.Defects()))
	m = Parser{Limits{Depth: 2}}.Parse([]byte(mixed("--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--\n")))
	assert.Equal(t, 2, m.Len())

	m = Parser{Limits{HeaderBytes: 20}}.Parse([]byte("A: b\nSubject: something long\nC: d\n\nx"))
	assert.Equal(t, "HeaderLimit", codeNames(m.Defects()))
	assert.Equal(t, "Subject: something long\nC: d\n\nx", string(m.Root().RawBody()))
	assert.Equal(t, 1, m.Header().Len())

	m = Parser{Limits{Fields: 2}}.Parse([]byte("A: b\nC: d\nE: f\n\nx"))
	assert.Equal(t, "HeaderLimit", codeNames(m.Defects()))
	assert.Equal(t, "E: f\n\nx", string(m.Root().RawBody()))

	// All sections together have a limit too.
	var many bytes.Buffer
	many.WriteString("Content-Type: multipart/mixed; boundary=b\n\n")
	for range 40 {
		many.WriteString("--b\nX: " + strings.Repeat("y", 50) + "\n\nx\n")
	}
	m = Parser{Limits{HeaderBytes: 100}}.Parse(many.Bytes())
	assert.Contains(t, codeNames(m.Defects()), "HeaderLimit")
	checkFrontEnds(t, many.Bytes())
}

func TestDecodedLimit(t *testing.T) {
	p := Parser{Limits{Decoded: 4}}
	m := p.Parse([]byte("Content-Transfer-Encoding: base64\n\naGVsbG8gd29ybGQ=\n"))
	assert.Equal(t, "hell", m.Root().Text())
	assert.Equal(t, "hell", string(m.Root().Bytes()))
	assert.Contains(t, codeNames(m.Inspect()), "DecodedLimit")
	p = Parser{Limits{Decoded: 11}}
	m = p.Parse([]byte("Content-Transfer-Encoding: base64\n\naGVsbG8gd29ybGQ=\n"))
	assert.Equal(t, "hello world", m.Root().Text())
	assert.Empty(t, codeNames(m.Inspect()))
}

func TestDefectsAreCapped(t *testing.T) {
	m := Parse([]byte(strings.Repeat("A : b\r\n", 5000) + "\r\n"))
	assert.Len(t, m.Defects(), maxDefects)
	assert.True(t, m.Ambiguous())
}

// TestNestingByTheMillion: depth costs neither stack nor memory.
func TestNestingByTheMillion(t *testing.T) {
	m := Parse(bytes.Repeat([]byte("Content-Type: message/rfc822\n\n"), 1_000_000))
	assert.Equal(t, defaultDepth, m.Len())
	assert.Equal(t, "DepthLimit", codeNames(m.Defects()))
	m = Parse(bytes.Repeat([]byte("Content-Type: multipart/mixed; boundary=b\n\n--b\n"), 1_000_000))
	assert.LessOrEqual(t, m.Len(), defaultParts)
}
