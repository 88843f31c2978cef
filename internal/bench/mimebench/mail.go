// Package mimebench measures parsing of mail beside other libraries, on mail
// that it makes itself, the same for each run.
//
//	go test -bench Parse ./mimebench
//	go test -bench Headers ./mimebench
package mimebench

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime/quotedprintable"
)

// words is what texts are made of; some need escapes in quoted-printable.
var words = []string{"the", "mail", "travels", "from", "host", "to", "host", "until", "someone", "reads",
	"it", "or", "nobody", "does", "Zürich", "and", "every", "relay", "puts", "its", "stamp", "on", "top", "="}

// text makes about n octets of prose in lines of at most 72.
func text(r *rand.Rand, n int) []byte {
	var b bytes.Buffer
	line := 0
	for b.Len() < n {
		w := words[r.IntN(len(words))]
		if line+len(w) > 70 {
			b.WriteString("\r\n")
			line = 0
		}
		b.WriteString(w)
		b.WriteByte(' ')
		line += len(w) + 1
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// quoted encodes text in quoted-printable.
func quoted(b []byte) []byte {
	var out bytes.Buffer
	w := quotedprintable.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// base64Lines encodes n random octets in lines of 76 characters.
func base64Lines(r *rand.Rand, n int) []byte {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	enc := []byte(base64.StdEncoding.EncodeToString(raw))
	var b bytes.Buffer
	for len(enc) > 76 {
		b.Write(enc[:76])
		b.WriteString("\r\n")
		enc = enc[76:]
	}
	b.Write(enc)
	b.WriteString("\r\n")
	return b.Bytes()
}

// head is the header of each message, without its Content-Type.
const head = "Received: from mx1.hamburger.edu (mx1.hamburger.edu [192.0.2.17])\r\n" +
	"\tby mail.example.org with ESMTPS id 4F6A91C2;\r\n\tMon, 23 Nov 2026 09:12:44 +0100\r\n" +
	"Received: from [198.51.100.4] by mx1.hamburger.edu with ESMTPSA id 77aa01;\r\n\tMon, 23 Nov 2026 09:12:41 +0100\r\n" +
	"From: =?utf-8?q?Bob_M=C3=BCller?= <bob@hamburger.edu>\r\n" +
	"To: Alice <alice@example.org>, \"Doe, Carol\" <carol@example.net>\r\n" +
	"Cc: dave@example.com\r\n" +
	"Subject: =?utf-8?q?Re=3A_the_minutes_of_Z=C3=BCrich?=\r\n" +
	"Date: Mon, 23 Nov 2026 09:12:40 +0100\r\n" +
	"Message-ID: <20261123081240.4711@hamburger.edu>\r\n" +
	"In-Reply-To: <20261122190000.42@example.org>\r\n" +
	"References: <20261120101010.1@example.org> <20261122190000.42@example.org>\r\n" +
	"MIME-Version: 1.0\r\n"

// small is a text of 2 KB in quoted-printable, header included.
func small() []byte { return textMail(1000) }

// textMail has one text part of about n octets.
func textMail(n int) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.Write(quoted(text(newRand(), n)))
	return b.Bytes()
}

// alternative has a text and its HTML, 20 KB together.
func alternative() []byte {
	r := newRand()
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("Content-Type: multipart/alternative; boundary=\"=_alt_4711\"\r\n\r\nThis is a message in MIME format.\r\n")
	b.WriteString("--=_alt_4711\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.Write(quoted(text(r, 6000)))
	b.WriteString("\r\n--=_alt_4711\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	html := bytes.ReplaceAll(text(r, 10000), []byte("host "), []byte("<b class=\"x\">host</b> "))
	b.Write(quoted(html))
	b.WriteString("\r\n--=_alt_4711--\r\n")
	return b.Bytes()
}

// attachment has a short text and an attachment of n octets.
func attachment(n int) []byte {
	r := newRand()
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("Content-Type: multipart/mixed; boundary=\"=_mix_4711\"\r\n\r\n")
	b.WriteString("--=_mix_4711\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.Write(quoted(text(r, 800)))
	b.WriteString("\r\n--=_mix_4711\r\nContent-Type: application/pdf; name=\"minutes.pdf\"\r\n" +
		"Content-Disposition: attachment; filename=\"minutes.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	b.Write(base64Lines(r, n))
	b.WriteString("--=_mix_4711--\r\n")
	return b.Bytes()
}

// manyParts has n small text parts.
func manyParts(n int) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("Content-Type: multipart/mixed; boundary=\"=_many_4711\"\r\n\r\n")
	for i := range n {
		fmt.Fprintf(&b, "--=_many_4711\r\nContent-Type: text/plain; charset=utf-8; name=\"part%d.txt\"\r\n"+
			"Content-Transfer-Encoding: 7bit\r\nContent-Disposition: inline; filename=\"part%d.txt\"\r\n\r\nThis is part %d.\r\n", i, i, i)
	}
	b.WriteString("--=_many_4711--\r\n")
	return b.Bytes()
}

// headers has n fields and a body of one line.
func headers(n int) []byte {
	var b bytes.Buffer
	b.WriteString("From: =?utf-8?q?Bob_M=C3=BCller?= <bob@hamburger.edu>\r\nTo: Alice <alice@example.org>, \"Doe, Carol\" <carol@example.net>\r\n" +
		"Subject: =?utf-8?q?the_minutes_of_Z=C3=BCrich?=\r\nDate: Mon, 23 Nov 2026 09:12:40 +0100\r\n" +
		"Message-ID: <20261123081240.4711@hamburger.edu>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n")
	for i := 7; i < n; i++ {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "X-Header-%d: some value of no importance, number %d\r\n", i, i)
		case 1:
			fmt.Fprintf(&b, "X-Folded-%d: a value that is longer than one line would\r\n\tlike to be, hence folded here, number %d\r\n", i, i)
		default:
			fmt.Fprintf(&b, "X-Encoded-%d: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= the header %d\r\n", i, i)
		}
	}
	b.WriteString("\r\nhello\r\n")
	return b.Bytes()
}
