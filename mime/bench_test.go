package mime

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// benchMail are the messages that are measured.
func benchMail() map[string][]byte {
	head := "Received: from mx.example ([192.0.2.1]) by mail.example with ESMTPS id 1;\r\n\tMon, 23 Nov 2026 09:12:40 +0100\r\n" +
		"From: =?utf-8?q?Bob_M=C3=BCller?= <bob@hamburger.edu>\r\nTo: Alice <alice@example.org>, \"Doe, Carol\" <carol@example.net>\r\n" +
		"Subject: the minutes\r\nDate: Mon, 23 Nov 2026 09:12:40 +0100\r\nMessage-ID: <1@hamburger.edu>\r\nMIME-Version: 1.0\r\n"
	line := "A line of prose with an umlaut =C3=BC in it, and an equals sign =3D here.=\r\n"
	b64 := strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n", 1<<20/78)
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nThis is part %d.\r\n", i)
	}
	return map[string][]byte{
		"2KB": []byte(head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(line, 20)),
		"1MB": []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n" +
			"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64 + "--b--\r\n"),
		"1000parts": []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many.String() + "--b--\r\n"),
	}
}

func eachMail(b *testing.B, f func(b *testing.B, mail []byte)) {
	for _, name := range []string{"2KB", "1MB", "1000parts"} {
		mail := benchMail()[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(mail)))
			b.ReportAllocs()
			f(b, mail)
		})
	}
}

// BenchmarkParse finds the structure, and nothing else.
func BenchmarkParse(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		for b.Loop() {
			Parse(mail)
		}
	})
}

// BenchmarkParseAndDecode decodes all bodies as well.
func BenchmarkParseAndDecode(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		for b.Loop() {
			m := Parse(mail)
			for i := range m.Len() {
				if p := m.Part(i); p.IsMultipart() {
					continue
				} else if p.IsText() {
					p.Text()
				} else {
					p.Bytes()
				}
			}
		}
	})
}

func BenchmarkParseAt(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		r := bytes.NewReader(mail)
		for b.Loop() {
			ParseAt(r, int64(len(mail)))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		for b.Loop() {
			s := Scan(bytes.NewReader(mail))
			for _, ok := s.Next(); ok; _, ok = s.Next() {
			}
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		m := Parse(mail)
		for b.Loop() {
			m.Inspect()
		}
	})
}

func BenchmarkBodyStructure(b *testing.B) {
	eachMail(b, func(b *testing.B, mail []byte) {
		m := Parse(mail)
		var buf []byte
		for b.Loop() {
			buf = m.AppendBodyStructure(buf[:0], true)
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	m := Parse(benchMail()["2KB"])
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = m.AppendEnvelope(buf[:0])
	}
}

func BenchmarkOpen(b *testing.B) {
	p := Parse(benchMail()["1MB"]).Part(2)
	b.SetBytes(p.Span().End - p.Span().Body)
	b.ReportAllocs()
	for b.Loop() {
		io.Copy(io.Discard, p.Open())
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		e    transfer
		line string
	}{
		{"base64", transferBase64, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"},
		{"qp", transferQP, "A line of prose with an umlaut =C3=BC in it, and an equals sign =3D here.=\r\n"},
		{"uu", transferUU, "M" + strings.Repeat("#86)", 15) + "\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := []byte(strings.Repeat(c.line, 1000))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				decodeAll(c.e, src)
			}
		})
	}
}

func BenchmarkCharset(b *testing.B) {
	for _, label := range []string{"utf-8", "iso-8859-1", "iso-2022-jp"} {
		b.Run(label, func(b *testing.B) {
			src := []byte(strings.Repeat("some prose in plain ASCII, as most of it is; ", 1000))
			cs := lookupCharset([]byte(label))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				decodeCharsetString(cs, src, true)
			}
		})
	}
}

func BenchmarkAddresses(b *testing.B) {
	h := head("To: " + strings.Repeat("Bob <bob@hamburger.edu>, ", 100))
	b.ReportAllocs()
	for b.Loop() {
		h.Addresses("To")
	}
}

func BenchmarkDate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseDate("Mon, 23 Nov 2026 09:12:40 +0100")
	}
}

func BenchmarkSubject(b *testing.B) {
	h := head("Subject: =?utf-8?q?Z=C3=BCrich?= and =?utf-8?b?WsO8cmljaA==?=")
	b.ReportAllocs()
	for b.Loop() {
		h.Subject()
	}
}
