package mime

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzBuild checks that whatever is accepted is read back as it was given.
func FuzzBuild(f *testing.F) {
	f.Add("Lunch", "Bob", "bob@hamburger.edu", "text", "<p>", "a.png", []byte("x"))
	f.Add("größe =?utf-8?q?x?= ", "B\"\\", `"a b"@x.example`, "\x00\n.\n", "", "日本.txt", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, name, address, text, html, file string, data []byte) {
		b := fixed(&Builder{Subject: subject, To: []Address{{Name: name, Addr: address}}, Text: text, HTML: html, Files: []File{AttachBytes(file, data)}})
		d, err := b.Build()
		if err != nil {
			return
		}
		raw, err := d.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		checkLines(t, raw)
		m := Parse(raw)
		if m.Ambiguous() && !strings.HasPrefix(strings.ToLower(b.Files[0].mediaType()), "message/") {
			t.Errorf("%v\n%s", m.Defects(), raw)
		}
		if got := m.Header().Subject(); got != strings.ReplaceAll(subject, "\t", " ") {
			t.Errorf("subject %q became %q\n%s", subject, got, raw)
		}
		to := m.Header().Addresses("To")
		if len(to) != 1 || to[0].Name != strings.ReplaceAll(name, "\t", " ") {
			t.Errorf("name %q became %v\n%s", name, to, raw)
		}
		files := m.Attachments()
		if len(files) == 0 {
			t.Fatalf("no attachment\n%s", raw)
		}
		last := files[len(files)-1]
		got, _ := io.ReadAll(last.Open())
		if !bytes.Equal(got, data) && last.Type().String() != "message/rfc822" {
			t.Errorf("%q became %q\n%s", data, got, raw)
		}
	})
}

// checkLines wants lines that travel.
func checkLines(t testing.TB, raw []byte) {
	for line := range bytes.SplitSeq(raw, crlf) {
		if len(line) > maxLine || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("%.100q of %d octets", line, len(line))
		}
	}
}

// FuzzExtra checks that further fields are what they were, and no others.
func FuzzExtra(f *testing.F) {
	f.Add("X-A", "value", "m@x", "l.example", "https://x.example/")
	f.Add("X-A", " =?utf-8?q?x?=  \t ü", "a@b@c", "x", "mailto:a@b?c=d")
	f.Fuzz(func(t *testing.T, name, value, id, list, link string) {
		b := fixed(&Builder{MessageID: id, References: []string{id, id}, Extra: []Extra{{name, value}}, List: &List{ID: list, Archive: []string{link, link}}})
		d, err := b.Build()
		if err != nil {
			return
		}
		raw, err := d.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		checkLines(t, raw)
		h := Parse(raw).Header()
		if h.Len() != 10-b2i(list == "")-b2i(id == "") {
			t.Errorf("%d fields\n%s", h.Len(), raw)
		}
		if got := h.Text(name); got != strings.ReplaceAll(value, "\t", " ") {
			t.Errorf("value %q became %q\n%s", value, got, raw)
		}
		if got := slices.Collect(h.References()); !slices.Equal(got, b.References) {
			t.Errorf("id %q became %q", id, got)
		}
		if got := h.ListURLs("List-Archive"); !slices.Equal(got, b.List.Archive) {
			t.Errorf("URL %q became %q", link, got)
		}
	})
}

// FuzzEncodeText checks that a text comes out as it went in, and fits.
func FuzzEncodeText(f *testing.F) {
	f.Add("a \n.\nFrom x\r=\u00fc\x00", true)
	f.Add(strings.Repeat("x", 80)+"=\n"+strings.Repeat("ü ", 50), false)
	f.Fuzz(func(t *testing.T, text string, eight bool) {
		encoding, body := encodeText(text, eight)
		checkLines(t, body)
		for line := range bytes.SplitSeq(body, crlf) {
			if encoding != "7bit" && encoding != "8bit" && (len(line) > maxQPLine || bytes.HasPrefix(line, fromLine) || string(line) == ".") {
				t.Errorf("%s: %q", encoding, line)
			}
		}
		m := Parse(append([]byte("Content-Transfer-Encoding: "+encoding+"\r\n\r\n"), body...))
		if got := m.Root().Bytes(); string(got) != string(canonicalText(text)) {
			t.Errorf("%s: %q became %q by %q", encoding, text, got, body)
		}
		if flaws := m.Inspect(); encoding == "quoted-printable" || encoding == "base64" {
			for _, d := range flaws {
				if d.Severity > Info && utf8.ValidString(text) {
					t.Errorf("%v in %q", d, body)
				}
			}
		}
	})
}

// FuzzReader checks that a draft reads the same from any place in any pieces.
func FuzzReader(f *testing.F) {
	f.Add([]byte("some octets"), []byte("Subject: x\n\nmore"), 7, 200)
	f.Fuzz(func(t *testing.T, data, inner []byte, step, off int) {
		open := func() (io.ReadCloser, error) { return io.NopCloser(struct{ io.Reader }{bytes.NewReader(data)}), nil }
		d, err := fixed(&Builder{Text: "t", Files: []File{Attach("a.bin", open), AttachBytes("x.eml", inner), AttachBytes("b", data)}}).Build()
		if err != nil {
			return
		}
		raw, err := d.Bytes()
		if err != nil || int64(len(raw)) != d.Size() {
			t.Fatalf("%d of %d octets, %v", len(raw), d.Size(), err)
		}
		r := d.Reader()
		if off = max(off, 0) % (len(raw) + 1); off >= 0 {
			if _, err := r.Seek(int64(off), io.SeekStart); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		buf := make([]byte, max(step, 0)%300+1)
		for err == nil {
			var n int
			n, err = r.Read(buf)
			got = append(got, buf[:n]...)
		}
		if err != io.EOF || !bytes.Equal(got, raw[off:]) {
			t.Errorf("from %d by %d: %q, %v, not %q", off, len(buf), got, err, raw[off:])
		}
	})
}

// reports are what the parsers of reports begin with.
var reportSeeds = []string{
	"Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n",
	"Final-Recipient: rfc822; x@y\r\nOriginal-Message-ID: <a@b>\r\nDisposition: manual-action/MDN-sent-manually; displayed/error, x\r\n",
	"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nIncidents: 99999999999999999999\r\nArrival-Date: x\r\n",
	"\r\n\r\n \r\n: \r\n;;\r\n",
}

// FuzzReports checks that what is read of a report of any kind can be written
// again, and is the same when it is read again.
func FuzzReports(f *testing.F) {
	for _, s := range reportSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := func(typ string) *Message {
			return Parse(append([]byte("Content-Type: "+typ+"\r\n\r\n"), b...))
		}
		if d, ok := ParseDSN(in("message/delivery-status")); ok {
			again := rewrite(t, func() (*Draft, error) { return d.Draft("a@b.example", section("Subject: x\n\ny"), false) })
			if again == nil {
				return
			}
			if got, ok := ParseDSN(again); !ok || len(got.Recipients) != len(d.Recipients) {
				t.Errorf("%+v became %+v", d, got)
			}
		}
		if n, ok := ParseMDN(in("message/disposition-notification")); ok {
			n.From = Address{Addr: "a@b.example"}
			again := rewrite(t, func() (*Draft, error) { return n.Draft("a@b.example", nil) })
			if again == nil {
				return
			}
			if got, ok := ParseMDN(again); !ok || got.Type != n.Type {
				t.Errorf("%+v became %+v", n, got)
			}
		}
		if a, ok := ParseARF(in("message/feedback-report")); ok {
			a.From = Address{Addr: "a@b.example"}
			again := rewrite(t, func() (*Draft, error) { return a.Draft("a@b.example", section("Subject: x\n\ny")) })
			if again == nil {
				return
			}
			if got, ok := ParseARF(again); !ok || len(got.Recipients) != len(a.Recipients) {
				t.Errorf("%+v became %+v", a, got)
			}
		}
	})
}

// rewrite builds and reads a report, nil if it lacks what it must have.
func rewrite(t testing.TB, draft func() (*Draft, error)) *Message {
	d, err := draft()
	if err != nil {
		return nil
	}
	raw, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, raw)
	m := Parse(raw)
	if m.Header().Has("Bcc") || !isASCII(m.Header().Raw()) {
		t.Errorf("%s", raw)
	}
	return m
}

// FuzzSupplement checks that a domain brings in nothing.
func FuzzSupplement(f *testing.F) {
	f.Add("x.example\r\nBcc: a@b")
	f.Add("ü.example")
	f.Fuzz(func(t *testing.T, domain string) {
		b := Supplement(Header{}, domain, time.Unix(0, 0), nil)
		h := Parse(append(b, crlf...)).Header()
		if h.Len() != 2 || h.MessageID() == "" || !isASCII(b) {
			t.Errorf("%q", b)
		}
	})
}
