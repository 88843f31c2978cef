package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// seedMail are messages that show one oddity each; fuzzing starts from them.
var seedMail = []string{
	"",
	"Subject: hello\r\n\r\nbody\r\n",
	"From bob Mon Nov 23\nSubject : x\n folded\n\nbody",
	"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--b--\r\npost\r\n--b\r\n",
	"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/digest; boundary=\"a--\"\n\n--a--\n\nSubject: x\n\n--a----\n--a--\n",
	"Content-Type: multipart/mixed; boundary=b\r\n--b\r\nContent-Type: text/plain\r\n--b--",
	"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=junk==\r\n",
	"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3D=\r\nb =20 \r\n=",
	"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n#86)C\r\n`\r\nend\r\n",
	"text\r\nmore text\r\n",
	" x\r\nA: b\r\n\tc\r\nd\r\n\r\n",
	"A: b\rc\r\n\x00: d\r\n\xff\r\n\r\n\r\r\n",
}

// FuzzParse checks that any input is indexed soundly, that the three ways to
// parse agree however it is cut, and that nothing panics.
func FuzzParse(f *testing.F) {
	for _, s := range seedMail {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		checkMessage(t, b)
		checkFrontEnds(t, b)
	})
}

// FuzzLimits checks the same with limits that nearly any input exceeds.
func FuzzLimits(f *testing.F) {
	for _, s := range seedMail {
		f.Add([]byte(s), 40, 3, 3, 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, header, fields, parts, depth int) {
		if len(b) > 1<<14 {
			return
		}
		p := Parser{Limits{HeaderBytes: header % 256, Fields: fields % 16, Parts: parts % 16, Depth: depth % 16}}
		m := p.Parse(b)
		if got := rejoin(m); !bytes.Equal(got, b) {
			t.Fatalf("joins to %q, not %q", got, b)
		}
		want := fingerprint(m)
		for _, chunk := range []int{0, 1, 13} {
			s := p.Scan(bytes.NewReader(b))
			s.feed.chunk = chunk
			checkScan(t, s, m, want)
		}
	})
}

// FuzzReadHeader checks that the rest gives back the whole message.
func FuzzReadHeader(f *testing.F) {
	for _, s := range seedMail {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ReadHeader(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(rest); err != nil || !bytes.Equal(all, b) {
			t.Fatalf("rest is %q, %v", all, err)
		}
		if want := Parse(b).Header(); !bytes.Equal(h.Raw(), want.Raw()) || h.Len() != want.Len() {
			t.Fatalf("header %q, not %q", h.Raw(), want.Raw())
		}
	})
}

func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "\r\n\t\x00\x7f\u0085\u2028\u2029")
}

// FuzzDecoders checks that a decoder gives the same however its input is cut.
func FuzzDecoders(f *testing.F) {
	for _, s := range []string{"aGVsbG8=", "aGV\r\nsbG8", "YQ==YQ==", "=3D=\r\n=20 \t\r\nx=", "begin 6 x\n#86)C\nend\n", "    \r\n   ="} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		for _, e := range []transfer{transferBase64, transferQP, transferUU} {
			want, flaw := decodeAll(e, b)
			d := newDecoder(e)
			var got, held []byte
			for rest := b; len(rest) > 0; {
				n := min(len(rest), int(cut)+1)
				held = append(held, rest[:n]...)
				rest = rest[n:]
				k := d.cut(held)
				got = d.append(got, held[:k])
				held = append(held[:0], held[k:]...)
			}
			got = d.finish(got, held)
			if !bytes.Equal(got, want) || d.flaw() != flaw {
				t.Fatalf("%d: %q, %v cut; %q, %v whole", e, got, d.flaw(), want, flaw)
			}
		}
	})
}

// FuzzText checks that decoded texts are clean and that decoding what is
// decoded changes nothing unless it holds an encoded-word again.
func FuzzText(f *testing.F) {
	for _, s := range []string{"=?utf-8?q?a=0D=0Ab?=", "=?utf-8?b?4pyT4p?= =?utf-8?b?yT?=", "=?x?q?=FF?=", "=?utf-7?q?+AGE-?=", "=?iso-2022-jp?b?GyRCJCIbKEI=?=", "a\r\n\tb", "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, _ := decodeText([]byte(s))
		var d wordDecoder // the way without short cuts
		if d.decode(trimSpace([]byte(s))); string(d.dst) != got {
			t.Fatalf("%q -> %q, by the long way %q", s, got, d.dst)
		}
		if !clean(got) {
			t.Fatalf("%q -> %q", s, got)
		}
		if again, _ := decodeText([]byte(got)); !strings.Contains(got, "=?") && again != strings.Trim(got, " ") {
			t.Fatalf("%q -> %q -> %q", s, got, again)
		}
	})
}

// FuzzAddresses checks that addresses are clean and that an address which is
// written down is read as the same again.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"Bob <bob@hamburger.edu>, a@b", "G: a@b, c@d;", `"x\"y" <"a b"@c>`, "<@r:a@b>", "a@b (c)", "a @ b c@d", "<a@b, <c@d>", "=?utf-8?q?a=2C?= <a@b>", "[1:2]@[IPv6:::1]", "MAILER-DAEMON, <>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range ParseAddresses(s) {
			if !clean(a.Name) || !clean(a.Addr) || !clean(a.Comment) || !clean(a.Route) {
				t.Fatalf("%q -> %+v", s, a)
			}
			if !isDotAtom([]byte(a.Local())) || !isDotAtom([]byte(a.Domain())) {
				continue
			}
			again := ParseAddresses("<" + a.Addr + ">")
			if len(again) != 1 || again[0].Addr != a.Addr {
				t.Fatalf("%q -> %q -> %+v", s, a.Addr, again)
			}
		}
	})
}

// FuzzMediaType checks that types and parameters are clean and bounded.
func FuzzMediaType(f *testing.F) {
	for _, s := range []string{"text/plain; charset=utf-8", `a/b; c="d\"e"; f*=utf-8''%e2%82%ac`, "a/b; x*1=b; x*0*=us-ascii'en'a", "a / b (c) ;; = ; d", "multipart/mixed\r\n boundary=x", `a/b; n="never closed`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, _ := parseMediaType([]byte(s))
		d, _ := parseDisposition([]byte(s))
		if !clean(m.Type) || !clean(m.Subtype) || !clean(d.Type) || len(m.Params) > maxParams {
			t.Fatalf("%q -> %+v, %+v", s, m, d)
		}
		seen := map[string]bool{}
		for _, p := range m.Params {
			if !clean(p.Name) || !clean(p.Value) || p.Name == "" || seen[p.Name] {
				t.Fatalf("%q -> %+v", s, p)
			}
			seen[p.Name] = true
		}
		boundaryOf([]byte(s))
	})
}

// FuzzDate checks that a date which is written down is read as the same again.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"Mon, 23 Nov 2026 09:12:40 +0100", "1 jan 99 1:2 EST", "2026-11-23T09:12:40.5Z", "Mon Nov 23 09:12:40 2026", "23/11/2026 9:12 PM GMT+0100"} {
		f.Add(s)
	}
	const layout = "Mon, 2 Jan 2006 15:04:05 -0700"
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s)
		if !ok || got.Year() < 1000 || got.Year() > 9999 {
			return
		}
		if again, ok := ParseDate(got.Format(layout)); !ok || again.Format(layout) != got.Format(layout) {
			t.Fatalf("%q -> %v -> %v, %v", s, got, again, ok)
		}
	})
}

// FuzzFields checks the other readers of field values.
func FuzzFields(f *testing.F) {
	for _, s := range []string{"<a@b> <c@d>", "from a (b [192.0.2.1]) by c with ESMTP id d for <e@f>; Mon, 23 Nov 2026 09:12:40 +0100", "List <list.example.org>", "<https://a/ b>, <mailto:c>", "a, b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fold := strings.NewReplacer("\r", " ", "\n", "\r\n ").Replace(s)
		h := Parse([]byte("References: " + fold + "\r\nReceived: " + fold + "\r\nList-Id: " + fold + "\r\nKeywords: " + fold + "\r\n\r\n")).Header()
		for id := range h.References() {
			if !clean(id) || id == "" {
				t.Fatalf("%q -> id %q", s, id)
			}
		}
		for r := range h.Received() {
			if !clean(r.From) || !clean(r.By) || !clean(r.ID) || !clean(r.For) || !clean(r.Helo) || !clean(r.FromHost) {
				t.Fatalf("%q -> %+v", s, r)
			}
		}
		if id, text := h.ListID(); !clean(id) || !clean(text) {
			t.Fatalf("%q -> %q, %q", s, id, text)
		}
		for _, word := range append(h.TextList("Keywords"), h.ListURLs("References")...) {
			if !clean(word) {
				t.Fatalf("%q -> %q", s, word)
			}
		}
	})
}

// FuzzSafeFilename checks that no name leaves the folder it is saved in.
func FuzzSafeFilename(f *testing.F) {
	for _, s := range []string{"../../x", `C:\x`, "CON.txt", "a\u202Etxt.exe", ".", strings.Repeat("x", 300) + ".pdf", "a. . ", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := safeName(s)
		if strings.ContainsAny(name, "/\\\x00:\r\n") || name == "." || name == ".." || len(name) > maxFilename || !utf8.ValidString(name) {
			t.Fatalf("%q -> %q", s, name)
		}
		if again := safeName(name); again != name {
			t.Fatalf("%q -> %q -> %q", s, name, again)
		}
	})
}

// FuzzFlowed checks that undoing format=flowed twice changes no line that does
// not end in a space.
func FuzzFlowed(f *testing.F) {
	f.Add("a \r\nb\r\n> c \r\n> d\r\n-- \r\ne", false)
	f.Fuzz(func(t *testing.T, s string, delSp bool) {
		if got := Flowed(s, delSp); strings.Count(got, "\n") > strings.Count(s, "\n")+1 {
			t.Fatalf("%q -> %q", s, got)
		}
	})
}

// FuzzEditor checks that an edited message has the change and is otherwise the
// same.
func FuzzEditor(f *testing.F) {
	for _, s := range seedMail {
		f.Add([]byte(s), "X-Test", "value")
	}
	f.Fuzz(func(t *testing.T, b []byte, name, value string) {
		e := Edit(Parse(b))
		if e.Prepend(name, value) != nil {
			return
		}
		var out bytes.Buffer
		n, err := e.WriteTo(&out)
		if err != nil || n != e.Size() || !bytes.HasSuffix(out.Bytes(), b) {
			t.Fatalf("%q, %v", out.Bytes(), err)
		}
		head := out.Bytes()[:out.Len()-len(b)]
		if h := Parse(append(head[:len(head):len(head)], "\r\n"...)).Header(); h.Len() != 1 || !h.Has(name) {
			t.Fatalf("%q is %d fields", head, h.Len())
		}
	})
}
