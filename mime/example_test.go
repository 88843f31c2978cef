package mime_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/mime"
)

// message is what the examples read.
const message = "From: =?utf-8?q?Bob_M=C3=BCller?= <bob@hamburger.edu>\r\n" +
	"To: Friends: alice@example.org, \"Doe, Carol\" <carol@example.net>;\r\n" +
	"Subject: =?utf-8?q?Z=C3=BCrich?=\r\n" +
	"Date: Mon, 23 Nov 2026 09:12:40 +0100\r\n" +
	"Message-ID: <1@hamburger.edu>\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"We meet in Z=FCrich.\r\n" +
	"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''..%2FPl%C3%A4ne.pdf\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"

func ExampleParse() {
	m := mime.Parse([]byte(message))
	fmt.Println(m.Header().Subject())
	for _, p := range m.TextBody() {
		fmt.Println(p.Text())
	}
	for _, p := range m.Attachments() {
		fmt.Println(p.SafeFilename(), len(p.Bytes()))
	}
	// Output:
	// Zürich
	// We meet in Zürich.
	// Pläne.pdf 5
}

func ExampleParseAt() {
	r := strings.NewReader(message) // or a file of any size
	m, err := mime.ParseAt(r, r.Size())
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(os.Stdout, m.Attachments()[0].Open())
	// Output: hello
}

func ExampleScan() {
	s := mime.Scan(strings.NewReader(message)) // or a connection
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		if e.Kind == mime.PartBegin {
			fmt.Println(e.Part.Path(), e.Part.Type())
		}
	}
	fmt.Println(s.Err())
	// Output:
	//  multipart/mixed
	// 1 text/plain
	// 2 application/pdf
	// <nil>
}

func ExampleReadHeader() {
	h, rest, err := mime.ReadHeader(strings.NewReader(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	n, _ := io.Copy(io.Discard, rest)
	fmt.Println(h.MessageID(), n == int64(len(message)))
	// Output: 1@hamburger.edu true
}

func ExampleParser() {
	p := mime.Parser{Limits: mime.Limits{Parts: 2}}
	m := p.Parse([]byte(message))
	fmt.Println(m.Len(), m.Defects())
	// Output: 2 [PartLimit (lost) at 276]
}

func ExampleMessage_Walk() {
	for path, p := range mime.Parse([]byte(message)).Walk() {
		fmt.Printf("%q %s %d\n", path, p.Type(), p.Span().End-p.Span().Body)
	}
	// Output:
	// "" multipart/mixed 281
	// "1" text/plain 20
	// "2" application/pdf 8
}

func ExampleMessage_Inspect() {
	m := mime.Parse([]byte("From: bob@hamburger.edu\r\nDate: yesterday\r\nFrom: alice@example.org\r\n\r\nhi\r\n"))
	for _, d := range m.Inspect() {
		fmt.Println(d)
	}
	fmt.Println(m.Ambiguous())
	// Output:
	// BadDate (warn) at 25
	// DuplicateSingleton (ambiguous) at 42
	// true
}

func ExampleMessage_AppendEnvelope() {
	m := mime.Parse([]byte("Subject: hello\r\nFrom: Bob <bob@hamburger.edu>\r\n\r\n"))
	fmt.Printf("%s\n", m.AppendEnvelope([]byte("ENVELOPE ")))
	// Output: ENVELOPE (NIL "hello" (("Bob" NIL "bob" "hamburger.edu")) (("Bob" NIL "bob" "hamburger.edu")) (("Bob" NIL "bob" "hamburger.edu")) NIL NIL NIL NIL NIL)
}

func ExampleMessage_Section() {
	off, size, ok := mime.Parse([]byte(message)).Section("1")
	fmt.Printf("%q %v\n", message[off:off+size], ok)
	// Output: "We meet in Z=FCrich." true
}

func ExampleHeader() {
	h := mime.Parse([]byte("Received: by a\r\nreceived: by b\r\nSubject: folded\r\n text\r\n\r\n")).Header()
	for f := range h.Fields() {
		fmt.Printf("%s: %s\n", f.Name(), f.Value())
	}
	// Output:
	// Received: by a
	// received: by b
	// Subject: folded text
}

func ExampleHeader_Groups() {
	for _, g := range mime.Parse([]byte(message)).Header().Groups("To") {
		fmt.Println(g.Name, len(g.Members))
	}
	// Output: Friends 2
}

func ExampleField() {
	f, _ := mime.Parse([]byte("Subject: =?utf-8?q?Z=C3=BCrich?=\r\n\r\n")).Header().Lookup("subject")
	fmt.Printf("%q %q %q\n", f.Raw(), f.Value(), f.Text())
	// Output: "Subject: =?utf-8?q?Z=C3=BCrich?=\r\n" "=?utf-8?q?Z=C3=BCrich?=" "Zürich"
}

func ExampleParseAddresses() {
	for _, a := range mime.ParseAddresses(`"Doe, Carol" <carol@example.net>, bob@hamburger.edu (Bob), Alice <alice@example.org`) {
		fmt.Println(a)
	}
	// Output:
	// "Doe, Carol" <carol@example.net>
	// Bob <bob@hamburger.edu>
	// Alice <alice@example.org>
}

func ExampleAddress() {
	a := mime.Address{Name: "Bob", Addr: "bob@hamburger.edu"}
	fmt.Println(a, a.Local(), a.Domain())
	// Output: Bob <bob@hamburger.edu> bob hamburger.edu
}

func ExampleParseDate() {
	t, ok := mime.ParseDate("Mon Nov 23 09:12:40 PST 2026")
	fmt.Println(t, ok)
	// Output: 2026-11-23 09:12:40 -0800 -0800 true
}

func ExampleHeader_Received() {
	h := mime.Parse([]byte("Received: from client.example ([192.0.2.7]) by mx.example with ESMTPS; Mon, 23 Nov 2026 09:12:40 +0100\r\n\r\n")).Header()
	for r := range h.Received() {
		fmt.Println(r.From, r.FromIP, r.By, r.With, r.Date.Unix())
	}
	// Output: client.example 192.0.2.7 mx.example ESMTPS 1795421560
}

func ExampleMediaType() {
	m := mime.Parse([]byte("Content-Type: Text/HTML; charset=utf-8\r\n\r\n")).Header().ContentType()
	fmt.Println(m, m.Is("text", ""), m.Param("charset"))
	// Output: text/html true utf-8
}

func ExampleDisposition() {
	d := mime.Parse([]byte("Content-Disposition: attachment; filename*0=long-; filename*1=name.txt\r\n\r\n")).Header().Disposition()
	fmt.Println(d.Type, d.Param("filename"))
	// Output: attachment long-name.txt
}

func ExampleFlowed() {
	fmt.Print(mime.Flowed("one \r\nparagraph\r\nanother\r\n", false))
	// Output:
	// one paragraph
	// another
}

func ExampleMessage_Preview() {
	m := mime.Parse([]byte("\r\nHello Alice,\r\n\r\nwe meet at nine.\r\n"))
	fmt.Println(m.Preview(0))
	// Output: Hello Alice, we meet at nine.
}

func ExampleEditor() {
	e := mime.Edit(mime.Parse([]byte("Subject: hello\r\n\r\nbody\r\n")))
	if err := e.Prepend("Received", "by mx.example with ESMTP;\r\n\tMon, 23 Nov 2026 09:12:40 +0100"); err != nil {
		fmt.Println(err)
	}
	var out bytes.Buffer
	e.WriteTo(&out)
	fmt.Print(strings.ReplaceAll(out.String(), "\r\n", "\n"))
	// Output:
	// Received: by mx.example with ESMTP;
	// 	Mon, 23 Nov 2026 09:12:40 +0100
	// Subject: hello
	//
	// body
}

func ExamplePart() {
	p := mime.Parse([]byte(message)).Part(2)
	fmt.Println(p.Path(), p.Type(), p.Filename(), p.SafeFilename())
	fmt.Printf("%s %s\n", p.RawBody(), p.Bytes())
	// Output:
	// 2 application/pdf ../Pläne.pdf Pläne.pdf
	// aGVsbG8= hello
}

func ExampleSpan() {
	s := mime.Parse([]byte("Subject: hello\n\none\ntwo\n")).Root().Span()
	fmt.Println(s.Begin, s.Body, s.End, s.Lines, s.CRLFOctets)
	// Output: 0 16 24 2 10
}

func ExampleScanner() {
	s := mime.Scan(strings.NewReader(message))
	octets := map[string]int{}
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		if e.Kind == mime.PartData && !e.Part.IsMultipart() {
			octets[e.Part.Path()] += len(e.Data)
		}
	}
	fmt.Println(octets, s.Message().Header().MessageID())
	// Output: map[1:20 2:8] 1@hamburger.edu
}

func ExampleLimits() {
	p := mime.Parser{Limits: mime.Limits{Decoded: 5}}
	m := p.Parse([]byte("\r\nmuch too long a text\r\n"))
	fmt.Println(m.Root().Text(), m.Inspect())
	// Output: much  [DecodedLimit (lost) at 2]
}

func ExampleDefect() {
	m := mime.Parse([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n"))
	for _, d := range m.Defects() {
		fmt.Println(d.Code == mime.NotClosed, d.Severity == mime.Warn, d.Offset, m.Part(d.Part).Type())
	}
	// Output: true true 59 multipart/mixed
}

func ExampleGroup() {
	h := mime.Parse([]byte("To: undisclosed-recipients:;\r\n\r\n")).Header()
	for _, g := range h.Groups("To") {
		fmt.Println(g.Name, g.Named, len(g.Members))
	}
	// Output: undisclosed-recipients true 0
}

func ExampleReceived() {
	h := mime.Parse([]byte("Received: from a.example by b.example with SMTP id 7\r\nReceived: by a.example\r\n\r\n")).Header()
	for r := range h.Received() {
		fmt.Printf("%s<-%s\n", r.By, r.From)
	}
	// Output:
	// b.example<-a.example
	// a.example<-
}

func ExampleParam() {
	m := mime.Parse([]byte("Content-Type: text/plain; title*=utf-8'de'Gr%C3%BC%C3%9Fe\r\n\r\n")).Header().ContentType()
	fmt.Println(m.Params[0].Name, m.Params[0].Value, m.Params[0].Language)
	// Output: title Grüße de
}

func ExampleHeader_OneClick() {
	h := mime.Parse([]byte("List-Unsubscribe: <mailto:leave@l.example>, <https://l.example/leave>\r\n" +
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n")).Header()
	fmt.Println(h.OneClick())
	// Output: https://l.example/leave
}

func ExampleMessage_Ambiguous() {
	m := mime.Parse([]byte("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<b>what is it?</b>\r\n"))
	fmt.Println(m.Ambiguous())
	// Output: true
}
