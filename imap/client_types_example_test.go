package imap_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/postilion-mail/postilion/imap"
)

func ExampleMailboxInfo() {
	box := &imap.MailboxInfo{Name: "Work/Old", Separator: "/", Attrs: []string{`\HasNoChildren`, `\Archive`}}
	fmt.Println(box.Name, box.Has(`\archive`), box.Has(`\Noselect`))
	// Output: Work/Old true false
}

func ExampleNamespace() {
	_, conn, done := account()
	defer done()
	all, err := conn.Namespace(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range all.Personal {
		fmt.Printf("%q %q\n", n.Prefix, n.Separator)
	}
	// Output: "" "/"
}

func ExampleEnvelope() {
	_, conn, done := account("From: =?utf-8?q?Zo=C3=AB?= <zoe@crepes.fr>\r\nDate: Sat, 14 Feb 2026 12:00:00 +0100\r\n" +
		"Subject: =?utf-8?q?Cr=C3=AApes?=\r\nMessage-ID: <1@crepes.fr>\r\n\r\nAt noon?\r\n")
	defer done()
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), imap.Items{Envelope: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		e := m.Envelope
		fmt.Println(e.From[0].Name, e.Subject, e.Date.UTC().Format(time.DateTime), e.MessageID, e.ReplyTo[0] == e.From[0])
	}
	// Output: Zoë Crêpes 2026-02-14 11:00:00 <1@crepes.fr> true
}

// What a list of messages on a screen needs, in one round trip.
func ExampleItems() {
	_, conn, done := account("Subject: Lunch\r\n\r\nAt noon?\r\n", "Subject: Dinner\r\n\r\nAt eight?\r\n")
	defer done()
	items := imap.Items{Flags: true, Envelope: true, Size: true, Preview: true}
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), items) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.UID, m.Size, m.Envelope.Subject, "-", m.Preview)
	}
	// Output:
	// 1 28 Lunch - At noon?
	// 2 30 Dinner - At eight?
}

// The first octets of a text, without marking the message as read.
func ExampleSection() {
	_, conn, done := account("Subject: Lunch\r\n\r\nAt noon, or a little later?\r\n")
	defer done()
	begin := imap.Section{What: "TEXT", Octets: 7}
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), imap.Items{Bodies: []imap.Section{begin}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text, ok := m.Body(begin)
		fmt.Printf("%s %t\n", text, ok)
	}
	// Output: At noon true
}

// A program keeps the state of a mailbox, in a file perhaps, from one visit to
// the next.
func ExampleSyncState() {
	srv, conn, done := account("Subject: Lunch\r\n\r\nAt noon?\r\n")
	defer done()
	var state imap.SyncState
	for range 2 {
		news, err := conn.Sync(context.Background(), "INBOX", state)
		if err != nil {
			fmt.Println(err)
			return
		}
		state = news.State
		fmt.Println(state.UIDs, "new:", len(news.Messages))
		srv.Deliver("INBOX", "Subject: Dinner\r\n\r\nAt eight?\r\n")
	}
	// Output:
	// 1 new: 1
	// 1:2 new: 1
}

// A peer that speaks something else is no IMAP server.
func ExampleProtocolError() {
	ours, theirs := net.Pipe()
	go fmt.Fprint(theirs, "220 mail.example.org ESMTP\r\n")
	_, err := (&imap.Client{}).NewConn(context.Background(), ours)
	var broken imap.ProtocolError
	fmt.Println(errors.As(err, &broken))
	// Output: true
}
