package mime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// tree builds a message from a description: types with names, dispositions in
// front, multiparts in parentheses.
func tree(spec string) string {
	var b strings.Builder
	depth := 0
	for word := range strings.FieldsSeq(spec) {
		if word == ")" {
			b.WriteString("\n--b" + string(rune('0'+depth)) + "--\n")
			depth--
			continue
		}
		if depth > 0 {
			b.WriteString("\n--b" + string(rune('0'+depth)) + "\n")
		}
		if rest, ok := strings.CutPrefix(word, "attached:"); ok {
			word = rest
			b.WriteString("Content-Disposition: attachment\n")
		}
		typ, name, _ := strings.Cut(word, "=")
		if name != "" {
			typ += "; name=" + name
		}
		if typ, ok := strings.CutSuffix(typ, "("); ok {
			depth++
			b.WriteString("Content-Type: multipart/" + typ + "; boundary=b" + string(rune('0'+depth)) + "\n\n")
			continue
		}
		b.WriteString("Content-Type: " + typ + "\n\n")
	}
	return b.String()
}

// TestViews holds the cases of RFC 8621 §4.1.4; parts are listed by path.
func TestViews(t *testing.T) {
	for _, c := range []struct{ spec, text, html, attachments string }{
		{"text/plain", "", "", ""},
		{"application/pdf", "-", "-", ""},
		{"alternative( text/plain text/html )", "1", "2", "-"},
		{"alternative( text/html )", "1", "1", "-"},
		{"alternative( text/plain )", "1", "1", "-"},
		{"alternative( text/plain text/calendar )", "1", "1", "2"},
		{"mixed( text/plain attached:text/plain application/pdf )", "1", "1", "2 3"},
		{"mixed( text/plain image/png text/plain )", "1 2 3", "1 2 3", "-"},
		{"mixed( text/plain text/plain=notes.txt )", "1", "1", "2"},
		{"related( text/html image/png )", "1", "1", "2"},
		{"alternative( text/plain related( text/html image/png ) )", "1", "2.1", "2.2"},
		{"mixed( alternative( text/plain text/html ) application/pdf )", "1.1", "1.2", "2"},
		{"mixed( text/plain message/rfc822 )", "1", "1", "2"},
		{"mixed( text/plain mixed( alternative( mixed( text/plain image/jpeg text/plain ) related( text/html image/jpeg ) ) " +
			"attached:image/jpeg application/x-excel message/rfc822 ) text/plain )",
			"1 2.1.1.1 2.1.1.2 2.1.1.3 3", "1 2.1.2.1 3", "2.1.1.2 2.1.2.2 2.2 2.3 2.4"},
	} {
		m := Parse([]byte(tree(c.spec)))
		list := func(parts []Part) string {
			if len(parts) == 0 {
				return "-"
			}
			var out []string
			for _, p := range parts {
				out = append(out, p.Path())
			}
			return strings.Join(out, " ")
		}
		want := []string{c.text, c.html, c.attachments}
		if c.spec == "text/plain" {
			want = []string{"", "", "-"} // the message itself has no number
		}
		assert.Equal(t, want, []string{list(m.TextBody()), list(m.HTMLBody()), list(m.Attachments())}, c.spec)
	}
}

func TestByContentID(t *testing.T) {
	m := Parse([]byte(mixed("--b\nContent-ID: <a@b>\n\nx\n--b\nContent-Type: message/rfc822\n\nContent-ID: <in@b>\n\ny\n--b--\n")))
	p, ok := m.ByContentID("a@b")
	assert.True(t, ok)
	assert.Equal(t, "1", p.Path())
	_, ok = m.ByContentID("<a@b>")
	assert.True(t, ok)
	for _, id := range []string{"in@b", "", "A@b"} {
		_, ok = m.ByContentID(id)
		assert.False(t, ok, id)
	}
}

func TestPreview(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limit    int
	}{
		{"\nHello,\r\n\r\n  world\t! ", "Hello, world !", 0},
		{"\n> quoted\r\nanswer\r\n-- \r\nsignature", "answer", 0},
		{"\nabcdef", "abc", 3},
		{"\nab cd", "ab", 3},
		{"\n" + strings.Repeat("ü", 300), strings.Repeat("ü", 200), 0},
		{"Content-Type: text/html\n\n<html><head><title>T</title><style>x{}</style></head><body><p>Hi&nbsp;<b>you</b></p><script>1</script>&amp;<!-- c -->more", "Hi you &more", 0},
		{"Content-Type: text/html\n\n<p>never closed <b", "never closed", 0},
		{"Content-Type: text/html\n\n<script>never closed", "", 0},
		{"Content-Type: image/png\n\nx", "", 0},
		{"", "", 0},
	} {
		assert.Equal(t, c.want, Parse([]byte(c.in)).Preview(c.limit), c.in)
	}
}

// TestFlowed holds the rules of RFC 3676 §4.
func TestFlowed(t *testing.T) {
	for _, c := range []struct {
		in, want string
		delSp    bool
	}{
		{"a \r\nb\r\nc\r\n", "a b\nc\n", false},
		{"a \r\nb\r\n", "ab\n", true},
		{"> a \r\n> b\r\n", "> a b\n", false},
		{"> a \r\nb\r\n", "> a \nb\n", false},
		{"> a \r\n>> b\r\n", "> a \n>> b\n", false},
		{">\r\n", ">\n", false},
		{" > not a quote\r\n", "> not a quote\n", false},
		{"  stuffed\r\n", " stuffed\n", false},
		{"a \r\n-- \r\nsig\r\n", "a \n-- \nsig\n", false},
		{"no end", "no end\n", false},
		{"flows to the end ", "flows to the end \n", false},
		{"", "", false},
	} {
		assert.Equal(t, c.want, Flowed(c.in, c.delSp), c.in)
	}
	m := Parse([]byte("Content-Type: text/plain; format=Flowed; delsp=YES\n\na \nb\n"))
	assert.Equal(t, "ab\n", m.Root().FlowedText())
	m = Parse([]byte("Content-Type: text/plain\n\na \nb\n"))
	assert.Equal(t, "a \nb\n", m.Root().FlowedText())
}
