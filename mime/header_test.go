package mime

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// head parses header lines written with LF.
func head(lines string) Header { return Parse(withCRLF([]byte(lines + "\n\n"))).Header() }

func TestHeaderKeepsOrderCaseAndOctets(t *testing.T) {
	raw := "SUBJECT: a\r\nx-One:  b \r\n\tc\r\nSubject:d\r\n\r\n"
	h := Parse([]byte(raw + "body")).Header()
	assert.Equal(t, raw, string(h.Raw()))
	assert.Equal(t, 3, h.Len())
	var names []string
	var octets []byte
	for f := range h.Fields() {
		names = append(names, f.Name())
		octets = append(octets, f.Raw()...)
	}
	assert.Equal(t, []string{"SUBJECT", "x-One", "Subject"}, names)
	assert.Equal(t, raw, string(octets)+"\r\n")
	assert.Equal(t, "b \tc", h.Get("X-ONE"))
	assert.Equal(t, "b  c", h.Text("X-ONE"))
	assert.Equal(t, "a", h.Get("subject"))
	var all []string
	for f := range h.All("Subject") {
		all = append(all, f.Value())
	}
	assert.Equal(t, []string{"a", "d"}, all)
	assert.True(t, h.Has("subject"))
	assert.False(t, h.Has("Subjec"))
	assert.False(t, h.Has(""))
	_, ok := h.Lookup("absent")
	assert.False(t, ok)
	assert.Empty(t, h.Get("absent")+h.Text("absent"))
	assert.Zero(t, Header{}.Len())
	assert.Empty(t, Header{}.Subject()+Header{}.MessageID())
}

// TestKnownNames: every known name is found in any case, and no other.
func TestKnownNames(t *testing.T) {
	for id, name := range fieldNames {
		if name == "" {
			continue
		}
		assert.Equal(t, fieldID(id), fieldIDOf([]byte(name)), name)
		assert.Equal(t, fieldID(id), fieldIDOf([]byte(strings.ToUpper(name))), name)
		assert.Equal(t, fieldOther, fieldIDOf([]byte(name[:len(name)-1]+"\x00")), name)
		assert.True(t, strings.EqualFold(name, usualNames[id]))
	}
	for _, name := range []string{"", "x", "xx", "xyz", "abcdefgh", "0123456789", "content-l0nguage", "content-d0position"} {
		assert.Equal(t, fieldOther, fieldIDOf([]byte(name)), name)
	}
}

func TestRaw8bitFields(t *testing.T) {
	h := head("Subject: Die Fr\xf6sche\nX-Utf8: Die Frösche")
	assert.Equal(t, "Die Fr\uFFFDsche", h.Subject())
	f, _ := h.Lookup("Subject")
	assert.Equal(t, "Die Frösche", f.TextIn("iso-8859-1"))
	assert.Equal(t, "Die Fr\xf6sche", f.Value())
	assert.Equal(t, "Die Frösche", h.Text("X-Utf8"))
}

func TestMediaTypes(t *testing.T) {
	for _, c := range []struct{ in, want, flaws string }{
		{"text/plain", "text/plain", ""},
		{"TEXT/Plain; CHARSET=UTF-8", "text/plain charset=UTF-8", ""},
		{"text/plain; charset=\"utf-8\" (comment)", "text/plain charset=utf-8", ""},
		{"text/plain charset=utf-8", "text/plain charset=utf-8", ""},
		{"text/plain;; charset=utf-8;", "text/plain charset=utf-8", ""},
		{"text/plain; charset=utf-8; charset=UTF-8", "text/plain charset=utf-8", "EqualParam"},
		{"text/plain; charset=utf-8; charset=latin1", "text/plain charset=utf-8", "DupParam"},
		{"text/plain; name=my file.txt", "text/plain name=my file.txt", "BadParam"},
		{"text/plain; name=\"never closed", "text/plain name=never closed", "BadParam"},
		{"text/plain; name=\"C:\\dir\\file.txt\"", `text/plain name=C:\dir\file.txt`, ""},
		{"text/plain; name=\"a\\\"b\"", `text/plain name=a"b`, ""},
		{"text/plain; junk; name=x", "text/plain name=x", "BadParam"},
		{"text", "text", "BadMediaType"},
		{"text/", "text", "BadMediaType"},
		{"/plain", "", "BadMediaType"},
		{"te[xt/plain", "te[xt/plain", "BadMediaType"},
		{"", "", "BadMediaType"},
		{"text/plain; name==?utf-8?q?=C3=BC?=", "text/plain name=ü", "Param2047"},
		{"text/plain; name=\"=?utf-8?q?=0D=0ABcc:?=x\"", "text/plain name=  Bcc:x", "Param2047 ControlInDecoded"},
		// RFC 2231
		{"a/b; f*=utf-8'de'%C3%BC", "a/b f=ü[de]", ""},
		{"a/b; f*1=b; f*0=a; f*2*=%63", "a/b f=abc", ""},
		{"a/b; f*0*=utf-8''%C3; f*1*=%BC", "a/b f=ü", ""},
		{"a/b; f*0*=iso-8859-1''%E4; f*1=%E4", "a/b f=ä%E4", ""},
		{"a/b; f*0=a; f*2=c", "a/b f=a", "Param2231Gap"},
		{"a/b; f*1=b", "a/b f=", "Param2231Gap"},
		{"a/b; f*999999999=b", "a/b f=", "Param2231Gap"},
		{"a/b; f*0=a; f*00=b", "a/b f=a", "DupParam"},
		{"a/b; f*=utf-8''a; f*0=b", "a/b f=a", "Param2231Mixed"},
		{"a/b; f=plain; f*=utf-8''new", "a/b f=new", "Param2231Mixed"},
		{"a/b; f=same; f*=utf-8''same", "a/b f=same", ""},
		{"a/b; f*=koi9''%41", "a/b f=A", "BadEncodedWord"},
		{"a/b; f*=utf-8''%0D%0AX:%20y", "a/b f=  X: y", "ControlInDecoded"},
		{"a/b; f*=100%", "a/b f=100%", ""},
	} {
		m, v := parseMediaType([]byte(c.in))
		got := m.String()
		for _, p := range m.Params {
			got += " " + p.Name + "=" + p.Value
			if p.Language != "" {
				got += "[" + p.Language + "]"
			}
		}
		assert.Equal(t, c.want, got, c.in)
		assert.Equal(t, c.flaws, flawNames(v), c.in)
	}
	m := head("Content-Type: text/html; charset=a").ContentType()
	assert.True(t, m.Is("text", "") && m.Is("text", "html") && !m.Is("text", "plain") && !m.Is("image", ""))
	assert.Equal(t, "a", m.Param("charset"))
	assert.Empty(t, m.Param("absent"))
	assert.Zero(t, head("A: b").ContentType())
}

func flawNames(v valueFlaws) string {
	var names []string
	for c := BadMediaType; c <= FilenamesDiffer; c++ {
		if v.has(c) {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, " ")
}

func TestDisposition(t *testing.T) {
	d := head("Content-Disposition: ATTACHMENT; filename=x; size=12").Disposition()
	assert.Equal(t, "attachment", d.Type)
	assert.Equal(t, "12", d.Param("size"))
	assert.Zero(t, head("A: b").Disposition())
	assert.Equal(t, "", head("Content-Disposition: ; filename=x").Disposition().Type)
}

func TestMessageIDs(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<a@b>", "a@b"},
		{"<a@b> <c@d>\n <e@f>", "a@b|c@d|e@f"},
		{"<a@b><c@d>", "a@b|c@d"},
		{"<a@b>, <c@d>", "a@b|c@d"},
		{"Bob's message of Monday <a@b>", "a@b"},
		{"a@b c@d", "a@b|c@d"},
		{"<a@b", "a@b"},
		{"<a@b <c@d>", "a@b|c@d"},
		{"< a@b >", "a@b"},
		{"<>", ""},
		{"", ""},
		{"(comment) a@b", "a@b"},
		{"<a@b\n c>", "a@b c"},
	} {
		h := head("References: " + c.in + "\nMessage-ID: " + c.in)
		assert.Equal(t, c.want, strings.Join(slices.Collect(h.References()), "|"), c.in)
		first, _, _ := strings.Cut(c.want, "|")
		assert.Equal(t, first, h.MessageID(), c.in)
	}
	h := head("References: <a@b>\nReferences: <c@d>\nIn-Reply-To: <e@f>\nContent-ID: <g@h>")
	assert.Equal(t, []string{"a@b", "c@d"}, slices.Collect(h.References()))
	assert.Equal(t, []string{"e@f"}, slices.Collect(h.InReplyTo()))
	assert.Equal(t, "g@h", h.ContentID())
	for range h.References() {
		break // stopping early is allowed
	}
}

func TestListFields(t *testing.T) {
	h := head("List-Unsubscribe: <mailto:leave@l.example?subject=x>,\n <https://l.example/\n leave> (web)\n" +
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click\nList-ID: The \"best\" list <best.l.example>\nKeywords: a, =?utf-8?q?=C3=BC?=,, b c\n")
	assert.Equal(t, []string{"mailto:leave@l.example?subject=x", "https://l.example/leave"}, h.ListURLs("List-Unsubscribe"))
	assert.Equal(t, "https://l.example/leave", h.OneClick())
	id, text := h.ListID()
	assert.Equal(t, "best.l.example", id)
	assert.Equal(t, "The best list", text)
	assert.Equal(t, []string{"a", "ü", "b c"}, h.TextList("Keywords"))
	assert.Empty(t, head("List-Unsubscribe: <https://a>").OneClick())
	assert.Empty(t, head("List-Unsubscribe: <mailto:a>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click").OneClick())
	assert.Nil(t, head("A: b").ListURLs("List-Post"))
	id, _ = head("List-Id: bare.example").ListID()
	assert.Equal(t, "bare.example", id)
	id, _ = head("A: b").ListID()
	assert.Empty(t, id)
}

func TestReceived(t *testing.T) {
	h := head("Received: from client.example (HELO [192.0.2.9]) (mail.client.example [IPv6:2001:db8::1])\n" +
		"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) by mx.example (Postfix) with ESMTPS id 4F6\n" +
		"\tfor <bob@example.org>; Mon, 23 Nov 2026 09:12:40 +0100\nReceived: by x with local; junk")
	all := slices.Collect(h.Received())
	require.Len(t, all, 2)
	assert.Equal(t, Received{
		From: "client.example", FromIP: netip.MustParseAddr("2001:db8::1"), FromHost: "mail.client.example",
		Helo: "192.0.2.9", Greeting: "HELO", By: "mx.example", With: "ESMTPS", ID: "4F6", For: "bob@example.org",
		TLSVersion: "1.3", TLSCipher: "TLS_AES_256_GCM_SHA384", Date: all[0].Date,
	}, all[0])
	assert.True(t, all[0].Date.Equal(time.Date(2026, 11, 23, 8, 12, 40, 0, time.UTC)))
	assert.Equal(t, Received{By: "x", With: "LOCAL"}, all[1])
	for range h.Received() {
		break
	}
	assert.Zero(t, parseReceived(nil))
}
