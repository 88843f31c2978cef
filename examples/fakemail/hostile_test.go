package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
)

// TestFrameIsSandboxed: HTML goes out as it came, under a policy that lets it do
// nothing.
func TestFrameIsSandboxed(t *testing.T) {
	f := start(t)
	require.NoError(t, f.sendText("Subject: x\nContent-Type: text/html\n\n<script>alert(1)</script><img src=http://evil.example/x>\n", "bob@x.example"))
	res, body := f.do("GET", "/api/messages/1/html")
	assert.Contains(t, body, "<script>alert(1)</script>")
	policy := res.Header.Get("Content-Security-Policy")
	assert.True(t, strings.HasPrefix(policy, "sandbox; default-src 'none'; img-src data: "+f.url+"/api/messages/1/parts/;"), policy)
	for _, word := range []string{"allow-", "script-src", "connect-src", "'self' ", "*"} {
		assert.NotContains(t, policy, word)
	}
	assert.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"))
	res, _ = f.do("GET", "/api/messages/1/source")
	assert.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
}

// TestHostileParts: what could run in a browser is saved, and under a name that
// leads nowhere else.
func TestHostileParts(t *testing.T) {
	f := start(t)
	for i, c := range []struct{ kind, name, safe string }{
		{"text/html", "x.html", "x.html"},
		{"image/svg+xml", "x.svg", "x.svg"},
		{"application/pdf", "../../etc/passwd", "passwd"},
		{"application/x-sh", `a\"b.sh`, ""},
		{"application/octet-stream", "=?utf-8?q?a=0D=0AX-Evil:_1?=", ""},
		{"text/javascript", "C:\\con", ""},
	} {
		require.NoError(t, f.sendText("Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\nContent-Type: "+c.kind+
			"\nContent-Disposition: attachment; filename=\""+c.name+"\"\n\n<script>1</script>\n--b--\n", "bob@x.example"))
		var d detail
		f.get(fmt.Sprintf("/api/messages/%d", i+1), &d)
		require.Len(t, d.Parts, 1, c.name)
		res, body := f.do("GET", fmt.Sprintf("/api/messages/%d/parts/%d", i+1, d.Parts[0].Part))
		assert.Equal(t, "<script>1</script>", strings.TrimSpace(body))
		assert.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))
		assert.True(t, strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment"), c.name)
		assert.Empty(t, res.Header.Get("X-Evil"))
		assert.NotContains(t, d.Parts[0].Name, "/")
		assert.NotContains(t, d.Parts[0].Name, "\\")
		if c.safe != "" {
			assert.Equal(t, c.safe, d.Parts[0].Name)
		}
	}
}

// TestHostileMessages: whatever is in a message, each view of it is an answer.
func TestHostileMessages(t *testing.T) {
	f := start(t)
	for i, text := range []string{
		"x", "\n", "no header at all\n", "Subject: \x00\x01\xff\n\n\xff\xfe\n",
		"Content-Type: multipart/mixed; boundary=a\n\n" + strings.Repeat("--a\n\n", 3000),
		"Content-Type: multipart/mixed\n\n", "Content-Type: text/html; charset=utf-7\n\n+ADw-script+AD4-\n",
		strings.Repeat("Content-Type: message/rfc822\n\n", 200),
		"Subject: " + strings.Repeat("x", 50000) + "\n\n", "Content-Transfer-Encoding: base64\n\n!!!!\n",
		"Content-Type: text/html\nContent-Disposition: attachment; filename=x.html\n\n<b>\n",
		"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n",
		"From: \"</script><img src=x onerror=alert(1)>\" <a@b.example>\nSubject: <b>\u2028</script>\n\n</pre><script>1</script>\n",
	} {
		require.NoError(t, f.sendText(text, "bob@x.example"), "%.40q", text)
		for _, view := range []string{"", "/source", "/html", "/parts/0"} {
			res, _ := f.do("GET", fmt.Sprintf("/api/messages/%d%s", i+1, view))
			assert.Contains(t, []int{200, 404}, res.StatusCode, "%s of %.40q", view, text)
		}
	}
	res, body := f.do("GET", "/api/messages")
	assert.Equal(t, "application/json", res.Header.Get("Content-Type"))
	assert.NotContains(t, body, "</script>", "JSON is no markup either")
	s := f.events("")
	for {
		name, id, data := s.next() // a break in a subject would end an event early
		if name == "message" {
			assert.True(t, strings.HasPrefix(data, "{") && strings.HasSuffix(data, "}"), data)
		}
		if id == "13" {
			break
		}
	}
}

func TestLocalImages(t *testing.T) {
	m := mime.Parse([]byte("Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\nx\n--b\nContent-Type: image/png\nContent-ID: <a%b@x>\n\nx\n--b--\n"))
	for in, want := range map[string]string{
		`<img src="cid:a%25b@x">`:                   `<img src="/p/2">`,
		`<img src='CID:a%25b&#64;x'>`:               `<img src='/p/2'>`,
		`<img src=cid:a%25b@x>`:                     `<img src=/p/2>`,
		`<td style="background: url(cid:a%25b@x)">`: `<td style="background: url(/p/2)">`,
		`<img src="cid:other">`:                     `<img src="cid:other">`,
		`write acid:rain or cid:a%25b@x`:            `write acid:rain or cid:a%25b@x`,
		`<img src="cid:">`:                          `<img src="cid:">`,
	} {
		assert.Equal(t, want, localImages(m, "/p/", in), in)
	}
}

// FuzzLocalImages: nothing is put into HTML but digits and the path they stand
// in, and a text without cid: stays as it is.
func FuzzLocalImages(f *testing.F) {
	m := mime.Parse([]byte("Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\nx\n--b\nContent-Type: image/png\nContent-ID: <a@x>\n\nx\n--b--\n"))
	f.Add(`<img src="cid:a@x">`)
	f.Add(`url(cid:%61@x)`)
	f.Fuzz(func(t *testing.T, in string) {
		out := localImages(m, "/p/", in)
		if !strings.Contains(strings.ToLower(in), "cid:") {
			require.Equal(t, in, out)
		}
		require.LessOrEqual(t, len(out), len(in)+strings.Count(out, "/p/2"))
		require.Equal(t, strings.Count(in, "<"), strings.Count(out, "<"))
		require.Equal(t, strings.Count(in, `"`), strings.Count(out, `"`))
	})
}
