package mime

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSafeFilename holds names that would leave the folder, hide their end or
// be something else than a file.
func TestSafeFilename(t *testing.T) {
	for in, want := range map[string]string{
		"report.pdf": "report.pdf", "../../etc/passwd": "passwd", `..\..\x.txt`: "x.txt", `C:\dir\x.txt`: "x.txt", "/": "", "..": "", ".": "", "": "",
		"a/..": "", "x.txt\x00.exe": "x.txt.exe", "a\r\nb": "ab", "cod\u202Efdp.exe": "codfdp.exe", "a\u200Bb": "ab",
		"CON": "_CON", "con.txt": "_con.txt", "LPT1": "_LPT1", "COM¹.txt": "_COM¹.txt", "CONSOLE": "CONSOLE", "COM": "COM", "NUL .txt": "_NUL .txt",
		".bashrc": "_.bashrc", "name. . ": "name", " name": "name", "a:b|c?d*e<f>g\"h": "a_b_c_d_e_f_g_h", "Zürich.txt": "Zürich.txt", "Zu\u0308rich.txt": "Zürich.txt",
		"a\u00A0b": "a b", "\xff.txt": "\uFFFD.txt", strings.Repeat("x", 300) + ".pdf": strings.Repeat("x", 251) + ".pdf",
		strings.Repeat("ü", 200): strings.Repeat("ü", 127), "x." + strings.Repeat("y", 300): "x." + strings.Repeat("y", 253),
	} {
		assert.Equal(t, want, safeName(in), in)
	}
}

func TestFilename(t *testing.T) {
	for _, c := range []struct{ in, name, safe string }{
		{"Content-Disposition: attachment; filename=a.txt", "a.txt", "a.txt"},
		{"Content-Disposition: attachment; filename*=utf-8''%C3%BC.txt; filename=u.txt", "ü.txt", "ü.txt"},
		{"Content-Type: text/plain; name=a.txt", "a.txt", "a.txt"},
		{"Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=b.txt", "b.txt", "b.txt"},
		{"Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment", "a.txt", "a.txt"},
		{"Content-Disposition: attachment; filename=\"../x\"", "../x", "x"},
		{"Content-Type: application/pdf", "", "attachment.pdf"},
		{"Content-Type: text/calendar", "", "attachment.ics"},
		{"Content-Type: image/png", "", "attachment.png"},
		{"Content-Type: image/jpeg", "", "attachment.jpg"},
		{"Content-Type: image/gif", "", "attachment.gif"},
		{"Content-Type: application/zip", "", "attachment.zip"},
		{"Content-Type: text/html", "", "attachment.html"},
		{"Content-Type: message/rfc822", "", "attachment.eml"},
		{"Content-Type: x/y", "", "attachment.bin"},
		{"A: b", "", "attachment.txt"},
	} {
		p := Parse([]byte(c.in + "\n\nx")).Root()
		assert.Equal(t, c.name, p.Filename(), c.in)
		assert.Equal(t, c.safe, p.SafeFilename(), c.in)
	}
}

func TestTypeDefaults(t *testing.T) {
	for in, want := range map[string]string{
		"A: b": "text/plain", "Content-Type: text": "text/plain", "Content-Type: junk": "text/plain", "Content-Type: ": "text/plain",
		"Content-Type: ; charset=x": "text/plain", "Content-Type: image/": "text/plain", "Content-Type: IMAGE/PNG": "image/png",
	} {
		p := Parse([]byte(in + "\n\nx")).Root()
		assert.Equal(t, want, p.Type().String(), in)
		typ, sub := p.typeBytes()
		assert.True(t, strings.EqualFold(want, string(typ)+"/"+string(sub)), in)
	}
	assert.True(t, Parse([]byte("x")).Root().IsText())
	assert.False(t, Parse([]byte("Content-Type: image/png\n\n")).Root().IsText())
}

// nested is a message with everything in it, to walk over.
const nested = "Content-Type: multipart/mixed; boundary=a\r\n\r\n" +
	"--a\r\nContent-Type: text/plain\r\n\r\none\r\n" +
	"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\n\r\ntwo one\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo two\r\n--b--\r\n" +
	"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\nthree\r\n" +
	"--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nfour one\r\n--c--\r\n--a--\r\n"

func TestWalkAndPaths(t *testing.T) {
	m := Parse([]byte(nested))
	var got []string
	for path, p := range m.Walk() {
		got = append(got, path+" "+p.Type().String())
	}
	assert.Equal(t, []string{" multipart/mixed", "1 text/plain", "2 message/rfc822", "2 multipart/alternative",
		"2.1 text/plain", "2.2 text/html", "3 message/rfc822", "3.1 text/plain", "4 multipart/mixed", "4.1 text/plain"}, got)
	m = Parse([]byte("Content-Type: message/rfc822\n\nSubject: in\n\nx"))
	assert.Equal(t, "1.1", m.Part(1).Path())
	for range m.Walk() {
		break
	}
	for range m.Root().Children() {
		break
	}
}

func TestPartAccess(t *testing.T) {
	m := Parse([]byte(nested))
	p := m.Part(2)
	assert.Equal(t, m.Root(), p.Parent())
	assert.Equal(t, "inner", p.Child().Header().Subject())
	assert.Equal(t, 2, p.Index())
	assert.Equal(t, int64(len(nested)), m.Size())
	assert.Equal(t, "one", string(m.Part(1).RawBody()))
	assert.Equal(t, "Content-Type: text/plain\r\n\r\none", string(m.Part(1).Raw()))
	b, err := io.ReadAll(m.Part(1).Section())
	require.NoError(t, err)
	assert.Equal(t, m.Part(1).Raw(), b)
	b, _ = io.ReadAll(m.Part(1).BodySection())
	assert.Equal(t, "one", string(b))
	sub, ok := p.Message()
	require.True(t, ok)
	assert.Equal(t, "inner", sub.Header().Subject())
	assert.Equal(t, int64(0), sub.Root().Span().Begin)
	_, ok = m.Part(1).Message()
	assert.False(t, ok)
	assert.Equal(t, "one", m.Part(1).Text())
}

// TestZeroPart: a part that is not there answers everything with nothing.
func TestZeroPart(t *testing.T) {
	for _, p := range []Part{{}, Parse(nil).Part(7), Parse(nil).Part(-1), Parse(nil).Root().Parent(), Parse(nil).Root().Child()} {
		assert.False(t, p.Valid() || p.IsMultipart() || p.IsMessage() || p.Parent().Valid() || p.Child().Valid())
		assert.Empty(t, p.Path()+p.Text()+p.Filename())
		assert.Empty(t, p.Raw())
		assert.Empty(t, p.RawBody())
		assert.Empty(t, p.Bytes())
		assert.Zero(t, p.Span())
		assert.Zero(t, p.Header().Len())
		assert.Zero(t, p.Section().Size()+p.BodySection().Size())
		b, err := io.ReadAll(p.Open())
		assert.Empty(t, b)
		assert.NoError(t, err)
		_, ok := p.Message()
		assert.False(t, ok)
		for range p.Children() {
			t.Error("a child")
		}
		assert.Equal(t, emptyBody, string(p.AppendBodyStructure(nil, false)))
	}
}

// TestEncodedMessages: base64 around a message is opened, but not for ever.
func TestEncodedMessages(t *testing.T) {
	msg := "Subject: core\n\nx"
	for range 5 {
		msg = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(msg)) + "\n"
	}
	m, depth := Parse([]byte(msg)), 0
	for {
		sub, ok := m.Root().Message()
		if !ok {
			break
		}
		m = sub
		depth++
	}
	assert.Equal(t, maxEncodedNesting, depth)
}
