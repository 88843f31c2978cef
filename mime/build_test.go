package mime

import (
	"bytes"
	"io"
	"math/rand"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixed makes every build the same.
func fixed(b *Builder) *Builder {
	b.Date = time.Date(2026, 2, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	b.Rand = rand.New(rand.NewSource(1))
	if len(b.From) == 0 {
		b.From = To("Alice <alice@crepes.fr>")
	}
	return b
}

func built(t testing.TB, b *Builder) (*Draft, []byte) {
	t.Helper()
	d, err := fixed(b).Build()
	require.NoError(t, err)
	raw, err := d.Bytes()
	require.NoError(t, err)
	assert.Equal(t, int64(len(raw)), d.Size())
	checkWire(t, raw)
	return d, raw
}

// checkWire wants what every built message has: CRLF and nothing bare, lines
// that fit, and nothing a strict reader minds.
func checkWire(t testing.TB, raw []byte) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSuffix(raw, crlf), crlf) {
		assert.LessOrEqual(t, len(line), maxLine)
		assert.NotContains(t, string(line), "\n")
		assert.NotContains(t, string(line), "\r")
	}
	m := Parse(raw)
	assert.Empty(t, m.Defects(), "%s", raw)
	assert.False(t, m.Ambiguous(), "%v\n%s", m.Defects(), raw)
}

func TestBuildPlain(t *testing.T) {
	d, raw := built(t, &Builder{To: To("Bob <bob@hamburger.edu>"), Bcc: To("carol@crepes.fr"), Subject: "Lunch", Text: "At noon?\n"})
	assert.Equal(t, "Date: Mon, 2 Feb 2026 12:00:00 +0100\r\n"+
		"From: Alice <alice@crepes.fr>\r\n"+
		"To: Bob <bob@hamburger.edu>\r\n"+
		"Subject: Lunch\r\n"+
		"Message-ID: <kl67ybzbqjsu6fr7l4hzuyq5oi@crepes.fr>\r\n"+
		"MIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n"+
		"Content-Transfer-Encoding: 7bit\r\n"+
		"\r\n"+
		"At noon?\r\n", string(raw))
	assert.Equal(t, "alice@crepes.fr", d.Sender())
	assert.Equal(t, []string{"bob@hamburger.edu", "carol@crepes.fr"}, d.Recipients())
	assert.NotContains(t, string(raw), "carol")
}

// The same builder makes the same octets, and a draft gives them again and
// again.
func TestBuildIsDeterministic(t *testing.T) {
	make := func() []byte {
		_, raw := built(t, &Builder{Text: "a", HTML: "<b>", Files: []File{AttachBytes("x.png", []byte("png")).Inline("x"), AttachBytes("y.bin", make([]byte, 1000))}})
		return raw
	}
	assert.Equal(t, string(make()), string(make()))
}

func structure(p Part) string {
	s := p.Type().String()
	var kids []string
	for c := range p.Children() {
		kids = append(kids, structure(c))
	}
	if len(kids) > 0 {
		s += "(" + strings.Join(kids, " ") + ")"
	}
	return s
}

func TestNesting(t *testing.T) {
	png, pdf := AttachBytes("a.png", []byte("p")).Inline("pic"), AttachBytes("b.pdf", []byte("d"))
	cal := &Calendar{Method: "request", Data: []byte("BEGIN:VCALENDAR\nEND:VCALENDAR\n")}
	for want, b := range map[string]*Builder{
		"text/plain": {},
		"text/html":  {HTML: "<p>"},
		"multipart/alternative(text/plain text/html)":                              {Text: "t", HTML: "<p>"},
		"multipart/related(text/html image/png)":                                   {HTML: "<p>", Files: []File{png}},
		"multipart/alternative(text/plain multipart/related(text/html image/png))": {Text: "t", HTML: "<p>", Files: []File{png}},
		"multipart/mixed(text/plain application/pdf)":                              {Text: "t", Files: []File{pdf}},
		"application/pdf":                       {Files: []File{pdf}},
		"multipart/mixed(text/plain image/png)": {Text: "t", Files: []File{png}},
		"multipart/mixed(multipart/alternative(text/plain multipart/related(text/html image/png)) application/pdf)": {Text: "t", HTML: "<p>", Files: []File{pdf, png}},
		"multipart/mixed(multipart/alternative(text/plain text/calendar) application/ics)":                          {Text: "t", Calendar: cal},
	} {
		_, raw := built(t, b)
		got := structure(Parse(raw).Root())
		for _, cut := range []string{`; charset=utf-8`, `; charset="utf-8"`, "; method=REQUEST"} {
			got = strings.ReplaceAll(got, cut, "")
		}
		assert.Equal(t, want, stripParams(got))
	}
}

// stripParams leaves the bare types.
func stripParams(s string) string {
	var b strings.Builder
	skip := false
	for _, r := range s {
		switch {
		case r == ';':
			skip = true
		case r == '(' || r == ')' || skip && r == ' ' && !strings.HasSuffix(b.String(), ";"):
			skip = r == ' ' && false
		}
		if !skip {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// What goes in comes out: the law of building.
func TestTextsSurvive(t *testing.T) {
	texts := []string{"", "plain", "plain\n", "tráiler\n", "日本語\nтекст\n", strings.Repeat("x", 5001), strings.Repeat("wörter ", 500),
		"From here\n.\n..\n", "trailing space \nand tab\t\n", "a\rb\r\nc\n", "=3D =?utf-8?q?x?=\n", "\x00nul", strings.Repeat("é", 1000)}
	for _, eight := range []bool{false, true} {
		for _, text := range texts {
			_, raw := built(t, &Builder{Text: text, HTML: "<p>" + text, EightBit: eight})
			m := Parse(raw)
			want := string(canonicalText(text))
			if text != "" { // else there is nothing but HTML
				assert.Equal(t, want, string(canonicalText(m.TextBody()[0].Text())), "%q", text)
			}
			got := string(canonicalText(m.HTMLBody()[0].Text()))
			if text == "" { // one part, whose line is ended
				got = strings.TrimSuffix(got, "\r\n")
			}
			assert.Equal(t, "<p>"+want, got, "%q", text)
		}
	}
}

func TestHeadersSurvive(t *testing.T) {
	subjects := []string{"x", "a  b", "größe", "one größe two", "größe größe", "a größe  b", "=?utf-8?q?x=0D=0ABcc:_evil@x?=", "tab\there", " lead", "trail ",
		strings.Repeat("word ", 60) + "end", strings.Repeat("x", 2000), strings.Repeat("ü", 300), "日本語の件名がとても長いときにどうなるかを見る", "ends =?", "emoji 👩‍👩‍👧‍👦 family", "mixed ü " + strings.Repeat("ascii ", 30)}
	names := []string{"Bob", "Bob B. Burger", `Bob "the" \Burger`, "Böb", "Böb, Bürger", "bob@elsewhere.example", "A (comment)", strings.Repeat("long name ", 20) + "x", strings.Repeat("ü", 80), "=?x?="}
	for _, s := range subjects {
		for _, n := range names {
			_, raw := built(t, &Builder{Subject: s, To: []Address{{Name: n, Addr: "bob@hamburger.edu"}, {Addr: `"a b"@x.example`}}})
			h := Parse(raw).Header()
			assert.Equal(t, strings.ReplaceAll(s, "\t", " "), h.Subject())
			to := h.Addresses("To")
			require.Len(t, to, 2, "%q: %s", n, raw)
			assert.Equal(t, n, to[0].Name)
			assert.Equal(t, "bob@hamburger.edu", to[0].Addr)
			assert.Equal(t, `"a b"@x.example`, to[1].Addr)
			for line := range strings.SplitSeq(string(h.Raw()), "\r\n") {
				if !strings.Contains(line, "xxxxxxxx") {
					assert.LessOrEqual(t, len(line), foldAt, "%q", line)
				}
			}
		}
	}
}

func TestFileNamesSurvive(t *testing.T) {
	for _, name := range []string{"a.txt", "with space.pdf", `quo"te\.bin`, "Größe.png", "日本語.docx", strings.Repeat("lang", 40) + ".txt", strings.Repeat("ü", 100) + ".txt", "100%*'.txt", ""} {
		for _, legacy := range []bool{false, true} {
			_, raw := built2(t, &Builder{Text: "t", Files: []File{AttachBytes(name, []byte{0, 1, 255})}, LegacyNames: legacy})
			a := Parse(raw).Attachments()
			require.Len(t, a, 1)
			assert.Equal(t, name, a[0].Filename())
			if legacy && !isASCII([]byte(name)) {
				assert.Equal(t, name, a[0].Type().Param("name"))
			}
			got, err := io.ReadAll(a[0].Open())
			require.NoError(t, err)
			assert.Equal(t, []byte{0, 1, 255}, got)
		}
	}
}

// built2 is built without the wish for a message nobody can find fault with:
// the legacy form of names is one.
func built2(t testing.TB, b *Builder) (*Draft, []byte) {
	d, err := fixed(b).Build()
	require.NoError(t, err)
	raw, err := d.Bytes()
	require.NoError(t, err)
	return d, raw
}

// All mistakes are told at once, each by its field.
func TestMistakesAreToldTogether(t *testing.T) {
	_, err := (&Builder{To: To("nobody at all"), Subject: "a\nb", MessageID: "x", Domain: "a b", Files: []File{AttachFile("/no/such/file")},
		Extra: []Extra{{"Bcc", "x@y.example"}}, List: &List{OneClick: true}, Calendar: &Calendar{Method: "a b"}}).Build()
	require.Error(t, err)
	var fields []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *FieldError
		require.ErrorAs(t, e, &f)
		fields = append(fields, f.Field)
	}
	for _, want := range []string{"From", "To", "Subject", "MessageID", "Domain", "Extra", "List", "Calendar"} {
		assert.Contains(t, fields, want)
	}
	_, err = fixed(&Builder{Files: []File{AttachFile("/no/such/file"), AttachFile("/")}}).Build()
	assert.ErrorContains(t, err, "no such file")
	assert.ErrorContains(t, err, "directory")
	_, err = (&Builder{From: To("a@b.example", "c@d.example")}).Build()
	assert.ErrorContains(t, err, "Sender")
}

// attacks are ways to break out of a line.
var attacks = []string{"\r", "\n", "\r\n", "\x00", "\u0085", "\u2028", "=?utf-8?q?x=0D=0A?=", "\r\nBcc: evil@x.example", "\r\n\r\nbody"}

// places are where a caller can put text.
var places = map[string]func(b *Builder, s string){
	"From.Name":        func(b *Builder, s string) { b.From = []Address{{Name: s, Addr: "a@b.example"}} },
	"From.Addr":        func(b *Builder, s string) { b.From = []Address{{Addr: s}} },
	"From To()":        func(b *Builder, s string) { b.From = To("x" + s + " <a@b.example>") },
	"Sender.Name":      func(b *Builder, s string) { b.Sender = Address{Name: s, Addr: "a@b.example"} },
	"Sender.Addr":      func(b *Builder, s string) { b.Sender = Address{Addr: "a@b.example" + s} },
	"To.Name":          func(b *Builder, s string) { b.To = []Address{{Name: s, Addr: "a@b.example"}} },
	"To.Addr":          func(b *Builder, s string) { b.To = []Address{{Addr: "a@b.example" + s}} },
	"Cc.Name":          func(b *Builder, s string) { b.Cc = []Address{{Name: s, Addr: "a@b.example"}} },
	"Cc.Addr local":    func(b *Builder, s string) { b.Cc = []Address{{Addr: s + "a@b.example"}} },
	"Bcc.Addr":         func(b *Builder, s string) { b.Bcc = []Address{{Addr: "a@b.example" + s}} },
	"ReplyTo.Name":     func(b *Builder, s string) { b.ReplyTo = []Address{{Name: s, Addr: "a@b.example"}} },
	"Subject":          func(b *Builder, s string) { b.Subject = s },
	"MessageID":        func(b *Builder, s string) { b.MessageID = "x" + s + "@y" },
	"Domain":           func(b *Builder, s string) { b.Domain = "x" + s },
	"InReplyTo":        func(b *Builder, s string) { b.InReplyTo = []string{"x@y" + s} },
	"References":       func(b *Builder, s string) { b.References = []string{"x@y" + s} },
	"Extra.Name":       func(b *Builder, s string) { b.Extra = []Extra{{"X-A" + s, "v"}} },
	"Extra.Value":      func(b *Builder, s string) { b.Extra = []Extra{{"X-A", "v" + s}} },
	"List.ID":          func(b *Builder, s string) { b.List = &List{ID: "a.example" + s} },
	"List.Description": func(b *Builder, s string) { b.List = &List{ID: "a.example", Description: s} },
	"List.Post":        func(b *Builder, s string) { b.List = &List{Post: []string{"mailto:a@b.example" + s}} },
	"List.Unsubscribe": func(b *Builder, s string) { b.List = &List{Unsubscribe: []string{"https://a.example/" + s}} },
	"List.Archive":     func(b *Builder, s string) { b.List = &List{Archive: []string{s}} },
	"Calendar.Method":  func(b *Builder, s string) { b.Calendar = &Calendar{Method: "REQUEST" + s} },
	"Calendar.Data":    func(b *Builder, s string) { b.Calendar = &Calendar{Method: "REQUEST", Data: []byte(s)} },
	"File name":        func(b *Builder, s string) { b.Files = []File{AttachBytes("a"+s+".txt", []byte("x"))} },
	"File type":        func(b *Builder, s string) { b.Files = []File{AttachBytes("a", []byte("x")).As("text/plain" + s)} },
	"File cid":         func(b *Builder, s string) { b.Files = []File{AttachBytes("a", []byte("x")).Inline("c" + s)} },
	"Text":             func(b *Builder, s string) { b.Text = s },
	"HTML":             func(b *Builder, s string) { b.HTML = s },
	"Template": func(b *Builder, s string) {
		b.TextTemplate = template.Must(template.New("").Parse("{{.}}"))
		b.Data = s
	},
	"Prepend name":  nil,
	"Prepend value": nil,
}

// The injection test: every place a caller can put text, every way to break a
// line. It is refused, or the message has exactly the fields that were meant.
func TestInjection(t *testing.T) {
	meant := map[string]bool{"date": true, "from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "subject": true, "message-id": true, "in-reply-to": true,
		"references": true, "x-a": true, "list-id": true, "list-post": true, "list-unsubscribe": true, "list-archive": true, "mime-version": true, "content-type": true,
		"content-transfer-encoding": true, "content-disposition": true, "content-id": true}
	for name, put := range places {
		for _, attack := range attacks {
			b := fixed(&Builder{Text: "t"})
			var d *Draft
			var err error
			if put != nil {
				put(b, attack)
				d, err = b.Build()
			} else {
				d, err = b.Build()
				require.NoError(t, err)
				if name == "Prepend name" {
					d, err = d.Prepend("X-A"+attack, "v")
				} else {
					d, err = d.Prepend("X-A", "v"+attack)
				}
			}
			if err != nil {
				continue
			}
			raw, err := d.Bytes()
			require.NoError(t, err)
			if put != nil {
				checkWire(t, raw)
			}
			seen := make(map[string]int)
			for _, p := range Parse(raw).Walk() {
				for f := range p.Header().Fields() {
					key := strings.ToLower(f.Name())
					assert.True(t, meant[key], "%s with %q: field %q", name, attack, f.Name())
					if p.Path() == "" {
						seen[key]++
					}
				}
			}
			assert.NotContains(t, strings.ToLower(string(Parse(raw).Header().Raw())), "\nbcc")
			for key, n := range seen {
				assert.Equal(t, 1, n, "%s with %q: %s", name, attack, key)
			}
		}
	}
	assert.GreaterOrEqual(t, len(places), 30)
}

// A message that is attached travels as it is, or not at all.
func TestAttachedMessage(t *testing.T) {
	inner := "Subject: inner\r\n\r\nbody\r\n"
	_, raw := built(t, &Builder{Text: "see below", Files: []File{AttachBytes("x.eml", []byte(inner))}})
	var subjects []string
	for _, p := range Parse(raw).Walk() {
		if m, ok := p.Message(); ok {
			subjects = append(subjects, m.Header().Subject())
		}
	}
	assert.Equal(t, []string{"inner"}, subjects)
	for _, bad := range []string{"a\rb", "a\r", strings.Repeat("x", 999), "\x00"} {
		_, err := fixed(&Builder{Files: []File{AttachBytes("x.eml", []byte(bad))}}).Build()
		assert.Error(t, err, "%q", bad)
	}
	d, _ := built2(t, &Builder{Files: []File{AttachBytes("x.eml", []byte("Subject: ü\r\n"))}})
	_, eight := d.Needs()
	assert.True(t, eight)
}

func TestNeeds(t *testing.T) {
	d, raw := built(t, &Builder{To: []Address{{Addr: "bob@bücher.example"}}})
	utf8, eight := d.Needs()
	assert.False(t, utf8 || eight)
	assert.Contains(t, string(raw), "bob@xn--bcher-kva.example")
	d, err := fixed(&Builder{To: []Address{{Addr: "jörg@bücher.example"}}, Text: "ü", EightBit: true}).Build()
	require.NoError(t, err)
	utf8, eight = d.Needs()
	assert.True(t, utf8 && eight)
}

func TestBuildListFields(t *testing.T) {
	_, raw := built(t, &Builder{Text: "x", List: &List{ID: "team.hamburger.edu", Description: "The Team, all of it", Post: []string{"mailto:team@hamburger.edu"},
		Unsubscribe: []string{"https://hamburger.edu/u/" + strings.Repeat("a", 60), "mailto:team-leave@hamburger.edu"}, OneClick: true}})
	h := Parse(raw).Header()
	id, description := h.ListID()
	assert.Equal(t, "team.hamburger.edu", id)
	assert.Equal(t, "The Team, all of it", strings.Trim(description, `"`))
	assert.Equal(t, "https://hamburger.edu/u/"+strings.Repeat("a", 60), h.OneClick())
	assert.Equal(t, []string{"https://hamburger.edu/u/" + strings.Repeat("a", 60), "mailto:team-leave@hamburger.edu"}, h.ListURLs("List-Unsubscribe"))
}
