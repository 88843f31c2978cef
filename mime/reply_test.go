package mime

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var me = Address{Name: "Alice", Addr: "alice@crepes.fr"}

func mail(header, body string) *Message {
	return Parse([]byte(strings.ReplaceAll(header, "\n", "\r\n") + "\r\n" + strings.ReplaceAll(body, "\n", "\r\n")))
}

func specs(list []Address) string {
	var out []string
	for _, a := range list {
		if a.err != nil {
			out = append(out, "!")
			continue
		}
		out = append(out, a.Addr)
	}
	return strings.Join(out, " ")
}

// Who gets an answer.
func TestReplyRecipients(t *testing.T) {
	own := []Address{{Addr: "alice@work.example"}}
	for _, c := range []struct{ header, to, toAll, cc string }{
		{"From: bob@h.edu\nTo: alice@crepes.fr\n", "bob@h.edu", "bob@h.edu", ""},
		{"From: bob@h.edu\nReply-To: list@h.edu, Bob <bob2@h.edu>\n", "list@h.edu bob2@h.edu", "list@h.edu bob2@h.edu", ""},
		{"From: bob@h.edu\nReply-To: nonsense\n", "bob@h.edu", "bob@h.edu", ""},
		{"From: bob@h.edu\nTo: ALICE@Crepes.fr, carol@h.edu\nCc: dave@h.edu, Alice <alice@work.example>, bob@H.EDU, carol@h.edu\n", "bob@h.edu", "bob@h.edu", "carol@h.edu dave@h.edu"},
		{"From: alice@crepes.fr\nTo: bob@h.edu\nCc: carol@h.edu\n", "bob@h.edu", "bob@h.edu", "carol@h.edu"},
		{"From: alice@crepes.fr\nCc: carol@h.edu\n", "!", "carol@h.edu", ""},
		{"From: bob@h.edu\nTo: team@h.edu\nMail-Followup-To: team@h.edu\n", "bob@h.edu", "team@h.edu", ""},
		{"From: bob@h.edu\nTo: team@h.edu\nMail-Followup-To: alice@crepes.fr\n", "bob@h.edu", "bob@h.edu", "team@h.edu"},
		{"From: MAILER-DAEMON\n", "!", "!", ""},
		{"From: <>\nSender: x@h.edu\n", "!", "!", ""},
		{"", "!", "!", ""},
		{"From: bob@bücher.example\nTo: bob@xn--bcher-kva.example\n", "bob@bücher.example", "bob@bücher.example", ""},
		{"From: =?utf-8?q?a=40b=2C?=@evil.example\n", "!", "!", ""},
		{"From: Group: a@h.edu, b@h.edu;\n", "a@h.edu b@h.edu", "a@h.edu b@h.edu", ""},
	} {
		m := mail(c.header, "x\n")
		b := m.Reply(Reply{From: me, Own: own})
		assert.Equal(t, c.to, specs(b.To), c.header)
		assert.Empty(t, b.Cc)
		b = m.Reply(Reply{From: me, Own: own, All: true})
		assert.Equal(t, c.toAll, specs(b.To), c.header)
		assert.Equal(t, c.cc, specs(b.Cc), c.header)
	}
	_, err := mail("From: <>\n", "").Reply(Reply{From: me}).Build()
	assert.ErrorIs(t, err, errNobody)
}

func TestReplySubject(t *testing.T) {
	for in, want := range map[string]string{
		"Lunch":                   "Re: Lunch",
		"Re: Lunch":               "Re: Lunch",
		"RE: re: Re : Lunch":      "Re: Lunch",
		"Aw: Antw: SV: Lunch":     "Re: Lunch",
		"Re[2]: Re^3: Re (4): x":  "Re: x",
		"回复：Re: Lunch":            "Re: Lunch",
		"[team] Re: Lunch":        "Re: [team] Lunch",
		"Re: [team] RE: Lunch":    "Re: [team] Lunch",
		"Fwd: Lunch":              "Re: Fwd: Lunch",
		"Regarding: Lunch":        "Re: Regarding: Lunch",
		"R: the language":         "Re: R: the language",
		"":                        "Re:",
		"Re:":                     "Re:",
		"a\u2028b":                "Re: a b",
		strings.Repeat("x", 2000): "Re: " + strings.Repeat("x", maxSubject-3) + "…",
	} {
		assert.Equal(t, want, replySubject("Re:", in, replyMarks[:]), "%.80q", in)
	}
	assert.Equal(t, "Fwd: Lunch", replySubject("Fwd:", "FW: WG: Fwd: Lunch", forwardMarks[:]))
	assert.Equal(t, "Fwd: Re: Lunch", replySubject("Fwd:", "Re: Lunch", forwardMarks[:]))
}

// RFC 5322 §3.6.4.
func TestReplyThread(t *testing.T) {
	var long []string
	for i := range 60 {
		long = append(long, "<"+strings.Repeat("i", i+1)+"@x>")
	}
	for _, c := range []struct{ header, in, refs string }{
		{"Message-ID: <3@x>\nReferences: <1@x> <2@x>\n", "3@x", "1@x 2@x 3@x"},
		{"Message-ID: <3@x>\nIn-Reply-To: <2@x>\n", "3@x", "2@x 3@x"},
		{"Message-ID: <3@x>\nIn-Reply-To: <1@x> <2@x>\n", "3@x", "3@x"},
		{"References: <1@x>\n", "", "1@x"},
		{"", "", ""},
		{"Message-ID: nonsense\n", "", ""},
		{"Message-ID: <3@x>\nReferences: <1@x> <3@x> <1@x> <ü@x> <=?x?q?y?=@x> words\n", "3@x", "1@x 3@x"},
	} {
		b := mail("From: bob@h.edu\n"+c.header, "").Reply(Reply{From: me})
		assert.Equal(t, c.in, strings.Join(b.InReplyTo, " "), c.header)
		assert.Equal(t, c.refs, strings.Join(b.References, " "), c.header)
	}
	b := mail("Message-ID: <z@x>\nReferences: "+strings.Join(long, "\n ")+"\n", "").Reply(Reply{From: me})
	assert.Len(t, b.References, maxReferences)
	assert.Equal(t, "i@x", b.References[0])
	assert.Equal(t, "z@x", b.References[maxReferences-1])
	assert.Equal(t, strings.Repeat("i", 60)+"@x", b.References[maxReferences-2])
}

func TestReplyQuotes(t *testing.T) {
	const head = "From: Bob <bob@h.edu>\nDate: Mon, 23 Nov 2026 09:12:40 +0100\n"
	const by = "On Mon, 23 Nov 2026 at 09:12, Bob <bob@h.edu> wrote:\n"
	for _, c := range []struct{ name, header, body, want string }{
		{"plain", "", "one\n\ntwo\n", "> one\n>\n> two\n"},
		{"quoted before", "", "> one\n>> two\n>three\n", ">> one\n>>> two\n>> three\n"},
		{"signature", "", "one\n-- \nBob\n", "> one\n"},
		{"flowed", "Content-Type: text/plain; format=flowed\n", "one \ntwo\n> three \n> four\n", "> one two\n>> three four\n"},
		{"long", "", strings.Repeat("word ", 30) + "\n", "> " + strings.TrimSpace(strings.Repeat("word ", 14)) + " word\n> " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n"},
		{"no space", "", strings.Repeat("x", 200) + "\n", "> " + strings.Repeat("x", 200) + "\n"},
		{"HTML", "Content-Type: text/html\n", "<p>Hi <b>Al</b>ice,</p><p>see&nbsp;&lt;this&gt;<br>line</p><script>x</script><ul><li>a<li>b</ul><blockquote>old</blockquote>", "> Hi Alice,\n>\n> see <this>\n> line\n>\n> - a\n> - b\n>\n>> old\n"},
		{"injection", "", "a\rBcc: x@y.example\x00\x0c\n", "> a\n> Bcc: x@y.example\n"},
	} {
		b := mail(head+c.header, c.body).Reply(Reply{From: me, Text: "Yes.\n"})
		assert.Equal(t, "Yes.\n\n"+by+c.want, b.Text, c.name)
	}
	m := mail(head, "one\n")
	assert.Equal(t, "Yes.", m.Reply(Reply{From: me, Text: "Yes.", NoQuote: true}).Text)
	assert.Equal(t, "Bob:\n> one\n", m.Reply(Reply{From: me, Attribution: "Bob:"}).Text)
	assert.Equal(t, "Yes.\n\n", mail(head, "").Reply(Reply{From: me, Text: "Yes."}).Text)
	big := mail(head, strings.Repeat("line of text\n", 100_000)).Reply(Reply{From: me})
	assert.Less(t, len(big.Text), 2*maxQuoted)
	assert.Contains(t, big.Text, "[…]")
	// Marks stand on each line: a few hundred kilobytes must not become megabytes.
	deep := mail(head, strings.Repeat(">", 100_000)+" "+strings.Repeat("w ", 70_000)+"\n").Reply(Reply{From: me})
	assert.Less(t, len(deep.Text), 4*maxQuoted)
}

const twoFiles = "From: Bob <bob@h.edu>\r\nTo: alice@crepes.fr\r\nSubject: Fw: plans\r\nMessage-ID: <1@h.edu>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ngr\xfc\xdfe\r\n" +
	"--b\r\nContent-Type: text/csv; charset=iso-8859-1\r\nContent-Disposition: attachment; filename=\"../t.csv\"\r\n\r\n\xfc;1\r\n" +
	"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nhi\r\n" +
	"--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"

func TestForwardInline(t *testing.T) {
	_, raw := built(t, Parse([]byte(twoFiles)).Forward(Forward{From: me, To: To("carol@h.edu"), Text: "Look:"}))
	m := Parse(raw)
	assert.Equal(t, "Fwd: plans", m.Header().Subject())
	assert.Equal(t, []string{"1@h.edu"}, slices.Collect(m.Header().References()))
	assert.Equal(t, "Look:\r\n\r\n---------- Forwarded message ----------\r\nFrom: Bob <bob@h.edu>\r\nSubject: Fw: plans\r\nTo: alice@crepes.fr\r\n\r\ngrüße\r\n", m.TextBody()[0].Text())
	files := m.Attachments()
	require.Len(t, files, 3)
	var names, types []string
	for _, p := range files {
		names, types = append(names, p.Filename()), append(types, p.Type().Type+"/"+p.Type().Subtype)
	}
	assert.Equal(t, []string{"attachment.png", "t.csv", "attachment.eml"}, names)
	assert.Equal(t, []string{"image/png", "text/csv", "message/rfc822"}, types)
	assert.Equal(t, "ü;1", files[1].Text(), "its charset goes along")
	assert.Equal(t, []byte{0, 1, 2}, files[0].Bytes())
}

func TestForwardAttached(t *testing.T) {
	for name, original := range map[string]string{"as it is": twoFiles, "LF": string(withLF([]byte(twoFiles))), "CR CR LF": strings.ReplaceAll(twoFiles, "\r\n", "\r\r\n")} {
		d, err := fixed(Parse([]byte(original)).Forward(Forward{From: me, To: To("carol@h.edu"), Attached: true})).Build()
		require.NoError(t, err)
		raw, err := d.Bytes()
		require.NoError(t, err)
		assert.Equal(t, int64(len(raw)), d.Size(), name)
		_, eight := d.Needs()
		assert.True(t, eight)
		inner, ok := Parse(raw).Attachments()[0].Message()
		require.True(t, ok)
		assert.Equal(t, twoFiles, string(inner.Root().Raw()), name)
		r := d.Reader() // and from any place
		for off := int64(0); off < d.Size(); off += 97 {
			_, err := r.Seek(off, io.SeekStart)
			require.NoError(t, err)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, string(raw[off:]), string(rest))
		}
	}
	for name, unfit := range map[string]string{"CR": "Subject: x\r\n\r\na\rb\r\n", "NUL": "Subject: x\r\n\r\na\x00b\r\n", "long": "Subject: x\r\n\r\n" + strings.Repeat("x", 999)} {
		b := Parse([]byte(unfit)).Forward(Forward{From: me, To: To("carol@h.edu"), Attached: true})
		assert.Empty(t, b.Files, name)
		assert.Contains(t, b.Text, "Subject: x\n", name)
	}
}

// A message that cannot be read is not answered as if it said nothing.
func TestAnswerToUnreadable(t *testing.T) {
	s := Scan(strings.NewReader(twoFiles)) // keeps no bodies
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	require.NoError(t, s.Err())
	for kind, b := range answers(s.Message()) {
		_, err := b.Build()
		assert.ErrorIs(t, err, ErrNotKept, kind)
	}
}

// answers are all that can be made of a message.
func answers(m *Message) map[string]*Builder {
	to := To("carol@h.edu")
	return map[string]*Builder{
		"reply":    m.Reply(Reply{From: me}),
		"all":      m.Reply(Reply{From: me, All: true, Text: "yes"}),
		"forward":  m.Forward(Forward{From: me, To: to}),
		"attached": m.Forward(Forward{From: me, To: to, Attached: true}),
	}
}

// checkAnswers builds them, which fails for want of an address only, and reads
// them again.
func checkAnswers(t testing.TB, name string, raw []byte) {
	m := Parse(raw)
	for kind, b := range answers(m) {
		d, err := fixed(b).Build()
		if err != nil {
			if !errors.Is(err, errNobody) || kind == "forward" || kind == "attached" {
				t.Errorf("%s: %s: %v", name, kind, err)
			}
			continue
		}
		out, err := d.Bytes()
		if err != nil || int64(len(out)) != d.Size() {
			t.Errorf("%s: %s: %d of %d octets, %v", name, kind, len(out), d.Size(), err)
		}
		got := Parse(out)
		inside := false // an odd message within is none of ours
		for i := range b.Files {
			inside = inside || b.Files[i].typ == "message/rfc822"
		}
		if !inside && (got.Ambiguous() || len(got.Defects()) > 0) {
			t.Errorf("%s: %s: %v\n%.2000s", name, kind, got.Defects(), out)
		}
		checkTop(t, name+": "+kind, got, len(b.Files))
	}
}

// checkTop wants exactly the fields of an answer, and as many files as it has.
func checkTop(t testing.TB, name string, m *Message, files int) {
	seen := map[string]bool{}
	for f := range m.Header().Fields() {
		key := strings.ToLower(f.Name())
		if seen[key] || !slices.Contains([]string{"date", "from", "to", "cc", "subject", "message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"}, key) {
			t.Errorf("%s: field %q", name, f.Raw())
		}
		seen[key] = true
	}
	parts := 0
	for range m.Root().Children() {
		parts++
	}
	if want := files + 1; files > 0 && parts != want {
		t.Errorf("%s: %d parts, not %d", name, parts, want)
	}
}

// Every message of the corpora can be answered and passed on.
func TestAnswerAnyMail(t *testing.T) {
	for name, raw := range corpusMail(t) {
		checkAnswers(t, name, raw)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range seedMail {
		f.Add([]byte(s))
	}
	f.Add([]byte(twoFiles))
	f.Add([]byte("From: \"=?utf-8?q?=0D=0ABcc:?=\" <a@b.example>\r\nSubject: =?utf-8?q?=0D=0A=0D=0Ax?=\r\nMessage-ID: <a\r\n b@c>\r\nContent-Type: text/html\r\n\r\n<p>x<!-- <pre>\r\n<b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<14 {
			checkAnswers(t, "fuzz", b)
		}
	})
}

func TestHTMLText(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"a  b\n c":                               "a b c\n",
		"<p>a</p>\n<p>b</p>":                     "a\n\nb\n",
		"a<br>b<br/><br>c":                       "a\nb\n\nc\n",
		"<pre>a\n  b</pre>c":                     "a\n  b\nc\n",
		"a<!-- x --> b<!-- never":                "a b\n",
		"<style>p { a > b }</style>x":            "x\n",
		"<script>if (a<b) '</p>'</script>x":      "x\n",
		`<a href="x>y" title='>'>z</a>`:          "z\n",
		"1 < 2 &amp;&#62; 3":                     "1 < 2 &> 3\n",
		"<table><tr><td>a<td>b<tr><td>c</table>": "a b\nc\n",
		"<p <p>x":                                "x\n",
		"<":                                      "<\n",
		"<blockquote>a<br>b</blockquote>c":       "> a\n> b\nc\n",
		"\u200b\u00ada\u200b":                    "a\n",
	} {
		got := htmlText(in)
		assert.Equal(t, want, strings.TrimRight(got, "\n")+strings.Repeat("\n", min(1, len(got))), "%q", in)
	}
}
