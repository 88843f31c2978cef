package mime

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The types of mail-parser's expected results.
type (
	wantMessage struct {
		HTML        []int      `json:"html_body"`
		Text        []int      `json:"text_body"`
		Attachments []int      `json:"attachments"`
		Parts       []wantPart `json:"parts"`
	}
	wantPart struct {
		Headers []wantHeader    `json:"headers"`
		Body    json.RawMessage `json:"body"`
		Header  int64           `json:"offset_header"`
		BodyOff int64           `json:"offset_body"`
		End     int64           `json:"offset_end"`
	}
	wantHeader struct {
		Name  any             `json:"name"`
		Value json.RawMessage `json:"value"`
		Field int64           `json:"offset_field"`
		Start int64           `json:"offset_start"`
		End   int64           `json:"offset_end"`
	}
	wantValue struct {
		Text        *string
		ContentType *struct {
			Type       string  `json:"c_type"`
			Subtype    *string `json:"c_subtype"`
			Attributes []struct{ Name, Value string }
		}
		TextList []string
		Address  *wantAddress
		DateTime *wantDate
	}
	wantAddress struct {
		List  []wantMailbox
		Group []struct {
			Name      *string
			Addresses []wantMailbox
		}
	}
	wantMailbox struct{ Name, Address *string }
	wantDate    struct {
		Year, Month, Day, Hour, Minute, Second int
		Before                                 bool `json:"tz_before_gmt"`
		ZoneHour                               int  `json:"tz_hour"`
		ZoneMinute                             int  `json:"tz_minute"`
	}
)

func (d *wantDate) String() string {
	if d == nil {
		return "none"
	}
	off := d.ZoneHour*3600 + d.ZoneMinute*60
	if d.Before {
		off = -off
	}
	return time.Date(d.Year, time.Month(d.Month), d.Day, d.Hour, d.Minute, d.Second, 0, time.FixedZone("", off)).Format(time.RFC3339)
}

func dateString(t time.Time, ok bool) string {
	if !ok {
		return "none"
	}
	return t.Format(time.RFC3339)
}

// words compares texts without regard to the amount of white space.
func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// mailbox writes an address as mail-parser does: comments belong to the name.
func mailboxString(a Address) string {
	name, addr := a.Name, a.Addr
	if a.Comment != "" && name != a.Comment {
		name += " (" + a.Comment + ")"
	}
	if a.Route != "" {
		addr = a.Route + ":" + addr
	}
	if name == "" && !strings.ContainsAny(addr, "@/") { // a lone word
		name, addr = addr, ""
	}
	return words(name) + " <" + strings.Join(strings.Fields(addr), "") + ">"
}

func wantMailboxString(m wantMailbox) string {
	var name, addr string
	if m.Name != nil {
		name = *m.Name
	}
	if m.Address != nil {
		addr = *m.Address
	}
	return words(name) + " <" + strings.Join(strings.Fields(addr), "") + ">"
}

func (w *wantAddress) String() string {
	if w == nil {
		return ""
	}
	var out []string
	for _, m := range w.List {
		out = append(out, wantMailboxString(m))
	}
	for _, g := range w.Group {
		if g.Name != nil {
			out = append(out, words(*g.Name)+":")
		}
		for _, m := range g.Addresses {
			out = append(out, wantMailboxString(m))
		}
	}
	return strings.Join(out, ", ")
}

func groupsString(groups []Group) string {
	var out []string
	for _, g := range groups {
		if g.Named {
			name := g.Name
			if g.Comment != "" {
				name += " (" + g.Comment + ")"
			}
			out = append(out, words(name)+":")
		}
		for _, a := range g.Members {
			out = append(out, mailboxString(a))
		}
	}
	return strings.Join(out, ", ")
}

// value finds the value of a header in the expected results.
func (p wantPart) value(name string) (v wantValue, ok bool) {
	for _, h := range p.Headers {
		if h.Name == name {
			ok = true
			var next wantValue
			if json.Unmarshal(h.Value, &next) == nil {
				v = next
			}
		}
	}
	return v, ok
}

// TestAgreementMessages compares with mail-parser's results for its corpora.
func TestAgreementMessages(t *testing.T) {
	dir := filepath.Join(corpora(t), "mail-parser", "eml")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.eml"))
	if len(files) < 80 {
		t.Fatalf("%d messages in %s", len(files), dir)
	}
	var c tally
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(file, ".eml")
		for suffix, mail := range map[string][]byte{".json": withLF(b), ".crlf.json": withCRLF(b)} {
			raw, err := os.ReadFile(base + suffix)
			if err != nil {
				t.Fatal(err)
			}
			var want wantMessage
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(file, err)
			}
			rel, _ := filepath.Rel(dir, base+suffix)
			compareMessage(&c, rel, Parse(mail), want)
		}
	}
	c.report(t, 1)
	// Counted before any exception.
	c.atLeast(t, 100, "subject", "from", "to", "date", "id")
	c.atLeast(t, 98, "text")
	c.atLeast(t, 93, "leaves")
	c.atLeast(t, 96, "subject", "from", "date", "id", "text", "leaves", "begin", "body", "end")
	c.atLeast(t, 98, "subject", "from", "date", "id", "text", "leaves", "begin", "body", "end", "field", "value", "fields")
}

func compareMessage(c *tally, file string, m *Message, want wantMessage) {
	root := want.Parts[0]
	if v, ok := root.value("subject"); ok {
		text := ""
		if v.Text != nil {
			text = *v.Text
		}
		c.check("subject", file, words(m.Header().Subject()), words(text))
	}
	if v, ok := root.value("from"); ok {
		c.check("from", file, groupsString(m.Header().Groups("From")), v.Address.String())
	}
	if v, ok := root.value("to"); ok {
		c.check("to", file, groupsString(m.Header().Groups("To")), v.Address.String())
	}
	if v, ok := root.value("date"); ok {
		c.check("date", file, dateString(m.Header().Date()), v.DateTime.String())
	}
	if v, ok := root.value("message_id"); ok {
		id := ""
		if v.Text != nil {
			id = *v.Text
		}
		c.check("id", file, m.Header().MessageID(), id)
	}
	flat := flatParts(m)
	c.check("leaves", file, fmt.Sprint(countLeaves(m)), fmt.Sprint(want.leaves()))
	c.check("parts", file, fmt.Sprint(len(flat)), fmt.Sprint(len(want.Parts)))
	for i, w := range want.Parts {
		if i < len(flat) {
			compareFields(c, file, flat[i], w)
			s := flat[i].Span()
			c.check("begin", file, fmt.Sprint(s.Begin), fmt.Sprint(w.Header))
			c.check("body", file, fmt.Sprint(s.Body), fmt.Sprint(w.BodyOff))
			c.check("end", file, fmt.Sprint(s.End), fmt.Sprint(w.End))
			continue
		}
		c.check("begin", file, "", fmt.Sprint(w.Header))
		c.check("body", file, "", fmt.Sprint(w.BodyOff))
		c.check("end", file, "", fmt.Sprint(w.End))
	}
	if len(want.Text) > 0 && want.Parts[want.Text[0]].isText() {
		got := ""
		if text := m.TextBody(); len(text) > 0 {
			got = text[0].Text()
		}
		c.check("text", file, words(got), words(want.Parts[want.Text[0]].text()))
	}
	c.check("lists", file, fmt.Sprint(indices(m, flat, m.TextBody()), indices(m, flat, m.HTMLBody()), indices(m, flat, m.Attachments())),
		fmt.Sprint(len0(want.Text), len0(want.HTML), len0(want.Attachments)))
}

// compareFields compares all fields of a part: where they are, and what they
// say.
func compareFields(c *tally, file string, p Part, want wantPart) {
	h, n := p.Header(), 0
	for _, f := range h.fields {
		if f.name == 0 { // mail-parser leaves these out
			continue
		}
		if n == len(want.Headers) {
			n++
			break
		}
		w := want.Headers[n]
		n++
		begin := p.Span().Begin
		c.check("field", file, fmt.Sprint(begin+int64(f.off), begin+int64(f.value), begin+int64(f.end)), fmt.Sprint(w.Field, w.Start, w.End))
		if got, want := fieldString(Field{h.raw, f}, w); want != "" {
			c.check("value", file, got, want)
		}
	}
	c.check("fields", file, fmt.Sprint(n), fmt.Sprint(len(want.Headers)))
}

// fieldString writes the value of a field by the kind of its expected value.
func fieldString(f Field, w wantHeader) (got, want string) {
	var v wantValue
	if json.Unmarshal(w.Value, &v) != nil {
		return "", ""
	}
	switch {
	case v.Text != nil && (f.f.id == fieldMessageID || f.f.id == fieldContentID || f.f.id == fieldReturnPath):
		s := idScanner{lexer: lexer{b: f.value()}}
		return idText(s.next()), *v.Text
	case v.Text != nil:
		return words(f.Text()), words(*v.Text)
	case v.DateTime != nil:
		return dateString(f.Date()), v.DateTime.String()
	case v.Address != nil:
		var p addressParser
		p.parse(f.value())
		return groupsString(p.groups()), v.Address.String()
	case v.ContentType != nil:
		m, _ := parseMediaType(f.value())
		want = strings.ToLower(v.ContentType.Type)
		if v.ContentType.Subtype != nil {
			want += "/" + strings.ToLower(*v.ContentType.Subtype)
		}
		for _, a := range v.ContentType.Attributes {
			want += " " + a.Name + "=" + words(a.Value)
		}
		got = m.String()
		for _, p := range m.Params {
			got += " " + p.Name + "=" + words(p.Value)
		}
		return got, want
	}
	return "", ""
}

func len0(a []int) []int { return append([]int{}, a...) }

func indices(m *Message, flat []Part, parts []Part) []int {
	out := []int{}
	for _, p := range parts {
		for i, q := range flat {
			if p == q {
				out = append(out, i)
			}
		}
	}
	return out
}

// flatParts lists the parts that are not inside a message inside m.
func flatParts(m *Message) []Part {
	var out []Part
	for _, p := range m.Walk() {
		if !p.insideMessage() {
			out = append(out, p)
		}
	}
	return out
}

func countLeaves(m *Message) int {
	n := 0
	for _, p := range m.Walk() {
		if p.Type().Is("message", "rfc822") {
			if sub, ok := p.Message(); ok && !p.IsMessage() {
				n += countLeaves(sub) - 1
			}
		}
		if !p.IsMultipart() && !p.IsMessage() {
			n++
		}
	}
	return n
}

func (w wantMessage) leaves() int {
	n := 0
	for _, p := range w.Parts {
		var b map[string]json.RawMessage
		json.Unmarshal(p.Body, &b)
		switch {
		case b["Multipart"] != nil:
		case b["Message"] != nil:
			var sub wantMessage
			json.Unmarshal(b["Message"], &sub)
			n += sub.leaves()
		default:
			n++
		}
	}
	return n
}

func (p wantPart) text() string {
	var b struct{ Text, Html *string }
	json.Unmarshal(p.Body, &b)
	if b.Text != nil {
		return *b.Text
	}
	if b.Html != nil {
		return *b.Html
	}
	return ""
}

func (p wantPart) isText() bool {
	var b struct{ Text, Html *string }
	json.Unmarshal(p.Body, &b)
	return b.Text != nil || b.Html != nil
}
