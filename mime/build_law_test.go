package mime

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foldable is text of the kind that makes headers long.
func foldable(r *rand.Rand, words int) string {
	kinds := []string{"word", "größe", "=?utf-8?q?x?=", "日本語の件名", strings.Repeat("x", 70), strings.Repeat("y", 75), "a  b", `"quoted"`, "(comment)", "<angle>", "a,b;c", "👩‍👩‍👧", "=", "?=", "\\"}
	var out []string
	for range words {
		out = append(out, kinds[r.Intn(len(kinds))])
	}
	return strings.Join(out, " ")
}

// checkFolding wants each line of a header to be as short as its fold points
// allow: at most 78, lines with encoded-words at most 76 and these at most 75
// (RFC 5322 §2.1.1, RFC 2047 §2).
func checkFolding(t testing.TB, header []byte) {
	t.Helper()
	for line := range strings.SplitSeq(string(header), "\r\n") {
		if strings.Contains(line, "=?utf-8?") && len(line) > 76 {
			t.Errorf("%d octets with an encoded-word: %q", len(line), line)
		}
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, "=?utf-8?") && len(strings.TrimRight(word, `",;`)) > maxWord {
				t.Errorf("encoded-word of %d: %q", len(word), word)
			}
		}
		// One token may be longer than a line should be, if it has its own.
		if strings.TrimSpace(line) == "" && line != "" {
			t.Errorf("empty line %q", line)
		}
		if rest := strings.TrimLeft(line, " \t"); len(line) > foldAt && (rest == line || strings.ContainsAny(rest, " \t")) {
			if name, value, ok := strings.Cut(line, ": "); !ok || strings.Contains(value, " ") || len(value) < foldAt || len(name) > 76 {
				t.Errorf("%d octets, not folded: %q", len(line), line)
			}
		}
		if len(line) > maxLine {
			t.Errorf("%d octets", len(line))
		}
	}
}

// The law of building: what every field is given is what is read back, and the
// lines are folded as they should be.
func TestEveryFieldSurvives(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	sender := Address{Name: "Somebody else", Addr: "sender@x.example"}
	for i := range 300 {
		var list []Address
		for j := range 1 + r.Intn(6) {
			list = append(list, Address{Name: strings.Join(strings.Fields(foldable(r, r.Intn(6))), " "), Addr: fmt.Sprintf("%s%d@%s.example", strings.Repeat("l", 1+r.Intn(60)), j, strings.Repeat("d", 1+r.Intn(60)))})
		}
		var ids, urls []string
		for j := range r.Intn(5) {
			ids = append(ids, fmt.Sprintf("%s%d@x.example", strings.Repeat("i", 1+r.Intn(100)), j))
			urls = append(urls, fmt.Sprintf("https://x.example/%s?%d", strings.Repeat("u", r.Intn(100)), j))
		}
		b := &Builder{From: list[:1], Sender: sender, To: list, Cc: list, ReplyTo: list, Subject: foldable(r, r.Intn(20)), MessageID: "m@x.example", InReplyTo: ids, References: ids,
			Extra: []Extra{{"X-Long", foldable(r, r.Intn(20))}, {"X-Empty", ""}, {strings.Repeat("X", 60+r.Intn(17)), foldable(r, 3)}},
			List:  &List{ID: "l.example", Description: strings.Join(strings.Fields(foldable(r, r.Intn(5))), " "), Archive: urls, Help: urls},
			Text:  foldable(r, 30), Files: []File{AttachBytes(foldable(r, r.Intn(8)), []byte("x"))}}
		d, err := fixed(b).Build()
		require.NoError(t, err, "%d", i)
		raw, err := d.Bytes()
		require.NoError(t, err)
		m := Parse(raw)
		for _, p := range m.Walk() {
			checkFolding(t, p.Header().Raw())
		}
		h := m.Header()
		for name, want := range map[string][]Address{"From": b.From, "Sender": {sender}, "To": list, "Cc": list, "Reply-To": list} {
			got := h.Addresses(name)
			for k := range got {
				got[k].Comment = ""
			}
			require.Equal(t, want, got, "%s\n%s", name, raw)
		}
		require.Equal(t, b.Subject, h.Subject(), "%s", raw)
		require.Equal(t, b.Extra[0].Value, h.Text("X-Long"), "%s", raw)
		require.Equal(t, b.Extra[2].Value, h.Text(b.Extra[2].Name), "%s", raw)
		require.True(t, h.Has("X-Empty"))
		require.Equal(t, "m@x.example", h.MessageID())
		require.Equal(t, ids, slices.Collect(h.References()))
		require.Equal(t, ids, slices.Collect(h.InReplyTo()))
		require.Equal(t, urls, h.ListURLs("List-Archive"))
		require.Equal(t, urls, h.ListURLs("List-Help"))
		id, _ := h.ListID()
		require.Equal(t, "l.example", id)
		date, ok := h.Date()
		require.True(t, ok && date.Equal(b.Date))
		require.Equal(t, b.Text, m.TextBody()[0].Text())
		require.Equal(t, b.Files[0].name, m.Attachments()[0].Filename(), "%s", raw)
	}
}

// build∘parse: a message built, read, and built of what was read is the same to
// the octet.
func TestBuildOfParsed(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for range 100 {
		first := fixed(&Builder{To: []Address{{Name: "Böb", Addr: "bob@hamburger.edu"}}, Subject: foldable(r, r.Intn(12)), Text: foldable(r, 10) + "\n", HTML: "<p>" + foldable(r, 10) + "\n",
			MessageID: "m@x.example", References: []string{"a@b", "c@d"}, Files: []File{AttachBytes(foldable(r, 2), []byte{0, 1}), AttachBytes("x.txt", []byte("ü"))}})
		d, err := first.Build()
		require.NoError(t, err)
		raw, err := d.Bytes()
		require.NoError(t, err)
		m := Parse(raw)
		h := m.Header()
		again := &Builder{From: h.Addresses("From"), To: h.Addresses("To"), Subject: h.Subject(), Text: m.TextBody()[0].Text(), HTML: m.HTMLBody()[0].Text(), MessageID: h.MessageID(), References: slices.Collect(h.References())}
		for _, p := range m.Attachments() {
			again.Files = append(again.Files, AttachBytes(p.Filename(), p.Bytes()))
		}
		d, err = fixed(again).Build()
		require.NoError(t, err)
		back, err := d.Bytes()
		require.NoError(t, err)
		require.Equal(t, string(raw), string(back))
	}
}

// sameAlways is the worst randomness there is.
type sameAlways struct{}

func (sameAlways) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// No boundary is within its parts, however bad the randomness, and however well
// the content has guessed; nor is one the start of another.
func TestBoundariesAreUnique(t *testing.T) {
	guess := "=_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	b := &Builder{From: To("a@b.example"), Rand: sameAlways{}, Date: feb, Text: "--" + guess + "\n--=_1_aaaaaaaaaaaaaaaaaaaaaaaaaa--\n", HTML: "<p>",
		Files: []File{AttachBytes("a.png", []byte("x")).Inline("x"), AttachBytes("x.eml", []byte("Subject: x\r\n\r\n--=_2_aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))}}
	d, err := b.Build()
	require.NoError(t, err)
	for range 3 {
		d, err = d.Sign(pgp{new(bytes.Buffer)})
		require.NoError(t, err)
	}
	raw, err := d.Bytes()
	require.NoError(t, err)
	var seen []string
	m := Parse(raw)
	for _, p := range m.Walk() {
		if boundary := p.Type().Param("boundary"); boundary != "" {
			for _, other := range seen {
				assert.False(t, strings.HasPrefix(other, boundary) || strings.HasPrefix(boundary, other), "%q and %q", boundary, other)
			}
			assert.LessOrEqual(t, len(boundary), 70) // RFC 2046 §5.1.1
			seen = append(seen, boundary)
		}
	}
	assert.Len(t, seen, 6)
	assert.False(t, m.Ambiguous(), "%v", m.Defects())
	assert.Contains(t, m.TextBody()[0].Text(), guess)
}

// A source of randomness that ends would make ids that are not unique.
func TestRandomnessThatEnds(t *testing.T) {
	_, err := (&Builder{From: To("a@b.example"), Rand: strings.NewReader("short")}).Build()
	var f *FieldError
	require.ErrorAs(t, err, &f)
	assert.Equal(t, "Rand", f.Field)
	b := Supplement(Header{}, "x\r\nBcc: y@z", feb, strings.NewReader(""))
	assert.Regexp(t, `^Date: [^\r]*\r\nMessage-ID: <[a-z2-7]{26}@localhost>\r\n$`, string(b))
	assert.NotContains(t, string(b), "aaaaaaaaaaaaaaaaaaaaaaaaaa")
}

// Nothing but SMTPUTF8 carries a header beyond ASCII, so nothing but a
// local-part brings one about.
func TestHeaderIsASCII(t *testing.T) {
	for _, b := range []*Builder{
		{From: []Address{{Name: "ü", Addr: "a@bücher.example"}}, Domain: "ü.example"},
		{From: []Address{{Addr: "a@[192.0.2.1]"}}, Subject: "ü", Extra: []Extra{{"X-A", "ü"}}},
		{From: To("a@b.example"), List: &List{ID: "x.example", Description: "ü"}, Files: []File{AttachBytes("ü.txt", []byte("ü"))}, LegacyNames: true},
	} {
		d, raw := built2(t, b)
		assert.True(t, isASCII(raw), "%s", raw)
		utf8, eight := d.Needs()
		assert.False(t, utf8 || eight)
	}
	for _, b := range []*Builder{{MessageID: "ü@x"}, {References: []string{"ü@x"}}, {List: &List{ID: "ü.example"}}, {List: &List{Post: []string{"mailto:ü@x.example"}}}} {
		_, err := fixed(b).Build()
		assert.Error(t, err)
	}
	d, raw := built2(t, &Builder{From: []Address{{Addr: "jörg@bücher.example"}}})
	assert.Regexp(t, `Message-ID: <[a-z2-7]+@xn--bcher-kva.example>`, string(raw))
	utf8, _ := d.Needs()
	assert.True(t, utf8)
	d, _ = built2(t, &Builder{})
	d, err := d.Prepend("X-A", "ü")
	require.NoError(t, err)
	utf8, _ = d.Needs()
	assert.True(t, utf8)
}

// What each rule of the header refuses.
func TestRefused(t *testing.T) {
	for name, b := range map[string]*Builder{
		"no domain":         {To: []Address{{Addr: "postmaster"}}},
		"word in address":   {To: []Address{{Addr: "=?utf-8?q?a?=@b.example"}}},
		"return path":       {Extra: []Extra{{"Return-Path", "<>"}}},
		"content":           {Extra: []Extra{{"Content-Type", "text/html"}}},
		"list twice":        {List: &List{ID: "a.example"}, Extra: []Extra{{"LIST-ID", "b"}}},
		"post and not":      {List: &List{NoPost: true, Post: []string{"mailto:a@b.example"}}},
		"two https":         {List: &List{OneClick: true, Unsubscribe: []string{"https://a.example/", "HTTPS://b.example/"}}},
		"description alone": {List: &List{Description: "x"}},
		"method":            {Calendar: &Calendar{Method: "REPLY", Data: []byte("METHOD:REQUEST\r\n")}},
		"multipart file":    {Files: []File{AttachBytes("x", []byte("x")).As("multipart/mixed")}},
		"parameters":        {Files: []File{AttachBytes("x", []byte("x")).As("text/plain; charset=x")}},
		"long type":         {Files: []File{AttachBytes("x", []byte("x")).As("text/" + strings.Repeat("x", 1000))}},
		"percent cid":       {Files: []File{AttachBytes("x", []byte("x")).Inline("a%41")}},
		"same cid":          {Files: []File{AttachBytes("x", []byte("x")).Inline("a"), AttachBytes("y", []byte("y")).Inline("a")}},
		"not UTF-8":         {Subject: "\xff"},
		"long id":           {MessageID: strings.Repeat("x", 1000) + "@y"},
	} {
		_, err := fixed(b).Build()
		assert.Error(t, err, name)
	}
	for _, year := range []int{1899, 12026} {
		b := fixed(&Builder{})
		b.Date = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err := b.Build()
		assert.ErrorContains(t, err, "Date")
	}
	d, _ := built(t, &Builder{})
	for _, f := range [][2]string{{"Subject", "x"}, {"bcc", "x"}, {"Content-Type", "x"}, {"X A", "x"}, {"X-A", "a\r\nb"}, {"X-A", "a\r\n \r\n b"}, {"X-A", "a\nb"}, {"X-A", strings.Repeat("x", 1000)}, {"", "x"}} {
		_, err := d.Prepend(f[0], f[1])
		assert.Error(t, err, "%q", f)
	}
}

// White space of any width is kept, and makes no line too long.
func TestWideSpace(t *testing.T) {
	for _, n := range []int{2, 15, 16, 60, 500, 5000} {
		s := "a" + strings.Repeat(" ", n) + "b"
		_, raw := built(t, &Builder{Subject: s, To: []Address{{Name: s, Addr: "b@c.example"}}, Files: []File{AttachBytes(s, []byte("x"))}, Text: "t"})
		m := Parse(raw)
		assert.Equal(t, s, m.Header().Subject())
		assert.Equal(t, s, m.Header().Addresses("To")[0].Name)
		assert.Equal(t, s, m.Attachments()[0].Filename())
		checkFolding(t, m.Header().Raw())
	}
}

// A draft does not change with the builder it came from.
func TestDraftIsItsOwn(t *testing.T) {
	b := fixed(&Builder{Text: "t", Files: []File{AttachBytes("a.bin", []byte("one"))}, To: To("a@b.example")})
	d, err := b.Build()
	require.NoError(t, err)
	before, err := d.Bytes()
	require.NoError(t, err)
	b.Files[0], b.To[0], b.Rand = AttachBytes("b.bin", []byte("another")), Address{Addr: "x@y.example"}, nil
	after, err := d.Bytes()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
	assert.Equal(t, []string{"a@b.example"}, d.Recipients())
}

// RFC 5322 §3.6.2: a Sender that says no more than From is left out.
func TestSenderLikeFrom(t *testing.T) {
	d, raw := built(t, &Builder{From: To("a@b.example"), Sender: Address{Addr: "a@b.example"}})
	assert.False(t, Parse(raw).Header().Has("Sender"))
	assert.Equal(t, "a@b.example", d.Sender())
	d, raw = built(t, &Builder{From: To("a@b.example", "c@b.example"), Sender: Address{Addr: "c@b.example"}})
	assert.True(t, Parse(raw).Header().Has("Sender"))
	assert.Equal(t, "c@b.example", d.Sender())
}
