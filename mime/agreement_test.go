package mime

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	}
	wantValue struct {
		Text     *string
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

// A tally counts comparisons by kind and keeps the disagreements.
type tally struct {
	agreed, all map[string]int
	misses      []miss
}

type miss struct{ file, kind, got, want string }

func (c *tally) check(kind, file, got, want string) {
	if c.all == nil {
		c.all, c.agreed = map[string]int{}, map[string]int{}
	}
	c.all[kind]++
	if got == want {
		c.agreed[kind]++
		return
	}
	c.misses = append(c.misses, miss{file, kind, got, want})
}

// deliberate are the differences this package means, each with the rule that
// makes it so. They are all there are: a miss that none of them covers fails
// the test, and so does an entry that covers none.
var deliberate = []struct {
	rule  string
	kinds string   // of comparisons, or "" for all
	in    []string // of these, by a part of file name or vector
}{
	{"RFC 5322 §4.3: years 00 to 49 are of this century", "received", []string{"26 Mar 03", "27 Feb 04", "20 Mar 03"}},
	{"RFC 5322 §4.3: PST and PDT are zones", "received", []string{"14:22:21 PST", "08:15:21 PDT"}},
	{"RFC 5322 §3.3: a month by name is the month, wherever it stands (asctime)", "received",
		[]string{"Feb 07 10:18:12 2003", "Nov 13 14:50:12 2005", "Nov 13 15:38:52 2005", "Sep 14 14:36:56 EDT 2018"}},
	{"RFC 3339 §5.6: decimals of a second follow it", "received", []string{"07:53:55.516"}},
	{"RFC 5322 §3.3: a time of day has colons", "date", []string{" 4 8 15 16 23 42"}},
	{"RFC 5322 §2.2.3: unfolding comes first, so the backslash quotes the space", "address", []string{"\\\n ) chap)"}},
	{"RFC 2231 §3: pieces are numbered from 0 without gaps", "content_type", []string{"key*9999", "malicious/attempt"}},
	{"RFC 2046 §5.1.1: a delimiter is a line of its own, and all of it", "", []string{"malformed/001", "malformed/004", "malformed/008", "malformed/016"}},
	{"RFC 2046 §5.1.2: the delimiter of an outer multipart ends the inner parts", "", []string{"malformed/009", "malformed/011", "malformed/012", "malformed/022"}},
	{"RFC 2046 §5.1.1: a delimiter ends a header too", "", []string{"malformed/000", "malformed/007"}},
	{"RFC 2046 §5.1: a multipart that is not closed ends with the message; text is no header", "", []string{"malformed/019"}},
	{"RFC 8621 §4.1.4: images shown in both bodies, and texts cut short, are no attachments", "lists", []string{".json"}},
}

// report logs the counts and checks that all misses are deliberate.
func (c *tally) report(t *testing.T, part int) {
	used := make([]bool, len(deliberate))
	differ := 0
	for _, m := range c.misses {
		found := false
		for i, d := range deliberate {
			hit := slices.ContainsFunc(d.in, func(s string) bool { return strings.Contains(m.file, s) })
			if hit && (d.kinds == "" || strings.Contains(d.kinds, m.kind)) {
				found, used[i] = true, true
				break
			}
		}
		differ++
		if !found {
			t.Errorf("%s: %s\n\tgot  %.500q\n\twant %.500q", m.file, m.kind, m.got, m.want)
		}
	}
	for i, u := range used {
		if !u && (i < 7) == (part == 0) {
			t.Errorf("no case for %q", deliberate[i].rule)
		}
	}
	all := 0
	for kind, n := range c.all {
		t.Logf("%-12s %4d of %4d", kind, c.agreed[kind], n)
		all += n
	}
	t.Logf("%-12s %4d of %4d", "together", all-differ, all)
}

// atLeast checks the share of agreement over some kinds.
func (c *tally) atLeast(t *testing.T, percent float64, kinds ...string) {
	all, agreed := 0, 0
	for _, kind := range kinds {
		all += c.all[kind]
		agreed += c.agreed[kind]
	}
	share := float64(agreed) / float64(max(all, 1)) * 100
	t.Logf("%.1f %% of %d: %s", share, all, strings.Join(kinds, ", "))
	if share < percent {
		t.Errorf("less than %v %%", percent)
	}
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
