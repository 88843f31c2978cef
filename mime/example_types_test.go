package mime_test

import (
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/mime"
)

func ExampleEvent() {
	s := mime.Scan(strings.NewReader("Content-Type: text/plain\r\n\r\nhello\r\n"))
	var body []byte
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		if e.Kind == mime.PartData { // in pieces, as they come
			body = append(body, e.Data...)
		}
	}
	fmt.Printf("%q %v\n", body, s.Err())
	// Output: "hello\r\n" <nil>
}

func ExampleEventKind() {
	s := mime.Scan(strings.NewReader("Subject: x\r\n\r\nhello\r\n"))
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		switch e.Kind {
		case mime.PartBegin:
			fmt.Println("a part:", e.Part.Type())
		case mime.PartEnd:
			fmt.Println("its end")
		}
	}
	// Output:
	// a part: text/plain
	// its end
}

func ExampleCode() {
	for _, c := range []mime.Code{mime.BareLF, mime.NotClosed, mime.DuplicateSingleton} {
		fmt.Println(c, c.Severity())
	}
	// Output:
	// BareLF warn
	// NotClosed warn
	// DuplicateSingleton ambiguous
}

// What a gateway looks at: everything that readers may see differently.
func ExampleSeverity() {
	m := mime.Parse([]byte("From: alice@crepes.fr\r\nFrom: boss@bank.example\r\nSubject: x\n\r\n"))
	for _, d := range m.Defects() {
		if d.Severity >= mime.Ambiguous {
			fmt.Println(d)
		}
	}
	// Output: DuplicateSingleton (ambiguous) at 23
}

func ExampleDSNRecipient() {
	bounce := "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; hamburger.edu\r\n\r\n" +
		"Original-Recipient: rfc822; sales@hamburger.edu\r\nFinal-Recipient: rfc822; bob@hamburger.edu\r\nAction: delayed\r\nStatus: 4.2.2\r\n--b--\r\n"
	if d, ok := mime.ParseDSN(mime.Parse([]byte(bounce))); ok {
		for _, r := range d.Recipients {
			fmt.Println(r.Original, r.Final, r.Action, r.Status)
		}
	}
	// Output: rfc822;sales@hamburger.edu bob@hamburger.edu delayed 4.2.2
}
